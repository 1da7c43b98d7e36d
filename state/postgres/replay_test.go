// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/postgres"
)

const (
	window = time.Minute // in which the claims of these tests end
	ahead  = 5 * time.Second
)

// claim claims a nonce signed then, and wants an answer.
func claim(t *testing.T, s *postgres.State, nonce string, signed time.Time) bool {
	t.Helper()
	first, err := s.Claim(t.Context(), "k", nonce, signed, signed.Add(window))
	if err != nil {
		t.Fatalf("Claim(%q): %v", nonce, err)
	}
	return first
}

// claimAll claims nonces 0 to n-1 and returns how many were granted. After a break of the
// server each connection fails once. What nobody knows before the floor has passed is not granted.
func claimAll(t *testing.T, s *postgres.State, n int, signed time.Time) int {
	t.Helper()
	var granted, failures atomic.Int64
	var wg sync.WaitGroup
	const callers = 8
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < n; i += callers {
				first, err := s.Claim(t.Context(), "k", fmt.Sprint(i), signed, signed.Add(window))
				for err != nil && gatehouse.RetryAfter(err) == 0 && failures.Add(1) < 100 {
					if first || !errors.Is(err, gatehouse.ErrUnavailable) {
						t.Errorf("Claim = %v, %v", first, err)
					}
					first, err = s.Claim(t.Context(), "k", fmt.Sprint(i), signed, signed.Add(window))
				}
				if err != nil && (first || gatehouse.RetryAfter(err) == 0) {
					t.Error(err)
				}
				if first {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(granted.Load())
}

// TestNodesRace lets two nodes claim the same nonces at once.
func TestNodesRace(t *testing.T) {
	t.Parallel()
	const nonces, callers = 1000, 4
	url := testenv.Postgres(t)
	nodes := [2]*postgres.State{open(t, url, postgres.Options{Fresh: true}), open(t, url, postgres.Options{})}
	now := time.Now()
	var granted [nonces]atomic.Int64
	var wg sync.WaitGroup
	for _, s := range nodes {
		for caller := range callers {
			wg.Go(func() {
				for i := range nonces / callers {
					i += caller * nonces / callers
					if first, err := s.Claim(t.Context(), "k", fmt.Sprint(i), now, now.Add(window)); err != nil {
						t.Error(err)
					} else if first {
						granted[i].Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	for i := range granted {
		if n := granted[i].Load(); n != 1 {
			t.Errorf("nonce %d was granted %d times", i, n)
		}
	}
}

// TestServerEnds stops the server cleanly, which forgets nothing, and then lets it crash.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	server := testenv.PostgresServer(t)
	clock := gatehousetest.NewClock()
	var log bytes.Buffer
	s := open(t, server.URL(), postgres.Options{Fresh: true, MaxAhead: ahead, Now: clock.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	const nonces = 1000
	now := clock.Now()
	if n := claimAll(t, s, nonces, now); n != nonces {
		t.Fatalf("%d of %d granted", n, nonces)
	}

	server.Stop(syscall.SIGINT)
	if first, err := s.Claim(t.Context(), "k", "down", now, now.Add(window)); first || !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Claim without a server = %v, %v", first, err)
	}
	server.Start()
	if n := claimAll(t, s, nonces, now); n != 0 {
		t.Errorf("%d granted again after a clean restart", n)
	}
	if !claim(t, s, "fresh", now) || log.Len() > 0 {
		t.Errorf("a fresh one is refused after a clean restart; log %q", &log)
	}

	server.Stop(syscall.SIGQUIT)
	server.Start()
	if n := claimAll(t, s, nonces, now); n != 0 {
		t.Errorf("%d granted again after a crash", n)
	}
	if n := value(t, server.URL(), "SELECT count(*) FROM nonces"); n != 0 {
		t.Errorf("%d rows: the crash has emptied nothing, the test proves nothing", n)
	}
	if log.Len() == 0 {
		t.Error("the log says nothing of the loss")
	}
	gatehousetest.ReplayFloor(t, s, clock, ahead+2*postgres.DefaultSkew)
	if n := claimAll(t, s, nonces, now); n != 0 {
		t.Errorf("%d granted again after the floor", n)
	}
}

// TestCopies puts in place of the tables what a restore from a dump would leave, while a node
// runs, and while none does.
func TestCopies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		copy []string
		open bool // the node is opened anew
	}{
		{"another table", []string{
			"ALTER TABLE nonces RENAME TO before", "CREATE UNLOGGED TABLE nonces (LIKE before INCLUDING ALL)",
			"INSERT INTO nonces SELECT * FROM before WHERE until < 0", "DROP TABLE before"}, false},
		{"another table, another process", []string{
			"DROP TABLE nonces", "CREATE UNLOGGED TABLE nonces (digest BYTEA PRIMARY KEY, until BIGINT NOT NULL)"}, true},
		{"another cluster", []string{"DELETE FROM nonces", "UPDATE nonce_birth SET system = system + 1"}, true},
		{"no birth", []string{"DELETE FROM nonces", "DELETE FROM nonce_birth"}, false},
		{"a later floor", []string{"DELETE FROM nonces", "UPDATE nonce_birth SET self = 1, floor = 9000000000000000000"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url, clock := testenv.Postgres(t), gatehousetest.NewClock()
			o := postgres.Options{Fresh: true, Now: clock.Now}
			s := open(t, url, o)
			now := clock.Now()
			if n := claimAll(t, s, 20, now); n != 20 {
				t.Fatalf("%d granted", n)
			}
			raw(t, url, row.copy...)
			if row.open {
				o.Fresh = false
				s = open(t, url, o)
			}
			floor := postgres.DefaultMaxWindow + 2*postgres.DefaultSkew
			if first, err := s.Claim(t.Context(), "k", "0", now, now.Add(window)); first || !errors.Is(err, gatehouse.ErrUnavailable) || gatehouse.RetryAfter(err) != floor {
				t.Errorf("the first claim afterwards = %v, %v", first, err)
			}
			if n := claimAll(t, s, 20, now) + claimAll(t, s, 20, now); n != 0 {
				t.Errorf("%d granted again", n)
			}
			clock.Advance(floor + 1)
			first, err := s.Claim(t.Context(), "k", "fresh", clock.Now(), clock.Now().Add(window))
			if later := row.name == "a later floor"; first == later || (gatehouse.RetryAfter(err) > 0) != later {
				t.Errorf("after the floor: %v, %v", first, err)
			}
		})
	}
}

// TestBrokenConnection breaks connections before and after a claim has reached the server.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	direct := testenv.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	proxy := testenv.NewProxy(t, u.Host)
	u.Host = proxy.Addr()
	s, other := open(t, u.String(), postgres.Options{Fresh: true}), open(t, direct, postgres.Options{})
	now := time.Now()
	for i := range 20 {
		act := testenv.ProxyCutBefore
		if i%2 == 1 {
			act = testenv.ProxyCutAfter
		}
		if !claim(t, s, fmt.Sprint("warm ", i), now) { // so that there is a connection
			t.Fatal("refused")
		}
		var cut atomic.Bool
		proxy.Watch(func(block []byte) testenv.ProxyAct {
			if block[0] == 'B' && cut.CompareAndSwap(false, true) { // Bind: the statement is known to the connection
				return act
			}
			return testenv.ProxyPass
		})
		nonce := fmt.Sprint(i)
		first, err := s.Claim(t.Context(), "k", nonce, now, now.Add(window))
		proxy.Watch(nil)
		if first || !errors.Is(err, gatehouse.ErrUnavailable) || !cut.Load() {
			t.Errorf("act %v: Claim = %v, %v, cut %v", act, first, err, cut.Load())
		}
		if first := claim(t, other, nonce, now); act == testenv.ProxyCutBefore && !first {
			t.Error("the claim never arrived, and the nonce is used up")
		}
		if claim(t, s, nonce, now) || claim(t, other, nonce, now) {
			t.Error("granted twice")
		}
	}
}

// TestPurge wants ended pairs gone, and none of them free when the clock goes back.
func TestPurge(t *testing.T) {
	t.Parallel()
	url, clock := testenv.Postgres(t), gatehousetest.NewClock()
	s := open(t, url, postgres.Options{Fresh: true, Now: clock.Now})
	const nonces = 2500 // more than one batch
	begin := clock.Now()
	claimAll(t, s, nonces, begin)
	clock.Advance(window - time.Second)
	if !claim(t, s, "later", clock.Now()) {
		t.Fatal("refused")
	}
	rows := func(want int64) {
		t.Helper()
		var wg sync.WaitGroup
		for range 2 { // as two nodes would
			wg.Go(func() {
				if err := s.Purge(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := value(t, url, "SELECT count(*) FROM nonces"); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
	rows(nonces + 1)
	clock.Advance(time.Second)
	rows(1)
	clock.Advance(-time.Second)
	if n := claimAll(t, s, nonces, begin); n != 0 {
		t.Errorf("%d granted again after the clock went back", n)
	}
	if claim(t, s, "later", clock.Now()) || !claim(t, s, "another", clock.Now()) {
		t.Error("a pair that ends later does not stand as it did")
	}
}

func TestTooFar(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	s := open(t, testenv.Postgres(t), postgres.Options{Fresh: true, MaxWindow: time.Minute, MaxAhead: time.Second, Skew: time.Millisecond, Now: clock.Now})
	now := clock.Now()
	for _, row := range []struct {
		signed, until time.Duration
		far           bool
	}{
		{time.Second + time.Millisecond, time.Minute + time.Millisecond, false},
		{time.Second + time.Millisecond + 1, time.Minute, true},
		{0, time.Minute + time.Millisecond + 1, true},
		{1 << 62, 1 << 62, true},
	} {
		first, err := s.Claim(t.Context(), "k", fmt.Sprint(row), now.Add(row.signed), now.Add(row.until))
		if first == row.far || errors.Is(err, postgres.ErrTooFar) != row.far || errors.Is(err, gatehouse.ErrUnavailable) != row.far {
			t.Errorf("%+v: Claim = %v, %v", row, first, err)
		}
	}
}
