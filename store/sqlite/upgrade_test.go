// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// A database of the first version keeps its keys, which were never used and may lie
// unused for ever.
func TestKeysOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	first, err := os.ReadFile("../internal/sqlstore/migrations/0001_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	raw(t, path, strings.NewReplacer("BYTES", "BLOB", "PLACE", "INTEGER").Replace(string(first)))
	raw(t, path, "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))")
	raw(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1)")
	raw(t, path, "INSERT INTO accounts VALUES ($1, 'a', 'default', 'account', '', '', '', '', 0, 'active', '', 0, 1, '', '', 0, 0, -1, 0, 0, '', NULL, '', '', '')", sqlstore.Place("a"))
	raw(t, path, "INSERT INTO accounts VALUES ($1, 'b', 'other', 'account', '', '', '', '', 0, 'active', '', 0, 1, '', '', 0, 0, -1, 0, 0, '', NULL, '', '', '')", sqlstore.Place("b"))
	raw(t, path, "INSERT INTO keys VALUES ($1, 'k2', 'other', 'b', $2, 'Trading bot', '', '[\"barong\"]', '[\"orders:read\"]', '', '', 'strict', 'active', '', 0, 0, 1, 2, 3, x'01')",
		sqlstore.Place("k2"), sqlstore.Place("b"))
	raw(t, path, "INSERT INTO keys VALUES ($1, 'k', 'default', 'a', $2, 'old', '', '[\"barong\"]', '', '', '', 'strict', 'active', '', 0, 0, 1, 2, 3, x'01')",
		sqlstore.Place("k"), sqlstore.Place("a"))

	db := open(t, path)
	want := gatehouse.Key{
		ID: "k", Tenant: gatehouse.DefaultTenant, Principal: "a", Name: "old", Schemes: []string{"barong"}, State: gatehouse.StateActive,
		Created: time.UnixMicro(1).UTC(), Updated: time.UnixMicro(2).UTC(), Version: 3,
	}
	r, err := db.Lookup(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Key, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := (gatehouse.Principal{ID: "a", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive, Version: 1}); !reflect.DeepEqual(r.Principal, p) {
		t.Errorf("principal %+v, want %+v", r.Principal, p)
	}
	if r.Tenant.State != gatehouse.TenantActive {
		t.Errorf("tenant %+v", r.Tenant)
	}
	want.Unused = time.Hour
	if err := db.UpdateKey(t.Context(), &want, event("k")); err != nil {
		t.Errorf("UpdateKey: %v", err)
	}
	findsOfTheFirstVersion(t, db)
}

// The tenants of a database of the first version are there, and its keys are found.
func findsOfTheFirstVersion(t *testing.T, db *sqlite.DB) {
	t.Helper()
	tenants, err := db.ListTenants(t.Context())
	if err != nil || len(tenants) != 2 || tenants[0].Name != "default" || tenants[1].Name != "other" || tenants[1].State != gatehouse.TenantActive {
		t.Errorf("tenants %+v, %v", tenants, err)
	}
	for _, s := range []gatehouse.KeySearch{
		{}, {Text: "trad"}, {Text: "K2"}, {Scheme: "barong"}, {Scope: "orders:read"}, {Principal: "b", Scope: "orders:read"}, {UnusedSince: time.Unix(1, 0)},
	} {
		s.Tenant, s.Limit = "other", 10
		if keys, err := db.FindKeys(t.Context(), s); err != nil || len(keys) != 1 || keys[0].Key.ID != "k2" {
			t.Errorf("%+v: %+v, %v", s, keys, err)
		}
	}
}
