// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// SQLSTATE codes, PostgreSQL documentation, appendix A.
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	protocolViolation    = "08P01"
)

const (
	tries     = 100 // how often a transaction is run before the server counts as unavailable
	pauseMost = 40 * time.Millisecond
)

// engine implements sqlstore.Engine.
type engine struct {
	pool *sql.DB
	// turns holds back writes that would add to a chain while another write of this
	// process does: one of the two would fail and have to run again. Chains share turns
	// by their hash.
	turns   [64]chan struct{}
	seed    maphash.Seed
	writers chan struct{} // as many writes at once
}

func newEngine(pool *sql.DB, writers int) *engine {
	e := &engine{pool: pool, seed: maphash.MakeSeed(), writers: make(chan struct{}, writers)}
	for i := range e.turns {
		e.turns[i] = make(chan struct{}, 1)
	}
	return e
}

// Query implements sqlstore.Engine. Where the server makes even a single statement
// serializable, it may be unable to order it among others. It is run again as long as no row
// was told.
func (e *engine) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	told := false
	return retry(ctx, func() (bool, error) {
		err := query(ctx, e.pool, text, args, func(r sqlstore.Row) error {
			told = true
			return each(r)
		})
		return !told && again(err), err
	})
}

// Point implements sqlstore.Engine.
func (e *engine) Point(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return e.Query(ctx, text, args, each)
}

func (e *engine) Write(ctx context.Context, chain string, change func(context.Context, sqlstore.Querier) error) error {
	// Both are waited for without a connection in hand.
	if chain != "" {
		turn := e.turns[maphash.String(e.seed, chain)%uint64(len(e.turns))]
		if err := enter(ctx, turn); err != nil {
			return err
		}
		defer leave(turn)
	}
	if err := enter(ctx, e.writers); err != nil {
		return err
	}
	defer leave(e.writers)
	return retry(ctx, func() (bool, error) {
		err := e.once(ctx, sql.LevelSerializable, change)
		return again(err), err
	})
}

// retry calls do, and calls it again after a pause as long as it says so.
func retry(ctx context.Context, do func() (more bool, err error)) error {
	for try := 1; ; try++ {
		more, err := do()
		if !more || try == tries {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// once runs change in one transaction.
func (e *engine) once(ctx context.Context, level sql.IsolationLevel, change func(context.Context, sqlstore.Querier) error) error {
	tx, err := e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	if err := change(ctx, transaction{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// again reports whether the transaction is known not to have happened, and may succeed
// when it runs again. A broken connection never says so, not even where pgconn.SafeToRetry
// does: that holds of a COMMIT whose answer was lost (pgx 5.12).
func again(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected:
		return true
	}
	return errors.Is(err, sqlstore.ErrAgain)
}

// pause waits a little, longer with every try, and not as long as its competitor.
func pause(ctx context.Context, try int) error {
	most := min(time.Duration(try)*2*time.Millisecond, pauseMost)
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func enter(ctx context.Context, door chan struct{}) error {
	select {
	case door <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leave(door chan struct{}) { <-door }

func (e *engine) IsUnique(err error) bool { return code(err) == uniqueViolation }

func (e *engine) IsForeignKey(err error) bool { return code(err) == foreignKeyViolation }

func code(err error) string {
	var failed *pgconn.PgError
	if errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}

// transaction implements sqlstore.Querier.
type transaction struct{ tx *sql.Tx }

func (t transaction) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return query(ctx, t.tx, text, args, each)
}

func (t transaction) Exec(ctx context.Context, text string, args []any) (int64, error) {
	result, err := t.tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// querier is what a pool and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func query(ctx context.Context, q querier, text string, args []any, each func(sqlstore.Row) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, targets, row := make([]any, len(names)), make([]any, len(names)), make(sqlstore.Row, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i, v := range values {
			row[i] = v
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
