// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/epoch"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// Errors of [Limiter], compared with errors.Is. They come with [gatehouse.ErrUnavailable].
var (
	// ErrFull: there are as many counters in use as the limiter may hold.
	ErrFull = errors.New("too many counters in use")
	// ErrLimit: a limit is out of its range, a cost is below zero, or two limits of one
	// subject have the same name.
	ErrLimit = errors.New("unusable limit")
)

// DefaultCounters is how many counters a [Limiter] holds where nothing else is said.
const DefaultCounters = 1 << 20

// Limiter is a [gatehouse.Limiter] of one process. Its counters are in plain memory and
// begin anew with the process ([NewLimiter]), or in a file that survives its sudden end
// ([OpenLimiter]). It is safe for concurrent use. The package comment says how it works.
//
// A counter takes 32 bytes, of the file or of memory, under a keyed 64-bit hash of the
// subject, the limit's name and its refill, and 20 to 40 of an index; so keys may be any
// text, and long ones cost nothing to keep. What a burst took is kept for the next. Should
// two of a million counters share a hash, one time in 40 million, they share a limit; nobody
// outside can aim at that.
//
// A counter that owes nothing, or whose span is past, says nothing, and a new one takes its
// place. A counter in use is never dropped: when there is no room for a new one, Take fails.
// Whoever can make up keys, such as the addresses of callers who have not proved anything,
// can bring that about; give those a Limiter of their own, so that they cannot spend the
// room of proven keys.
//
// The system's clock may jump: with time.Now rate limits count monotonic time, from the
// start on. Quotas follow the clock of the wall.
type Limiter struct {
	now   func() time.Time
	start time.Time
	base  int64 // start, in nanoseconds since 1970
	key   sipKey
	doubt string

	mu    sync.Mutex
	c     *counters // nil: closed
	spans [gatehouse.RefillMonth + 1]gcra.Quota
}

// LimiterOptions says how a [Limiter] is opened.
type LimiterOptions struct {
	// Dir is the directory of the counters' file, which must exist. It needs flock and
	// mmap; where the system has none the error is errors.ErrUnsupported.
	Dir string
	// Counters is the number of counters that may be in use. Zero means DefaultCounters.
	Counters int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewLimiter returns a limiter in plain memory that holds up to counters of them. counters
// below 1 means DefaultCounters. now is the clock; nil means time.Now.
func NewLimiter(counters int, now func() time.Time) *Limiter {
	l := newLimiter(now)
	l.c = newCounters(orDefault(counters))
	l.key = l.c.key
	return l
}

// OpenLimiter opens a limiter with its file, limits.counters, and takes the lock of it.
// What was charged before a sudden end of the process is charged; after a power cut it is
// what the system had written to the disk by then.
//
// Where the file is missing or its header is damaged, every limit begins full, quotas too;
// of single damaged counters only these do. [Limiter.Doubt] tells. Errors: [ErrInUse];
// others are the system's.
func OpenLimiter(o LimiterOptions) (*Limiter, error) {
	l := newLimiter(o.Now)
	c, doubt, err := openCounters(o.Dir, orDefault(o.Counters))
	if err != nil {
		return nil, fmt.Errorf("open limiter in %s: %w", o.Dir, err)
	}
	l.c, l.key, l.doubt = c, c.key, doubt
	return l, nil
}

func newLimiter(now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	start := now()
	return &Limiter{now: now, start: start, base: epoch.Nanos(start)}
}

func orDefault(counters int) int {
	if counters < 1 {
		return DefaultCounters
	}
	return counters
}

// Doubt says why counters may have been missing when the limiter was opened, for the log.
// It is empty when none were.
func (l *Limiter) Doubt() string { return l.doubt }

// Close writes the file to the disk and gives up its lock. Calls after it fail. Closing
// twice is allowed.
func (l *Limiter) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return nil
	}
	err := l.c.close()
	l.c = nil
	if err != nil {
		return fmt.Errorf("close limiter: %w", err)
	}
	return nil
}

// Take implements [gatehouse.Limiter]. It does no I/O, but for adding a block to the file
// now and then, and does not look at the context. Errors wrap [gatehouse.ErrUnavailable];
// beside it [ErrLimit], [ErrFull], os.ErrClosed after Close, or the system's error when the
// file cannot grow.
func (l *Limiter) Take(ctx context.Context, key string, limits []gatehouse.Limit) (ok bool, retryAfter time.Duration, err error) {
	charges := [1]gatehouse.Charge{{Subject: key, Limits: limits}}
	s, err := l.Charge(ctx, charges[:])
	return err == nil && s.RetryAfter == 0, s.RetryAfter, err
}

// Charge implements [gatehouse.Limiter]; what is said of Take holds for it.
func (l *Limiter) Charge(_ context.Context, charges []gatehouse.Charge) (gatehouse.Standing, error) {
	var buf [6]entry // keeps the usual number of limits off the heap
	entries, err := l.charge(buf[:0], charges)
	if err != nil {
		return gatehouse.Standing{}, gatehouse.Unavailable("charge limits", err)
	}
	if len(entries) == 0 {
		return gatehouse.Standing{}, nil
	}
	return standing(entries), nil
}

// Refund implements [gatehouse.Limiter]. limits are those of the Take. What time has paid
// off since is not given back, nor what was used of a quota in a past span. Errors wrap
// [gatehouse.ErrUnavailable]; beside it [ErrLimit], or os.ErrClosed after Close.
func (l *Limiter) Refund(_ context.Context, key string, limits []gatehouse.Limit) error {
	var buf [6]entry
	charges := [1]gatehouse.Charge{{Subject: key, Limits: limits}}
	entries, now, err := l.lock(buf[:0], charges[:])
	if err != nil {
		return gatehouse.Unavailable("refund limits", err)
	}
	defer l.mu.Unlock()
	for i := range entries {
		if e := &entries[i]; e.known {
			l.c.put(e.place, e.id, e.refund(now))
		}
	}
	return nil
}

// charge charges all entries or none, and returns them as they stand after it.
func (l *Limiter) charge(buf []entry, charges []gatehouse.Charge) ([]entry, error) {
	entries, now, err := l.lock(buf, charges)
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	admitted := true
	for i := range entries {
		e := &entries[i]
		e.take(now)
		admitted = admitted && e.retryAfter == 0
	}
	if admitted {
		if err := l.room(entries, now); err != nil {
			return nil, err
		}
	}
	for i := range entries {
		// What a refusal leaves is corrected to the measure of this limit, not charged.
		if e := &entries[i]; admitted || e.known && e.retryAfter > 0 {
			l.c.put(e.place, e.id, e.next)
		}
	}
	return entries, nil
}

// lock returns an entry for each limit, with its counter as it is, and locks the limiter
// where there is no error.
func (l *Limiter) lock(buf []entry, charges []gatehouse.Charge) ([]entry, instant, error) {
	entries, err := l.entries(buf, charges)
	if err != nil {
		return nil, instant{}, err
	}
	l.mu.Lock()
	if l.c == nil {
		l.mu.Unlock()
		return nil, instant{}, os.ErrClosed
	}
	now := l.instant() // under the lock: whoever comes later must not be earlier
	for i := range entries {
		e := &entries[i]
		e.place, e.next, e.known = l.c.find(e.id)
		if e.limit.Refill != gatehouse.RefillNone {
			e.quota = l.quota(e.limit, now.wall)
		}
	}
	return entries, now, nil
}

func (l *Limiter) instant() instant {
	t := l.now()
	return instant{steady: l.base + int64(t.Sub(l.start)), wall: epoch.Nanos(t)}
}

// quota returns the limit, which is one, in the measure of its span.
func (l *Limiter) quota(limit *gatehouse.Limit, wall int64) gcra.Quota {
	q := &l.spans[limit.Refill]
	if wall < q.Begin || wall >= q.End {
		begin, end := limit.Refill.Span(time.Unix(0, wall))
		*q = gcra.Quota{Begin: epoch.Nanos(begin), End: epoch.Nanos(end), Longest: int64(limit.Refill.Longest())}
	}
	return gcra.Quota{Count: limit.Count, Begin: q.Begin, End: q.End, Longest: q.Longest}
}

// room finds a place for every entry that has none.
func (l *Limiter) room(entries []entry, now instant) error {
	for i := range entries {
		e := &entries[i]
		if e.known {
			continue
		}
		place, err := l.c.place(now, func(place uint32) bool { return taken(entries, place) })
		if err != nil {
			return err
		}
		e.place, e.known = place, true
	}
	return nil
}

// taken reports whether the place is that of an entry.
func taken(entries []entry, place uint32) bool {
	for i := range entries {
		if entries[i].known && entries[i].place == place {
			return true
		}
	}
	return false
}
