// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// Errors of [Limiter], compared with errors.Is. They come with [gatehouse.ErrUnavailable].
var (
	// ErrFull: there are as many counters in use as the limiter may hold.
	ErrFull = errors.New("too many counters in use")
	// ErrLimit: a limit is out of its range, or two of one call have the same name.
	ErrLimit = errors.New("unusable limit")
)

// Sizes of a [Limiter].
const (
	DefaultCounters = 1 << 20
	shardCounters   = 1 << 14     // counters of a shard at most; a sweep takes a fraction of a millisecond
	firstSweep      = 1 << 8      // a shard with fewer counters is not swept
	sweepPause      = time.Second // between sweeps of a shard that stays full
)

// Limiter is a [gatehouse.Limiter] in the memory of one process: the counters begin anew
// with it. It is safe for concurrent use.
//
// A counter is eight bytes under a keyed 64-bit hash of the key and the limit's name, so
// keys may be any text, and long ones cost nothing to keep. Should two of a million counters
// share a hash, one time in 40 million, they share a limit; nobody outside can aim at that.
//
// A counter that owes nothing says nothing and is dropped, a shard at a time, when the shard
// has twice as many as were in use after the last time. A counter in use is never dropped:
// when there is no room for a new one, Take fails. Whoever can make up keys, such as the
// addresses of callers who have not proved anything, can bring that about; give those a
// Limiter of their own, so that they cannot spend the room of proven keys.
//
// The system's clock may jump: with time.Now the limiter counts monotonic time.
type Limiter struct {
	now    func() time.Time
	start  time.Time
	keys   maphash.Seed
	names  maphash.Seed
	shards []shard
}

// shard holds all counters of the keys that belong to it, so that one lock covers all
// limits of a call.
type shard struct {
	mu      sync.Mutex
	tats    map[uint64]int64 // package gcra explains them; nanoseconds since the start
	most    int              // counters it may hold
	sweepAt int              // with more counters than this it is swept
	full    bool             // the last sweep did not make enough room
	swept   int64            // when that was
}

// charge is one limit of a call: its counter's hash, its measure, and what becomes of the
// counter.
type charge struct {
	id    uint64
	limit gcra.Limit
	next  int64
}

// NewLimiter returns a limiter that holds up to counters of keys and limits, of 16 to 40
// bytes each. counters below 1 means DefaultCounters. They are held in shards of up to 16,384,
// and a key is bound to one: a few shards are full a little before all are. now is the clock;
// nil means time.Now.
func NewLimiter(counters int, now func() time.Time) *Limiter {
	if counters < 1 {
		counters = DefaultCounters
	}
	if now == nil {
		now = time.Now
	}
	l := &Limiter{
		now: now, start: now(), keys: maphash.MakeSeed(), names: maphash.MakeSeed(),
		shards: make([]shard, (counters+shardCounters-1)/shardCounters),
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.tats = map[uint64]int64{}
		s.most = counters / len(l.shards)
		s.sweepAt = min(firstSweep, s.most)
	}
	return l
}

// Take implements [gatehouse.Limiter]. It does no I/O and does not look at the context.
// Errors wrap [gatehouse.ErrUnavailable] and either [ErrLimit] or [ErrFull].
func (l *Limiter) Take(_ context.Context, key string, limits []gatehouse.Limit) (ok bool, retryAfter time.Duration, err error) {
	var buf [8]charge // keeps the usual number of limits off the heap
	s, charges, ok := l.charges(buf[:0], key, limits)
	if !ok {
		return false, 0, gatehouse.Unavailable("take limit", ErrLimit)
	}
	now := int64(l.now().Sub(l.start))
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, added := s.ask(charges, now)
	if wait > 0 {
		return false, time.Duration(wait), nil
	}
	if !s.room(added, now) {
		return false, 0, gatehouse.Unavailable("take limit", ErrFull)
	}
	for _, c := range charges {
		s.tats[c.id] = c.next
	}
	return true, 0, nil
}

// Refund implements [gatehouse.Limiter]. limits are those of the Take. What time has paid
// off since is not given back. Errors wrap [gatehouse.ErrUnavailable] and [ErrLimit].
func (l *Limiter) Refund(_ context.Context, key string, limits []gatehouse.Limit) error {
	var buf [8]charge
	s, charges, ok := l.charges(buf[:0], key, limits)
	if !ok {
		return gatehouse.Unavailable("refund limit", ErrLimit)
	}
	now := int64(l.now().Sub(l.start))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range charges {
		if tat, owes := s.tats[c.id]; owes {
			s.tats[c.id] = c.limit.Refund(tat, now)
		}
	}
	return nil
}

// charges appends a charge for every limit to cs and returns the shard they belong to. ok
// is false where a limit cannot be used.
func (l *Limiter) charges(cs []charge, key string, limits []gatehouse.Limit) (_ *shard, _ []charge, ok bool) {
	hash := maphash.String(l.keys, key)
	for i := range limits {
		limit, ok := gcra.New(limits[i].Count, limits[i].Period, limits[i].Burst)
		if !ok {
			return nil, nil, false
		}
		id := hash ^ maphash.String(l.names, limits[i].Name)
		for _, c := range cs {
			if c.id == id {
				return nil, nil, false
			}
		}
		cs = append(cs, charge{id: id, limit: limit})
	}
	return &l.shards[hash%uint64(len(l.shards))], cs, true
}

// ask asks every limit. It returns how long the slowest asks to wait, zero if all admit, and
// how many of the counters are new. It fills in the counters' next values and charges none.
func (s *shard) ask(charges []charge, now int64) (wait int64, added int) {
	for i := range charges {
		c := &charges[i]
		tat, known := s.tats[c.id]
		if !known {
			tat = now
			added++
		}
		next, ok, retryAfter, _ := c.limit.Take(tat, now)
		if !ok {
			wait = max(wait, retryAfter)
			s.tats[c.id] = next // corrected to the measure of this limit, not charged
		}
		c.next = next
	}
	return wait, added
}

// room makes room for n more counters. It reports whether there is.
func (s *shard) room(n int, now int64) bool {
	if len(s.tats)+n <= s.sweepAt || n == 0 {
		return true
	}
	if since := now - s.swept; s.full && 0 <= since && since < int64(sweepPause) {
		return false
	}
	s.sweep(now)
	s.sweepAt = min(s.most, max(firstSweep, 2*(len(s.tats)+n)))
	s.full, s.swept = len(s.tats)+n > s.most, now
	return !s.full
}

// sweep drops the counters that owe nothing. A map does not shrink, so it makes a new one.
func (s *shard) sweep(now int64) {
	live := 0
	for _, tat := range s.tats {
		if tat > now {
			live++
		}
	}
	tats := make(map[uint64]int64, live)
	for id, tat := range s.tats {
		if tat > now {
			tats[id] = tat
		}
	}
	s.tats = tats
}
