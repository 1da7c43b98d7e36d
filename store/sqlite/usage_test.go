// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

func usageOf(path string) string { return strings.TrimSuffix(path, ".db") + "-usage.db" }

var usageAt = time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)

// addUsage adds one to the usage that wantUsage reads.
func addUsage(tb testing.TB, db *sqlite.DB) {
	tb.Helper()
	err := db.AddUsage(tb.Context(), &gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
		{Tenant: gatehouse.DefaultTenant, KeyID: "k", Outcome: "granted", Minute: usageAt, Count: 1},
	}})
	if err != nil {
		tb.Error(err)
	}
}

func readUsage(tb testing.TB, db *sqlite.DB) (sum int64, err error) {
	points, err := db.Usage(tb.Context(), gatehouse.UsageQuery{
		Tenant: gatehouse.DefaultTenant, KeyID: "k", Grain: gatehouse.GrainMinute, From: usageAt, To: usageAt.Add(time.Minute),
	})
	for _, p := range points {
		sum += p.Count
	}
	return sum, err
}

func wantUsage(tb testing.TB, db *sqlite.DB, want int64) {
	tb.Helper()
	if got, err := readUsage(tb, db); err != nil || got != want {
		tb.Errorf("%d uses (%v); want %d", got, err, want)
	}
}

// closed closes db, after which nothing is left but whole files.
func closed(t *testing.T, db *sqlite.DB, path string) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{path, usageOf(path)} {
		for _, suffix := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(name + suffix); err == nil {
				t.Errorf("%s is left", filepath.Base(name)+suffix)
			}
		}
	}
}

// Usage may be thrown away, while the store is open or between: keys go on, and it begins
// anew with the next start.
func TestUsageIsThrownAway(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := openCold(t, path)
	insertAccount(t, db, "a")
	insertKey(t, db, "k")
	addUsage(t, db)
	wantUsage(t, db, 1)
	closed(t, db, path)
	db = openCold(t, path)
	wantUsage(t, db, 1)
	closed(t, db, path)

	db = openCold(t, path) // it has no connection for reading yet
	if err := os.Rename(usageOf(path), path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Lookup(t.Context(), "k"); err != nil {
		t.Errorf("Lookup without usage: %v", err)
	}
	if _, err := readUsage(t, db); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Usage without its file: %v", err)
	}
	if err := os.Rename(path+".away", usageOf(path)); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, db, 1)
	closed(t, db, path)

	if err := os.Remove(usageOf(path)); err != nil {
		t.Fatal(err)
	}
	db = openCold(t, path)
	wantUsage(t, db, 0)
	addUsage(t, db)
	wantUsage(t, db, 1)
	if _, err := db.Lookup(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

// Usage that is no database keeps the store from opening, and the error says what to do.
func TestDamagedUsage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := os.WriteFile(usageOf(path), []byte(strings.Repeat("this is not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		_ = db.Close()
		t.Fatal("it opens")
	}
	for _, want := range []string{usageOf(path), "moved away", "not a database"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
}

// Tables of usage in the main file, as an earlier build made them, go: they would be read
// instead of those in the other file.
func TestUsageInTheMainFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := open(t, path)
	addUsage(t, db)
	closed(t, db, path)
	wantNoUsageTables(t, path)
	for _, text := range []string{
		"CREATE TABLE usage_keys (grain, start, tenant, key_id, outcome, uses)", "CREATE TABLE usage_tenants (grain, start)", "CREATE TABLE usage_schemes (x)",
		"CREATE TABLE usage_sources (x)", "CREATE TABLE usage_scopes (x)", "CREATE INDEX usage_tenants_start ON usage_tenants (grain, start)",
	} {
		raw(t, path, text)
	}
	db = open(t, path)
	wantUsage(t, db, 1)
	closed(t, db, path)
	wantNoUsageTables(t, path)
}

func wantNoUsageTables(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	n := 0
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE tbl_name LIKE 'usage%'").Scan(&n); err != nil || n > 0 {
		t.Errorf("the main file has %d tables and indexes of usage (%v)", n, err)
	}
}
