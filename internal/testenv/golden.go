// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden compares got with the file and reports the difference as an error of the test. With
// UPDATE_GOLDEN=1 in the environment (make golden) it writes the file instead.
func Golden(tb testing.TB, file string, got []byte) {
	tb.Helper()
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatalf("testenv: %v", err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			tb.Fatalf("testenv: %v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("testenv: %v; to make the file, run: make golden", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		tb.Errorf("%s (-want +got); if the new text is right, run: make golden\n%s", file, diff)
	}
}
