// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"path/filepath"
	"testing"
)

func TestGolden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "testdata", "a.golden")
	t.Setenv("UPDATE_GOLDEN", "1")
	Golden(t, file, []byte("one\n"))
	t.Setenv("UPDATE_GOLDEN", "")
	Golden(t, file, []byte("one\n"))

	tb := &recorder{TB: t}
	Golden(tb, file, []byte("two\n"))
	if !tb.failed {
		t.Error("a difference passes")
	}
}

// recorder notes that a test would have failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
