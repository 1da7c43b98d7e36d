// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// Every start is an event of a log that is sound.
func TestStarts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 {
		if err := open(t, dir, embedded.Options{}).Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	starts, _, err := db.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{"system.start"}})
	if err != nil || len(starts) != 2 || starts[0].Subject != "embedded" {
		t.Errorf("%+v, %v", starts, err)
	}
	chain, head, err := gatehouse.VerifyChain(t.Context(), db, gatehouse.DefaultTenant, gatehouse.ChainPoint{}, nil)
	if err != nil || !chain.Sound() || head.Since != 1 || len(head.MAC) == 0 {
		t.Errorf("%+v, %+v, %v", chain.Faults, head, err)
	}
}
