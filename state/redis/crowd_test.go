// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/state/redis"
)

// lone is a node whose Redis is away, on a clock of its own.
type lone struct {
	*redis.Limiter
	clock *gatehousetest.Clock
	nodes int // that it knows of now
}

func newLone(c *redis.Client) *lone {
	n := &lone{clock: gatehousetest.NewClock()}
	n.Limiter = c.Limiter(redis.LimiterOptions{Local: memory.NewLimiter(0, n.clock.Now), Nodes: func() int { return n.nodes }, Now: n.clock.Now})
	return n
}

// admits is how many requests of many it admits under a limit.
func (n *lone) admits(t rapid.TB, l gatehouse.Limit) (count int64) {
	t.Helper()
	for {
		ok, _, err := n.Take(context.Background(), "k", []gatehouse.Limit{l})
		if err != nil || count > l.AtOnce() {
			t.Fatalf("after %d: %v", count, err)
		}
		if !ok {
			return count
		}
		count++
	}
}

// away is a client of a server that has gone.
func away(t *testing.T) *redis.Client {
	t.Helper()
	s := testenv.StartRedis(t, "redis-server")
	c := dial(t, s.URL(), redis.Options{})
	s.Stop()
	return c
}

// TestLimiterShares: a share looks at the most nodes that were seen at once, and for how long.
func TestLimiterShares(t *testing.T) {
	t.Parallel()
	c := away(t)
	second := gatehouse.Limit{Name: "second", Count: 100, Period: time.Second}
	burst := gatehouse.Limit{Name: "burst", Count: 100, Period: time.Second, Burst: 3 * 7200 * 100} // full in six hours
	day := gatehouse.Limit{Name: "day", Count: 100, Period: 24 * time.Hour}
	hour := gatehouse.Limit{Name: "hour", Count: 100, Refill: gatehouse.RefillHour}
	month := gatehouse.Limit{Name: "month", Count: 100, Refill: gatehouse.RefillMonth}
	_, end := gatehouse.RefillMonth.Span(gatehousetest.NewClock().Now())
	next := end.Sub(gatehousetest.NewClock().Now())
	for _, row := range []struct {
		name  string
		limit gatehouse.Limit
		seen  []int         // one after the other, at once
		after time.Duration // of the last
		nodes int           // then
		want  int64
	}{
		{"nobody looked", second, nil, 0, 3, 34},
		{"none is one", second, []int{0}, 0, 0, 100},
		{"one is gone", second, []int{3}, 2 * time.Second, 2, 34},
		{"it came back, and went", second, []int{3, 2, 1, 2}, 0, 1, 34},
		{"more came", second, []int{2}, time.Second, 4, 25},
		{"gone for an hour", second, []int{3}, time.Hour, 2, 34},
		{"and longer", second, []int{3}, time.Hour + 1, 2, 50},
		{"and those that went since", second, []int{4, 3}, time.Hour, 1, 25},
		{"for longer than the window", day, []int{3}, 24*time.Hour + 1, 2, 50},
		{"within the window", day, []int{3}, 24 * time.Hour, 2, 34},
		{"within the window of a burst", burst, []int{2}, 6 * time.Hour, 1, 3600 * 300},
		{"within the span", month, []int{3}, next - 1, 1, 34},
		{"in the next span", month, []int{3}, next, 1, 100},
		{"in a short span", hour, []int{3}, time.Hour, 1, 34},
		{"after a short span", hour, []int{3}, 2 * time.Hour, 1, 100},
	} {
		n := newLone(c)
		for _, n.nodes = range row.seen {
			n.Tend()
		}
		n.clock.Advance(row.after)
		n.nodes = row.nodes
		if row.limit.AtOnce() > 1000 { // too many to take one by one
			s, err := n.Charge(t.Context(), []gatehouse.Charge{{Subject: "k", Limits: []gatehouse.Limit{row.limit}, Cost: 1}})
			if got := s.Remaining + 1; err != nil || got != row.want {
				t.Errorf("%s: %d, %v, want %d", row.name, got, err, row.want)
			}
			continue
		}
		if got := n.admits(t, row.limit); got != row.want {
			t.Errorf("%s: %d admitted, want %d", row.name, got, row.want)
		}
	}
}

// TestLimiterSlack lets three nodes, which knew of each other, stand still and wake as they
// like for less than an hour: a quota has one count more, and the rounding.
func TestLimiterSlack(t *testing.T) {
	t.Parallel()
	c := away(t)
	rapid.Check(t, func(t *rapid.T) {
		l := gatehouse.Limit{Name: "month", Count: rapid.Int64Range(1, 50).Draw(t, "count"), Refill: gatehouse.RefillMonth}
		if rapid.Bool().Draw(t, "rate") {
			l.Period, l.Refill = 366*24*time.Hour, gatehouse.RefillNone
		}
		var nodes [3]*lone
		for i := range nodes {
			nodes[i] = newLone(c)
			nodes[i].nodes = len(nodes)
			nodes[i].Tend()
		}
		total := int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			n := nodes[rapid.IntRange(0, 2).Draw(t, "node")]
			n.nodes = rapid.IntRange(1, 3).Draw(t, "knows")
			n.clock.Advance(time.Duration(rapid.IntRange(0, 299).Draw(t, "seconds")) * time.Second)
			total += n.admits(t, l)
		}
		if most := 3 * ((l.Count-1)/3 + 1); total > most {
			t.Fatalf("%d admitted under a limit of %d, want %d at most", total, l.Count, most)
		}
	})
}
