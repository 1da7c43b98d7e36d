// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed14544106/gatehouse"
)

// Take implements [gatehouse.Limiter]. Errors wrap [gatehouse.ErrUnavailable]; beside it
// [ErrLimit] or the driver's. After the latter the request may have been charged, to the
// caller's loss.
func (s *State) Take(ctx context.Context, key string, limits []gatehouse.Limit) (ok bool, retryAfter time.Duration, err error) {
	standing, err := s.Charge(ctx, []gatehouse.Charge{{Subject: key, Limits: limits}})
	return err == nil && standing.RetryAfter == 0, standing.RetryAfter, err
}

// Charge implements [gatehouse.Limiter]; what is said of Take holds for it. It is one round
// trip with one limit, and two with several.
func (s *State) Charge(ctx context.Context, charges []gatehouse.Charge) (gatehouse.Standing, error) {
	entries, err := newEntries(charges)
	if err == nil && len(entries) > 0 {
		err = s.charge(ctx, entries)
	}
	if err != nil {
		return gatehouse.Standing{}, gatehouse.Unavailable("charge limits", err)
	}
	if len(entries) == 0 {
		return gatehouse.Standing{}, nil
	}
	return standing(entries), nil
}

// Refund implements [gatehouse.Limiter]. limits are those of the Take. What time has paid off
// since is not given back, nor what was used of a quota in a past span. Errors wrap
// [gatehouse.ErrUnavailable]; beside it [ErrLimit] or the driver's. After the latter it may
// have been given back; asking again could give it twice.
func (s *State) Refund(ctx context.Context, key string, limits []gatehouse.Limit) error {
	entries, err := newEntries([]gatehouse.Charge{{Subject: key, Limits: limits}})
	if err == nil && len(entries) > 0 {
		err = s.transaction(ctx, func(b *pgx.Batch) {
			for _, e := range inOrder(entries) {
				text, args := e.refund(s.now())
				b.Queue(text, args...)
			}
		}, func() bool { return true })
	}
	if err != nil {
		return gatehouse.Unavailable("refund limits", err)
	}
	return nil
}

// charge charges all entries or none, and leaves in them how they stand after it.
func (s *State) charge(ctx context.Context, entries []entry) error {
	leave, err := s.doors.enter(ctx, entries)
	if err != nil {
		return err
	}
	defer leave()
	if len(entries) == 1 {
		return s.chargeOne(ctx, &entries[0])
	}
	err = s.transaction(ctx, func(b *pgx.Batch) {
		for _, e := range inOrder(entries) {
			text, args := e.take(s.now())
			b.Queue(text, args...).QueryRow(func(row pgx.Row) error { return e.scan(row) })
		}
	}, func() bool { return !slices.ContainsFunc(entries, func(e entry) bool { return e.wait > 0 }) })
	if err != nil {
		return err
	}
	for i := range entries {
		// The rollback undid the correction of a counter too; without it the counter
		// would shut out the caller for as long as under the old limit. Nothing can be
		// taken for an amount of zero.
		if e := entries[i]; e.cut && e.wait > 0 {
			e.amount = 0
			if err := s.chargeOne(ctx, &e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *State) chargeOne(ctx context.Context, e *entry) error {
	return s.again(ctx, func() error {
		text, args := e.take(s.now())
		return e.scan(s.pool.QueryRowContext(ctx, text, args...))
	})
}

// inOrder returns the entries in the order in which all nodes lock rows.
func inOrder(entries []entry) []*entry {
	out := make([]*entry, len(entries))
	for i := range entries {
		out[i] = &entries[i]
	}
	slices.SortFunc(out, func(a, b *entry) int { return bytes.Compare(a.id, b.id) })
	return out
}

// transaction runs the statements of a batch in one round trip, and commits in another if
// agreed says so when their answers are there. Where the server aborted it, it runs again.
func (s *State) transaction(ctx context.Context, fill func(*pgx.Batch), agreed func() bool) error {
	return s.again(ctx, func() error {
		c, err := s.pool.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // gives it back to the pool
		return c.Raw(func(driver any) error { return transaction(ctx, driver.(*stdlib.Conn).Conn(), fill, agreed) })
	})
}

func transaction(ctx context.Context, conn *pgx.Conn, fill func(*pgx.Batch), agreed func() bool) error {
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	fill(b)
	err := conn.SendBatch(ctx, b).Close()
	end := "COMMIT"
	if err != nil || !agreed() {
		end = "ROLLBACK"
	}
	if _, failed := conn.Exec(ctx, end); err == nil {
		err = failed
	}
	if conn.PgConn().TxStatus() != 'I' {
		_ = conn.Close(ctx) // or its locks would outlive the call
	}
	return err
}

// doors hold back charges of this process that would meet at one counter: the server wakes
// all that wait for a row to find out who is next, and a hot counter must leave connections
// for the others. Counters share doors by their ids.
type doors [256]chan struct{}

// atOnce is how many charges of a counter run at once: enough to keep its row busy.
const atOnce = 4

func newDoors() *doors {
	d := &doors{}
	for i := range d {
		d[i] = make(chan struct{}, atOnce)
	}
	return d
}

// enter waits until the charge may run. leave says that it is done.
func (d *doors) enter(ctx context.Context, entries []entry) (leave func(), err error) {
	through := make([]byte, len(entries))
	for i := range entries {
		through[i] = entries[i].id[0]
	}
	slices.Sort(through) // so that nobody waits in a circle
	through = slices.Compact(through)
	for i, door := range through {
		select {
		case d[door] <- struct{}{}:
		case <-ctx.Done():
			d.leave(through[:i])
			return nil, ctx.Err()
		}
	}
	return func() { d.leave(through) }, nil
}

func (d *doors) leave(through []byte) {
	for _, door := range through {
		<-d[door]
	}
}
