// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// entry is one limit of a call: its counter, its measure, and how it stands.
type entry struct {
	counter string // key of the counter
	limit   *gatehouse.Limit
	cost    int64
	rate    gcra.Limit // of a rate limit
	quota   gcra.Quota // of a quota, in the span of the server's time

	admits     bool
	retryAfter int64 // nanoseconds; zero: it admits
	remaining  int64
	reset      int64
}

// entriesOf makes an entry for every limit, one list for each subject that has limits.
// ErrLimit where one cannot be used.
func entriesOf(charges []gatehouse.Charge) ([][]entry, error) {
	subjects := make([][]entry, 0, len(charges))
	seen := make(map[string]bool)
	for i := range charges {
		c := &charges[i]
		if len(c.Limits) == 0 {
			continue
		}
		es := make([]entry, len(c.Limits))
		sum := sha256.Sum256([]byte(c.Subject))
		subject := "{gh:" + base64.RawURLEncoding.EncodeToString(sum[:16]) + "}"
		for j := range es {
			e := &es[j]
			*e = entry{limit: &c.Limits[j], cost: c.Cost}
			if e.cost == 0 {
				e.cost = 1
			}
			if !e.measure() {
				return nil, ErrLimit
			}
			sum := sha256.Sum256(append([]byte{byte(e.limit.Refill)}, e.limit.Name...))
			e.counter = subject + base64.RawURLEncoding.EncodeToString(sum[:12])
			if seen[e.counter] {
				return nil, ErrLimit
			}
			seen[e.counter] = true
		}
		subjects = append(subjects, es)
	}
	return subjects, nil
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

// args appends what the script has to know of cost requests.
func (e *entry) args(args []string, cost int64) []string {
	if e.limit.Refill != gatehouse.RefillNone {
		return append(args, e.limit.Refill.String(), strconv.FormatInt(cost, 10), strconv.FormatInt(e.limit.Count, 10))
	}
	price := ""
	if cost <= e.rate.Tolerance/e.rate.Interval {
		price = strconv.FormatInt(cost*e.rate.Interval, 10)
	}
	return append(args, "rate", price, strconv.FormatInt(e.rate.Tolerance, 10))
}

var errCounter = errors.New("unreadable counter")

// take repeats the decision of the script: the counter was held at now.
func (e *entry) take(held string, now int64) error {
	if e.limit.Refill != gatehouse.RefillNone {
		return e.takeQuota(held, now)
	}
	tat := now
	if held != "" {
		var err error
		if tat, err = strconv.ParseInt(held, 10, 64); err != nil {
			return errCounter
		}
	}
	tat, e.admits, e.retryAfter, e.remaining = e.rate.Take(tat, now, e.cost)
	if e.retryAfter == gcra.Never {
		e.retryAfter = int64(e.period())
	}
	e.reset = tat - now
	return nil
}

func (e *entry) takeQuota(held string, now int64) error {
	var used gcra.Used
	if held != "" {
		end, count, _ := strings.Cut(held, " ")
		seconds, err := strconv.ParseInt(end, 10, 64)
		n, err2 := strconv.ParseInt(count, 10, 64)
		if err != nil || err2 != nil || seconds < 0 || seconds > math.MaxInt64/int64(time.Second) {
			return errCounter
		}
		used = gcra.Used{End: seconds * int64(time.Second), Count: n}
	}
	begin, end := e.limit.Refill.Span(time.Unix(0, now))
	e.quota = gcra.Quota{Count: e.limit.Count, Begin: begin.UnixNano(), End: end.UnixNano(), Longest: int64(e.limit.Refill.Longest())}
	used, e.admits, e.retryAfter, e.remaining = e.quota.Take(used, now, e.cost)
	if e.reset = 0; used.Count > 0 {
		e.reset = e.quota.End - now
	}
	return nil
}

// standing is that of the tightest limit of the entries. The zero value where there is none.
func standing(subjects [][]entry) gatehouse.Standing {
	var t *entry
	for _, es := range subjects {
		for i := range es {
			e := &es[i]
			if t == nil || e.retryAfter > t.retryAfter || e.retryAfter == t.retryAfter && e.remaining < t.remaining {
				t = e
			}
		}
	}
	if t == nil {
		return gatehouse.Standing{}
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
