// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/seal"
)

// Check does what [Run] does before anything listens, on a data directory that is thrown away:
// every file that the configuration names is read, and every part is made. The real directory
// may be in use: of it only the keyring is read, if there is one. Databases and Redis are not
// called.
func Check(ctx context.Context, c config.Config) error {
	_, err := seal.LoadKeyring(filepath.Join(c.Data, "keyring"))
	begun := err == nil // so there is a first administrator, whose password is not read any more
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.Vault.TokenFile != "" { // which is read when Vault is called
		if _, err := readSecretFile("vault.token_file", c.Vault.TokenFile); err != nil {
			return err
		}
	}
	if c.Data, err = os.MkdirTemp("", "gatehouse-check-"); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(c.Data) }()
	c.DatabaseURL, c.RedisURL = "", ""
	p, err := assemble(ctx, &c, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer p.close()
	if begun {
		return nil
	}
	if _, err = p.firstAdmin(ctx, &c); err != nil {
		return fmt.Errorf("make first administrator: %w", err)
	}
	return nil
}
