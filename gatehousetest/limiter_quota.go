// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

func quota(name string, count int64, refill gatehouse.Refill) gatehouse.Limit {
	return gatehouse.Limit{Name: name, Count: count, Refill: refill}
}

// set moves the clock to an instant.
func (c *limiterCase) set(now time.Time) { c.clock.Advance(now.Sub(c.clock.Now())) }

// quotaSpan uses quotas up to the last second of a span, in the order of time.
func quotaSpan(t *testing.T, c *limiterCase) {
	for _, row := range []struct {
		refill gatehouse.Refill
		last   time.Time // a second before the span ends
		length time.Duration
	}{
		{gatehouse.RefillHour, time.Date(2026, 3, 29, 1, 59, 59, 0, time.UTC), time.Hour}, // a clock change elsewhere
		{gatehouse.RefillWeek, time.Date(2026, 8, 2, 23, 59, 59, 0, time.UTC), 7 * 24 * time.Hour},
		{gatehouse.RefillMonth, time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), 30 * 24 * time.Hour},
		{gatehouse.RefillDay, time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), 24 * time.Hour},
		{gatehouse.RefillMonth, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), 29 * 24 * time.Hour},
	} {
		l, subject := quota("l", 3, row.refill), row.last.String()
		c.set(row.last.Add(time.Second - row.length)) // the first instant of the span
		want := gatehouse.Standing{Name: "l", Count: 3, Period: row.length, Remaining: 2, Reset: row.length}
		stands(t, c.charge(t, c.of(subject, 1, l)), want)
		c.set(row.last)
		want.Reset = time.Second
		want.Remaining, want.RetryAfter = 2, time.Second
		stands(t, c.charge(t, c.of(subject, 3, l)), want)
		want.Remaining, want.RetryAfter = 0, 0
		stands(t, c.charge(t, c.of(subject, 2, l)), want)
		want.RetryAfter = time.Second
		stands(t, c.charge(t, c.of(subject, 1, l)), want)
		c.clock.Advance(time.Second - time.Millisecond)
		c.admits(t, 0, subject, l)
		c.clock.Advance(time.Millisecond)
		c.admits(t, 3, subject, l)
	}
}

// quotaCost asks for more than the quota ever admits.
func quotaCost(t *testing.T, c *limiterCase) {
	l := quota("l", 10, gatehouse.RefillHour)
	c.set(time.Date(2026, 5, 1, 10, 30, 0, 0, time.UTC))
	want := gatehouse.Standing{Name: "l", Count: 10, Period: time.Hour, Remaining: 10, RetryAfter: 30 * time.Minute}
	stands(t, c.charge(t, c.of("k", 11, l)), want)
	want.Remaining, want.RetryAfter, want.Reset = 0, 0, 30*time.Minute
	stands(t, c.charge(t, c.of("k", 10, l)), want)
}

func quotaBesideRate(t *testing.T, c *limiterCase) {
	rate, day := perMinute("l", 2, 2), quota("day", 3, gatehouse.RefillDay)
	c.admits(t, 2, "k", rate, day)
	for range 20 {
		c.take(t, "k", rate, day) // refused, so the quota is not charged
	}
	c.clock.Advance(time.Minute)
	c.admits(t, 1, "k", day, rate)
	c.admits(t, 1, "k", rate)
	c.clock.Advance(24 * time.Hour)
	c.admits(t, 2, "k", day, rate)
}

// quotaChange lowers and raises a quota, and changes name and refill.
func quotaChange(t *testing.T, c *limiterCase) {
	const day, month = gatehouse.RefillDay, gatehouse.RefillMonth
	c.charge(t, c.of("k", 5, quota("l", 10, day)))
	if s := c.charge(t, c.of("k", 1, quota("l", 3, day))); s.RetryAfter == 0 || s.Remaining != 0 || s.Count != 3 {
		t.Errorf("5 used, lowered to 3: %+v", s)
	}
	c.admits(t, 2, "k", quota("l", 7, day))
	c.admits(t, 4, "k", quota("other", 4, day))
	c.admits(t, 4, "k", quota("l", 4, month)) // what the month had so far nobody knows
	c.admits(t, 4, "k", perMinute("l", 4, 4))
	c.admits(t, 1, "k", quota("l", 8, day)) // changed back: nothing is forgotten
	c.clock.Advance(24 * time.Hour)
	c.admits(t, 8, "k", quota("l", 8, day))
	c.admits(t, 0, "k", quota("l", 4, month))
}

func quotaRefund(t *testing.T, c *limiterCase) {
	l := quota("l", 3, gatehouse.RefillDay)
	c.refund(t, "k", l)
	c.admits(t, 3, "k", l)
	c.refund(t, "k", l)
	c.admits(t, 1, "k", l)
	for range 5 {
		c.refund(t, "k", l)
	}
	c.admits(t, 3, "k", l)
	c.clock.Advance(24 * time.Hour)
	c.refund(t, "k", l) // the span is past
	c.admits(t, 3, "k", l)
}

// quotaClockBack sets the clock back over the beginning of a span, and by years. No span is
// admitted more than its count, and nobody is shut out beyond the span that now is in.
func quotaClockBack(t *testing.T, c *limiterCase) {
	l := quota("l", 3, gatehouse.RefillDay)
	c.set(time.Date(2026, 5, 1, 23, 59, 59, 0, time.UTC))
	c.charge(t, c.of("k", 2, l))
	c.clock.Advance(2 * time.Second)
	c.charge(t, c.of("k", 1, l))
	c.clock.Advance(-2 * time.Second)
	admitted := 0
	for range 5 {
		if s := c.charge(t, c.of("k", 1, l)); s.RetryAfter == 0 {
			admitted++
		} else if s.RetryAfter > time.Second+time.Millisecond {
			t.Errorf("retry after %v, a second before the span ends", s.RetryAfter)
		}
	}
	if admitted > 1 {
		t.Errorf("the clock went back: %d admitted after 2 of 3", admitted)
	}
	c.clock.Advance(2 * time.Second)
	c.admits(t, 2, "k", l)

	c.clock.Advance(1000 * 24 * time.Hour)
	c.charge(t, c.of("k", 1, l))
	c.clock.Advance(-1000 * 24 * time.Hour)
	if s := c.charge(t, c.of("k", 1, l)); s.RetryAfter > 24*time.Hour+time.Millisecond {
		t.Errorf("the clock was years ahead: retry after %v", s.RetryAfter)
	}
	c.clock.Advance(24 * time.Hour)
	c.admits(t, 3, "k", l)
}

func quotaRace(t *testing.T, c *limiterCase) {
	const callers = 1000
	l := quota("l", 100, gatehouse.RefillMonth)
	var admitted atomic.Int64
	atOnce(callers, func(int) {
		if s, err := c.limiter.Charge(t.Context(), []gatehouse.Charge{c.of("k", 1, l)}); err != nil {
			t.Errorf("Charge: %v", err)
		} else if s.RetryAfter == 0 {
			admitted.Add(1)
		}
	})
	if n := admitted.Load(); n != 100 {
		t.Errorf("%d of %d admitted under a quota of 100", n, callers)
	}
}
