// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// Nodes that first start together, each with a keyring of its own, are told apart by the
// database, and the one that comes up does so ever after.
func TestFirstKeyring(t *testing.T) {
	t.Parallel()
	for range 3 {
		url := testenv.Postgres(t)
		const nodes = 3
		dbs, rings, errs := make([]*postgres.DB, nodes), make([]*seal.Keyring, nodes), make([]error, nodes)
		for i := range dbs {
			dbs[i] = open(t, url, postgres.Options{})
			var err error
			if rings[i], err = seal.CreateKeyring(filepath.Join(t.TempDir(), "keyring")); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range dbs {
			wg.Go(func() { _, errs[i] = seal.NewSealer(t.Context(), rings[i], dbs[i], time.Now) })
		}
		wg.Wait()
		up := 0
		for i, err := range errs {
			if err == nil {
				up++
			} else if !errors.Is(err, seal.ErrKeyring) || !strings.Contains(err.Error(), "copy the keyring") {
				t.Errorf("node %d: %v", i, err)
			}
			if _, again := seal.NewSealer(t.Context(), rings[i], dbs[i], time.Now); (again == nil) != (err == nil) {
				t.Errorf("node %d: %v at first, %v afterwards", i, err, again)
			}
		}
		if up != 1 {
			t.Errorf("%d of %d nodes came up", up, nodes)
		}
	}
}
