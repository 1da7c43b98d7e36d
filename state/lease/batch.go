// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// hot is a list of charges that comes often.
type hot struct {
	charges []gatehouse.Charge // our own copy
	cost    int64              // of each, at least 1

	mu      sync.Mutex
	last    *batch
	free    int64         // how many more the last answer would have admitted; zero: not known, or none
	trip    time.Duration // of the last question
	waiting int64         // requests that wait for an answer
}

// batch is a question for one or more requests, and what it brought. All but size are for
// the lock of its hot, and what the answer brings for the one who asks until it is there.
type batch struct {
	size  int64
	asked time.Time
	done  chan struct{} // closed when the answer is there

	asking   bool
	void     bool // there is no answer: the one who asked has left
	err      error
	standing gatehouse.Standing
	answered time.Time
	life     time.Duration // how long after asked it answers those who come; zero: not at all
	left     int64         // requests that were charged and have not come
	again    int64         // requests more that there was room for
}

func newHot(charges []gatehouse.Charge) *hot {
	h := &hot{charges: slices.Clone(charges), cost: max(charges[0].Cost, 1), last: &batch{}}
	for i := range h.charges {
		h.charges[i].Limits = slices.Clone(charges[i].Limits)
	}
	return h
}

// is reports whether these are the charges.
func (h *hot) is(charges []gatehouse.Charge) bool {
	return slices.EqualFunc(h.charges, charges, func(a, b gatehouse.Charge) bool {
		return a.Subject == b.Subject && a.Cost == b.Cost && slices.Equal(a.Limits, b.Limits)
	})
}

// times is what n requests cost.
func (h *hot) times(n int64) []gatehouse.Charge {
	if n == 1 {
		return h.charges
	}
	charges := slices.Clone(h.charges)
	for i := range charges {
		charges[i].Cost = n * h.cost
	}
	return charges
}

// spanLeft is how long the calendar spans of the quotas last.
func (h *hot) spanLeft(now time.Time) time.Duration {
	left := time.Duration(math.MaxInt64)
	for i := range h.charges {
		for _, l := range h.charges[i].Limits {
			if l.Refill != gatehouse.RefillNone {
				_, end := l.Refill.Span(now)
				left = min(left, end.Sub(now))
			}
		}
	}
	return left
}

// ask begins a batch: for all who are here, as far as the limit had room for them, and for
// those who will come in the first half of the time that it admits.
func (h *hot) ask(now time.Time, life time.Duration, rate int64) *batch {
	here := 1 + h.waiting
	soon := int64(float64(rate) * (life/2 - h.trip).Seconds())
	size := min(here, h.free) + max(min(soon, (h.free-here)/4), 0)
	h.last = &batch{size: max(size, 1), asked: now, done: make(chan struct{}), asking: true, void: true}
	return h.last
}

// answer answers a request that comes now. ok is false where it has to ask.
func (b *batch) answer(now time.Time, cost int64) (s gatehouse.Standing, ok bool) {
	switch {
	case now.Sub(b.asked).Abs() >= b.life:
		return s, false
	case b.standing.RetryAfter > 0:
		s = b.stands(now, cost)
		return s, s.RetryAfter > 0
	case b.left == 0:
		return s, false
	}
	b.left--
	return b.stands(now, cost), true
}

// share answers a request that came before the answer did. Where neither ok nor err say
// that it did, the request begins anew.
func (h *hot) share(ctx context.Context, b *batch, now time.Time) (s gatehouse.Standing, ok bool, err error) {
	switch {
	case b.asking:
		return s, false, gatehouse.Unavailable("charge limits", ctx.Err())
	case b.void:
		return s, false, nil
	case b.err != nil:
		return s, false, b.err
	case b.standing.RetryAfter > 0:
		s = b.stands(now, h.cost)
		return s, s.RetryAfter > 0, nil
	case b.left > 0:
		b.left--
		return b.stands(now, h.cost), true, nil
	case b.again > 0:
		b.again--
		return s, false, nil
	}
	s = b.stands(now, h.cost)
	s.RetryAfter = h.wait(&s)
	s.Remaining %= h.cost // the others take the rest
	return s, s.RetryAfter > 0, nil
}

// stands is how the tightest limit stands now, by the answer.
func (b *batch) stands(now time.Time, cost int64) gatehouse.Standing {
	s, passed := b.standing, max(now.Sub(b.answered), 0)
	s.Remaining += b.left * cost
	s.Reset = max(s.Reset-passed, 0)
	s.RetryAfter = max(s.RetryAfter-passed, 0)
	return s
}

// wait is how long after s one request more can be admitted than the limit had room for:
// until a quota is full, or a rate limit has paid off enough.
func (h *hot) wait(s *gatehouse.Standing) time.Duration {
	for i := range h.charges {
		for _, l := range h.charges[i].Limits {
			if l.Name == s.Name && l.Refill != gatehouse.RefillNone {
				return s.Reset
			}
		}
	}
	price := float64(s.Period) / float64(s.Count) * float64((s.Remaining/h.cost+1)*h.cost)
	return time.Duration(math.Ceil(price)) - (s.Period - s.Reset)
}
