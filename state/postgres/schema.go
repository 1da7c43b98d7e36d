// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// ErrNewer: a newer version of the program has changed the tables in a way that this one
// cannot work with.
var ErrNewer = errors.New("the state belongs to a newer version of gatehouse")

// step is one change of the schema: one statement and one transaction. Times are nanoseconds
// since 1970.
type step struct {
	text string

	// oldest is the last step that a program must know to work beside this one; zero: this
	// one. It is kept in state_programs, for programs that do not know the step. Every step
	// from the sixth on says it.
	oldest int64
}

// steps are the changes of the schema, in order; more may be added at the end.
var steps = []step{
	{text: `CREATE UNLOGGED TABLE nonces (
		digest BYTEA  NOT NULL PRIMARY KEY,
		until  BIGINT NOT NULL
	)`},
	{text: `CREATE INDEX nonces_until ON nonces (until)`},
	{text: `CREATE UNLOGGED TABLE nonce_birth (
		one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
		floor     BIGINT NOT NULL,
		forgotten BIGINT NOT NULL,
		self      BIGINT NOT NULL,
		system    BIGINT NOT NULL
	)`},
	// Room in the pages lets an update stay in the page of its row, off the index.
	{text: `CREATE TABLE limit_counters (
		id   BYTEA   NOT NULL PRIMARY KEY,
		tat  BIGINT  NOT NULL, -- of a rate limit; of a quota the end of the span
		used BIGINT  NOT NULL, -- in the span; zero of a rate limit
		wait BIGINT  NOT NULL, -- of the last charge: zero when it was admitted, else until it can be
		at   BIGINT  NOT NULL, -- of the last charge
		cut  BOOLEAN NOT NULL  -- the last charge found more than the limit can owe
	) WITH (fillfactor = 50)`},
	{text: `CREATE TABLE state_programs (
		step   BIGINT NOT NULL PRIMARY KEY,
		oldest BIGINT NOT NULL
	)`},
}

// do makes the change, the version-th.
func (s step) do(ctx context.Context, tx *sql.Tx, version int) error {
	_, err := tx.ExecContext(ctx, s.text)
	if err == nil && s.oldest > 0 {
		_, err = tx.ExecContext(ctx, "INSERT INTO state_programs (step, oldest) VALUES ($1, $2)", version, s.oldest)
	}
	return err
}

const (
	versionTable = "state_version"
	lockInterval = 100 * time.Millisecond // how often a process asks whether another is done
	lockTries    = 3000
)

// migrate brings the tables up to the last of steps. [ErrNewer].
func migrate(ctx context.Context, pool *sql.DB, steps []step) error {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(lockInterval, lockTries), lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("lock schema: %w", err)
	}
	migrations := make([]*goose.Migration, len(steps))
	for i, s := range steps {
		migrations[i] = goose.NewGoMigration(int64(i+1), &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return s.do(ctx, tx, i+1)
		}}, nil)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, pool, nil, goose.WithTableName(versionTable), goose.WithLocker(locker),
		goose.WithGoMigrations(migrations...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	has, wants, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case has > wants:
		return beside(ctx, pool, wants)
	case has == wants:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("change schema: %w", err)
	}
	return nil
}

// beside fails where the steps behind the last one that is known here do not allow it.
// [ErrNewer].
func beside(ctx context.Context, pool *sql.DB, last int64) error {
	var oldest int64
	err := pool.QueryRowContext(ctx, "SELECT max(coalesce(p.oldest, v.version_id)) FROM "+versionTable+
		" v LEFT JOIN state_programs p ON p.step = v.version_id WHERE v.version_id > $1", last).Scan(&oldest)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	if oldest > last {
		return ErrNewer
	}
	return nil
}
