// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gcra

// Quota admits Count requests in every calendar span; now lies in the one from Begin,
// inclusive, to End, exclusive. Longest is the greatest length of such a span: 31 days of
// months. All but Count are nanoseconds. A Count below 1 admits nothing.
type Quota struct {
	Count, Begin, End, Longest int64
}

// Used is the counter of a quota: how many requests were admitted in the span that ends at
// End. The zero value, like any whose span is past, stands for a new one.
type Used struct {
	End, Count int64
}

// Take asks for cost requests in the span of now, cost at least 1. next is the counter to
// store, whether ok or not. Where ok is false, retryAfter is the time until the span ends,
// at least 1 ns; else it is zero. remaining is how many more requests would be admitted in
// this span, never negative.
//
// A counter of a later span says that the clock was set back. What was used in this span is
// forgotten, so the quota counts as used up until the span ends. The counter of the very
// next span is kept for then. One further ahead comes of a clock that was wrong by more than
// a span, and must not shut out anybody until that clock is right: it becomes this span's.
func (q Quota) Take(u Used, now, cost int64) (next Used, ok bool, retryAfter, remaining int64) {
	wait := max(q.End-now, 1)
	switch {
	case u.End <= q.Begin:
		u = Used{End: q.End}
	case u.End > q.End && uint64(u.End-q.End) <= uint64(q.Longest): // unsigned, the difference always fits
		return u, false, wait, 0
	case u.End != q.End:
		u = Used{End: q.End, Count: max(q.Count, 1)}
	}
	remaining = max(q.Count-max(u.Count, 0), 0)
	if cost < 1 || cost > remaining {
		return u, false, wait, remaining
	}
	u.Count += cost
	return u, true, 0, remaining - cost
}

// Refund takes back one request that [Quota.Take] admitted in the same span and returns the
// counter to store. What was used in a past span is not given back to this one.
func (q Quota) Refund(u Used) Used {
	if u.End == q.End && u.Count > 0 {
		u.Count--
	}
	return u
}
