// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
)

var refills = []gatehouse.Refill{gatehouse.RefillHour, gatehouse.RefillDay, gatehouse.RefillWeek, gatehouse.RefillMonth}

func TestRefillSpan(t *testing.T) {
	t.Parallel()
	const hour, day, week, month = gatehouse.RefillHour, gatehouse.RefillDay, gatehouse.RefillWeek, gatehouse.RefillMonth
	for _, row := range []struct {
		refill          gatehouse.Refill
		now, begin, end string
	}{
		{hour, "2026-11-22T05:12:09.5Z", "2026-11-22T05:00:00Z", "2026-11-22T06:00:00Z"},
		{hour, "2026-11-22T05:00:00Z", "2026-11-22T05:00:00Z", "2026-11-22T06:00:00Z"},
		{hour, "2026-12-31T23:59:59.999999999Z", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"},
		{hour, "2026-11-22T05:12:09+05:45", "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"}, // 23:27 in UTC
		{hour, "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
		{day, "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{day, "2026-11-22T23:59:59.999999999Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{day, "2026-11-22T23:30:00-02:00", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{day, "2028-02-28T12:00:00Z", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{day, "2027-02-28T12:00:00Z", "2027-02-28T00:00:00Z", "2027-03-01T00:00:00Z"},
		{week, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"}, // Sunday
		{week, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"}, // Monday
		{week, "2026-11-25T12:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"}, // Wednesday
		{week, "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"}, // over the new year
		{week, "2028-03-01T12:00:00Z", "2028-02-28T00:00:00Z", "2028-03-06T00:00:00Z"}, // over a leap day
		{week, "2026-11-23T00:30:00+01:00", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{month, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{month, "2026-01-31T12:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{month, "2027-02-14T12:00:00Z", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"},
		{month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{month, "2100-02-28T23:59:59Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"}, // no leap year
		{month, "2026-12-01T00:30:00+01:00", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339Nano, row.now)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := row.refill.Span(now)
		if got, want := begin.Format(time.RFC3339Nano)+" "+end.Format(time.RFC3339Nano), row.begin+" "+row.end; got != want {
			t.Errorf("%v of %s: %s, want %s", row.refill, row.now, got, want)
		}
	}
	for _, none := range []gatehouse.Refill{gatehouse.RefillNone, 5, 255} {
		if begin, end := none.Span(time.Now()); !begin.IsZero() || !end.IsZero() {
			t.Errorf("Span of %d: %v, %v, want zero times", none, begin, end)
		}
	}
}

// TestRefillSpans holds spans to what they are for: each instant is in exactly one, they
// follow each other without a gap, and a longer one is made of whole shorter ones.
func TestRefillSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
		now := time.Unix(rapid.Int64Range(-1<<33, 1<<34).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).In(zone)
		for _, r := range refills {
			begin, end := r.Span(now)
			if begin.After(now) || !now.Before(end) {
				t.Fatalf("%v of %v: %v to %v", r, now, begin, end)
			}
			for _, in := range []time.Time{begin, end.Add(-1)} {
				if b, e := r.Span(in); b != begin || e != end {
					t.Fatalf("%v of %v: %v to %v, want %v to %v", r, in, b, e, begin, end)
				}
			}
			if next, _ := r.Span(end); next != end {
				t.Fatalf("%v: after %v comes %v", r, end, next)
			}
			for _, part := range []gatehouse.Refill{gatehouse.RefillHour, gatehouse.RefillDay} {
				if b, _ := part.Span(begin); part < r && b != begin {
					t.Fatalf("%v begins at %v, in the middle of a %v", r, begin, part)
				}
			}
			if r == gatehouse.RefillWeek && begin.Weekday() != time.Monday {
				t.Fatalf("the week begins on %v", begin.Weekday())
			}
		}
	})
}

func TestParseRefill(t *testing.T) {
	t.Parallel()
	for _, r := range append(refills, gatehouse.RefillNone) {
		if got, ok := gatehouse.ParseRefill(r.String()); !ok || got != r {
			t.Errorf("ParseRefill(%q) = %v, %v", r.String(), got, ok)
		}
	}
	for _, text := range []string{"Hour", "days", " day", "year", "none"} {
		if got, ok := gatehouse.ParseRefill(text); ok || got != gatehouse.RefillNone {
			t.Errorf("ParseRefill(%q) = %v, %v, want none", text, got, ok)
		}
	}
	if text := gatehouse.Refill(200).String(); text != "" {
		t.Errorf("String = %q", text)
	}
}

func TestCheckLimits(t *testing.T) {
	t.Parallel()
	rate := func(name string) gatehouse.Limit {
		return gatehouse.Limit{Name: name, Count: 1, Period: time.Millisecond}
	}
	var eight []gatehouse.Limit
	for i := range 8 {
		eight = append(eight, rate(fmt.Sprint(i)))
	}
	const characters = "azAZ09-_."
	for _, row := range []struct {
		name    string
		limits  []gatehouse.Limit
		problem string // a part of it; empty: they are good
	}{
		{"none", nil, ""},
		{"eight", eight, ""},
		{"nine", append(eight[:8:8], rate("9")), "more than 8"},
		{"every kind of character", []gatehouse.Limit{rate(characters)}, ""},
		{"longest name", []gatehouse.Limit{rate(strings.Repeat("n", 64))}, ""},
		{"name too long", []gatehouse.Limit{rate(strings.Repeat("n", 65))}, "a name"},
		{"no name", []gatehouse.Limit{rate("")}, "a name"},
		{"space", []gatehouse.Limit{rate("a b")}, "a name"},
		{"quote", []gatehouse.Limit{rate(`a"`)}, "a name"},
		{"not ASCII", []gatehouse.Limit{rate("é")}, "a name"},
		{"one name twice", []gatehouse.Limit{rate("a"), rate("b"), rate("a")}, "one name"},
		{"rate and quota of one name", []gatehouse.Limit{rate("a"), {Name: "a", Count: 1, Refill: gatehouse.RefillDay}}, "one name"},
		{"count zero", []gatehouse.Limit{{Name: "a", Period: time.Second}}, "count"},
		{"count below zero", []gatehouse.Limit{{Name: "a", Count: math.MinInt64, Period: time.Second}}, "count"},
		{"burst", []gatehouse.Limit{{Name: "a", Count: 1, Period: time.Second, Burst: math.MaxInt64}}, ""},
		{"burst below zero", []gatehouse.Limit{{Name: "a", Count: 1, Period: time.Second, Burst: -1}}, "burst"},
		{"period too short", []gatehouse.Limit{{Name: "a", Count: 1, Period: time.Millisecond - 1}}, "period"},
		{"no period", []gatehouse.Limit{{Name: "a", Count: 1}}, "period"},
		{"period below zero", []gatehouse.Limit{{Name: "a", Count: 1, Period: math.MinInt64}}, "period"},
		{"quota", []gatehouse.Limit{{Name: "a", Count: math.MaxInt64, Refill: gatehouse.RefillMonth}}, ""},
		{"quota of nothing", []gatehouse.Limit{{Name: "a", Refill: gatehouse.RefillMonth}}, "count"},
		{"quota with a period", []gatehouse.Limit{{Name: "a", Count: 1, Period: time.Hour, Refill: gatehouse.RefillHour}}, "a quota"},
		{"quota with a burst", []gatehouse.Limit{{Name: "a", Count: 1, Burst: 1, Refill: gatehouse.RefillHour}}, "a quota"},
		{"unknown refill", []gatehouse.Limit{{Name: "a", Count: 1, Refill: 5}}, "a quota"},
		{"second bad", []gatehouse.Limit{rate("a"), {Name: "b"}}, "count"},
	} {
		err := gatehouse.CheckLimits(row.limits)
		var invalid *gatehouse.InvalidError
		switch {
		case row.problem == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.problem != "" && (!errors.As(err, &invalid) || invalid.Field != "limits" || !strings.Contains(invalid.Problem, row.problem)):
			t.Errorf("%s: %v, want an InvalidError of limits about %q", row.name, err, row.problem)
		}
	}
}

func TestLimitWindow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		limit  gatehouse.Limit
		atOnce int64
		window time.Duration
	}{
		{gatehouse.Limit{Count: 100, Period: time.Minute}, 100, time.Minute},
		{gatehouse.Limit{Count: 100, Period: time.Minute, Burst: 10}, 10, 6 * time.Second},
		{gatehouse.Limit{Count: 1, Period: time.Second, Burst: 90}, 90, 90 * time.Second},
		{gatehouse.Limit{Count: 3, Period: time.Second, Burst: 1}, 1, 333_333_333},
		{gatehouse.Limit{Count: math.MaxInt64, Period: time.Millisecond, Burst: 1}, 1, 1},
		{gatehouse.Limit{Count: 1, Period: math.MaxInt64, Burst: math.MaxInt64}, math.MaxInt64, math.MaxInt64},
		{gatehouse.Limit{Count: 2, Period: math.MaxInt64, Burst: 3}, 3, math.MaxInt64},
		{gatehouse.Limit{Count: 7, Refill: gatehouse.RefillDay}, 7, 0},
	} {
		if n, window := row.limit.AtOnce(), row.limit.Window(); n != row.atOnce || window != row.window {
			t.Errorf("%+v: %d in %v; want %d in %v", row.limit, n, window, row.atOnce, row.window)
		}
	}
}

func TestRefillLongest(t *testing.T) {
	t.Parallel()
	for _, r := range refills {
		longest := time.Duration(0)
		for at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2029; at = at.Add(time.Hour) {
			begin, end := r.Span(at)
			longest = max(longest, end.Sub(begin))
		}
		if r.Longest() != longest {
			t.Errorf("%v: %v; the longest of two years has %v", r, r.Longest(), longest)
		}
	}
	if d := gatehouse.RefillNone.Longest() + gatehouse.Refill(99).Longest(); d != 0 {
		t.Errorf("what is no refill is %v long", d)
	}
}

func TestStandingTighter(t *testing.T) {
	t.Parallel()
	order := []gatehouse.Standing{{RetryAfter: 2, Remaining: 9}, {RetryAfter: 1}, {RetryAfter: 1, Remaining: 1}, {}, {Remaining: 5}}
	for i := range order {
		for j := range order {
			if got := order[i].Tighter(&order[j]); got != (i < j) {
				t.Errorf("%+v tighter than %+v: %v", order[i], order[j], got)
			}
		}
	}
}
