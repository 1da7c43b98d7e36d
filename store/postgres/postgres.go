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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/lease"
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

	// Lease is how long this node may answer from records that it has read, after its last
	// successful look at the notices of other nodes; 5 s at most. A change that cannot be
	// told to a node takes as long to return. Zero: every look-up reads the database.
	Lease time.Duration
	// Cache is how many bytes of rows are kept under the lease. Zero: 256 MiB.
	Cache int
	// NoHints leaves out LISTEN and NOTIFY, which do nothing but save time: behind a pooler
	// that hands out connections by transaction they do not work.
	NoHints bool

	Name    string       // of this node, for people
	Version string       // of the program
	Shares  string       // where this node keeps nonces and limits, which must be one place for all; shown to others
	Logger  *slog.Logger // nil: silent

	// Heard is called for notices of changes, once they are applied here; nil: nobody. It must
	// not block.
	Heard func([]gatehouse.Notice)
	// Settled is told how long a change took to be in force on every node, and whether it
	// had to wait for a lease to run out; nil: nobody.
	Settled func(took time.Duration, waited bool)
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
	feed *sql.DB // of the notices, so that these never wait for look-ups
}

// ErrUnsafe: the server's settings let it lose what it has acknowledged.
var ErrUnsafe = errors.New("the server may lose acknowledged writes")

// A node that is cut off in the middle of a transaction keeps its locks until the server
// notices, which TCP alone does after hours. Nobody else could change anything in its tenant
// meanwhile.
const (
	idleInTransaction = "idle_in_transaction_session_timeout"
	longestPause      = "3s"
)

// feedConns is how many connections the notices have: for polls, acknowledgements and hints.
const feedConns = 3

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
	// Whatever the URL says: what was revoked may not be on a replica yet.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if config.RuntimeParams[idleInTransaction] == "" {
		config.RuntimeParams[idleInTransaction] = longestPause
	}
	pool := openPool(config, o.MaxConns)
	err = prepare(ctx, pool, o)
	if code(err) == protocolViolation { // so PgBouncer answers to a parameter that it does not know
		_ = pool.Close()
		delete(config.RuntimeParams, idleInTransaction)
		pool = openPool(config, o.MaxConns)
		if err = prepare(ctx, pool, o); err == nil && o.Logger != nil {
			o.Logger.WarnContext(ctx, "a node that is cut off can keep others from writing: the connection does not take "+idleInTransaction)
		}
	}
	feed := openPool(config, feedConns)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, pool.Close(), feed.Close()))
	}
	s := sqlstore.Sharing{Cache: o.Cache, Options: lease.Options{
		Name: o.Name, Version: o.Version, Shares: o.Shares, Lease: o.Lease, Logger: o.Logger, Heard: o.Heard, Settled: o.Settled,
	}}
	if !o.NoHints {
		s.Hints = &hints{config: config, pool: feed}
	}
	db, err := sqlstore.NewShared(ctx, newEngine(pool, o.MaxConns/2), newEngine(feed, feedConns), s)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, pool.Close(), feed.Close()))
	}
	return &DB{DB: db, pool: pool, feed: feed}, nil
}

func openPool(config *pgx.ConnConfig, conns int) *sql.DB {
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(idleTime)
	pool.SetConnMaxLifetime(lifetime)
	return pool
}

// Close leaves the other nodes, and closes the connections that are idle, and the others
// when they are done. Later reads and writes fail.
func (db *DB) Close() error {
	return errors.Join(db.Leave(), db.feed.Close(), db.pool.Close())
}

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
