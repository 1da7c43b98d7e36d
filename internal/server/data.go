// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/seal"
)

// prepareData makes the data directory, or refuses one that others can read.
func prepareData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s: is no directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("data directory %s: others may read it; run: chmod 700 %s", dir, dir)
	}
	return nil
}

// openKeyring reads the keyring in the data directory. It makes a new one only for a
// store that has no sealed data: a store whose keyring is lost must not start with
// another.
func openKeyring(ctx context.Context, dir string, store gatehouse.DataKeyStore) (*seal.Keyring, error) {
	path := filepath.Join(dir, "keyring")
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
		return nil, fmt.Errorf("keyring %s: is missing, and the store holds secrets sealed under it; put the file back", path)
	}
	return seal.LoadOrCreateKeyring(path)
}

// newLog makes the process's log.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked with the configuration
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// readSecretFile reads a secret from a file, without the line end.
func readSecretFile(key, path string) (gatehouse.Secret, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return gatehouse.Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	return gatehouse.NewSecret(strings.TrimRight(string(b), "\r\n")), nil
}
