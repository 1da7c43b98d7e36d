// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Limiter is the suite of [gatehouse.Limiter]. open returns a limiter that reads no other
// clock than now and has room for 10,000 counters. Each test calls it once; tests run side
// by side, so that a shared server is no empty one.
//
// What the suite holds a filling to, beyond the comment on the interface:
//
//   - A counter belongs to a key, the subject of a charge, and to the name and the refill
//     of a limit. Keys are any bytes.
//   - In any span of time d a limit admits at most Burst + d × Count / Period.
//   - A quota admits Count in each of its spans, also where the clock is set back from one
//     span to the one before; and whatever the clock did, it is full when a span has begun
//     of which nothing was used.
//   - The wait told with a refusal is the shortest one, up to a millisecond more; so is the
//     time until a limit is full.
//   - A limit is the one passed with the call: a lower one is in force at once, and what
//     was used up under another one never costs more than the new one used up.
//   - A Refund that time has overtaken gives nothing.
//   - A limit out of its range, a cost below zero, or a name twice for one subject in one
//     call, is an error.
//   - No limits admit.
func Limiter(t *testing.T, open func(t *testing.T, now func() time.Time) gatehouse.Limiter) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, c *limiterCase)
	}{
		{"burst, then refused", limiterBurst},
		{"no burst means count", limiterNoBurst},
		{"refill", limiterRefill},
		{"the wait is the shortest", limiterWait},
		{"any span", limiterSpan},
		{"keys and names count apart", limiterIndependent},
		{"any bytes", limiterBytes},
		{"all limits or none", limiterAllOrNone},
		{"the longest wait of all limits", limiterLongestWait},
		{"many limits", limiterMany},
		{"a lower limit is in force at once", limiterLower},
		{"a higher limit is not held back", limiterRaise},
		{"the clock goes back", limiterClockBack},
		{"refund", limiterRefund},
		{"refund of several limits", limiterRefundAll},
		{"refund never gives more than was taken", limiterRefundMore},
		{"no limits", limiterNone},
		{"limits out of range", limiterInvalid},
		{"many at once", limiterRace},
		{"charge: the standing", chargeStanding},
		{"charge: all subjects or none", chargeSubjects},
		{"charge: the tightest limit", chargeTightest},
		{"charge: the cost", chargeCost},
		{"charge: out of range", chargeInvalid},
		{"charge: many at once", chargeRace},
		{"quota: to the end of the span", quotaSpan},
		{"quota: the cost", quotaCost},
		{"quota: beside a rate limit", quotaBesideRate},
		{"quota: changes", quotaChange},
		{"quota: refund", quotaRefund},
		{"quota: the clock goes back", quotaClockBack},
		{"quota: many at once", quotaRace},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			row.test(t, &limiterCase{clock: clock, limiter: open(t, clock.Now), prefix: t.Name() + "/"})
		})
	}
}

// limiterCase is one test of the suite. Keys begin with the test's name, so that tests do
// not meet in a shared server.
type limiterCase struct {
	clock   *Clock
	limiter gatehouse.Limiter
	prefix  string
}

func perMinute(name string, count, burst int64) gatehouse.Limit {
	return gatehouse.Limit{Name: name, Count: count, Period: time.Minute, Burst: burst}
}

// take takes and checks what holds for every answer.
func (c *limiterCase) take(t *testing.T, key string, limits ...gatehouse.Limit) (bool, time.Duration) {
	t.Helper()
	ok, wait, err := c.limiter.Take(t.Context(), c.prefix+key, limits)
	switch {
	case err != nil:
		t.Fatalf("Take(%q): %v", key, err)
	case wait < 0:
		t.Fatalf("Take(%q): retry after %v", key, wait)
	case ok && wait != 0:
		t.Fatalf("Take(%q): admitted, but retry after %v", key, wait)
	case !ok && wait == 0:
		t.Fatalf("Take(%q): refused, but retry at once", key)
	}
	return ok, wait
}

func (c *limiterCase) refund(t *testing.T, key string, limits ...gatehouse.Limit) {
	t.Helper()
	if err := c.limiter.Refund(t.Context(), c.prefix+key, limits); err != nil {
		t.Fatalf("Refund(%q): %v", key, err)
	}
}

// admits wants exactly n requests to be admitted now.
func (c *limiterCase) admits(t *testing.T, n int, key string, limits ...gatehouse.Limit) {
	t.Helper()
	for i := range n {
		if ok, wait := c.take(t, key, limits...); !ok {
			t.Fatalf("%q: %d admitted, want %d (retry after %v)", key, i, n, wait)
		}
	}
	if ok, _ := c.take(t, key, limits...); ok {
		t.Fatalf("%q: more than %d admitted", key, n)
	}
}

func limiterBurst(t *testing.T, c *limiterCase) {
	c.admits(t, 5, "k", perMinute("l", 60, 5))
	c.admits(t, 1, "k1", perMinute("l", 60, 1))
	c.admits(t, 90, "k90", perMinute("l", 60, 90))
}

func limiterNoBurst(t *testing.T, c *limiterCase) {
	c.admits(t, 7, "k", perMinute("l", 7, 0))
}

func limiterRefill(t *testing.T, c *limiterCase) {
	l := perMinute("l", 60, 5) // one a second
	c.admits(t, 5, "k", l)
	c.clock.Advance(time.Second)
	c.admits(t, 1, "k", l)
	c.clock.Advance(3 * time.Second)
	c.admits(t, 3, "k", l)
	c.clock.Advance(time.Second / 2)
	c.admits(t, 0, "k", l)
	c.clock.Advance(time.Second / 2)
	c.admits(t, 1, "k", l)
	c.clock.Advance(time.Hour)
	c.admits(t, 5, "k", l)
}

func limiterWait(t *testing.T, c *limiterCase) {
	l := perMinute("l", 20, 2) // one in 3 s
	c.admits(t, 2, "k", l)
	c.clock.Advance(time.Second)
	_, wait := c.take(t, "k", l)
	if wait < 2*time.Second || wait > 2*time.Second+time.Millisecond {
		t.Fatalf("retry after %v, want 2s", wait)
	}
	c.clock.Advance(wait - 2*time.Millisecond)
	c.admits(t, 0, "k", l)
	c.clock.Advance(2 * time.Millisecond)
	c.admits(t, 1, "k", l)
}

// limiterSpan asks ten times as often as the limit allows for a while.
func limiterSpan(t *testing.T, c *limiterCase) {
	l := gatehouse.Limit{Name: "l", Count: 7, Period: time.Second, Burst: 3} // the interval is no whole number
	admitted := 0
	const steps = 700
	for range steps {
		if ok, _ := c.take(t, "k", l); ok {
			admitted++
		}
		c.clock.Advance(time.Second / 70)
	}
	if most := 3 + 7*steps/70; admitted > most || admitted < most-2 {
		t.Errorf("%d admitted in 10 s, want %d", admitted, most)
	}
}

func limiterIndependent(t *testing.T, c *limiterCase) {
	c.admits(t, 2, "k", perMinute("l", 2, 2))
	c.admits(t, 2, "other", perMinute("l", 2, 2))
	c.admits(t, 2, "k", perMinute("other", 2, 2))
	c.admits(t, 2, "l", perMinute("k", 2, 2))
	c.admits(t, 2, "kl", perMinute("", 2, 2))
	c.admits(t, 2, "", perMinute("kl", 2, 2))
	c.admits(t, 0, "k", perMinute("l", 2, 2))
}

func limiterBytes(t *testing.T, c *limiterCase) {
	long := strings.Repeat("k", 5000)
	for _, key := range []string{"signin/192.0.2.1", "signin/2001:db8::/64", "a:b", "a b\r\n", "\xff\x00", "é", "{tag}", "*", long, long + "k"} {
		c.admits(t, 1, key, perMinute("l", 1, 1))
	}
	for _, name := range []string{"a:b", "\xff\x00", "{tag}", long} {
		c.admits(t, 1, "k", perMinute(name, 1, 1))
	}
}

func limiterAllOrNone(t *testing.T, c *limiterCase) {
	narrow, wide := perMinute("narrow", 2, 2), perMinute("wide", 10, 10)
	c.admits(t, 2, "k", wide, narrow)
	for range 20 {
		c.take(t, "k", wide, narrow)
		c.take(t, "k", narrow, wide)
	}
	c.admits(t, 8, "k", wide) // the refused ones were not charged
	c.admits(t, 0, "k", narrow)
}

func limiterLongestWait(t *testing.T, c *limiterCase) {
	second, minute := gatehouse.Limit{Name: "second", Count: 1, Period: time.Second}, perMinute("minute", 1, 1)
	c.admits(t, 1, "k", second, minute)
	for _, limits := range [][]gatehouse.Limit{{second, minute}, {minute, second}} {
		if _, wait := c.take(t, "k", limits...); wait < time.Minute || wait > time.Minute+time.Millisecond {
			t.Errorf("retry after %v, want 1m", wait)
		}
	}
	c.clock.Advance(time.Minute + time.Millisecond)
	c.admits(t, 1, "k", second, minute)
}

func limiterMany(t *testing.T, c *limiterCase) {
	var limits []gatehouse.Limit
	for i := range int64(20) {
		limits = append(limits, perMinute(fmt.Sprint(i), 10+i, 10+i))
	}
	c.admits(t, 10, "k", limits...)
	c.admits(t, 19, "k", limits[19]) // 10 of its 29 were charged
}

func limiterNone(t *testing.T, c *limiterCase) {
	for range 3 {
		if ok, _ := c.take(t, "k"); !ok {
			t.Error("refused under no limits")
		}
	}
	c.refund(t, "k")
}

func limiterInvalid(t *testing.T, c *limiterCase) {
	good := perMinute("good", 1, 1)
	for name, limits := range map[string][]gatehouse.Limit{
		"zero":            {{Name: "l"}},
		"no count":        {{Name: "l", Period: time.Second, Burst: 1}},
		"negative count":  {{Name: "l", Count: -1, Period: time.Second}},
		"no period":       {{Name: "l", Count: 1}},
		"short period":    {{Name: "l", Count: 1, Period: time.Millisecond - 1}},
		"negative period": {{Name: "l", Count: 1, Period: math.MinInt64}},
		"negative burst":  {{Name: "l", Count: 1, Period: time.Second, Burst: -1}},
		"second bad":      {good, {Name: "l"}},
		"name twice":      {good, perMinute("good", 5, 5)},
	} {
		ok, wait, err := c.limiter.Take(t.Context(), c.prefix+"k", limits)
		if ok || wait != 0 || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: Take = %v, %v, %v, want an error that wraps ErrUnavailable", name, ok, wait, err)
		}
		if err := c.limiter.Refund(t.Context(), c.prefix+"k", limits); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: Refund = %v, want an error that wraps ErrUnavailable", name, err)
		}
	}
	c.admits(t, 1, "k", good) // nothing was charged
}

func limiterRace(t *testing.T, c *limiterCase) {
	const callers = 1000
	limits := []gatehouse.Limit{perMinute("narrow", 100, 100), perMinute("wide", 500, 500)}
	var admitted atomic.Int64
	atOnce(callers, func(int) {
		ok, wait, err := c.limiter.Take(t.Context(), c.prefix+"k", limits)
		if err != nil || wait < 0 {
			t.Errorf("Take: retry after %v, %v", wait, err)
		}
		if ok {
			admitted.Add(1)
		}
	})
	if n := admitted.Load(); n != 100 {
		t.Errorf("%d of %d admitted under a limit of 100", n, callers)
	}
	c.admits(t, 400, "k", limits[1])
}
