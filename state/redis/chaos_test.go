// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// lame is a connection to a server that stalls: when it is made, and now and then later, for
// longer than a command may take. Some of its connections end in the middle of a word.
type lame struct {
	listener net.Listener
	server   string
	rand     atomic.Uint64
	stop     chan struct{}
	work     sync.WaitGroup
}

func newLame(t *testing.T, server string) *lame {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lame{listener: l, server: server, stop: make(chan struct{})}
	t.Cleanup(func() {
		close(p.stop)
		_ = l.Close()
		p.work.Wait()
	})
	p.work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.serve(client) })
		}
	})
	return p
}

func (p *lame) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	n := p.rand.Add(1)
	random := rand.New(rand.NewPCG(n, 1))
	p.stall(time.Duration(random.IntN(3)) * stall) // also longer than the client waits to connect
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
	both.Go(func() {
		defer client.Close()
		for b := make([]byte, 4096); ; {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			switch random.IntN(300) {
			case 0:
				_, _ = client.Write(b[:n/2])
				return
			case 1:
				p.stall(2 * stall)
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	})
	both.Wait()
}

// stall is how long a command may take here.
const stall = 60 * time.Millisecond

func (p *lame) stall(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.stop:
	}
}

// TestStalls wants every answer to be that of its question, whatever the connection does: the
// verdict on a nonce is that of a model, and a standing is that of its subject.
func TestStalls(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t, "redis-server")
	clock := gatehousetest.NewClock()
	sure := dial(t, server.URL(), redis.Options{})
	known(sure, clock)
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = newLame(t, server.Addr()).listener.Addr().String()
	var c *redis.Client
	await(t, func() error {
		c, err = redis.Open(t.Context(), u.String(), redis.Options{Timeout: stall})
		return err
	})
	t.Cleanup(c.Close)
	r, l := c.Replay(redis.ReplayOptions{Now: clock.Now}), c.Limiter(redis.LimiterOptions{Now: clock.Now})
	var answers, failures atomic.Int64
	deadline := time.Now().Add(4 * time.Second)
	parallel(16, func(caller int) bool {
		random := rand.New(rand.NewPCG(uint64(caller), 2))
		limit := gatehouse.Limit{Name: fmt.Sprint(caller), Count: int64(1_000_000 + caller), Period: time.Hour}
		nonces := map[int]bool{} // granted; false: nobody knows
		charged, doubt := int64(0), int64(0)
		for time.Now().Before(deadline) {
			nonce := random.IntN(200)
			granted, tried := nonces[nonce]
			ok, err := r.Claim(t.Context(), fmt.Sprint(caller), fmt.Sprint(nonce), clock.Now(), clock.Now().Add(time.Minute))
			switch {
			case err != nil:
				failures.Add(1)
				nonces[nonce] = granted
			case ok && granted || !ok && !tried:
				t.Errorf("caller %d, nonce %d: %v, tried before: %v, granted before: %v", caller, nonce, ok, tried, granted)
			default:
				answers.Add(1)
				nonces[nonce] = true
			}
			s, err := l.Charge(t.Context(), []gatehouse.Charge{{Subject: fmt.Sprint(caller), Limits: []gatehouse.Limit{limit}}})
			if err != nil {
				doubt++
				failures.Add(1)
				continue
			}
			charged++
			if left := limit.Count - charged; s.Name != limit.Name || s.Count != limit.Count || s.Remaining > left || s.Remaining < left-doubt {
				t.Errorf("caller %d, after %d charges and %d in doubt: %+v", caller, charged, doubt, s)
			}
			answers.Add(1)
		}
		return true
	})
	t.Logf("%d answers, %d failures", answers.Load(), failures.Load())
	if answers.Load() < 1000 || failures.Load() < 10 {
		t.Errorf("%d answers and %d failures prove little", answers.Load(), failures.Load())
	}
}

// TestFrozen wants an error within a bounded time of a server that neither answers nor ends.
func TestFrozen(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t, "redis-server")
	clock := gatehousetest.NewClock()
	c := dial(t, server.URL(), redis.Options{Timeout: 200 * time.Millisecond})
	known(c, clock)
	r, l := c.Replay(redis.ReplayOptions{Now: clock.Now}), c.Limiter(redis.LimiterOptions{Now: clock.Now})
	limits := []gatehouse.Limit{{Name: "l", Count: 1 << 40, Period: time.Hour}}
	const bound = 4 * time.Second // of a loaded machine
	claim := func(nonce string) error {
		begin := time.Now()
		ok, err := r.Claim(t.Context(), "k", nonce, clock.Now(), clock.Now().Add(time.Minute))
		if took := time.Since(begin); took > bound {
			t.Errorf("the claim took %v", took)
		}
		if !ok && err == nil {
			t.Errorf("nonce %s refused", nonce)
		}
		return err
	}
	await(t, func() error { return claim(fmt.Sprint("before ", time.Now())) })
	server.Freeze()
	for round := range 3 { // more than may be under way at once, and more than the queue holds
		parallel(1500, func(i int) bool {
			if err := claim(fmt.Sprint(round, "/", i)); !errors.Is(err, gatehouse.ErrUnavailable) {
				t.Errorf("frozen: %v", err)
			}
			return false
		})
	}
	begin := time.Now()
	if n := parallel(2000, func(int) bool {
		ok, _, _ := l.Take(t.Context(), "k", limits)
		return ok
	}); n != 0 {
		t.Errorf("%d admitted by a frozen server", n)
	}
	if took := time.Since(begin); took > bound {
		t.Errorf("2000 charges took %v", took)
	}
	server.Thaw()
	await(t, func() error { return claim(fmt.Sprint("after ", time.Now())) })
	await(t, func() error { _, _, err := l.Take(t.Context(), "k", limits); return err })
}
