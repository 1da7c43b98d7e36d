// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// DefaultTimeout is how long a command may take where nothing else is said.
const DefaultTimeout = 500 * time.Millisecond

// inFlight is how many commands may wait for their answers. More callers wait for their turn.
const inFlight = 512

// ErrBusy: as many commands as may be under way waited for their answers for the whole
// timeout. It comes with gatehouse.ErrUnavailable.
var ErrBusy = errors.New("too many commands under way")

// Options says how a [Client] is opened. The zero value is usable.
type Options struct {
	// Timeout bounds each command, and each attempt to connect. Zero means DefaultTimeout.
	Timeout time.Duration
	// AllowUnsafe opens a server that may evict what must be remembered.
	AllowUnsafe bool
}

// Client is a connection to a server, a cluster or the primary that Sentinels name. It is
// safe for concurrent use.
type Client struct {
	r       rueidis.Client
	timeout time.Duration
	slots   chan struct{} // a place for each command under way

	closing context.Context // done once Close was called
	close   context.CancelFunc
	mu      sync.Mutex     // so that nothing begins once Close waits
	work    sync.WaitGroup // what goes on in the background
}

// Open connects and checks every server it reaches: Redis 7 or Valkey 7.2 at least, and one
// that evicts nothing.
//
// The URL is redis:// or, with TLS, rediss://, then [user:password@]host[:port][/database].
// Options after "?":
//
//	addr=host:port       another server of the cluster, or another Sentinel; may be repeated
//	cluster=true         it must be a cluster; without it one host is asked what it is
//	master_set=name      the hosts are Sentinels, which name the primary of this set
//	sentinel_user=, sentinel_password=   for the Sentinels, which get no others
//
// ctx ends the check; to connect takes a timeout for each host at most. Writes, and there
// are no others, go to primaries. Errors: *gatehouse.InvalidError with
// field "url" for a URL that cannot be used; [ErrVersion]; [ErrUnsafe]; others come from the
// network or the server. None holds a password.
func Open(ctx context.Context, url string, o Options) (*Client, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	option, cluster, err := parse(url, o.Timeout)
	if err != nil {
		return nil, fmt.Errorf("open redis: %w", err)
	}
	r, err := rueidis.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("open redis: %w", err)
	}
	c := &Client{r: r, timeout: o.Timeout, slots: make(chan struct{}, inFlight)}
	c.closing, c.close = context.WithCancel(context.Background())
	if cluster && !c.cluster() {
		err = invalidURL("the server is not a cluster")
	} else {
		err = c.check(ctx, o.AllowUnsafe)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("open redis: %w", err)
	}
	return c, nil
}

// Close ends the connections. Calls after it fail with os.ErrClosed. Closing twice is
// allowed.
func (c *Client) Close() {
	c.mu.Lock()
	c.close()
	c.mu.Unlock()
	c.work.Wait()
	c.r.Close()
}

// background runs f, unless the client is closed. f ends soon after ctx is done.
func (c *Client) background(f func(ctx context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Err() == nil {
		c.work.Go(func() { f(c.closing) })
	}
}

// Ping asks a server for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	err := c.do(ctx, func(ctx context.Context) rueidis.RedisResult {
		return c.r.Do(ctx, c.r.B().Ping().Build())
	}).Error()
	if err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

func (c *Client) cluster() bool { return c.r.Mode() == rueidis.ClientModeCluster }

// do runs a command within the timeout. The command is not tied to ctx: see the package
// comment.
func (c *Client) do(ctx context.Context, command func(context.Context) rueidis.RedisResult) rueidis.RedisResult {
	if err := ctx.Err(); err != nil {
		return rueidis.NewErrorResult(err)
	}
	if c.closing.Err() != nil {
		return rueidis.NewErrorResult(os.ErrClosed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return rueidis.NewErrorResult(ErrBusy)
	}
	defer func() { <-c.slots }()
	return command(ctx)
}

// run runs a script.
func (c *Client) run(ctx context.Context, script *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	return c.do(ctx, func(ctx context.Context) rueidis.RedisResult { return script.Exec(ctx, c.r, keys, args) })
}
