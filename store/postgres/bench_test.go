// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// BenchmarkLookup measures a look-up beside a bare one, one column of one row by its
// key, in turns. Both are one round trip.
func BenchmarkLookup(b *testing.B) {
	const keys = 2000
	url := testenv.Postgres(b)
	db := open(b, url, postgres.Options{})
	a := account.Account{ID: "a", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	if err := db.InsertAccount(b.Context(), &a, nil, event("a")); err != nil {
		b.Fatal(err)
	}
	for i := range keys {
		k := gatehouse.Key{
			ID: fmt.Sprint(i), Tenant: gatehouse.DefaultTenant, Principal: "a", Schemes: []string{"barong"}, State: gatehouse.StateActive,
			Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek", Data: make([]byte, 60)}},
		}
		if err := db.InsertKey(b.Context(), &k, event(k.ID)); err != nil {
			b.Fatal(err)
		}
	}
	pool, err := sql.Open("pgx", url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	for range 3 {
		b.Run("bare", func(b *testing.B) {
			for b.Loop() {
				var state string
				if err := pool.QueryRowContext(b.Context(), "SELECT state FROM keys WHERE id = $1", fmt.Sprint(rand.IntN(keys))).Scan(&state); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("lookup", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.Lookup(b.Context(), fmt.Sprint(rand.IntN(keys))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
