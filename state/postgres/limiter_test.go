// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/postgres"
)

// TestNodesShareLimits sends requests to three nodes at once, by the server's clock: of one
// limit, of a quota, and of three subjects that are named in different orders.
func TestNodesShareLimits(t *testing.T) {
	t.Parallel()
	const callers, count = 1000, 100
	url := testenv.Postgres(t)
	nodes := [3]*postgres.State{open(t, url, postgres.Options{}), open(t, url, postgres.Options{}), open(t, url, postgres.Options{})}
	rate := gatehouse.Limit{Name: "day", Count: count, Period: 24 * time.Hour}
	month := gatehouse.Limit{Name: "month", Count: count, Refill: gatehouse.RefillMonth}
	wide := gatehouse.Limit{Name: "wide", Count: 1 << 30, Period: time.Hour}
	for _, row := range []struct {
		name    string
		charges func(i int) []gatehouse.Charge
	}{
		{"rate", func(int) []gatehouse.Charge {
			return []gatehouse.Charge{{Subject: "a", Limits: []gatehouse.Limit{rate}}}
		}},
		{"quota", func(int) []gatehouse.Charge {
			return []gatehouse.Charge{{Subject: "b", Limits: []gatehouse.Limit{month}}}
		}},
		{"three subjects", func(i int) []gatehouse.Charge {
			charges := []gatehouse.Charge{
				{Subject: "c", Limits: []gatehouse.Limit{wide}}, {Subject: "d", Limits: []gatehouse.Limit{rate, wide}}, {Subject: "e", Limits: []gatehouse.Limit{wide}}}
			charges[0], charges[i%3] = charges[i%3], charges[0]
			return charges
		}},
	} {
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				s, err := nodes[i%3].Charge(t.Context(), row.charges(i))
				if err != nil {
					t.Error(err)
				} else if s.RetryAfter == 0 {
					admitted.Add(1)
				}
			})
		}
		wg.Wait()
		if n := admitted.Load(); n != count {
			t.Errorf("%s: %d admitted, want %d", row.name, n, count)
		}
	}
	if n := value(t, url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// TestHotCounter has 32 connections charge one counter by the server's clock for a while. The
// limit is kept though they wait for each other, and nobody waits for long.
func TestHotCounter(t *testing.T) {
	t.Parallel()
	const callers, each, perSecond, burst = 32, 60, 200, 5
	s := open(t, testenv.Postgres(t), postgres.Options{MaxConns: callers})
	limits := []gatehouse.Limit{{Name: "l", Count: perSecond, Period: time.Second, Burst: burst}}
	take := func() bool {
		ok, _, err := s.Take(t.Context(), "k", limits)
		if err != nil {
			t.Error(err)
		}
		return ok
	}
	var admitted, longest atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			for range each {
				at := time.Now()
				if take() {
					admitted.Add(1)
				}
				for took := int64(time.Since(at)); ; {
					if old := longest.Load(); took <= old || longest.CompareAndSwap(old, took) {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	most := burst + int64(took.Seconds()*perSecond) + 1
	t.Logf("%d requests in %v, the longest %v, %d admitted of at most %d", callers*each, took, time.Duration(longest.Load()), admitted.Load(), most)
	if n := admitted.Load(); n > most || n < most/2 {
		t.Errorf("%d admitted in %v, want at most %d and not much fewer", n, took, most)
	}
	if d := time.Duration(longest.Load()); d > took/2+time.Second {
		t.Errorf("a request took %v of %v", d, took)
	}
}

// TestPurgeCounters wants counters that say nothing gone, and the others as they were.
func TestPurgeCounters(t *testing.T) {
	t.Parallel()
	url, clock := testenv.Postgres(t), gatehousetest.NewClock()
	s := open(t, url, postgres.Options{Now: clock.Now})
	hour := []gatehouse.Limit{{Name: "l", Count: 1, Period: time.Hour}}
	if ok, _, err := s.Take(t.Context(), "used up", hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	raw(t, url, fmt.Sprintf("INSERT INTO limit_counters SELECT sha256(i::text::bytea), %d, 0, 0, 0, false FROM generate_series(1, 5000) i",
		clock.Now().Add(time.Second).UnixNano()))
	purge := func(want int64) {
		t.Helper()
		for range 3 { // a call may end in the middle of a table
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := value(t, url, "SELECT count(*) FROM limit_counters"); n != want {
			t.Errorf("%d counters, want %d", n, want)
		}
	}
	purge(5001)
	clock.Advance(time.Second + time.Minute)
	purge(1)
	if ok, wait, err := s.Take(t.Context(), "used up", hour); ok || wait == 0 || err != nil {
		t.Errorf("Take = %v, %v, %v", ok, wait, err)
	}
}
