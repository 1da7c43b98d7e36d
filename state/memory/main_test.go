// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		claimForEver(dir)
		return
	}
	if dir := os.Getenv(childLimits); dir != "" {
		chargeForEver(dir)
		return
	}
	os.Exit(m.Run())
}
