// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// acked reads whose acknowledgements there are.
func acked(t *testing.T, url string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), "SELECT DISTINCT node FROM acks ORDER BY node")
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// TestStrayAcks purges acknowledgements that came when their notice was gone, more than one
// statement takes. Those of notices that are there stay, retired ones too.
func TestStrayAcks(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	db := open(t, url, postgres.Options{})
	const notice = "INSERT INTO notices (id, at, tenant, kind, subject, ends, fresh) VALUES "
	raw(t, url, notice+"('fresh', 9e15, 't', 'tenant', '', 0, 1), ('retired', 9e15, 't', 'tenant', '', 0, 0)")
	raw(t, url, "INSERT INTO acks (notice, node) VALUES ('fresh', 'a'), ('retired', 'b')")
	raw(t, url, "INSERT INTO acks (notice, node) SELECT 'gone' || n, 'late' FROM generate_series(1, 1200) n")
	if got, want := acked(t, url), []string{"a", "b", "late"}; !slices.Equal(got, want) {
		t.Fatalf("before: acknowledgements of %q, want %q", got, want)
	}
	if err := db.PurgeExpired(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, want := acked(t, url), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("acknowledgements of %q are left, want %q", got, want)
	}
}

// TestOnlyThePrimary opens by URLs that ask for a server that cannot write, or would take one.
func TestOnlyThePrimary(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	for _, row := range []struct {
		attrs string
		query string // more of the URL
		opens bool
	}{
		{"read-only", "", true},
		{"standby", "", true},
		{"prefer-standby", "", true},
		{"any", "", true},
		{"any", "&default_transaction_read_only=on", false},
		{"read-only", "&default_transaction_read_only=on", false},
	} {
		db, err := postgres.Open(t.Context(), url+"&target_session_attrs="+row.attrs+row.query, postgres.Options{})
		if (err == nil) != row.opens {
			t.Errorf("%s%s: %v", row.attrs, row.query, err)
		}
		if err == nil {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
