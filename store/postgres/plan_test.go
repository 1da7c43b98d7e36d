// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// recorder keeps one of each statement that reads.
type recorder struct {
	*engine
	statements map[string][]any
}

func (r *recorder) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	r.statements[text] = args
	return r.engine.Query(ctx, text, args, each)
}

func (r *recorder) Point(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return r.Query(ctx, text, args, each)
}

// TestPlans asks the server how it runs lists, searches and look-ups. It is told to read no
// whole table where there is any other way, so a plan that does has no other way. How many
// pages that saves with many keys is what BenchmarkPages measures.
func TestPlans(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), testenv.Postgres(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := time.Now()
	gatehousetest.ManyKeys(t, db, "t", now)
	r := &recorder{engine: newEngine(db.pool, 1), statements: map[string][]any{}}
	recorded := sqlstore.New(r)
	for _, q := range gatehousetest.ManySearches("t", now) {
		if _, err := recorded.FindKeys(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []gatehouse.KeyQuery{{}, {Principal: "many"}, {States: []gatehouse.State{gatehouse.StateActive}}} {
		q.Tenant, q.Limit = "t", 10
		if _, _, err := recorded.ListKeys(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []account.Query{{}, {Text: "ada"}, {Text: "id", Kind: gatehouse.PrincipalAccount}, {Role: "superadmin"}, {Limited: true}} {
		q.Tenant, q.Limit = "t", 10
		if _, _, err := recorded.ListAccounts(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := recorded.Lookup(t.Context(), "many-1"); err != nil {
		t.Fatal(err)
	}
	conn, err := db.pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
		t.Fatal(err)
	}
	for text, args := range r.statements {
		plan := explain(t, conn, text, args)
		if strings.Contains(plan, "Seq Scan on k") || strings.Contains(plan, "Seq Scan on a") { // keys, key_tags and accounts
			t.Errorf("%s\n%s", text, plan)
		}
	}
	if len(r.statements) < 30 {
		t.Errorf("only %d statements", len(r.statements))
	}
}

func explain(t *testing.T, conn *sql.Conn, text string, args []any) string {
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN "+text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
