// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gcra_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse/internal/gcra"
)

func must(t testing.TB, count int64, period time.Duration, burst int64) gcra.Limit {
	t.Helper()
	l, ok := gcra.New(count, period, burst)
	if !ok {
		t.Fatalf("New(%d, %v, %d) refused", count, period, burst)
	}
	return l
}

func TestNew(t *testing.T) {
	t.Parallel()
	const longest = 1 << 62
	for _, row := range []struct {
		name      string
		count     int64
		period    time.Duration
		burst     int64
		ok        bool
		interval  int64
		tolerance int64
	}{
		{"plain", 10, time.Second, 5, true, 1e8, 5e8},
		{"no burst means count", 10, time.Second, 0, true, 1e8, 1e9},
		{"the interval is rounded up", 3, time.Second, 3, true, 333333334, 1000000002},
		{"more than one a nanosecond", math.MaxInt64, time.Millisecond, 1, true, 1, 1},
		{"longest period", 1, math.MaxInt64, 1, true, longest, longest},
		{"longest of all", math.MaxInt64, math.MaxInt64, math.MaxInt64, true, 1, longest},
		{"tolerance beyond 128 bits' lower half", 1, math.MaxInt64, math.MaxInt64, true, longest, longest},
		{"shortest period", 1, time.Millisecond, 1, true, 1e6, 1e6},
		{"count zero", 0, time.Second, 1, false, 0, 0},
		{"count below zero", -1, time.Second, 1, false, 0, 0},
		{"count smallest", math.MinInt64, time.Second, 1, false, 0, 0},
		{"period zero", 1, 0, 1, false, 0, 0},
		{"period too short", 1, time.Millisecond - 1, 1, false, 0, 0},
		{"period below zero", 1, -time.Second, 1, false, 0, 0},
		{"burst below zero", 1, time.Second, -1, false, 0, 0},
	} {
		l, ok := gcra.New(row.count, row.period, row.burst)
		if want := (gcra.Limit{Interval: row.interval, Tolerance: row.tolerance}); ok != row.ok || l != want {
			t.Errorf("%s: New = %+v, %v, want %+v, %v", row.name, l, ok, want, row.ok)
		}
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	l := must(t, 10, time.Second, 3) // 100 ms each, 300 ms may be owed
	const ms = int64(time.Millisecond)
	for _, row := range []struct {
		name             string
		tat, now         int64
		next             int64
		ok               bool
		retry, remaining int64
	}{
		{"first of all", math.MinInt64, 1000 * ms, 1100 * ms, true, 0, 2},
		{"counter paid off just now", 1000 * ms, 1000 * ms, 1100 * ms, true, 0, 2},
		{"second at once", 1100 * ms, 1000 * ms, 1200 * ms, true, 0, 1},
		{"last at once", 1200 * ms, 1000 * ms, 1300 * ms, true, 0, 0},
		{"one too many", 1300 * ms, 1000 * ms, 1300 * ms, false, 100 * ms, 0},
		{"a nanosecond too early", 1300 * ms, 1100*ms - 1, 1300 * ms, false, 1, 0},
		{"just in time", 1300 * ms, 1100 * ms, 1400 * ms, true, 0, 0},
		{"a part of an interval is no request", 1000*ms + 1, 1000 * ms, 1100*ms + 1, true, 0, 1},
		{"debt in another measure is cut", 9999 * ms, 1000 * ms, 1300 * ms, false, 100 * ms, 0},
		{"before the epoch", -100 * ms, -200 * ms, 0, true, 0, 1},
		{"difference does not fit", math.MaxInt64, math.MinInt64, math.MinInt64 + 300*ms, false, 100 * ms, 0},
		{"end of time", math.MinInt64, math.MaxInt64, math.MaxInt64, true, 0, 2},
	} {
		next, ok, retry, remaining := l.Take(row.tat, row.now, 1)
		if next != row.next || ok != row.ok || retry != row.retry || remaining != row.remaining {
			t.Errorf("%s: Take = %d, %v, %d, %d, want %d, %v, %d, %d", row.name,
				next, ok, retry, remaining, row.next, row.ok, row.retry, row.remaining)
		}
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	l := must(t, 10, time.Second, 3)
	const ms = int64(time.Millisecond)
	for _, row := range []struct {
		name      string
		tat, now  int64
		remaining int64 // of the Take that follows
	}{
		{"of one", 1100 * ms, 1000 * ms, 2},
		{"of the last", 1300 * ms, 1000 * ms, 0},
		{"of one that time has half paid off", 1050 * ms, 1000 * ms, 2},
		{"of nothing", math.MinInt64, 1000 * ms, 2},
		{"of a debt in another measure", math.MaxInt64, 1000 * ms, 0},
	} {
		next, ok, _, remaining := l.Take(l.Refund(row.tat, row.now), row.now, 1)
		if !ok || remaining != row.remaining {
			t.Errorf("%s: then Take = %d, %v, remaining %d, want %d", row.name, next, ok, remaining, row.remaining)
		}
	}
}

func TestZeroLimitAdmitsNothing(t *testing.T) {
	t.Parallel()
	for _, l := range []gcra.Limit{{}, {Interval: 0, Tolerance: 10}, {Interval: -1, Tolerance: 10}, {Interval: 10, Tolerance: 9}} {
		if _, ok, retry, remaining := l.Take(math.MinInt64, 0, 1); ok || retry <= 0 || remaining != 0 {
			t.Errorf("%+v: Take = %v, retry after %d, remaining %d", l, ok, retry, remaining)
		}
	}
	if next := (gcra.Limit{}).Refund(7, 3); next != 7 {
		t.Errorf("zero limit refunds: %d", next)
	}
}

// log is the naive model: it keeps the instant of every admitted request and admits
// another only if every span that begins with one of them still holds at most
// burst + span/interval.
type log struct {
	l        gcra.Limit
	admitted []int64
}

func (m *log) fits(now int64) bool {
	burst := m.l.Tolerance / m.l.Interval
	for i, at := range m.admitted {
		if n := int64(len(m.admitted)-i) + 1; (n-burst)*m.l.Interval > now-at {
			return false
		}
	}
	return burst > 0
}

func (m *log) remaining(now int64) (n int64) {
	probe := log{l: m.l, admitted: append([]int64(nil), m.admitted...)}
	for ; probe.fits(now); n++ {
		probe.admitted = append(probe.admitted, now)
	}
	return n
}

// TestModel holds Take to the model: it admits what the model admits, says how many more
// there are, and names the shortest wait.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, ok := gcra.New(
			rapid.Int64Range(1, 50).Draw(t, "count"),
			time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(2*time.Second)).Draw(t, "period")),
			rapid.Int64Range(0, 12).Draw(t, "burst"),
		)
		if !ok {
			t.Fatal("New refused")
		}
		model := log{l: l}
		tat, now := int64(math.MinInt64), rapid.Int64Range(-1e18, 2e18).Draw(t, "start")
		wait := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, l.Interval), rapid.Int64Range(0, 3*l.Tolerance))
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now += wait.Draw(t, "wait")
			want := model.fits(now)
			next, ok, retry, remaining := l.Take(tat, now, 1)
			if ok != want {
				t.Fatalf("admitted %v, the model says %v", ok, want)
			}
			if ok {
				model.admitted = append(model.admitted, now)
			} else {
				_, early, _, _ := l.Take(next, now+retry-1, 1)
				_, right, _, _ := l.Take(next, now+retry, 1)
				if retry < 1 || early || !right {
					t.Fatalf("retry after %d: a nanosecond before %v, then %v", retry, early, right)
				}
			}
			if (retry == 0) != ok || remaining != model.remaining(now) {
				t.Fatalf("retry after %d, remaining %d, the model says %d", retry, remaining, model.remaining(now))
			}
			if next < tat && tat <= now {
				t.Fatalf("counter went back from %d to %d", tat, next)
			}
			tat = next
		}
	})
}

// TestChanges lets the limit change, the clock jump and requests be refunded between
// requests. Whatever came before, from any instant on a limit that stays admits no more
// than Burst + span/interval, and never asks for a wait beyond one interval.
func TestChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func() gcra.Limit {
			l, ok := gcra.New(rapid.Int64Min(1).Draw(t, "count"), time.Duration(rapid.Int64Min(int64(time.Millisecond)).Draw(t, "period")), rapid.Int64Min(0).Draw(t, "burst"))
			if !ok {
				t.Fatal("New refused")
			}
			return l
		}
		tat, l := int64(math.MinInt64), draw()
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			now := rapid.Int64().Draw(t, "now")
			if rapid.Bool().Draw(t, "refund") {
				tat = l.Refund(tat, now)
				continue
			}
			next, ok, retry, remaining := l.Take(tat, now, 1)
			if retry < 0 || retry > l.Interval || remaining < 0 || ok != (retry == 0) || next < now {
				t.Fatalf("Take(%d, %d) under %+v = %d, %v, %d, %d", tat, now, l, next, ok, retry, remaining)
			}
			tat, l = next, draw()
		}
		l, _ = gcra.New(rapid.Int64Range(1, 50).Draw(t, "last count"), time.Second, rapid.Int64Range(1, 12).Draw(t, "last burst"))
		model, now := log{l: l}, rapid.Int64Range(-1e18, 2e18).Draw(t, "last now")
		for range 40 {
			next, ok, _, _ := l.Take(tat, now, 1)
			if ok && !model.fits(now) {
				t.Fatal("more admitted than the limit in force allows")
			}
			if ok {
				model.admitted = append(model.admitted, now)
			}
			tat = next
			now += rapid.Int64Range(0, l.Interval).Draw(t, "wait")
		}
	})
}

// BenchmarkTake is what a limiter does for one limit: the measure, then the decision.
func BenchmarkTake(b *testing.B) {
	count, period, burst := int64(1000), time.Second, int64(100)
	b.ReportAllocs()
	var tat, now int64
	for b.Loop() {
		now += 500_000
		l, _ := gcra.New(count, period, burst)
		tat, _, _, _ = l.Take(tat, now, 1)
		count ^= 1
	}
}
