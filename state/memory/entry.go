// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// entry is one limit of a call: its counter, its measure, and what becomes of them.
type entry struct {
	id    uint64
	limit *gatehouse.Limit
	cost  int64
	rate  gcra.Limit // of a rate limit
	quota gcra.Quota // of a quota

	place uint32 // of the counter
	known bool   // it has a place
	next  gcra.Used

	retryAfter int64 // zero: it admits
	remaining  int64
	reset      int64
}

// entries appends an entry for every limit of the charges to es, without its counter.
// ErrLimit where one cannot be used.
func (l *Limiter) entries(es []entry, charges []gatehouse.Charge) ([]entry, error) {
	for i := range charges {
		c := &charges[i]
		subject := l.key.hash(c.Subject)
		for j := range c.Limits {
			e := entry{limit: &c.Limits[j], cost: c.Cost}
			if e.cost == 0 {
				e.cost = 1
			}
			if !e.measure() {
				return nil, ErrLimit
			}
			key := sipKey{l.key[0] ^ subject, l.key[1] + uint64(e.limit.Refill)}
			e.id = max(key.hash(e.limit.Name), 1) // zero is no counter
			for k := range es {
				if es[k].id == e.id {
					return nil, ErrLimit
				}
			}
			es = append(es, e)
		}
	}
	return es, nil
}

// measure reports whether limit and cost can be used. It leaves out the span of a quota.
func (e *entry) measure() (ok bool) {
	l := e.limit
	if l.Refill == gatehouse.RefillNone {
		e.rate, ok = gcra.New(l.Count, l.Period, l.Burst)
		return ok && e.cost > 0
	}
	return l.Refill.Longest() > 0 && l.Count > 0 && l.Period == 0 && l.Burst == 0 && e.cost > 0
}

// take asks the limit for the cost and keeps its answer.
func (e *entry) take(now instant) {
	if e.limit.Refill != gatehouse.RefillNone {
		e.next, _, e.retryAfter, e.remaining = e.quota.Take(e.next, now.wall, e.cost)
		if e.reset = 0; e.next.Count > 0 {
			e.reset = e.quota.End - now.wall
		}
		return
	}
	tat := now.steady
	if e.known {
		tat = e.next.End
	}
	e.next.End, _, e.retryAfter, e.remaining = e.rate.Take(tat, now.steady, e.cost)
	if e.retryAfter == gcra.Never {
		e.retryAfter = int64(e.period())
	}
	e.reset = e.next.End - now.steady
}

// refund returns the counter with one request given back.
func (e *entry) refund(now instant) gcra.Used {
	if e.limit.Refill != gatehouse.RefillNone {
		return e.quota.Refund(e.next)
	}
	return gcra.Used{End: e.rate.Refund(e.next.End, now.steady)}
}

// standing is that of the tightest limit of the entries, of which there is one at least.
func standing(entries []entry) gatehouse.Standing {
	t := &entries[0]
	for i := range entries[1:] {
		e := &entries[1+i]
		if e.retryAfter > t.retryAfter || e.retryAfter == t.retryAfter && e.remaining < t.remaining {
			t = e
		}
	}
	return gatehouse.Standing{
		Name: t.limit.Name, Count: t.limit.AtOnce(), Period: t.period(),
		Remaining: t.remaining, Reset: time.Duration(t.reset), RetryAfter: time.Duration(t.retryAfter),
	}
}

// period is the time in which the limit admits as much as it can at once.
func (e *entry) period() time.Duration {
	if e.limit.Refill != gatehouse.RefillNone {
		return time.Duration(e.quota.End - e.quota.Begin)
	}
	return e.limit.Window()
}
