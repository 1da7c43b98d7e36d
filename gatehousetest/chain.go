// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

// Chain fails the test unless the events of the tenant follow each other without a gap
// and each carries its own hash and that of the one before.
func Chain(t *testing.T, s gatehouse.AuditStore, tenant string) {
	t.Helper()
	verifyChain(t, s, tenant)
}
