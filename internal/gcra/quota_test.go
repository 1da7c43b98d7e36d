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

func TestTakeCost(t *testing.T) {
	t.Parallel()
	l := must(t, 10, time.Second, 3) // 100 ms each, 300 ms may be owed
	const ms = int64(time.Millisecond)
	for _, row := range []struct {
		name             string
		tat, now, cost   int64
		next             int64
		ok               bool
		retry, remaining int64
	}{
		{"two of three", 0, 1000 * ms, 2, 1200 * ms, true, 0, 1},
		{"all three", 0, 1000 * ms, 3, 1300 * ms, true, 0, 0},
		{"two where one is left", 1200 * ms, 1000 * ms, 2, 1200 * ms, false, 100 * ms, 1},
		{"three where half is owed", 1150 * ms, 1000 * ms, 3, 1150 * ms, false, 150 * ms, 1},
		{"just in time", 1200 * ms, 1100 * ms, 2, 1400 * ms, true, 0, 0},
		{"never", 0, 1000 * ms, 4, 1000 * ms, false, gcra.Never, 3},
		{"never, with a debt", 1200 * ms, 1000 * ms, 4, 1200 * ms, false, gcra.Never, 1},
		{"never, and no overflow", 0, 1000 * ms, math.MaxInt64, 1000 * ms, false, gcra.Never, 3},
		{"nothing", 0, 1000 * ms, 0, 1000 * ms, false, gcra.Never, 3},
		{"below nothing", 1200 * ms, 1000 * ms, math.MinInt64, 1200 * ms, false, gcra.Never, 1},
	} {
		next, ok, retry, remaining := l.Take(row.tat, row.now, row.cost)
		if next != row.next || ok != row.ok || retry != row.retry || remaining != row.remaining {
			t.Errorf("%s: Take = %d, %v, %d, %d, want %d, %v, %d, %d", row.name,
				next, ok, retry, remaining, row.next, row.ok, row.retry, row.remaining)
		}
	}
}

// TestCostIsSoMany holds a cost to as many requests of one at the same instant.
func TestCostIsSoMany(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, ok := gcra.New(rapid.Int64Range(1, 1000).Draw(t, "count"), time.Second, rapid.Int64Range(1, 20).Draw(t, "burst"))
		if !ok {
			t.Fatal("New refused")
		}
		tat, now := int64(math.MinInt64), rapid.Int64Range(-1e18, 2e18).Draw(t, "start")
		for range 20 {
			now += rapid.Int64Range(0, l.Tolerance).Draw(t, "wait")
			cost := rapid.Int64Range(1, 25).Draw(t, "cost")
			one, fits := tat, true
			for range cost {
				if one, fits, _, _ = l.Take(one, now, 1); !fits {
					break
				}
			}
			next, ok, retry, remaining := l.Take(tat, now, cost)
			if ok != fits || ok && next != one || ok != (remaining >= 0 && retry == 0) {
				t.Fatalf("cost %d: %d, %v, retry after %d; one by one %d, %v", cost, next, ok, retry, one, fits)
			}
			if _, again, _, _ := l.Take(next, now, max(remaining, 1)); again != (remaining > 0) {
				t.Fatalf("%d remaining, admitted: %v", remaining, again)
			}
			if _, more, _, _ := l.Take(next, now, remaining+1); more {
				t.Fatalf("more than the %d remaining were admitted", remaining)
			}
			if !ok && retry != gcra.Never {
				_, early, _, _ := l.Take(next, now+retry-1, cost)
				_, right, _, _ := l.Take(next, now+retry, cost)
				if early || !right {
					t.Fatalf("retry after %d: a nanosecond before %v, then %v", retry, early, right)
				}
			}
			tat = next
		}
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	q := gcra.Quota{Count: 10, Begin: 1000, End: 2000, Longest: 1100}
	for _, row := range []struct {
		name             string
		q                gcra.Quota
		u                gcra.Used
		now, cost        int64
		next             gcra.Used
		ok               bool
		retry, remaining int64
	}{
		{"first of all", q, gcra.Used{}, 1000, 1, gcra.Used{End: 2000, Count: 1}, true, 0, 9},
		{"of a past span", q, gcra.Used{End: 1000, Count: 10}, 1500, 3, gcra.Used{End: 2000, Count: 3}, true, 0, 7},
		{"of an ancient span", q, gcra.Used{End: math.MinInt64, Count: 10}, 1500, 1, gcra.Used{End: 2000, Count: 1}, true, 0, 9},
		{"the last", q, gcra.Used{End: 2000, Count: 8}, 1999, 2, gcra.Used{End: 2000, Count: 10}, true, 0, 0},
		{"one too many", q, gcra.Used{End: 2000, Count: 8}, 1999, 3, gcra.Used{End: 2000, Count: 8}, false, 1, 2},
		{"used up", q, gcra.Used{End: 2000, Count: 10}, 1200, 1, gcra.Used{End: 2000, Count: 10}, false, 800, 0},
		{"never", q, gcra.Used{}, 1200, 11, gcra.Used{End: 2000}, false, 800, 10},
		{"never, and no overflow", q, gcra.Used{End: 2000, Count: 1}, 1200, math.MaxInt64, gcra.Used{End: 2000, Count: 1}, false, 800, 9},
		{"largest", gcra.Quota{Count: math.MaxInt64, Begin: 1000, End: 2000}, gcra.Used{}, 1200, math.MaxInt64, gcra.Used{End: 2000, Count: math.MaxInt64}, true, 0, 0},
		{"lowered", q, gcra.Used{End: 2000, Count: 90}, 1200, 1, gcra.Used{End: 2000, Count: 90}, false, 800, 0},
		{"nothing", q, gcra.Used{End: 2000, Count: 1}, 1200, 0, gcra.Used{End: 2000, Count: 1}, false, 800, 9},
		{"below nothing", q, gcra.Used{End: 2000, Count: 1}, 1200, -1, gcra.Used{End: 2000, Count: 1}, false, 800, 9},
		{"a count below zero", q, gcra.Used{End: 2000, Count: math.MinInt64}, 1200, 11, gcra.Used{End: 2000, Count: math.MinInt64}, false, 800, 10},
		{"of the next span", q, gcra.Used{End: 3100, Count: 1}, 1200, 1, gcra.Used{End: 3100, Count: 1}, false, 800, 0},
		{"of the one after", q, gcra.Used{End: 3101, Count: 1}, 1200, 1, gcra.Used{End: 2000, Count: 10}, false, 800, 0},
		{"difference does not fit", gcra.Quota{Count: 10, Begin: math.MinInt64, End: math.MinInt64 + 10, Longest: 10}, gcra.Used{End: math.MaxInt64, Count: 1}, math.MinInt64 + 4, 1,
			gcra.Used{End: math.MinInt64 + 10, Count: 10}, false, 6, 0},
		{"no quota", gcra.Quota{Begin: 1000, End: 2000}, gcra.Used{}, 1200, 1, gcra.Used{End: 2000}, false, 800, 0},
		{"outside of its span", q, gcra.Used{}, 2500, 11, gcra.Used{End: 2000}, false, 1, 10},
	} {
		next, ok, retry, remaining := row.q.Take(row.u, row.now, row.cost)
		if next != row.next || ok != row.ok || retry != row.retry || remaining != row.remaining {
			t.Errorf("%s: Take = %+v, %v, %d, %d, want %+v, %v, %d, %d", row.name,
				next, ok, retry, remaining, row.next, row.ok, row.retry, row.remaining)
		}
	}
	for _, row := range []struct{ u, want gcra.Used }{
		{gcra.Used{End: 2000, Count: 2}, gcra.Used{End: 2000, Count: 1}},
		{gcra.Used{End: 2000}, gcra.Used{End: 2000}},
		{gcra.Used{End: 1000, Count: 2}, gcra.Used{End: 1000, Count: 2}},
		{gcra.Used{End: 3000, Count: 2}, gcra.Used{End: 3000, Count: 2}},
	} {
		if got := q.Refund(row.u); got != row.want {
			t.Errorf("Refund(%+v) = %+v, want %+v", row.u, got, row.want)
		}
	}
}

// TestQuotaSpans lets the clock wander between two spans that follow each other, while the
// count changes and requests are refunded. In neither span is more admitted than the highest
// count there was.
func TestQuotaSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var u gcra.Used
		admitted, highest := map[int64]int64{}, int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now := rapid.Int64Range(1000, 2999).Draw(t, "now")
			begin := now / 1000 * 1000
			q := gcra.Quota{Count: rapid.Int64Range(1, 12).Draw(t, "count"), Begin: begin, End: begin + 1000, Longest: 1000}
			if rapid.IntRange(0, 9).Draw(t, "refund") == 0 {
				back := q.Refund(u)
				admitted[q.End] -= u.Count - back.Count
				u = back
				continue
			}
			cost := rapid.Int64Range(1, 4).Draw(t, "cost")
			next, ok, retry, remaining := q.Take(u, now, cost)
			if ok != (retry == 0) || retry > q.End-now || remaining < 0 || remaining > q.Count {
				t.Fatalf("Take = %+v, %v, %d, %d", next, ok, retry, remaining)
			}
			if highest = max(highest, q.Count); ok {
				admitted[q.End] += cost
			}
			if n := admitted[q.End]; n > highest || ok && n > q.Count {
				t.Fatalf("%d admitted in the span to %d under %d", n, q.End, q.Count)
			}
			u = next
		}
	})
}
