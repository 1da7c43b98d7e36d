// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// newNotes is an open database with one more table, t.
func newNotes(t *testing.T) *engine {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.engine.Write(t.Context(), "", do("CREATE TABLE t (v TEXT PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}
	return db.engine
}

func wantRows(t *testing.T, e *engine, want int64) {
	t.Helper()
	err := e.Query(t.Context(), "SELECT count(*) FROM t", nil, func(r sqlstore.Row) error {
		if r[0] != want {
			t.Errorf("%v rows; want %d", r[0], want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNotesAreWhollyOrNot(t *testing.T) {
	t.Parallel()
	e, ctx := newNotes(t), t.Context()
	broken := errors.New("broken")
	for what, change := range map[string]change{
		"a failure": func(ctx context.Context, tx sqlstore.Querier) error {
			return errors.Join(insert("a")(ctx, tx), broken)
		},
		"a panic": func(ctx context.Context, tx sqlstore.Querier) error {
			_ = insert("a")(ctx, tx)
			panic(broken)
		},
		"a constraint": func(ctx context.Context, tx sqlstore.Querier) error {
			return errors.Join(insert("a")(ctx, tx), insert("a")(ctx, tx))
		},
	} {
		func() {
			defer func() { _ = recover() }()
			if err := e.Note(ctx, change); err == nil {
				t.Errorf("%s: no error", what)
			}
		}()
		wantRows(t, e, 0)
		if err := e.Write(ctx, "", do("DELETE FROM t")); err != nil {
			t.Errorf("a write after %s: %v", what, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.Note(ended, insert("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("a note whose context has ended: %v", err)
	}
	wantRows(t, e, 0)
	if err := e.Note(ctx, insert("a")); err != nil {
		t.Errorf("a note after those: %v", err)
	}
	wantRows(t, e, 1)
}

// Notes and writes take turns; nothing of either is lost. There are enough notes for
// checkpoints beside writes.
func TestNotesBesideWrites(t *testing.T) {
	t.Parallel()
	e := newNotes(t)
	const each = 100
	var wg sync.WaitGroup
	for name, write := range map[string]func(change) error{
		"note":  func(c change) error { return e.Note(t.Context(), c) },
		"other": func(c change) error { return e.Note(t.Context(), c) },
		"write": func(c change) error { return e.Write(t.Context(), "", c) },
	} {
		wg.Go(func() {
			for i := range each {
				if err := write(insert(fmt.Sprint(name, i))); err != nil {
					t.Errorf("%s %d: %v", name, i, err)
				}
				if name == "other" {
					e.noter.entry <- struct{}{}
					e.noter.rows += checkpointAfter / 4
					<-e.noter.entry
				}
			}
		})
	}
	wg.Wait()
	wantRows(t, e, 3*each)
}

func TestNotesAfterClose(t *testing.T) {
	t.Parallel()
	e := newNotes(t)
	for range 2 {
		if err := e.noter.close(); err != nil {
			t.Error(err)
		}
	}
	if err := e.Note(t.Context(), insert("a")); !errors.Is(err, errClosed) {
		t.Errorf("Note: %v; want errClosed", err)
	}
}
