// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package datadir is a data directory: who may use it, and what lies in it beside the
// database. The server and programs with an authority inside open it alike.
package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

// Dir is a data directory that this process has for itself.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the directory (mode 0700) where there is none, and takes it for this
// process. One that others can read, or that another process uses, is refused. The lock
// ends with the process, however it ends.
func Open(path string) (*Dir, error) {
	if err := prepare(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: another process uses it", path)
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return &Dir{path: path, lock: f}, nil
}

func prepare(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s: is no directory", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("data directory %s: others may read it; run: chmod 700 %s", path, path)
	}
	return nil
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.lock.Close() }

// Database is the path of the SQLite database. Usage has one of its own beside it,
// gatehouse-usage.db.
func (d *Dir) Database() string { return DatabaseIn(d.path) }

// DatabaseIn is the path of the SQLite database in a directory that another process may use.
func DatabaseIn(path string) string { return filepath.Join(path, "gatehouse.db") }

// Keyring reads the keyring of the directory. It makes a new one only for a store that
// has no sealed data: a store whose keyring is lost must not start with another.
func (d *Dir) Keyring(ctx context.Context, store gatehouse.DataKeyStore) (*seal.Keyring, error) {
	path := filepath.Join(d.path, "keyring")
	_, err := os.Lstat(path)
	if err == nil {
		return seal.LoadKeyring(path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	keys, err := store.DataKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read data keys: %w", err)
	}
	if len(keys) > 0 {
		return nil, fmt.Errorf("keyring %s: is missing, and the store holds secrets sealed under it; put the file back, or copy that of another node", path)
	}
	return seal.LoadOrCreateKeyring(path)
}

// MaxWindow is the longest span from now to the end of a nonce that the replay cache
// takes.
const MaxWindow = 2 * time.Minute

// Replay opens the replay cache with its journal in the directory. ahead is how far ahead
// of now a nonce's time may lie, in any scheme.
func (d *Dir) Replay(ctx context.Context, accounts account.Store, ahead time.Duration) (*memory.Replay, error) {
	// A store without accounts has no keys: nothing was ever claimed.
	_, total, err := accounts.ListAccounts(ctx, account.Query{Tenant: gatehouse.DefaultTenant, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	dir := filepath.Join(d.path, "replay")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make replay directory: %w", err)
	}
	return memory.OpenReplay(memory.Options{Dir: dir, Fresh: total == 0, MaxAhead: ahead, MaxWindow: MaxWindow})
}

// Limiter opens the limiter of the keys with its counters in the directory: what was charged
// stays charged, however the process ends.
func (d *Dir) Limiter() (*memory.Limiter, error) {
	dir := filepath.Join(d.path, "limits")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make limits directory: %w", err)
	}
	return memory.OpenLimiter(memory.LimiterOptions{Dir: dir})
}
