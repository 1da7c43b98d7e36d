// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/epoch"
)

// Defaults of [Options].
const (
	DefaultMaxWindow = 90 * time.Second
	DefaultSkew      = time.Second
)

const (
	connectTimeout = 10 * time.Second // where the URL names none
	idleTime       = 5 * time.Minute
	lifetime       = time.Hour
	tries          = 100 // how often a statement runs that the server aborts for the sake of others
	pauseMost      = 40 * time.Millisecond
)

// Options are the settings of a [State]. The zero value is good. All nodes must have the same
// MaxWindow, MaxAhead and Skew.
type Options struct {
	// MaxConns is how many connections are open at most, 2 at least; zero: two for each
	// processor, 8 at least.
	MaxConns int
	// Fresh says that nothing can have been claimed before: no key existed. Then a
	// memory that begins with Open begins without a floor.
	Fresh bool
	// MaxWindow is the longest span from now to the end of a claim. Zero means
	// DefaultMaxWindow.
	MaxWindow time.Duration
	// MaxAhead is the longest span from now to the signed time of a claim: how far the
	// clocks of clients may be ahead. It is also how long the floor lets nothing pass
	// after the memory was lost. Zero means MaxWindow.
	MaxAhead time.Duration
	// Skew is how far clocks of nodes and servers may be apart. Zero means DefaultSkew.
	Skew time.Duration
	// Now is the clock in place of the server's, for tests. Nil means the server's.
	Now func() time.Time
	// Logger is told when the memory of nonces was lost, and when the sessions cannot
	// have synchronous_commit off. Nil: nobody.
	Logger *slog.Logger
}

// complete fills in the defaults and checks the ranges.
func (o *Options) complete() error {
	if o.MaxConns <= 0 {
		o.MaxConns = max(8, 2*runtime.GOMAXPROCS(0))
	}
	o.MaxConns = max(2, o.MaxConns)
	if o.MaxWindow == 0 {
		o.MaxWindow = DefaultMaxWindow
	}
	if o.MaxAhead == 0 {
		o.MaxAhead = o.MaxWindow
	}
	if o.Skew == 0 {
		o.Skew = DefaultSkew
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, span := range []struct {
		field string
		d     time.Duration
	}{{"MaxWindow", o.MaxWindow}, {"MaxAhead", o.MaxAhead}, {"Skew", o.Skew}} {
		if span.d < 0 || span.d > 24*time.Hour {
			return &gatehouse.InvalidError{Field: span.field, Problem: "not between zero and a day"}
		}
	}
	return nil
}

// State is a [gatehouse.ReplayCache] and a [gatehouse.Limiter] in a database. It is safe for
// concurrent use. [Open] makes it; the zero value is not usable.
type State struct {
	pool  *sql.DB
	o     Options
	doors *doors

	mu     sync.Mutex
	cursor []byte // the last counter that Purge has looked at
}

// Open connects to the database at url, postgres://user:password@host:port/name?option=value
// as of libpq, and makes its tables; of several processes that start at once, one does. Of
// several hosts in the URL only one that takes writes is used. It may be the database of
// store/postgres. Where a pooler refuses synchronous_commit as a startup parameter, the
// server's own setting holds, which costs each charge a wait for the disk. One that pools
// transactions must know prepared statements, or the URL say default_query_exec_mode=exec.
//
// Open fails with a *gatehouse.InvalidError for options out of their range, and with
// [ErrNewer]. Errors do not hold the password.
func Open(ctx context.Context, url string, o Options) (*State, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	s := &State{o: o, doors: newDoors(), cursor: []byte{}}
	if err := s.prepare(ctx, config); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	const lazy = "synchronous_commit"
	config.RuntimeParams[lazy] = "off"
	err = s.connect(ctx, config)
	if code(err) == protocolViolation { // so PgBouncer answers to a parameter that it does not know
		delete(config.RuntimeParams, lazy)
		if err = s.connect(ctx, config); err == nil {
			o.Logger.WarnContext(ctx, "rate limits wait for the disk: the connection does not take synchronous_commit=off")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return s, nil
}

// prepare makes the tables and the first birth.
func (s *State) prepare(ctx context.Context, config *pgx.ConnConfig) error {
	pool := stdlib.OpenDB(*config)
	err := migrate(ctx, pool, steps)
	if err == nil {
		err = s.bear(ctx, onPool(pool), s.o.Fresh)
	}
	return errors.Join(err, pool.Close())
}

// connect opens the pool and its first connection.
func (s *State) connect(ctx context.Context, config *pgx.ConnConfig) error {
	s.pool = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(s.greet))
	s.pool.SetMaxOpenConns(s.o.MaxConns)
	s.pool.SetMaxIdleConns(s.o.MaxConns)
	s.pool.SetConnMaxIdleTime(idleTime)
	s.pool.SetConnMaxLifetime(lifetime)
	if err := s.pool.PingContext(ctx); err != nil {
		return errors.Join(err, s.pool.Close())
	}
	return nil
}

// greet looks at a new connection: it may lead to another server than the one before.
func (s *State) greet(ctx context.Context, conn *pgx.Conn) error {
	return s.bear(ctx, func(ctx context.Context, text string, args ...any) row { return conn.QueryRow(ctx, text, args...) }, false)
}

// Close closes the connections that are idle, and the others when they are done. Later calls
// fail. Closing twice is allowed.
func (s *State) Close() error { return s.pool.Close() }

// Ping asks the server for an answer. An error wraps [gatehouse.ErrUnavailable].
func (s *State) Ping(ctx context.Context) error {
	if err := s.pool.PingContext(ctx); err != nil {
		return gatehouse.Unavailable("ping state", err)
	}
	return nil
}

// clock is the SQL of the present instant, in nanoseconds since 1970. It takes the clock of
// tests, or NULL, from a parameter, and is read anew wherever it stands.
func clock(parameter string) string {
	return "coalesce(" + parameter + "::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000)"
}

// now is the argument that clock takes.
func (s *State) now() any {
	if s.o.Now == nil {
		return nil
	}
	return epoch.Nanos(s.o.Now())
}

// SQLSTATE codes, PostgreSQL documentation, appendix A.
const (
	protocolViolation    = "08P01"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

func code(err error) string {
	var failed *pgconn.PgError
	if errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}

// again runs f until the server does not abort it. Whatever else goes wrong may have
// happened all the same.
func (s *State) again(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if c := code(err); try == tries || c != serializationFailure && c != deadlockDetected {
			return err
		}
		t := time.NewTimer(rand.N(min(time.Duration(try)*2*time.Millisecond, pauseMost)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}
