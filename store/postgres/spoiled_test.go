// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// spoiler is between the pool and the driver. It makes every transaction serializable, lets
// statements and commits fail at random as a server does that cannot order transactions, and
// keeps the text of every statement.
type spoiler struct {
	mu       sync.Mutex
	inside   map[string]bool // the statements of transactions
	outside  map[string]bool
	loose    map[string]bool // those outside that write
	spoiled  int             // statements and commits
	finished int             // commits that were let through
}

const (
	spoilRead  = 50 // of statements outside of transactions, one of so many fails
	spoilWrite = 4  // of transactions, one of so many fails at one of its first statements, and one at its end
	spoilFirst = 6
)

// pool opens the database behind the spoiler.
func (s *spoiler) pool(t *testing.T, url string) *sql.DB {
	t.Helper()
	// Single statements too are transactions that the server may be unable to order.
	config, err := pgx.ParseConfig(url + "&default_transaction_isolation=serializable")
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(spoiledConnector{stdlib.GetConnector(*config), s})
	pool.SetMaxOpenConns(8)
	pool.SetMaxIdleConns(8)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// spoil returns the error of a server.
func (s *spoiler) spoil() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoiled++
	return &pgconn.PgError{Severity: "ERROR", Code: []string{serializationFailure, deadlockDetected}[s.spoiled%2], Message: "spoiled"}
}

func (s *spoiler) note(text string, inside bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inside {
		s.inside[text] = true
	} else {
		s.outside[text] = true
	}
}

type spoiledConnector struct {
	driver.Connector
	s *spoiler
}

func (c spoiledConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &spoiledConn{Conn: conn.(*stdlib.Conn), s: c.s}, nil
}

type spoiledConn struct {
	*stdlib.Conn
	s      *spoiler
	inside bool // a transaction
	left   int  // statements of it until one fails
}

func (c *spoiledConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	o.Isolation = driver.IsolationLevel(sql.LevelSerializable)
	tx, err := c.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	c.inside, c.left = true, -1
	if rand.N(spoilWrite) == 0 {
		c.left = rand.N(spoilFirst)
	}
	return &spoiledTx{tx, c}, nil
}

func (c *spoiledConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.s.note(text, c.inside)
	if !c.inside {
		c.s.mu.Lock()
		c.s.loose[text] = true
		c.s.mu.Unlock()
	}
	result, err := c.Conn.ExecContext(ctx, text, args)
	if err == nil && c.turn() { // what was done is rolled back
		err = c.s.spoil()
	}
	return result, err
}

// turn counts a statement, and reports whether it is the one that fails.
func (c *spoiledConn) turn() bool {
	if !c.inside {
		return rand.N(spoilRead) == 0
	}
	c.left--
	return c.left == -1
}

func (c *spoiledConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.s.note(text, c.inside)
	if c.turn() {
		return nil, c.s.spoil()
	}
	return c.Conn.QueryContext(ctx, text, args)
}

type spoiledTx struct {
	driver.Tx
	c *spoiledConn
}

func (t *spoiledTx) Commit() error {
	t.c.inside = false
	if rand.N(spoilWrite) == 0 {
		_ = t.Tx.Rollback() // a commit that fails is one
		return t.c.s.spoil()
	}
	t.c.s.mu.Lock()
	t.c.s.finished++
	t.c.s.mu.Unlock()
	return t.Tx.Commit()
}

func (t *spoiledTx) Rollback() error {
	t.c.inside = false
	return t.Tx.Rollback()
}

// TestSpoiledTransactions runs the suites of all stores while almost half of the transactions
// fail, and one of fifty other reads, and everything is serializable: what fails is run again, and
// nothing is done twice. Of what was run, no statement is one of those that not every
// relative of PostgreSQL has, or that keep others waiting.
func TestSpoiledTransactions(t *testing.T) {
	t.Parallel()
	s := &spoiler{inside: map[string]bool{}, outside: map[string]bool{}, loose: map[string]bool{}}
	opened := func(t *testing.T) *sqlstore.DB {
		url := testenv.Postgres(t)
		db, err := Open(t.Context(), url, Options{}) // makes the tables
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return sqlstore.New(newEngine(s.pool(t, url), 4))
	}
	t.Run("suites", func(t *testing.T) {
		gatehousetest.Stores(t, func(t *testing.T) gatehousetest.AllStores { return opened(t) })
		gatehousetest.UsageStore(t, func(t *testing.T) gatehousetest.UsageStores { return opened(t) })
	})
	t.Logf("%d transactions, %d times spoiled; %d statements in them, %d outside", s.finished, s.spoiled, len(s.inside), len(s.outside))
	if s.spoiled < 100 || len(s.inside) < 50 || len(s.outside) < 50 {
		t.Error("the test tests nothing")
	}
	for text := range s.loose {
		t.Errorf("%s: writes outside of a transaction; where its connection breaks, database/sql may run it twice", text)
	}
	refuse(t, slices.Collect(maps.Keys(s.outside)), banned)
	refuse(t, slices.Collect(maps.Keys(s.inside)), append(bannedInside, banned...))
}
