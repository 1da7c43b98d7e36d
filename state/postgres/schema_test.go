// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// listed is how many steps there were when the list of programs was made.
const listed = 5

func TestStepsSayTheirOldest(t *testing.T) {
	t.Parallel()
	for i, s := range steps {
		if version := int64(i + 1); version > listed && (s.oldest < listed || s.oldest > version) || version <= listed && s.oldest != 0 {
			t.Errorf("step %d: the oldest program beside it knows step %d", version, s.oldest)
		}
	}
}

// TestOlderProgramsBeside lets later versions of the program change the tables one after the
// other, and after each this one starts, as a node that crashed would.
func TestOlderProgramsBeside(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	pool, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	later := slices.Clone(steps)
	for _, row := range []struct {
		name   string
		next   step
		beside bool
	}{
		{"this version", step{}, true},
		{"a table that nobody else needs", step{"CREATE TABLE later (one BIGINT)", int64(len(steps))}, true},
		{"another one", step{"CREATE INDEX later_one ON later (one)", listed}, true},
		{"a table is gone", step{"DROP TABLE later", int64(len(steps)) + 1}, false},
		{"a step that says nothing", step{"CREATE TABLE later (two BIGINT)", 0}, false},
		{"a good one behind it", step{"CREATE INDEX later_two ON later (two)", listed}, false},
	} {
		if row.next.text != "" {
			later = append(later, row.next)
		}
		if err := migrate(t.Context(), pool, later); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		s, err := Open(t.Context(), address, Options{})
		if row.beside != (err == nil) || err != nil && !errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v; starts beside it: want %v", row.name, err, row.beside)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}
