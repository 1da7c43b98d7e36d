// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/epoch"
)

// ErrLimit: a limit is out of its range, a cost is below zero, or two limits of one subject
// have the same name. It comes with [gatehouse.ErrUnavailable].
var ErrLimit = errors.New("unusable limit")

// LimiterOptions says how a [Limiter] is made. The zero value is usable.
type LimiterOptions struct {
	// Local decides while Redis is away, and only then, under this node's share of every
	// limit. Nil: then there is no answer but ErrUnavailable.
	Local gatehouse.Limiter
	// Nodes is how many nodes share the limits, as far as this one knows just now: it may
	// miss some that stand still. Nil, or below 1, means one. [Limiter.Tend] asks it, and
	// whoever asks Local.
	Nodes func() int
	// OnFallback hears why Redis was away, each time that Local was asked instead. It is
	// called by many at once. Nil is allowed.
	OnFallback func(error)
	// Now is the clock of all nodes. Nil means the server's, which is the one to use but for
	// tests.
	Now func() time.Time
}

// Limiter is a [gatehouse.Limiter] that several nodes share. The package comment says how.
// It is safe for concurrent use.
//
// While Redis is away each node admits its share of a limit at Local: count and burst divided
// by the number of nodes, rounded up, at least 1. So n nodes admit at most n × ⌈count / n⌉
// beyond what Redis admitted: one more count, and less than n requests for the rounding. That
// holds for the span of a quota, however often Redis goes away in it. A cost above the share is
// refused until Redis is back. A refund goes where a charge would go.
//
// The number of nodes is the most that this one saw at once in the last hour, in the span of
// the quota and in the window of the rate limit, as far as it ran. So a node that stands still
// keeps its share, and those of the others do not grow meanwhile. What the bound leaves out is
// a process that the others had not seen when they used their shares, and one that began with
// a new share: each adds its own. None begins while no server answers, as [Open] fails then.
//
// After a failure nobody waits for Redis for a second but one request at a time, which tries.
type Limiter struct {
	c       *Client
	o       LimiterOptions
	circuit circuit
	crowd   crowd
}

// Limiter returns the limiter with its counters in the server's memory.
func (c *Client) Limiter(o LimiterOptions) *Limiter { return &Limiter{c: c, o: o} }

//go:embed charge.lua
var chargeText string

var chargeScript = rueidis.NewLuaScript(chargeText)

// margin is how long a counter is kept that says nothing any more.
const margin = 10 * time.Second

// Tend sees how many nodes there are. Call it every second, also while Redis answers: a node
// that stands still when Redis goes away is known from before.
func (l *Limiter) Tend() { l.see() }

// see sees how many nodes there are, and when.
func (l *Limiter) see() (now time.Time) {
	if now = time.Now(); l.o.Now != nil {
		now = l.o.Now()
	}
	if l.o.Nodes != nil {
		l.crowd.see(max(int64(l.o.Nodes()), 1), now)
	}
	return now
}

// Take implements [gatehouse.Limiter]. What is said of Charge holds for it.
func (l *Limiter) Take(ctx context.Context, key string, limits []gatehouse.Limit) (ok bool, retryAfter time.Duration, err error) {
	s, err := l.Charge(ctx, []gatehouse.Charge{{Subject: key, Limits: limits}})
	return err == nil && s.RetryAfter == 0, s.RetryAfter, err
}

// Charge implements [gatehouse.Limiter]. It takes one round trip to the server; in a cluster
// one for each subject with limits, and after a refusal one more for each that was charged.
//
// Errors wrap [gatehouse.ErrUnavailable]; beside it [ErrLimit], [ErrBusy], os.ErrClosed after
// Close, or what the network or the server said. After an error the limits may be charged.
func (l *Limiter) Charge(ctx context.Context, charges []gatehouse.Charge) (gatehouse.Standing, error) {
	subjects, err := entriesOf(charges)
	if err != nil {
		return gatehouse.Standing{}, gatehouse.Unavailable("charge limits", err)
	}
	if len(subjects) == 0 {
		return gatehouse.Standing{}, nil
	}
	err = l.try(ctx, func(ctx context.Context) error { return l.charge(ctx, subjects) })
	if err == nil {
		return standing(subjects), nil
	}
	if !l.away(ctx, err) {
		return gatehouse.Standing{}, gatehouse.Unavailable("charge limits", err)
	}
	return l.o.Local.Charge(ctx, l.shares(charges))
}

// Refund implements [gatehouse.Limiter]. limits are those of the Take. What time has paid
// off since is not given back, nor what was used of a quota in a past span. Errors are those
// of Charge.
func (l *Limiter) Refund(ctx context.Context, key string, limits []gatehouse.Limit) error {
	charges := []gatehouse.Charge{{Subject: key, Limits: limits}}
	subjects, err := entriesOf(charges)
	if err != nil {
		return gatehouse.Unavailable("refund limits", err)
	}
	if len(subjects) == 0 {
		return nil
	}
	err = l.try(ctx, func(ctx context.Context) error { return l.refund(ctx, subjects[0]) })
	if err == nil {
		return nil
	}
	if !l.away(ctx, err) {
		return gatehouse.Unavailable("refund limits", err)
	}
	return l.o.Local.Refund(ctx, key, l.shares(charges)[0].Limits)
}

// try asks Redis, where the circuit lets it. A caller who left says nothing about Redis, so
// f does not hear of it.
func (l *Limiter) try(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.c.closing.Err() != nil {
		return os.ErrClosed
	}
	return l.circuit.do(func() error { return f(context.WithoutCancel(ctx)) })
}

// away reports whether Local has to decide because of err, and tells of it.
func (l *Limiter) away(ctx context.Context, err error) bool {
	if l.o.Local == nil || ctx.Err() != nil || l.c.closing.Err() != nil {
		return false
	}
	if l.o.OnFallback != nil {
		l.o.OnFallback(err)
	}
	return true
}

// shares is this node's part of the charges.
func (l *Limiter) shares(charges []gatehouse.Charge) []gatehouse.Charge {
	now := l.see()
	shares := make([]gatehouse.Charge, len(charges))
	for i, c := range charges {
		limits := make([]gatehouse.Limit, len(c.Limits))
		for j, limit := range c.Limits {
			n := l.crowd.most(since(&limit, now))
			limit.Count = (limit.Count-1)/n + 1
			if limit.Burst > 0 {
				limit.Burst = (limit.Burst-1)/n + 1
			}
			limits[j] = limit
		}
		c.Limits = limits
		shares[i] = c
	}
	return shares
}

// charge charges all subjects or none, and leaves in the entries how they stand.
func (l *Limiter) charge(ctx context.Context, subjects [][]entry) error {
	if !l.c.cluster() {
		var all []entry
		for _, es := range subjects {
			all = append(all, es...)
		}
		_, err := l.ask(ctx, "charge", all)
		for _, es := range subjects {
			copy(es, all)
			all = all[len(es):]
		}
		return err
	}
	mode := "charge"
	for i, es := range subjects {
		admitted, err := l.ask(ctx, mode, es)
		if mode == "charge" && (err != nil || !admitted) {
			mode = "peek"
			for _, es := range subjects[:i] {
				err = errors.Join(err, l.giveBack(ctx, es))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask runs the script for the entries and repeats its decision.
func (l *Limiter) ask(ctx context.Context, mode string, es []entry) (admitted bool, err error) {
	answer, err := l.run(ctx, mode, es, func(e *entry) int64 { return e.cost })
	if err != nil {
		return false, err
	}
	now, err := strconv.ParseInt(answer[1], 10, 64)
	if err != nil {
		return false, fmt.Errorf("read the server's time: %w", err)
	}
	admitted = true
	for i := range es {
		if err := es[i].take(answer[2+i], now); err != nil {
			return false, err
		}
		admitted = admitted && es[i].admits
	}
	if admitted != (answer[0] == "1") {
		return false, errors.New("script and package gcra disagree")
	}
	return admitted, nil
}

// refund gives back one request.
func (l *Limiter) refund(ctx context.Context, es []entry) error {
	_, err := l.run(ctx, "refund", es, func(*entry) int64 { return 1 })
	return err
}

// giveBack undoes a charge.
func (l *Limiter) giveBack(ctx context.Context, es []entry) error {
	_, err := l.run(ctx, "refund", es, func(e *entry) int64 { return e.cost })
	return err
}

// run runs the script in a mode and returns its answer, two elements and one for each entry.
func (l *Limiter) run(ctx context.Context, mode string, es []entry, cost func(*entry) int64) ([]string, error) {
	now := ""
	if l.o.Now != nil {
		now = strconv.FormatInt(epoch.Nanos(l.o.Now()), 10)
	}
	keys := make([]string, len(es))
	args := append(make([]string, 0, 3+3*len(es)), mode, now, strconv.FormatInt(margin.Milliseconds(), 10))
	for i := range es {
		keys[i] = es[i].counter
		args = es[i].args(args, cost(&es[i]))
	}
	answer, err := l.c.run(ctx, chargeScript, keys, args).AsStrSlice()
	if err == nil && len(answer) != 2+len(es) {
		err = fmt.Errorf("the script answers %d elements of %d", len(answer), 2+len(es))
	}
	return answer, err
}
