// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/store/postgres"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// stores is every store of the house, as one database fills them.
type stores interface {
	gatehouse.Store
	gatehouse.AuditStore
	gatehouse.DataKeyStore
	gatehouse.SigningKeyStore
	account.Store
	account.SessionStore
	account.TicketStore
	Close() error
}

// openStore opens PostgreSQL where a URL is configured, else SQLite in the data
// directory.
func openStore(ctx context.Context, c *config.Config) (stores, error) {
	if c.DatabaseURL != "" {
		return postgres.Open(ctx, c.DatabaseURL, postgres.Options{})
	}
	return sqlite.Open(ctx, filepath.Join(c.Data, "gatehouse.db"), sqlite.Options{})
}

// lockData makes sure that one process at a time uses a data directory. The lock ends
// with the process, however it ends.
func lockData(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: another gatehouse serve uses it", dir)
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return f, nil
}
