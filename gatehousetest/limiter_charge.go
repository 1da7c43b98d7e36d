// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// charge charges and checks what holds for every answer.
func (c *limiterCase) charge(t *testing.T, charges ...gatehouse.Charge) gatehouse.Standing {
	t.Helper()
	s, err := c.limiter.Charge(t.Context(), charges)
	if err != nil {
		t.Fatalf("Charge: %v", err)
	}
	if s.Remaining < 0 || s.Remaining > s.Count || s.Reset < 0 || s.RetryAfter < 0 {
		t.Fatalf("Charge = %+v", s)
	}
	return s
}

// of is what a request of the given cost costs the subject.
func (c *limiterCase) of(subject string, cost int64, limits ...gatehouse.Limit) gatehouse.Charge {
	return gatehouse.Charge{Subject: c.prefix + subject, Limits: limits, Cost: cost}
}

// stands wants a standing; times may be a millisecond more.
func stands(t *testing.T, got, want gatehouse.Standing) {
	t.Helper()
	near := got
	for _, d := range []struct {
		near *time.Duration
		want time.Duration
	}{{&near.Reset, want.Reset}, {&near.RetryAfter, want.RetryAfter}} {
		if *d.near > d.want && *d.near <= d.want+time.Millisecond && d.want > 0 {
			*d.near = d.want
		}
	}
	if near != want {
		t.Errorf("standing\n%+v, want\n%+v", got, want)
	}
}

func chargeStanding(t *testing.T, c *limiterCase) {
	l := perMinute("l", 60, 5)
	want := gatehouse.Standing{Name: "l", Count: 5, Period: 5 * time.Second}
	for i := range 5 {
		want.Remaining, want.Reset = int64(4-i), time.Duration(i+1)*time.Second
		stands(t, c.charge(t, c.of("k", 1, l)), want)
	}
	want.RetryAfter = time.Second
	for range 3 {
		stands(t, c.charge(t, c.of("k", 1, l)), want)
	}
	c.clock.Advance(2 * time.Second)
	want.Remaining, want.Reset, want.RetryAfter = 1, 4*time.Second, 0
	stands(t, c.charge(t, c.of("k", 0, l)), want) // no cost is a cost of 1
	c.admits(t, 1, "k", l)                        // Take counts on the same counter
	stands(t, c.charge(t), gatehouse.Standing{})
	stands(t, c.charge(t, c.of("k", 1), c.of("other", 7)), gatehouse.Standing{})
}

func chargeSubjects(t *testing.T, c *limiterCase) {
	wide, narrow := perMinute("l", 10, 10), perMinute("l", 2, 2) // one name, three subjects
	key, owner, tenant := c.of("key", 1, wide), c.of("owner", 1, narrow), c.of("tenant", 1, wide)
	for range 2 {
		if s := c.charge(t, key, owner, tenant); s.RetryAfter != 0 {
			t.Fatalf("refused: %+v", s)
		}
	}
	for range 20 {
		for _, order := range [][]gatehouse.Charge{{key, owner, tenant}, {owner, tenant, key}, {tenant, key, owner}} {
			if s := c.charge(t, order...); s.RetryAfter == 0 {
				t.Fatalf("admitted: %+v", s)
			}
		}
	}
	c.admits(t, 8, "key", wide) // the refused ones were not charged
	c.admits(t, 0, "owner", narrow)
	c.admits(t, 8, "tenant", wide)
}

func chargeTightest(t *testing.T, c *limiterCase) {
	second, minute := gatehouse.Limit{Name: "second", Count: 3, Period: time.Second}, perMinute("minute", 4, 0)
	hour := gatehouse.Limit{Name: "hour", Count: 100, Refill: gatehouse.RefillHour}
	for i, want := range []string{"second", "second", "second"} {
		if s := c.charge(t, c.of("a", 1, hour, minute), c.of("b", 1, second)); s.Name != want || s.Remaining != int64(2-i) || s.RetryAfter != 0 {
			t.Errorf("charge %d: %+v, want %q to be the tightest", i, s, want)
		}
	}
	if s := c.charge(t, c.of("a", 1, hour, minute), c.of("b", 1, second)); s.Name != "second" || s.RetryAfter == 0 {
		t.Errorf("one refuses: %+v", s)
	}
	c.clock.Advance(time.Second)
	if s := c.charge(t, c.of("b", 1, second), c.of("a", 1, hour, minute)); s.Name != "minute" || s.Remaining != 0 || s.RetryAfter != 0 {
		t.Errorf("the fewest more: %+v", s)
	}
	for range 2 {
		c.charge(t, c.of("b", 1, second))
	}
	if s := c.charge(t, c.of("b", 1, second), c.of("a", 1, hour, minute)); s.Name != "minute" || s.RetryAfter < 10*time.Second {
		t.Errorf("two refuse: %+v, want the one that makes wait longest", s)
	}
}

func chargeCost(t *testing.T, c *limiterCase) {
	l := perMinute("l", 60, 5)
	want := gatehouse.Standing{Name: "l", Count: 5, Period: 5 * time.Second, Remaining: 2, Reset: 3 * time.Second}
	stands(t, c.charge(t, c.of("k", 3, l)), want)
	want.RetryAfter = time.Second
	stands(t, c.charge(t, c.of("k", 3, l)), want)
	c.clock.Advance(time.Second)
	want.Remaining, want.Reset, want.RetryAfter = 0, 5*time.Second, 0
	stands(t, c.charge(t, c.of("k", 3, l)), want)
	c.clock.Advance(time.Minute)
	for _, cost := range []int64{6, 1 << 40, math.MaxInt64} { // never possible
		want.Remaining, want.Reset, want.RetryAfter = 5, 0, want.Period
		stands(t, c.charge(t, c.of("k", cost, l)), want)
	}
	want.Remaining, want.Reset, want.RetryAfter = 0, 5*time.Second, 0
	stands(t, c.charge(t, c.of("k", 5, l)), want)

	both := []gatehouse.Charge{c.of("x", 2, perMinute("l", 10, 10)), c.of("y", 7, perMinute("l", 10, 10))}
	c.charge(t, both...) // each subject has its own cost
	c.admits(t, 8, "x", perMinute("l", 10, 10))
	c.admits(t, 3, "y", perMinute("l", 10, 10))
}

func chargeInvalid(t *testing.T, c *limiterCase) {
	good := perMinute("good", 1, 1)
	for name, charges := range map[string][]gatehouse.Charge{
		"cost below zero":         {c.of("k", -1, good)},
		"smallest cost":           {c.of("k", math.MinInt64, good)},
		"second bad":              {c.of("k", 1, good), c.of("other", 1, gatehouse.Limit{Name: "l"})},
		"name twice in a subject": {c.of("k", 1, good), c.of("k", 1, perMinute("good", 5, 5))},
		"quota with a period":     {c.of("k", 1, gatehouse.Limit{Name: "l", Count: 1, Period: time.Hour, Refill: gatehouse.RefillHour})},
		"quota with a burst":      {c.of("k", 1, gatehouse.Limit{Name: "l", Count: 1, Burst: 1, Refill: gatehouse.RefillHour})},
		"quota of nothing":        {c.of("k", 1, gatehouse.Limit{Name: "l", Refill: gatehouse.RefillHour})},
		"unknown refill":          {c.of("k", 1, gatehouse.Limit{Name: "l", Count: 1, Refill: 200})},
	} {
		s, err := c.limiter.Charge(t.Context(), charges)
		if s != (gatehouse.Standing{}) || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: Charge = %+v, %v, want an error that wraps ErrUnavailable", name, s, err)
		}
	}
	c.admits(t, 1, "k", good) // nothing was charged
}

// chargeRace sends requests that meet in three subjects, named in different orders.
func chargeRace(t *testing.T, c *limiterCase) {
	const callers = 1000
	wide, narrow := perMinute("l", 5*callers, 0), perMinute("l", 100, 0)
	month := gatehouse.Limit{Name: "month", Count: 2 * callers, Refill: gatehouse.RefillMonth}
	var admitted atomic.Int64
	atOnce(callers, func(i int) {
		charges := []gatehouse.Charge{c.of("key", 1, wide), c.of("owner", 1, narrow, month), c.of("tenant", 3, wide)}
		charges[0], charges[i%3] = charges[i%3], charges[0]
		s, err := c.limiter.Charge(t.Context(), charges)
		if err != nil || s.Remaining < 0 {
			t.Errorf("Charge = %+v, %v", s, err)
		}
		if err == nil && s.RetryAfter == 0 {
			admitted.Add(1)
		}
	})
	if n := admitted.Load(); n != 100 {
		t.Errorf("%d of %d admitted under a limit of 100", n, callers)
	}
	for _, row := range []struct {
		subject string
		limit   gatehouse.Limit
		used    int64
	}{{"key", wide, 100}, {"owner", month, 100}, {"tenant", wide, 300}} {
		if s := c.charge(t, c.of(row.subject, 1, row.limit)); s.Remaining != row.limit.Count-row.used-1 {
			t.Errorf("%s: %+v, want %d used before", row.subject, s, row.used)
		}
	}
}
