// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package gcra decides under rate limits with the generic cell rate algorithm (ITU-T
// I.371), and under quotas by counting ([Quota]). It is pure: no clock, no lock, no memory
// of its own.
//
// # The algorithm
//
// A limit of Count requests in a Period, Burst of them at once, becomes two spans:
//
//	interval  = Period / Count      what one request costs
//	tolerance = Burst × interval    what may be owed at any time
//
// A counter is one instant, the theoretical arrival time (TAT). TAT - now is the debt:
// every admitted request adds one interval to it, and time pays it off. A request is
// admitted when the debt it would leave is at most the tolerance:
//
//	max(TAT, now) + interval <= now + tolerance
//
// A request with a cost is so many requests at one instant: all of them or none.
//
// A counter whose TAT is not after now owes nothing and says nothing; it may be dropped.
// It follows that any span of time d, from its first admitted request to its last, holds
// at most Burst + d/interval admitted requests.
//
// The debt never counts for more than the tolerance. While a limit stays as it is and
// time goes forward, it is never more. Where a limit was changed or the clock was set
// back, a debt in the old measure must not shut out the key for longer than the new limit
// would: such a counter is as full as it can be, and no fuller. The counter that comes
// with a refusal holds that correction, so it is worth storing.
//
// All instants and spans are nanoseconds. Instants may count from any epoch. No argument
// overflows: sums that do not fit stop at the end of the range, and spans at 146 years.
package gcra

import (
	"math"
	"math/bits"
	"time"
)

// span is the longest interval or tolerance: 146 years. It leaves room for a sum of an
// instant of this century and a span.
const span = 1 << 62

// Limit is a rate limit in the measure of the algorithm, made by [New]. The zero value,
// like any with an Interval below 1, admits nothing.
type Limit struct {
	Interval  int64 // nanoseconds that one request costs
	Tolerance int64 // nanoseconds that may be owed
}

// New returns the limit of count requests in every period, burst of them at once; a burst
// of zero means count. The interval is rounded up, so that the limit is never exceeded.
// ok is false, and the limit zero, where count is below 1, period below 1 ms or burst
// negative.
func New(count int64, period time.Duration, burst int64) (l Limit, ok bool) {
	if count < 1 || period < time.Millisecond || burst < 0 {
		return Limit{}, false
	}
	if burst == 0 {
		burst = count
	}
	interval := min((int64(period)-1)/count+1, span)
	tolerance := int64(span)
	if hi, lo := bits.Mul64(uint64(burst), uint64(interval)); hi == 0 && lo < span {
		tolerance = int64(lo)
	}
	return Limit{Interval: interval, Tolerance: tolerance}, true
}

// Never is the wait told where no wait helps.
const Never = span

// Take asks for cost requests at now, cost at least 1. tat is the counter; any instant that
// is not after now stands for a new one. next is the counter to store, whether ok or not.
// Where ok is false, retryAfter is the shortest wait after which the same request is
// admitted, at least 1 ns, or [Never] where the limit admits no such cost; else it is zero.
// remaining is how many more requests would be admitted at now, never negative.
func (l Limit) Take(tat, now, cost int64) (next int64, ok bool, retryAfter, remaining int64) {
	if l.Interval < 1 {
		return tat, false, Never, 0
	}
	debt := l.debt(tat, now)
	if cost < 1 || cost > l.Tolerance/l.Interval {
		return add(now, debt), false, Never, (l.Tolerance - debt) / l.Interval
	}
	price := cost * l.Interval
	if free := l.Tolerance - price; debt > free {
		return add(now, debt), false, debt - free, (l.Tolerance - debt) / l.Interval
	}
	debt += price
	return add(now, debt), true, 0, (l.Tolerance - debt) / l.Interval
}

// Refund takes back one request that [Limit.Take] admitted under the same limit and
// returns the counter to store. It never gives more than is owed: what time has paid off
// meanwhile is not paid again.
func (l Limit) Refund(tat, now int64) int64 {
	if l.Interval < 1 {
		return tat
	}
	return add(now, max(l.debt(tat, now)-l.Interval, 0))
}

// debt returns what is owed at now: zero to the tolerance.
func (l Limit) debt(tat, now int64) int64 {
	if tat <= now {
		return 0
	}
	debt := tat - now
	if debt < 0 || debt > l.Tolerance { // below zero: the difference does not fit
		return l.Tolerance
	}
	return debt
}

// add returns now + d for d >= 0, or the last instant where that does not fit.
func add(now, d int64) int64 {
	if now > math.MaxInt64-d {
		return math.MaxInt64
	}
	return now + d
}
