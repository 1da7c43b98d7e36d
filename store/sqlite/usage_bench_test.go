// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// BenchmarkHygiene asks for the first 100 of 200,000 keys that want looking after, where all
// do, where one in a hundred does, and where none does, so that every key is looked at.
func BenchmarkHygiene(b *testing.B) {
	const keys = 200_000
	path := filepath.Join(b.TempDir(), "gatehouse.db")
	fill(b, path, keys)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	raw(b, path, "UPDATE keys SET created = $1 + abs(place) % 1000000", now.AddDate(0, -6, 0).UnixMicro())
	for _, row := range []struct {
		name, change string
		found        int
	}{
		{"all", "UPDATE keys SET expires = 0", 100},
		{"few", "UPDATE keys SET expires = CASE WHEN place % 100 = 0 THEN 0 ELSE $1 END, last_used = $2", 100},
		{"none", "UPDATE keys SET expires = $1, last_used = $2", 0},
	} {
		b.Run(row.name, func(b *testing.B) {
			raw(b, path, row.change, now.AddDate(0, 1, 0).UnixMicro(), now.UnixMicro())
			for _, scope := range []string{"orders:read", "orders:write"} {
				rawUsage(b, path, "INSERT OR IGNORE INTO usage_scopes SELECT tenant, id, $2, $1 FROM keys", now.UnixMicro(), scope)
			}
			rawUsage(b, path, "INSERT OR IGNORE INTO usage_schemes SELECT tenant, id, 1, 'bearer', $1, $1, 1 FROM keys", now.UnixMicro())
			db := openCold(b, path)
			for b.Loop() {
				got, err := db.Hygiene(b.Context(), gatehouse.HygieneQuery{
					Tenant: gatehouse.DefaultTenant, Now: now, Unused: 90 * 24 * time.Hour, Legacy: []string{"barong", "shield"}, Limit: 100,
				})
				if err != nil || len(got) != row.found {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

// rawUsage is raw with the tables of usage, which are in another file.
func rawUsage(b *testing.B, path, text string, args ...any) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(b.Context(), "ATTACH $1 AS usage", usageOf(path)); err != nil {
		b.Fatal(err)
	}
	if _, err := db.ExecContext(b.Context(), text, args...); err != nil {
		b.Fatal(err)
	}
}
