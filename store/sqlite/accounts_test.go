// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// TestManyAccountsNamedAlike asks for pages of so many accounts that they are not counted: each
// page is right, the last one says that it is, and none reads more than it needs.
func TestManyAccountsNamedAlike(t *testing.T) {
	t.Parallel()
	const all, page = 12000, 5000
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	err = db.engine.Write(t.Context(), "", func(ctx context.Context, tx sqlstore.Querier) error {
		_, err := tx.Exec(ctx, "WITH RECURSIVE g (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM g WHERE i < $1) "+
			"INSERT INTO accounts SELECT i, 'a' || i, 't', 'account', 'ID' || i, 'user' || i || '@example.com', '', 'member', 0, 'active', '', 0, 1, '', '', i, i, -1, 0, 0, '', NULL, '', '', '', '' FROM g",
			[]any{int64(all)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{engine: db.engine}
	store, seen := sqlstore.New(r), 0
	for more := true; more; {
		found, total, err := store.ListAccounts(t.Context(), account.Query{Tenant: "t", Text: "USER", Offset: seen, Limit: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range found {
			if seen++; a.Email != fmt.Sprintf("user%d@example.com", seen) {
				t.Fatalf("account %d is %s", seen, a.Email)
			}
		}
		if more = total > seen; len(found) == 0 {
			t.Fatal("an empty page")
		}
	}
	if seen != all {
		t.Errorf("%d accounts; want %d", seen, all)
	}
	for _, s := range r.statements {
		if strings.Contains(s.text, "count(*)") && !strings.Contains(s.text, "LIMIT") {
			t.Errorf("all are counted: %s", s.text)
		}
		err := db.engine.Query(t.Context(), "EXPLAIN QUERY PLAN "+s.text, s.args, func(r sqlstore.Row) error {
			if step := r[3].(string); strings.HasPrefix(step, "SCAN a") || strings.Contains(step, "FOR ORDER BY") {
				t.Errorf("%s\n\t%s", s.text, step)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
