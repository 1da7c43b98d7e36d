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
)

// Errors of this package, compared with errors.Is.
var (
	// ErrInUse: another process, or another Replay of this one, has the journal open.
	ErrInUse = errors.New("in use by another process")
	// ErrTooFar: a claim ends or was signed further in the future than the options allow.
	ErrTooFar = errors.New("too far in the future")
)

// Defaults and bounds of [Options].
const (
	DefaultMaxWindow = 90 * time.Second
	DefaultCapacity  = 1 << 20
	MaxCapacity      = 1 << 26
)

// Options says how a [Replay] is opened. The zero value is usable: it has no journal.
type Options struct {
	// Dir is the directory of the journal, which must exist. Empty: no journal; then
	// what was claimed is forgotten with the process, and the floor at the start
	// covers it. A journal needs flock and mmap; where the system has none the error is
	// errors.ErrUnsupported. Only Linux tells whether the machine was started since;
	// elsewhere every start has the floor.
	Dir string
	// Fresh says that nothing can have been claimed before: no key existed. Then a cache
	// without a journal begins without a floor. It is ignored where Dir holds a journal
	// or traces of one.
	Fresh bool
	// MaxWindow is the longest span from now to the end of a claim. Zero means
	// DefaultMaxWindow.
	MaxWindow time.Duration
	// MaxAhead is the longest span from now to the signed time of a claim: how far the
	// clocks of clients may be ahead. It is also how long the floor lets nothing pass
	// after a start without a trusted journal. Zero means MaxWindow.
	MaxAhead time.Duration
	// Capacity is the number of claims in a generation. Two generations are kept, so that
	// at least Capacity claims are remembered at any time; each takes 40 bytes of the
	// journal and 8 to 16 bytes of memory. Zero means DefaultCapacity; MaxCapacity is
	// the most.
	Capacity int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Replay is a [gatehouse.ReplayCache] in the memory of one process, with a journal that
// survives its sudden end. The package comment says how. It is safe for concurrent use.
type Replay struct {
	now       func() time.Time
	maxWindow int64 // nanoseconds, like all times below
	maxAhead  int64
	capacity  int
	secret    [16]byte
	doubt     string

	mu     sync.Mutex
	j      *journal // nil: closed
	gens   [2]*generation
	cur    int   // the half that takes new records
	latest int64 // the latest time the clock showed
}

// OpenReplay opens the cache, with what its journal knows. Errors: [ErrInUse];
// a *gatehouse.InvalidError for options out of their range; others are the system's.
func OpenReplay(o Options) (*Replay, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open replay cache: %w", err)
	}
	j, doubt := memoryJournal(), "there is no journal"
	if o.Dir != "" {
		var err error
		if j, doubt, err = openJournal(o.Dir, o.Fresh); err != nil {
			return nil, fmt.Errorf("open replay journal in %s: %w", o.Dir, err)
		}
	} else if o.Fresh {
		doubt = ""
	}
	r := &Replay{
		now: o.Now, maxWindow: int64(o.MaxWindow), maxAhead: int64(o.MaxAhead), capacity: o.Capacity,
		secret: j.header.secret, j: j, latest: epoch.Nanos(o.Now()),
	}
	intact := r.load()
	if doubt == "" && !intact {
		doubt = "the journal is damaged"
	}
	if doubt != "" {
		h := &j.header
		h.floor = max(h.floor, r.latest+r.maxAhead, r.gens[0].signed, r.gens[1].signed)
	}
	r.doubt = doubt
	// The counts are the evidence of damage: first the floor that answers it is saved.
	j.save()
	for half, g := range r.gens {
		j.setCount(half, g.n)
	}
	return r, nil
}

// complete fills in the defaults and checks the ranges.
func (o *Options) complete() error {
	if o.MaxWindow == 0 {
		o.MaxWindow = DefaultMaxWindow
	}
	if o.MaxAhead == 0 {
		o.MaxAhead = o.MaxWindow
	}
	if o.Capacity == 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	const longest = 24 * time.Hour
	switch {
	case o.MaxWindow < 0 || o.MaxWindow > longest:
		return &gatehouse.InvalidError{Field: "MaxWindow", Problem: "not between zero and a day"}
	case o.MaxAhead < 0 || o.MaxAhead > longest:
		return &gatehouse.InvalidError{Field: "MaxAhead", Problem: "not between zero and a day"}
	case o.Capacity < 0 || o.Capacity > MaxCapacity:
		return &gatehouse.InvalidError{Field: "Capacity", Problem: fmt.Sprintf("not between zero and %d", MaxCapacity)}
	}
	return nil
}

// load indexes the records of the journal. It reports whether all that were counted are
// there.
func (r *Replay) load() bool {
	intact := true
	for half := range r.gens {
		counted := r.j.count(half)
		g := newGeneration(r.j, half, max(r.capacity, r.j.records()), int(min(counted, uint64(r.j.records()))))
		for i := range r.j.records() {
			if rec := r.j.record(half, i); rec.intact(r.j.header.seq[half]) {
				g.note(rec, i)
			} else if uint64(i) < counted {
				intact = false
			}
		}
		r.gens[half] = g
		intact = intact && counted <= uint64(r.j.records())
	}
	if int32(r.j.header.seq[1]-r.j.header.seq[0]) > 0 { // so that they may wrap around
		r.cur = 1
	}
	return intact
}

// Claim implements [gatehouse.ReplayCache]. It does no I/O, but for adding a block to the
// journal now and then, and does not look at the context.
//
// A pair is free again when the clock shows its end, for a claim with a later end. A claim
// that ends when the clock shows its end or before is refused, and so is one signed at or
// before the floor, once the clock has passed that. Errors wrap [gatehouse.ErrUnavailable];
// beside it *[gatehouse.RetryError] until then, [ErrTooFar] for a claim beyond MaxWindow or
// MaxAhead, os.ErrClosed after Close, or the system's error when the journal cannot grow.
func (r *Replay) Claim(_ context.Context, key, nonce string, signed, until time.Time) (bool, error) {
	d := digestOf(&r.secret, key, nonce)
	s, u, now := epoch.Nanos(signed), epoch.Nanos(until), epoch.Nanos(r.now())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return false, gatehouse.Unavailable("claim nonce", os.ErrClosed)
	}
	// A step back of the clock must not bring back what has expired.
	now = max(now, r.latest)
	r.latest = now
	if u > now+r.maxWindow || s > now+r.maxAhead {
		return false, gatehouse.Unavailable("claim nonce", ErrTooFar)
	}
	r.turn(now)
	if u <= now || u <= r.j.header.forgotten {
		return false, nil
	}
	if floor := r.j.header.floor; s <= floor {
		return false, gatehouse.BelowFloor(time.Duration(floor - now))
	}
	for _, g := range r.gens {
		if rec, _ := g.find(d); rec != nil && rec.until() > now {
			return false, nil
		}
	}
	if err := r.append(d, s, u); err != nil {
		return false, gatehouse.Unavailable("claim nonce", err)
	}
	return true, nil
}

// turn drops the older generation and begins a new one when the older has expired, or when
// there is no room for a record more.
func (r *Replay) turn(now int64) {
	young, old := r.gens[r.cur], r.gens[1-r.cur]
	expired := old.until <= now
	if young.n < r.capacity && (young.n == 0 || !expired) {
		return
	}
	h := &r.j.header
	if expired {
		h.forgotten = max(h.forgotten, old.until)
	} else {
		h.floor = max(h.floor, old.signed)
	}
	// Should the process die before the header is saved, the records still fit the old
	// header, whatever the count.
	r.j.setCount(old.half, 0)
	h.seq[old.half] = h.seq[young.half] + 1
	r.j.save()
	old.reset(young.n)
	r.cur = old.half
}

// append writes a record into the journal and then lets the index find it.
func (r *Replay) append(d digest, signed, until int64) error {
	g := r.gens[r.cur]
	if g.n == r.j.records() {
		if err := r.j.grow(); err != nil {
			return err
		}
	}
	rec := r.j.record(g.half, g.n)
	rec.write(d, signed, until, r.j.header.seq[g.half])
	r.j.setCount(g.half, g.n+1)
	g.note(rec, g.n)
	return nil
}

// Floor returns the instant up to which, inclusive, no signed time is accepted, UTC, and
// why it was raised when the cache was opened; why is empty if it was not. The zero time
// means that there is no floor.
func (r *Replay) Floor() (at time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil || r.j.header.floor == never {
		return time.Time{}, r.doubt
	}
	return time.Unix(0, r.j.header.floor).UTC(), r.doubt
}

// Close writes the journal to the disk and gives up its lock. Claims after it fail. Closing
// twice is allowed.
func (r *Replay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return nil
	}
	err := r.j.close()
	r.j = nil
	if err != nil {
		return fmt.Errorf("close replay journal: %w", err)
	}
	return nil
}
