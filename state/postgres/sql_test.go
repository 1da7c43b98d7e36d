// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// The histories lie between 2001 and 2096.
const earliest, latest = 1e18, 4e18

// model is a limiter on package gcra.
type model struct {
	now      int64
	counters map[string]gcra.Used // under the name and refill of a limit
}

// answer is what a limit says.
type answer struct {
	next            gcra.Used
	wait, remaining int64
}

func key(l gatehouse.Limit) string { return l.Name + l.Refill.String() }

func (m *model) ask(l gatehouse.Limit, cost int64) (a answer) {
	u, known := m.counters[key(l)]
	if l.Refill != gatehouse.RefillNone {
		a.next, _, a.wait, a.remaining = m.quota(l).Take(u, m.now, cost)
		return a
	}
	if !known {
		u.End = math.MinInt64
	}
	rate, _ := gcra.New(l.Count, l.Period, l.Burst)
	a.next.End, _, a.wait, a.remaining = rate.Take(u.End, m.now, cost)
	if a.wait == gcra.Never {
		a.wait = int64(l.Window())
	}
	return a
}

func (m *model) quota(l gatehouse.Limit) gcra.Quota {
	begin, end := l.Refill.Span(time.Unix(0, m.now))
	return gcra.Quota{Count: l.Count, Begin: begin.UnixNano(), End: end.UnixNano(), Longest: int64(l.Refill.Longest())}
}

// charge returns the tightest answer.
func (m *model) charge(limits []gatehouse.Limit, cost int64) (tightest answer) {
	answers, admitted := make([]answer, len(limits)), true
	for i, l := range limits {
		answers[i] = m.ask(l, cost)
		admitted = admitted && answers[i].wait == 0
	}
	tightest = answers[0]
	for i, a := range answers {
		if a.wait > tightest.wait || a.wait == tightest.wait && a.remaining < tightest.remaining {
			tightest = a
		}
		// What a refusal of several leaves is a counter that was ahead of what the limit can owe.
		if u := m.counters[key(limits[i])]; admitted || len(limits) == 1 || a.wait > 0 && a.next.End < u.End {
			m.counters[key(limits[i])] = a.next
		}
	}
	return tightest
}

func (m *model) refund(l gatehouse.Limit) {
	u, known := m.counters[key(l)]
	if !known {
		return
	}
	if l.Refill != gatehouse.RefillNone {
		m.counters[key(l)] = m.quota(l).Refund(u)
		return
	}
	rate, _ := gcra.New(l.Count, l.Period, l.Burst)
	m.counters[key(l)] = gcra.Used{End: rate.Refund(u.End, m.now)}
}

// TestArithmetic holds SQL to package gcra: over any history of charges and refunds, of limits
// that change and a clock that jumps, both give the same answers and, after a charge of one
// limit or a refund, have the same counters.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	m := &model{}
	s, err := Open(t.Context(), testenv.Postgres(t), Options{Now: func() time.Time { return time.Unix(0, m.now) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	histories := 0
	rapid.Check(t, func(t *rapid.T) {
		histories++
		subject := fmt.Sprint(histories)
		m.counters = map[string]gcra.Used{}
		m.now = rapid.Int64Range(earliest, latest).Draw(t, "start")
		step := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-5, 5), rapid.Int64Range(0, 1e10), rapid.Int64Range(-2e17, 2e17))
		cost := rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 12), rapid.Just(int64(math.MaxInt64)))
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			m.now = min(max(m.now+step.Draw(t, "step"), earliest), latest)
			limits := drawLimits(t)
			if l := limits[0]; rapid.IntRange(0, 4).Draw(t, "refund") == 0 {
				m.refund(l)
				if err := s.Refund(t.Context(), subject, limits[:1]); err != nil {
					t.Fatal(err)
				}
				compare(t, s, m, subject, l)
				continue
			}
			cost := cost.Draw(t, "cost")
			want := m.charge(limits, cost)
			got, err := s.Charge(t.Context(), []gatehouse.Charge{{Subject: subject, Limits: limits, Cost: cost}})
			if err != nil || int64(got.RetryAfter) != want.wait || got.Remaining != want.remaining {
				t.Fatalf("at %d, cost %d of %+v: %+v, %v, want %+v", m.now, cost, limits, got, err, want)
			}
			if len(limits) == 1 {
				compare(t, s, m, subject, limits[0])
			}
		}
	})
}

// drawLimits draws one to three limits of a few names.
func drawLimits(t *rapid.T) []gatehouse.Limit {
	limits := make([]gatehouse.Limit, rapid.IntRange(1, 3).Draw(t, "limits"))
	for i := range limits {
		l := gatehouse.Limit{Name: string(rune('a' + i)), Count: rapid.Int64Range(1, 8).Draw(t, "count")}
		if refill := rapid.IntRange(0, int(gatehouse.RefillMonth)).Draw(t, "refill"); i > 0 && refill > 0 {
			l.Refill = gatehouse.Refill(refill)
		} else {
			l.Burst = rapid.Int64Range(0, 5).Draw(t, "burst")
			l.Period = time.Duration(rapid.OneOf(rapid.Int64Range(1e6, 1e7), rapid.Int64Range(1e6, 1e11), rapid.Int64Range(1e6, 4e18)).Draw(t, "period"))
		}
		limits[i] = l
	}
	last := len(limits) - 1
	limits[0], limits[last] = limits[last], limits[0]
	return limits
}

// compare wants the table to hold what the model does.
func compare(t *rapid.T, s *State, m *model, subject string, l gatehouse.Limit) {
	var got gcra.Used
	want, known := m.counters[key(l)]
	err := s.pool.QueryRowContext(t.Context(), "SELECT tat, used FROM limit_counters WHERE id = $1", digest(subject, l.Name, l.Refill.String())).
		Scan(&got.End, &got.Count)
	if known && (err != nil || got != want) {
		t.Fatalf("at %d, counter of %+v: %+v, %v, want %+v", m.now, l, got, err, want)
	}
}

// TestSessions wants the setting that charges rest on.
func TestSessions(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), testenv.Postgres(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var lazy string
	if err := s.pool.QueryRowContext(t.Context(), "SHOW synchronous_commit").Scan(&lazy); err != nil || lazy != "off" {
		t.Errorf("synchronous_commit = %q, %v", lazy, err)
	}
}

// TestCallerLeaves lets the caller of a charge go between its two round trips. Nothing is
// charged, and no lock stays behind.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	var nodes [2]*State
	for i := range nodes {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		nodes[i] = s
	}
	limits := []gatehouse.Limit{{Name: "l", Count: 1, Period: time.Hour}}
	entries, err := newEntries([]gatehouse.Charge{{Subject: "k", Limits: limits}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	err = nodes[0].transaction(ctx, func(b *pgx.Batch) {
		text, args := entries[0].take(nil)
		b.Queue(text, args...)
	}, func() bool { leave(); return true })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the caller left: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if ok, _, err := nodes[1].Take(ctx, "k", limits); !ok || err != nil {
		t.Errorf("Take on another node = %v, %v", ok, err)
	}
}
