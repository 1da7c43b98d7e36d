// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"os"
	"testing"

	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func open(tb testing.TB, url string, o postgres.Options) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestStores(t *testing.T) {
	t.Parallel()
	gatehousetest.Stores(t, func(t *testing.T) gatehousetest.AllStores { return open(t, testenv.Postgres(t), postgres.Options{}) })
}
