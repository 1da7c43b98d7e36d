// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres keeps everything in a PostgreSQL database, which many nodes may
// share.
//
// Every write is one serializable transaction, run again where the server could not
// order it among others. It is acknowledged when the server has committed it, so the
// server's own settings decide what an acknowledgement is worth: see [Options].
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// Options are the settings of a database. The zero value is good.
type Options struct {
	// MaxConns is how many connections are open at most, 2 at least; zero: four for each
	// processor, 8 at least. Writes use half of them, so that they cannot keep reads
	// waiting.
	MaxConns int

	// AllowUnsafe opens a database whose server may forget what it has acknowledged:
	// with fsync, full_page_writes or synchronous_commit off. For tests.
	AllowUnsafe bool
}

// DB is an open database. It implements every store of the packages gatehouse and
// account, and is safe for concurrent use. Open makes it; the zero value is not usable.
//
// An error that wraps gatehouse.ErrUnavailable from a write leaves open whether it is
// durable: the connection may have broken, or the context ended, while the server
// committed.
type DB struct {
	*sqlstore.DB
	pool *sql.DB
}

// ErrUnsafe: the server's settings let it lose what it has acknowledged.
var ErrUnsafe = errors.New("the server may lose acknowledged writes")

const (
	connectTimeout = 10 * time.Second // where the URL names none
	idleTime       = 5 * time.Minute
	lifetime       = time.Hour
)

// Open connects to the database at url, postgres://user:password@host:port/name?option=value
// as of libpq, and brings its tables up to this version of the program; of several
// processes that start at once, one does. Open fails with [ErrUnsafe], and with an
// error that says so when the database was used by a newer version or does not keep
// its text in UTF-8. Errors do not hold the password.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if o.MaxConns <= 0 {
		o.MaxConns = max(8, 4*runtime.GOMAXPROCS(0))
	}
	o.MaxConns = max(2, o.MaxConns)
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(o.MaxConns)
	pool.SetMaxIdleConns(o.MaxConns)
	pool.SetConnMaxIdleTime(idleTime)
	pool.SetConnMaxLifetime(lifetime)
	if err := prepare(ctx, pool, o); err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, pool.Close()))
	}
	return &DB{DB: sqlstore.New(newEngine(pool, o.MaxConns/2)), pool: pool}, nil
}

// Close closes the connections that are idle, and the others when they are done. Later
// reads and writes fail.
func (db *DB) Close() error { return db.pool.Close() }

func prepare(ctx context.Context, pool *sql.DB, o Options) error {
	if err := verify(ctx, pool, o.AllowUnsafe); err != nil {
		return err
	}
	return migrate(ctx, pool)
}

// verify looks at the settings that safety rests on. One that the server does not
// know, as relatives of PostgreSQL may not, is not off.
func verify(ctx context.Context, pool *sql.DB, unsafe bool) error {
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		value, err := setting(ctx, pool, name)
		if err != nil {
			return err
		}
		if value == "off" && !unsafe {
			return fmt.Errorf("%s is off: %w", name, ErrUnsafe)
		}
	}
	encoding, err := setting(ctx, pool, "server_encoding")
	if err == nil && encoding != "" && encoding != "UTF8" {
		return fmt.Errorf("the database keeps its text in %s and not in UTF8", encoding)
	}
	return err
}

func setting(ctx context.Context, pool *sql.DB, name string) (string, error) {
	var value sql.NullString
	if err := pool.QueryRowContext(ctx, "SELECT current_setting($1, true)", name).Scan(&value); err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	return value.String, nil
}

// Text is compared and ordered by its bytes, as in the other engine, whatever language
// the database has.
var types = strings.NewReplacer("TEXT", `TEXT COLLATE "C"`, "BYTES", "BYTEA", "PLACE", "BIGINT", "CLUSTERED", "")

const (
	lockInterval = 100 * time.Millisecond // how often a process asks whether another is done
	lockTries    = 3000
)

func migrate(ctx context.Context, pool *sql.DB) error {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(lockInterval, lockTries), lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("lock schema: %w", err)
	}
	return sqlstore.Migrate(ctx, pool, sqlstore.Whole, goose.DialectPostgres, types, goose.WithLocker(locker))
}
