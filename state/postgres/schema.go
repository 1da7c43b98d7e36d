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

// ErrNewer: the tables were made by a newer version of the program.
var ErrNewer = errors.New("the state belongs to a newer version of gatehouse")

// steps are the changes of the schema, in order; more may be added at the end. Each is one
// statement and one transaction. Times are nanoseconds since 1970.
var steps = []string{
	`CREATE UNLOGGED TABLE nonces (
		digest BYTEA  NOT NULL PRIMARY KEY,
		until  BIGINT NOT NULL
	)`,
	`CREATE INDEX nonces_until ON nonces (until)`,
	`CREATE UNLOGGED TABLE nonce_birth (
		one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
		floor     BIGINT NOT NULL,
		forgotten BIGINT NOT NULL,
		self      BIGINT NOT NULL,
		system    BIGINT NOT NULL
	)`,
	// Room in the pages lets an update stay in the page of its row, off the index.
	`CREATE TABLE limit_counters (
		id   BYTEA   NOT NULL PRIMARY KEY,
		tat  BIGINT  NOT NULL, -- of a rate limit; of a quota the end of the span
		used BIGINT  NOT NULL, -- in the span; zero of a rate limit
		wait BIGINT  NOT NULL, -- of the last charge: zero when it was admitted, else until it can be
		at   BIGINT  NOT NULL, -- of the last charge
		cut  BOOLEAN NOT NULL  -- the last charge found more than the limit can owe
	) WITH (fillfactor = 50)`,
}

const (
	versionTable = "state_version"
	lockInterval = 100 * time.Millisecond // how often a process asks whether another is done
	lockTries    = 3000
)

func migrate(ctx context.Context, pool *sql.DB) error {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(lockInterval, lockTries), lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("lock schema: %w", err)
	}
	migrations := make([]*goose.Migration, len(steps))
	for i, text := range steps {
		migrations[i] = goose.NewGoMigration(int64(i+1), &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, text)
			return err
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
		return ErrNewer
	case has == wants:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("change schema: %w", err)
	}
	return nil
}
