// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse/gatehousetest"
)

// BenchmarkPages measures pages of 200,000 keys.
func BenchmarkPages(b *testing.B) {
	path := filepath.Join(b.TempDir(), "gatehouse.db")
	db := open(b, path)
	gatehousetest.Pages(b, db, 100, func(n int) {
		const series = "WITH RECURSIVE g (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM g WHERE i + 1 < $1) "
		step := gatehousetest.PageKeys * gatehousetest.PageStep.Microseconds()
		raw(b, path, "CREATE TABLE copies AS SELECT * FROM keys")
		raw(b, path, series+"INSERT INTO keys SELECT place + i, id || i, tenant, principal, principal_place, name, prefix, schemes, scopes, networks, limits, "+
			"replay, state, state_text, not_before, CASE WHEN expires = 0 THEN 0 ELSE expires + i * $2 END, created + i * $2, updated, version, materials, unused, "+
			"CASE WHEN last_used = 0 THEN 0 ELSE last_used + i * $2 END, owner, methods, paths, signed, metadata, deleted, tags, bits FROM copies, g", n, step)
		raw(b, path, "DROP TABLE copies")
		raw(b, path, "CREATE TABLE copies AS SELECT * FROM key_tags")
		raw(b, path, series+"INSERT INTO key_tags SELECT tenant, tag, created + i * $2, id || i, place + i, bits FROM copies, g ORDER BY 1, 2, 3, 4", n, step)
		raw(b, path, "DROP TABLE copies")
	})
}
