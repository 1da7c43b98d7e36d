// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// table counts lists of charges, those that came lately, to tell which are hot. It is of
// fixed size: a list has a seat in the row that its hash names, and a new one takes the seat
// of the one that comes least, unless all of them are hot.
type table struct {
	from int64 // requests in a second
	seed maphash.Seed
	rows [1024]row
}

type row struct {
	mu    sync.Mutex
	seats [4]seat
}

type seat struct {
	id          uint64
	since       time.Time // begin of the second that is counted
	count, last int64     // requests in it, and in the one before
	hot         *hot      // nil: it is not
}

func newTable(from int64) *table { return &table{from: from, seed: maphash.MakeSeed()} }

// find counts the list. Where it is hot it returns it, with how many come in a second. A
// list whose costs differ never is, as a standing tells of one limit only, nor one without
// limits.
func (t *table) find(charges []gatehouse.Charge, now time.Time) (h *hot, rate int64) {
	limits := 0
	for i := range charges {
		if charges[i].Cost != charges[0].Cost {
			return nil, 0
		}
		limits += len(charges[i].Limits)
	}
	if limits == 0 {
		return nil, 0
	}
	id := t.hash(charges)
	r := &t.rows[id%uint64(len(t.rows))]
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seat(id, now, t.from)
	if s == nil {
		return nil, 0
	}
	s.count++
	if s.rate() < t.from {
		s.hot = nil
		return nil, 0
	}
	if s.hot == nil {
		s.hot = newHot(charges)
	}
	if !s.hot.is(charges) {
		return nil, 0
	}
	return s.hot, s.rate()
}

func (t *table) hash(charges []gatehouse.Charge) uint64 {
	var m maphash.Hash
	m.SetSeed(t.seed)
	for i := range charges {
		c := &charges[i]
		maphash.WriteComparable(&m, c.Cost)
		_, _ = m.WriteString(c.Subject)
		for j := range c.Limits {
			maphash.WriteComparable(&m, c.Limits[j])
		}
	}
	return m.Sum64()
}

// seat is that of the list, which may have to be made free. Nil where none can be.
func (r *row) seat(id uint64, now time.Time, from int64) *seat {
	least := &r.seats[0]
	for i := range r.seats {
		s := &r.seats[i]
		s.turn(now)
		if s.id == id {
			return s
		}
		if s.rate() < least.rate() {
			least = s
		}
	}
	if least.rate() >= from {
		return nil
	}
	*least = seat{id: id, since: now}
	return least
}

func (s *seat) rate() int64 { return max(s.count, s.last) }

// turn begins the next second where one is over. Requests of different processors may come
// a little out of order; a clock that was set back begins anew.
func (s *seat) turn(now time.Time) {
	switch passed := now.Sub(s.since); {
	case passed.Abs() < time.Second:
		return
	case passed > 0 && passed < 2*time.Second:
		s.since, s.last = s.since.Add(time.Second), s.count
	default:
		s.since, s.last = now, 0
	}
	s.count = 0
}
