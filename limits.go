// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Limit is a rate limit, or, with Refill, a quota.
//
// A rate limit admits Count requests in every Period, up to Burst of them at once. A quota
// admits Count requests in every calendar span; Period and Burst are zero. A request with a
// cost counts as so many requests.
type Limit struct {
	Name   string        // names it in headers and metrics: 1 to 64 of a-z, A-Z, 0-9, "-", "_", "."; unique within the key
	Count  int64         // at least 1
	Period time.Duration // at least 1 ms
	Burst  int64         // at least 1; zero means Count
	Refill Refill        // zero: it is a rate limit
}

// AtOnce is how many requests the limit admits at once when it is full: the burst of a rate
// limit, the count of a quota.
func (l *Limit) AtOnce() int64 {
	if l.Burst > 0 {
		return l.Burst
	}
	return l.Count
}

// Window is the time in which a rate limit admits so many: rounded down, at least 1 ns, and
// at most what fits. The spans of a quota differ, see [Refill.Span]; its window is zero.
func (l *Limit) Window() time.Duration {
	if l.Refill != RefillNone {
		return 0
	}
	hi, lo := bits.Mul64(uint64(l.AtOnce()), uint64(l.Period))
	if hi >= uint64(l.Count) {
		return math.MaxInt64
	}
	d, _ := bits.Div64(hi, lo, uint64(l.Count))
	return time.Duration(max(1, min(d, math.MaxInt64)))
}

// Refill says when a quota is full again. The zero value is no quota.
type Refill uint8

// The spans of a quota, by the calendar in UTC. A week begins on Monday.
const (
	RefillNone Refill = iota
	RefillHour
	RefillDay
	RefillWeek
	RefillMonth
)

var refillNames = [...]string{RefillNone: "", RefillHour: "hour", RefillDay: "day", RefillWeek: "week", RefillMonth: "month"}

// String returns "hour", "day", "week" or "month", and "" for anything else.
func (r Refill) String() string {
	if int(r) < len(refillNames) {
		return refillNames[r]
	}
	return ""
}

// ParseRefill is the inverse of [Refill.String]; ok is false for unknown text.
func ParseRefill(text string) (r Refill, ok bool) {
	i := slices.Index(refillNames[:], text)
	return Refill(max(i, 0)), i >= 0
}

// Span is the calendar span that now lies in: begin inclusive, end exclusive. Zero times
// for RefillNone.
func (r Refill) Span(now time.Time) (begin, end time.Time) {
	now = now.UTC()
	year, month, day := now.Date()
	switch r {
	case RefillHour:
		begin = now.Truncate(time.Hour)
		return begin, begin.Add(time.Hour)
	case RefillDay:
		begin = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 0, 1)
	case RefillWeek:
		begin = time.Date(year, month, day-(int(now.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 0, 7)
	case RefillMonth:
		begin = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	}
	return time.Time{}, time.Time{}
}

// Longest is the greatest length of a span, such as 31 days of a month; zero for RefillNone
// and for what is no Refill.
func (r Refill) Longest() time.Duration {
	switch r {
	case RefillHour:
		return time.Hour
	case RefillDay:
		return 24 * time.Hour
	case RefillWeek:
		return 7 * 24 * time.Hour
	case RefillMonth:
		return 31 * 24 * time.Hour
	}
	return 0
}

// Charge is what a request costs one subject.
type Charge struct {
	Subject string  // whose count it is, such as "key/0123"
	Limits  []Limit // names are unique within the subject
	Cost    int64   // in requests; zero: 1
}

// Standing is how a limit stands after a charge. The zero value is that of no limit.
type Standing struct {
	Name       string
	Count      int64         // how much it admits at once when full: the burst of a rate limit, the count of a quota
	Period     time.Duration // in which it admits so much: of a rate limit burst × period / count, of a quota the length of the span it is in
	Remaining  int64         // how much more it admits now; never negative
	Reset      time.Duration // until it is full again, if nothing else is charged
	RetryAfter time.Duration // of a refusal: until it can succeed; never possible: the whole period. Zero: admitted
}

// Tighter reports whether s says more of what a caller may do than o, both of limits: it makes
// wait longer or, where both make wait as long, admits fewer.
func (s *Standing) Tighter(o *Standing) bool {
	return s.RetryAfter > o.RetryAfter || s.RetryAfter == o.RetryAfter && s.Remaining < o.Remaining
}

// Limiter admits requests under limits. Implementations pass gatehousetest.Limiter.
type Limiter interface {
	// Take asks for one request of key under all limits together: either every limit
	// admits it and is charged, or none is charged and retryAfter says how long until
	// it can succeed. An error wraps ErrUnavailable; then nothing is admitted.
	Take(ctx context.Context, key string, limits []Limit) (ok bool, retryAfter time.Duration, err error)

	// Charge is Take for several subjects and a cost: either all limits of all charges
	// admit it and are charged, or none is. The standing is that of the tightest limit:
	// after a refusal the one that makes wait longest, else the one that admits the
	// fewest more. Its RetryAfter is zero exactly when the charge was admitted.
	Charge(ctx context.Context, charges []Charge) (Standing, error)

	// Refund gives back what one admitted Take of key charged, such as an attempt that
	// turned out to be right. It never gives more than was taken.
	Refund(ctx context.Context, key string, limits []Limit) error
}

// charges lists what the request costs: the key, its principal and its tenant, as far as
// they have limits.
func (rec *Record) charges(out []Charge, cost int64) []Charge {
	if len(rec.Key.Limits) > 0 {
		out = append(out, Charge{Subject: "key/" + rec.Key.ID, Limits: rec.Key.Limits, Cost: cost})
	}
	if len(rec.Principal.Limits) > 0 {
		out = append(out, Charge{Subject: "owner/" + rec.Principal.ID, Limits: rec.Principal.Limits, Cost: cost})
	}
	if len(rec.Tenant.Limits) > 0 {
		out = append(out, Charge{Subject: "tenant/" + rec.Key.Tenant, Limits: rec.Tenant.Limits, Cost: cost})
	}
	return out
}

const (
	maxLimits    = 8
	maxLimitName = 64
)

// CheckLimits checks limits of a key, an account or a tenant. *[InvalidError] with field
// "limits".
func CheckLimits(limits []Limit) error {
	if len(limits) > maxLimits {
		return &InvalidError{Field: "limits", Problem: "more than 8"}
	}
	for i, l := range limits {
		if problem := l.problem(); problem != "" {
			return &InvalidError{Field: "limits", Problem: problem}
		}
		if slices.ContainsFunc(limits[:i], func(o Limit) bool { return o.Name == l.Name }) {
			return &InvalidError{Field: "limits", Problem: "two have one name"}
		}
	}
	return nil
}

func (l *Limit) problem() string {
	if l.Name == "" || len(l.Name) > maxLimitName || !only(l.Name, "-_.") {
		return "a name is 1 to 64 letters, digits and -_."
	}
	if l.Count < 1 || l.Burst < 0 {
		return "count and burst are at least 1"
	}
	if l.Refill == RefillNone && l.Period < time.Millisecond {
		return "the period is at least 1 ms"
	}
	if l.Refill != RefillNone && (l.Refill.String() == "" || l.Period != 0 || l.Burst != 0) {
		return "a quota refills by the hour, day, week or month, and has neither period nor burst"
	}
	return ""
}

// only reports whether s holds nothing but ASCII letters, digits and the characters of
// others.
func only(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !slices.Contains([]byte(others), c) {
			return false
		}
	}
	return true
}

// ReplayCache remembers nonces. Implementations pass gatehousetest.ReplayCache.
//
// What a cache cannot know it does not grant. After a loss of memory it has a floor, the
// latest signed time that a forgotten claim can have had: what was signed at or before it is
// not claimed.
type ReplayCache interface {
	// Claim takes (key, nonce) and reports whether it was free. signed is the time the
	// nonce was signed for; the cache remembers the pair at least until the end. It
	// succeeds at most once for a pair, whatever the concurrency and however often
	// the process restarts. An error wraps ErrUnavailable; then nothing is claimed.
	//
	// While the clock has not passed the floor, a claim signed at or before it is an error
	// that wraps a *RetryError as well: nobody can know whether it is the first, and a
	// fresher one cannot exist yet. When the clock has passed the floor such a claim is
	// refused: who signs again succeeds.
	Claim(ctx context.Context, key, nonce string, signed, until time.Time) (bool, error)
}

// BelowFloor is what a [ReplayCache] answers to a claim signed at or before its floor, beside
// false. ahead is how far the floor is ahead of the clock. Nil: the clock has passed it. Else
// the error wraps [ErrUnavailable] and a [*RetryError] of ahead, rounded up to milliseconds.
func BelowFloor(ahead time.Duration) error {
	if ahead < 0 {
		return nil
	}
	after := max(ahead, 1)
	if rest := after % time.Millisecond; rest > 0 {
		after += time.Millisecond - rest
	}
	return Unavailable("claim nonce", &RetryError{After: after, Problem: "it is not known which nonces were used before"})
}
