// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package lease spares a shared [gatehouse.Limiter] the round trips of very hot limits.
//
// Where one list of charges comes often, a node charges it for many requests at once, the
// batch, and admits from it without asking, for a while. What is refused, it refuses by
// itself until the wait is over.
//
// # The bound
//
// Nothing is admitted that the shared limiter has not charged before, and a request that
// comes after the answer is admitted at most [Options].For after the question. So what all
// nodes together admit in any span of time d was charged in the span d + For, and a rate
// limit admits at most
//
//	burst + (d + For) × count / period
//
// there. The requests that wait for an answer get it when it comes, like any that asks for
// itself. What is not hot is asked for one by one: For is zero for it.
//
// A batch does not outlive the calendar span of a quota, so a quota is never exceeded in its
// span. That is so by the clock of the shared limiter; where the clock of a node is slow by
// s, the node may admit in the first s of a span, and no longer than For, what was charged
// to the one before.
//
// What is left of a batch at its end is lost: fewer are admitted, never more. To lose little
// a batch is half of what came in For lately, and beyond those who wait already no more than
// a quarter of what the limit has left.
//
// A refusal from memory is exact but for refunds: it lasts as long as the limiter said, and
// For at most. Changed limits or another cost are another list, which asks at once.
package lease

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

// DefaultFrom is how many requests a second make a list of charges hot where nothing else
// is said.
const DefaultFrom = 200

// Options says how a [Limiter] is made.
type Options struct {
	// For is how long a batch admits. Zero, or less: every request asks, and the limiter
	// is the inner one.
	For time.Duration
	// From is how many requests with the same charges in a second, on this node, make
	// them hot. Zero means DefaultFrom.
	From int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Limiter is a [gatehouse.Limiter] that asks another one, and that one less often for
// charges that are hot. The package comment says how. It is safe for concurrent use, starts
// no goroutines, and keeps at most 4,096 lists of charges in mind; any beyond ask each time.
type Limiter struct {
	inner gatehouse.Limiter
	o     Options
	table *table
}

// New returns the limiter that asks inner.
func New(inner gatehouse.Limiter, o Options) *Limiter {
	if o.From == 0 {
		o.From = DefaultFrom
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Limiter{inner: inner, o: o, table: newTable(int64(o.From))}
}

// Take implements [gatehouse.Limiter]. It always asks the inner limiter: what it took can be
// given back.
func (l *Limiter) Take(ctx context.Context, key string, limits []gatehouse.Limit) (ok bool, retryAfter time.Duration, err error) {
	return l.inner.Take(ctx, key, limits)
}

// Refund implements [gatehouse.Limiter]. It asks the inner limiter.
func (l *Limiter) Refund(ctx context.Context, key string, limits []gatehouse.Limit) error {
	return l.inner.Refund(ctx, key, limits)
}

// Charge implements [gatehouse.Limiter]. While one request asks for charges that are hot,
// others with the same wait for its answer. Without one the standing is that of the last
// answer, with what is left of the batch in Remaining, and its times counted down.
//
// Errors are those of the inner limiter, for all who waited for it, and one that wraps
// [gatehouse.ErrUnavailable] and the context's where that ends while waiting.
func (l *Limiter) Charge(ctx context.Context, charges []gatehouse.Charge) (gatehouse.Standing, error) {
	if l.o.For <= 0 {
		return l.inner.Charge(ctx, charges)
	}
	now := l.o.Now()
	h, rate := l.table.find(charges, now)
	if h == nil {
		return l.inner.Charge(ctx, charges)
	}
	return l.charge(ctx, h, rate, now)
}

// charge answers from the batch, from that of a request that asks just now, or asks.
func (l *Limiter) charge(ctx context.Context, h *hot, rate int64, now time.Time) (gatehouse.Standing, error) {
	h.mu.Lock()
	for {
		b := h.last
		if !b.asking {
			s, ok := b.answer(now, h.cost)
			if !ok {
				b = h.ask(now, l.o.For, rate)
			}
			h.mu.Unlock()
			if !ok {
				return l.fetch(ctx, h, b)
			}
			return s, nil
		}
		h.waiting++
		h.mu.Unlock()
		select {
		case <-b.done:
		case <-ctx.Done():
		}
		now = l.o.Now()
		h.mu.Lock()
		h.waiting--
		if s, ok, err := h.share(ctx, b, now); ok || err != nil {
			h.mu.Unlock()
			return s, err
		}
	}
}

// fetch asks the inner limiter for the batch, and for one request where it is refused.
func (l *Limiter) fetch(ctx context.Context, h *hot, b *batch) (gatehouse.Standing, error) {
	defer l.land(h, b) // also when the inner limiter panics: nobody must wait for ever
	s, err := l.inner.Charge(ctx, h.times(b.size))
	if err == nil && s.RetryAfter > 0 && b.size > 1 {
		b.size = 1
		s, err = l.inner.Charge(ctx, h.charges)
	}
	b.standing, b.err = s, err
	b.void = err != nil && ctx.Err() != nil
	if err == nil && s.RetryAfter == 0 {
		s.Remaining += (b.size - 1) * h.cost
	}
	return s, err
}

// land hands the answer to those who wait, and keeps it for those who come.
func (l *Limiter) land(h *hot, b *batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.answered, b.asking = l.o.Now(), false
	h.trip, h.free = b.answered.Sub(b.asked), 0
	switch s := &b.standing; {
	case b.void || b.err != nil: // of what is not confirmed nothing is kept
	case s.RetryAfter > 0:
		b.life = min(s.RetryAfter, l.o.For)
	default:
		h.free = s.Remaining / h.cost
		b.left, b.again = b.size-1, h.free
		b.life = min(h.spanLeft(b.asked), l.o.For)
	}
	close(b.done)
}
