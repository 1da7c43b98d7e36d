// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

var _ seal.Rows = (*sqlite.DB)(nil)

func TestRows(t *testing.T) {
	t.Parallel()
	gatehousetest.Rows(t, func(t *testing.T) gatehousetest.RowStore { return fresh(t) })
}

// A row that was damaged is asked about like a secret that does not open, and the rows
// after it are read.
func TestRowsOfDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := open(t, path)
	insertAccount(t, db, "a")
	insertKey(t, db, "good")
	insertKey(t, db, "bad")
	raw(t, path, "UPDATE keys SET materials = x'00' WHERE id = $1", "bad")
	got := map[string]string{}
	if refs, err := db.References(t.Context()); err != nil || len(refs) != 2 || refs["dek"] != 1 || refs[seal.Unreadable] != 1 {
		t.Errorf("references %v, %v", refs, err)
	}
	next, read, stale, err := db.Reseal(t.Context(), "", 10, func(_ context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
		got[b.ID] = s.Ref
		return gatehouse.Sealed{Ref: "dek-new", Data: []byte("again")}, nil
	})
	if err != nil || next == "" || read != 2 || stale != 1 || len(got) != 2 || got["good"] != "dek" || got["bad"] != "" {
		t.Errorf("next %q, read %d, stale %d, %v, %v", next, read, stale, got, err)
	}
	if k, err := db.GetKey(t.Context(), gatehouse.DefaultTenant, "good"); err != nil || k.Materials[0].Ref != "dek-new" {
		t.Errorf("%v, %v", k.Materials, err)
	}
}
