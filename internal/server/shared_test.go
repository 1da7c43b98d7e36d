// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/lease"
)

// TestLeases: only charges of requests have leases, and only where they are configured.
func TestLeases(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		life   string
		leased bool
	}{{"0s", false}, {"100ms", true}} {
		p := wire(t, settings(t, map[string]string{"database_url": testenv.Postgres(t), "limits.lease": row.life}))
		if _, ok := p.shared.charges.(*lease.Limiter); ok != row.leased {
			t.Errorf("limits.lease %s: charges go to %T", row.life, p.shared.charges)
		}
		if _, ok := p.codes.(*lease.Limiter); ok {
			t.Error("codes of accounts have leases")
		}
	}
}
