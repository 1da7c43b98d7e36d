// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"testing"

	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// BenchmarkPages measures pages of 200,000 keys.
func BenchmarkPages(b *testing.B) {
	url := testenv.Postgres(b)
	db := open(b, url, postgres.Options{})
	gatehousetest.Pages(b, db, 100, func(n int) { grow(b, url, n) })
}

// grow makes n keys of each.
func grow(b *testing.B, url string, n int) {
	step := gatehousetest.PageKeys * gatehousetest.PageStep.Microseconds()
	raw(b, url, fmt.Sprintf("INSERT INTO keys (place, id, tenant, principal, principal_place, name, prefix, schemes, scopes, networks, limits, "+
		"replay, state, state_text, not_before, expires, created, updated, version, materials, unused, last_used, owner, methods, paths, signed, metadata, deleted, tags, bits) "+
		"SELECT place + i, id || i, tenant, principal, principal_place, name, prefix, schemes, scopes, networks, limits, "+
		"replay, state, state_text, not_before, CASE WHEN expires = 0 THEN 0 ELSE expires + i * %[2]d END, created + i * %[2]d, updated, version, materials, unused, "+
		"CASE WHEN last_used = 0 THEN 0 ELSE last_used + i * %[2]d END, owner, methods, paths, signed, metadata, deleted, tags, bits "+
		"FROM keys, generate_series(CAST(1 AS BIGINT), %[1]d - 1) i", n, step))
	raw(b, url, fmt.Sprintf("INSERT INTO key_tags SELECT tenant, tag, created + i * %[2]d, id || i, place + i, bits "+
		"FROM key_tags, generate_series(CAST(1 AS BIGINT), %[1]d - 1) i", n, step))
	raw(b, url, "VACUUM ANALYZE") // as the server does by itself some time after many changes
}
