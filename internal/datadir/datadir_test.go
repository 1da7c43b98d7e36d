// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The rest is proved where it is used: in internal/server and embedded.
func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "data")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("made as %v, %v", info.Mode(), err)
	}
	refused := func(path, want string) {
		t.Helper()
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	refused(path, "another process uses it")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if d, err = Open(path); err != nil {
		t.Fatalf("after Close: %v", err)
	}
	refused(filepath.Join(path, "lock"), "data directory")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	refused(path, "others may read it; run: chmod 700 "+path)
}
