// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// ErrLimit: a limit is out of its range, a cost is below zero, or two limits of one subject
// have the same name. It comes with [gatehouse.ErrUnavailable].
var ErrLimit = errors.New("unusable limit")

// entry is one limit of a call and what became of its counter.
type entry struct {
	id     []byte
	limit  *gatehouse.Limit
	rate   gcra.Limit // of a rate limit
	amount int64      // to be charged: nanoseconds of a rate limit, requests of a quota; zero: more than the limit ever admits

	tat, used, wait, at int64 // as in the table
	cut                 bool
}

// newEntries returns an entry for every limit of the charges. ErrLimit where one cannot be
// used.
func newEntries(charges []gatehouse.Charge) ([]entry, error) {
	var out []entry
	for i := range charges {
		c := &charges[i]
		for j := range c.Limits {
			l := &c.Limits[j]
			e := entry{limit: l, id: digest(c.Subject, l.Name, l.Refill.String())}
			if !e.measure(c.Cost) {
				return nil, ErrLimit
			}
			for k := range out {
				if bytes.Equal(out[k].id, e.id) {
					return nil, ErrLimit
				}
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// measure finds the amount. It reports whether limit and cost can be used.
func (e *entry) measure(cost int64) (ok bool) {
	if cost == 0 {
		cost = 1
	}
	l := e.limit
	if l.Refill != gatehouse.RefillNone {
		e.amount = cost
		return l.Refill.Longest() > 0 && l.Count > 0 && l.Period == 0 && l.Burst == 0 && cost > 0
	}
	if e.rate, ok = gcra.New(l.Count, l.Period, l.Burst); ok && cost <= e.rate.Tolerance/e.rate.Interval {
		e.amount = cost * e.rate.Interval
	}
	return ok && cost > 0
}

// takeRate is [gcra.Limit.Take]. $1 id, $2 tolerance, $3 price or zero, $4 clock.
//
// What stands after SET is evaluated once the row is locked, and its clock read once.
var takeRate = fmt.Sprintf(`
INSERT INTO limit_counters AS c (id, tat, used, wait, at, cut)
SELECT $1::bytea, t.now + $3::bigint, 0, CASE WHEN $3 = 0 THEN %[1]d ELSE 0 END, t.now, false FROM (SELECT %[2]s AS now) t
ON CONFLICT (id) DO UPDATE SET (tat, wait, at, cut) = (
	SELECT t.now + d.debt + CASE WHEN w.wait = 0 THEN $3 ELSE 0 END, w.wait, t.now, c.tat - t.now > $2::bigint
	FROM (SELECT %[2]s AS now) t
	CROSS JOIN LATERAL (SELECT least(greatest(c.tat - t.now, 0), $2) AS debt) d
	CROSS JOIN LATERAL (SELECT CASE WHEN $3 = 0 THEN %[1]d ELSE greatest(d.debt - ($2 - $3), 0) END AS wait) w)
RETURNING tat, used, wait, at, cut`, int64(gcra.Never), clock("$4"))

// takeQuota is [gcra.Quota.Take]. $1 id, $2 count, $3 cost or zero, $4 clock, $5 the unit of
// the span, $6 its greatest length. What is kept is the count of the next span.
var takeQuota = fmt.Sprintf(`
INSERT INTO limit_counters AS c (id, tat, used, wait, at, cut)
SELECT $1::bytea, s.ends, CASE WHEN f.fits THEN $3 ELSE 0 END, CASE WHEN f.fits THEN 0 ELSE s.ends - s.now END, s.now, false
FROM %[1]s CROSS JOIN LATERAL (SELECT $3::bigint BETWEEN 1 AND $2::bigint AS fits) f
ON CONFLICT (id) DO UPDATE SET (tat, used, wait, at, cut) = (
	SELECT u.tat, u.used + CASE WHEN f.fits THEN $3 ELSE 0 END, CASE WHEN f.fits THEN 0 ELSE s.ends - s.now END,
		s.now, NOT k.kept AND c.tat > s.begins AND c.tat <> s.ends
	FROM %[1]s
	CROSS JOIN LATERAL (SELECT c.tat > s.ends AND c.tat - s.ends <= $6::bigint AS kept) k
	CROSS JOIN LATERAL (SELECT CASE WHEN k.kept THEN c.tat ELSE s.ends END AS tat,
		CASE WHEN k.kept OR c.tat = s.ends THEN c.used WHEN c.tat <= s.begins THEN 0 ELSE $2 END AS used) u
	CROSS JOIN LATERAL (SELECT NOT k.kept AND $3 BETWEEN 1 AND $2 - u.used AS fits) f)
RETURNING tat, used, wait, at, cut`, spanOf("$4", "$5"))

// refundRate is [gcra.Limit.Refund]. $1 id, $2 tolerance, $3 interval, $4 clock.
var refundRate = `
UPDATE limit_counters AS c SET tat = (
	SELECT t.now + greatest(least(greatest(c.tat - t.now, 0), $2::bigint) - $3::bigint, 0) FROM (SELECT ` + clock("$4") + ` AS now) t)
WHERE c.id = $1::bytea`

// refundQuota is [gcra.Quota.Refund]. $1 id, $2 clock, $3 the unit of the span.
var refundQuota = `
UPDATE limit_counters AS c SET used = c.used - 1
WHERE c.id = $1::bytea AND c.used > 0 AND c.tat = (SELECT s.ends FROM ` + spanOf("$2", "$3") + `)`

// spanOf is the SQL of a row s: now and the span of it, by the calendar in UTC.
func spanOf(parameter, unit string) string {
	const second = "1000000000"
	return fmt.Sprintf(`(SELECT b.now, extract(epoch FROM b.begins)::bigint * %[3]s AS begins,
		extract(epoch FROM b.begins + ('1 ' || %[2]s::text)::interval)::bigint * %[3]s AS ends
	FROM (SELECT t.now, date_trunc(%[2]s::text, timestamp '1970-01-01' + make_interval(secs => t.now / %[3]s)) AS begins
		FROM (SELECT %[1]s AS now) t) b) s`, clock(parameter), unit, second)
}

// take is the statement that asks the limit for the amount.
func (e *entry) take(now any) (text string, args []any) {
	if r := e.limit.Refill; r != gatehouse.RefillNone {
		return takeQuota, []any{e.id, e.limit.Count, e.amount, now, r.String(), int64(r.Longest())}
	}
	return takeRate, []any{e.id, e.rate.Tolerance, e.amount, now}
}

// refund is the statement that gives one request back.
func (e *entry) refund(now any) (text string, args []any) {
	if r := e.limit.Refill; r != gatehouse.RefillNone {
		return refundQuota, []any{e.id, now, r.String()}
	}
	return refundRate, []any{e.id, e.rate.Tolerance, e.rate.Interval, now}
}

func (e *entry) scan(r row) error { return r.Scan(&e.tat, &e.used, &e.wait, &e.at, &e.cut) }

// standing is that of the tightest limit of the entries, of which there is one at least.
func standing(entries []entry) gatehouse.Standing {
	tightest := entries[0].standing()
	for i := range entries[1:] {
		s := entries[1+i].standing()
		if s.Tighter(&tightest) {
			tightest = s
		}
	}
	return tightest
}

// standing is how the limit stands as the statement left it.
func (e *entry) standing() gatehouse.Standing {
	l := e.limit
	s := gatehouse.Standing{Name: l.Name, Count: l.AtOnce(), RetryAfter: time.Duration(e.wait)}
	if l.Refill != gatehouse.RefillNone {
		begin, end := l.Refill.Span(time.Unix(0, e.at))
		s.Period = end.Sub(begin)
		if e.tat <= end.UnixNano() { // else the clock was set back, and the counter is the next span's
			s.Remaining = max(l.Count-e.used, 0)
		}
		if e.used > 0 {
			s.Reset = time.Duration(end.UnixNano() - e.at)
		}
		return s
	}
	s.Period = l.Window()
	s.Remaining = (e.rate.Tolerance - (e.tat - e.at)) / e.rate.Interval
	s.Reset = time.Duration(e.tat - e.at)
	if e.wait == gcra.Never {
		s.RetryAfter = s.Period
	}
	return s
}
