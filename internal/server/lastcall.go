// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lastCall is a listener that can be closed when nobody waits in it. To close it earlier
// would reset connections that the kernel has taken and nobody has accepted, and with them
// what was sent on them. It also bounds how many connections are open.
type lastCall struct {
	*net.TCPListener
	most    int64        // connections
	log     *slog.Logger // is told of those beyond
	open    atomic.Int64
	leaving atomic.Bool
	http    bool         // what comes is HTTP; set before Accept
	headers atomic.Int64 // bytes that headers have of roomForHeaders

	stirring atomic.Int64 // connections that were idle and on which a request has begun to come
	once     sync.Once
	left     chan struct{} // closed when the listener is
}

// mostConns is how many connections a face takes at a time, so that all faces fit into the 65,536
// files of deploy/systemd. An idle one has about 25 KiB. One whose header, or body that a proof
// covers, stays away has at most 60, and one that keeps the end of a form of 64 KiB from the
// API 95: a full face has 250 MiB, and 600 or 950 at most. Without a bound whoever opens
// connections has the memory of the process.
const mostConns = 10_000

func newLastCall(ln *net.TCPListener) *lastCall {
	return &lastCall{TCPListener: ln, most: mostConns, log: slog.New(slog.DiscardHandler), left: make(chan struct{})}
}

// Accept is that of net.Listener. It closes who comes when there is no room. After leave it
// returns those who wait, and then [net.ErrClosed].
func (l *lastCall) Accept() (net.Conn, error) {
	for {
		conn, err := l.next()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			c := &counted{TCPConn: conn.(*net.TCPConn), from: l}
			if l.http {
				c.header = &header{room: &l.headers}
			}
			return c, nil
		}
		l.open.Add(-1)
		l.log.Warn("a face has no room for more connections", "address", l.Addr().String(), "connections", l.most)
		_ = conn.Close() // nothing was said
	}
}

// counted is a connection of a lastCall.
type counted struct {
	*net.TCPConn
	from   *lastCall
	once   sync.Once
	sleep  atomic.Int32 // awake, asleep or stirs
	header *header      // of the request that comes, or came last; nil: it is no HTTP
}

// How a connection is between requests. http.Server takes one for idle until the whole header
// of the next request is there.
const (
	awake int32 = iota // a request is served, or has yet to come for the first time
	asleep
	stirs // it was asleep, and something came
)

// Read is that of net.Conn. A header that is refused is answered here.
func (c *counted) Read(p []byte) (int, error) {
	if c.header == nil {
		return c.TCPConn.Read(p)
	}
	if len(p) <= buffer {
		p = p[:min(len(p), atATime)]
	}
	n, err := c.TCPConn.Read(p)
	if n > 0 && c.sleep.CompareAndSwap(asleep, stirs) {
		c.from.stirring.Add(1)
	}
	if refusal := c.header.take(p[:n]); refusal != "" {
		return 0, c.refuse(refusal)
	}
	return n, err
}

// rests is told of each new state of the connection: whether it is idle.
func (c *counted) rests(idle bool) {
	next := awake
	if idle {
		next = asleep
		c.header.forget()
	}
	if c.sleep.Swap(next) == stirs {
		c.from.stirring.Add(-1)
	}
}

// Close is that of net.Conn.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.from.open.Add(-1)
		c.header.forget()
	})
	return c.TCPConn.Close()
}

// next waits for a connection.
func (l *lastCall) next() (net.Conn, error) {
	if !l.leaving.Load() {
		conn, err := l.TCPListener.Accept()
		if err == nil || !l.leaving.Load() {
			return conn, err
		}
	}
	if conn := acceptNow(l.TCPListener); conn != nil {
		return conn, nil
	}
	// Between these two lines a connection may still come: microseconds, and not as long as
	// whoever accepts is busy.
	_ = l.Close() // it may be closed
	return nil, net.ErrClosed
}

// Close is that of net.Listener.
func (l *lastCall) Close() error {
	err := l.TCPListener.Close()
	l.once.Do(func() { close(l.left) })
	return err
}

// leave lets Accept return those who wait, and returns when the listener is closed, or with
// ctx.
func (l *lastCall) leave(ctx context.Context) {
	l.leaving.Store(true)
	_ = l.SetDeadline(time.Unix(1, 0)) // wakes Accept; the listener may be closed
	select {
	case <-l.left:
	case <-ctx.Done():
	}
}
