// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// bench is a writer and a reader on a file with one table.
type bench struct {
	*engine
	t *testing.T
}

func newBench(t *testing.T) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := prepareFile(path); err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{engine: &engine{writer: w, readers: newReaders(path, 2)}, t: t}
	t.Cleanup(func() {
		if err := errors.Join(b.readers.close(), w.close()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	b.mustWrite("CREATE TABLE t (v TEXT PRIMARY KEY, parent TEXT REFERENCES t (v))")
	return b
}

func (b *bench) mustWrite(text string, args ...any) {
	b.t.Helper()
	if err := b.Write(b.t.Context(), "", do(text, args...)); err != nil {
		b.t.Fatal(err)
	}
}

type change = func(context.Context, sqlstore.Querier) error

func do(text string, args ...any) change {
	return func(ctx context.Context, tx sqlstore.Querier) error {
		_, err := tx.Exec(ctx, text, args)
		return err
	}
}

func insert(v string) change { return do("INSERT INTO t (v) VALUES ($1)", v) }

// rows returns what readers see.
func (b *bench) rows() string {
	b.t.Helper()
	var out []string
	err := b.Query(b.t.Context(), "SELECT v FROM t ORDER BY v", nil, func(r sqlstore.Row) error {
		out = append(out, r[0].(string))
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// queued is a write that was asked for in another goroutine.
type queued chan error

// together makes the writer run the changes in one batch: it holds the writer until all
// are queued. It returns the results in the order of the changes.
func (b *bench) together(contexts []context.Context, changes ...change) []queued {
	b.t.Helper()
	busy, release := make(chan struct{}), make(chan struct{})
	held := make(queued, 1)
	go func() {
		held <- b.Write(context.Background(), "", func(context.Context, sqlstore.Querier) error {
			close(busy)
			<-release
			return nil
		})
	}()
	<-busy
	results := make([]queued, len(changes))
	for i, c := range changes {
		ctx := context.Background()
		if contexts != nil {
			ctx = contexts[i]
		}
		one := &write{ctx: ctx, change: c, done: make(chan struct{})}
		if err := b.writer.enqueue(one); err != nil {
			b.t.Fatal(err)
		}
		results[i] = make(queued, 1)
		go func() {
			defer func() {
				if p := recover(); p != nil {
					results[i] <- fmt.Errorf("panic: %v", p)
				}
			}()
			results[i] <- one.wait()
		}()
	}
	close(release)
	if err := <-held; err != nil {
		b.t.Fatal(err)
	}
	return results
}

func TestWritesShareATransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var seen []string
	watched := func(v string) change {
		return func(ctx context.Context, tx sqlstore.Querier) error {
			err := insert(v)(ctx, tx)
			seen = append(seen, b.rows()) // what is committed by now
			return err
		}
	}
	for i, r := range b.together(nil, watched("a"), watched("b"), watched("c")) {
		if err := <-r; err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := strings.Join(seen, ""); got != "" {
		t.Errorf("readers saw %q before the commit of all", got)
	}
	if got := b.rows(); got != "a b c" {
		t.Errorf("rows %q", got)
	}
}

func TestWriteFailsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	broken := errors.New("broken")
	half := func(ctx context.Context, tx sqlstore.Querier) error {
		_ = insert("half")(ctx, tx)
		return broken
	}
	panics := func(ctx context.Context, tx sqlstore.Querier) error {
		_ = insert("panic")(ctx, tx)
		panic("on purpose")
	}
	results := b.together(nil, insert("a"), half, insert("a"), panics, do("INSERT INTO t VALUES ('x', 'nobody')"), insert("b"))
	for i, want := range []func(error) bool{
		isNil,
		func(err error) bool { return errors.Is(err, broken) },
		b.IsUnique,
		func(err error) bool { return err != nil && strings.Contains(err.Error(), "on purpose") },
		b.IsForeignKey,
		isNil,
	} {
		if err := <-results[i]; !want(err) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := b.rows(); got != "a b" {
		t.Errorf("rows %q", got)
	}
}

func isNil(err error) bool { return err == nil }

func TestWriteThatGivesUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	queuedCtx, giveUp := context.WithCancel(context.Background())
	runningCtx, cancelRunning := context.WithCancel(context.Background())
	running := func(ctx context.Context, tx sqlstore.Querier) error {
		cancelRunning() // its caller gives up, but the write has begun
		if ctx.Err() != nil {
			return errors.New("the context of a running write ended")
		}
		return insert("running")(ctx, tx)
	}
	first := func(ctx context.Context, tx sqlstore.Querier) error {
		giveUp() // while the next but one is still queued
		return insert("first")(ctx, tx)
	}
	results := b.together([]context.Context{context.Background(), runningCtx, queuedCtx}, first, running, insert("queued"))
	if err := <-results[0]; err != nil {
		t.Error(err)
	}
	if err := <-results[1]; err != nil {
		t.Errorf("a write whose context ended while it ran: %v", err)
	}
	// Either is right, but it must be true.
	err := <-results[2]
	if happened := strings.Contains(b.rows(), "queued"); happened == errors.Is(err, context.Canceled) {
		t.Errorf("a write that gave up in the queue: %v, but happened: %v", err, happened)
	}

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Write(ended, "", insert("ended")); !errors.Is(err, context.Canceled) {
		t.Errorf("a write whose context had ended: %v", err)
	}

	// One that gives up while the writer is held has surely not happened.
	busy, release := make(chan struct{}), make(chan struct{})
	held := make(queued, 1)
	go func() {
		held <- b.Write(context.Background(), "", func(context.Context, sqlstore.Querier) error {
			close(busy)
			<-release
			return nil
		})
	}()
	<-busy
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := b.Write(short, "", insert("short")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write that gave up: %v", err)
	}
	close(release)
	if err := <-held; err != nil {
		t.Error(err)
	}
	b.mustWrite("INSERT INTO t (v) VALUES ('last')")
	if got := b.rows(); strings.Contains(got, "short") || strings.Contains(got, "ended") {
		t.Errorf("rows %q", got)
	}
}

func TestWriteLosesTheTransaction(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]change{
		// A commit that fails: constraints that are judged at its end.
		"commit": func(ctx context.Context, tx sqlstore.Querier) error {
			if err := do("PRAGMA defer_foreign_keys = 1")(ctx, tx); err != nil {
				return err
			}
			return do("INSERT INTO t VALUES ('x', 'nobody')")(ctx, tx)
		},
		// What SQLite does by itself where the disk is full or fails.
		"rollback": do("ROLLBACK"),
		"rollback with an error": func(ctx context.Context, tx sqlstore.Querier) error {
			return errors.Join(errors.New("disk full"), do("ROLLBACK")(ctx, tx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for i, r := range b.together(nil, insert("a"), insert("a"), lose, insert("b")) {
				err := <-r
				if err == nil || b.IsUnique(err) || b.IsForeignKey(err) {
					t.Errorf("write %d of a lost transaction: %v", i, err)
				}
			}
			if got := b.rows(); got != "" {
				t.Errorf("rows %q", got)
			}
			b.mustWrite("INSERT INTO t (v) VALUES ('after')")
			if got := b.rows(); got != "after" {
				t.Errorf("rows %q", got)
			}
			if err := b.Write(t.Context(), "", do("INSERT INTO t VALUES ('y', 'nobody')")); !b.IsForeignKey(err) {
				t.Errorf("foreign keys on the next connection: %v", err)
			}
		})
	}
}

func TestWriterCloses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	closed := make(queued, 1)
	last := func(ctx context.Context, tx sqlstore.Querier) error {
		go func() { closed <- b.writer.close() }()
		return insert("a")(ctx, tx)
	}
	for i, r := range b.together(nil, last, insert("b"), insert("c")) {
		if err := <-r; err != nil {
			t.Errorf("write %d, queued when the writer closed: %v", i, err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := b.Write(t.Context(), "", insert("d")); !errors.Is(err, errClosed) {
		t.Errorf("a write after the end: %v", err)
	}
	if got := b.rows(); got != "a b c" {
		t.Errorf("rows %q", got)
	}
	if err := b.readers.close(); err != nil {
		t.Error(err)
	}
	if err := b.Query(t.Context(), "SELECT 1", nil, nil); !errors.Is(err, errClosed) {
		t.Errorf("a read after the end: %v", err)
	}
}

func TestReaderCannotWrite(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, text := range []string{"INSERT INTO t (v) VALUES ('a') RETURNING v", "PRAGMA query_only = 0", "DELETE FROM t RETURNING v"} {
		_ = b.Query(t.Context(), text, nil, func(sqlstore.Row) error { return nil })
	}
	if got := b.rows(); got != "" {
		t.Errorf("rows %q", got)
	}
}

func TestReaderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// Long, not endless: the driver interrupts a statement once, and SQLite forgets an
	// interrupt that comes before the first step. Such a read ends late, with the same error.
	const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT "
	nothing := func(sqlstore.Row) error { return nil }
	for range 5 { // more often than there are connections
		short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := b.Query(short, endless+"sum(i) FROM n", nil, nothing); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read before its first row: %v", err)
		}
		cancel()
		ctx, cancel := context.WithCancel(t.Context())
		err := b.Query(ctx, endless+"i FROM n", nil, func(sqlstore.Row) error {
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a read between two rows: %v", err)
		}
	}
	broken := errors.New("broken")
	if err := b.Query(t.Context(), endless+"i FROM n", nil, func(sqlstore.Row) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a read whose caller fails: %v", err)
	}
	b.mustWrite("INSERT INTO t (v) VALUES ('a')")
	if got := b.rows(); got != "a" {
		t.Errorf("rows %q", got)
	}
}

func TestReadersAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var nested func(depth int) error
	nested = func(depth int) error {
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return b.Point(short, "SELECT 1", nil, func(sqlstore.Row) error {
			if depth == 0 {
				return nil
			}
			return nested(depth - 1)
		})
	}
	if err := nested(1); err != nil {
		t.Errorf("two reads on two connections: %v", err)
	}
	if err := nested(2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("three reads on two connections: %v", err)
	}
	if err := nested(1); err != nil {
		t.Errorf("two reads after that: %v", err)
	}
}

func TestManyStatements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 2 * statementsKept {
		err := b.Point(t.Context(), fmt.Sprintf("SELECT %d", i), nil, func(r sqlstore.Row) error {
			if r[0] != int64(i) {
				t.Errorf("SELECT %d: %v", i, r[0])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := b.readers.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.readers.release(c, true)
	if n := len(c.statements); n > statementsKept {
		t.Errorf("%d statements are kept", n)
	}
}
