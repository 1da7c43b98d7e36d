// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/state/memory"
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

func TestLimiter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	year := []gatehouse.Limit{{Name: "year", Count: 2, Period: 365 * 24 * time.Hour}}
	for remaining := range int64(2) {
		l, err := d.Limiter()
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Charge(t.Context(), []gatehouse.Charge{{Subject: "key", Limits: year}})
		if err != nil || s.RetryAfter != 0 || s.Remaining != 1-remaining || l.Doubt() != "" {
			t.Errorf("Charge = %+v, %v, doubt %q", s, err, l.Doubt())
		}
		if _, err := d.Limiter(); !errors.Is(err, memory.ErrInUse) {
			t.Errorf("opened twice: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(path, "limits")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("made as %v, %v", info.Mode(), err)
	}
}
