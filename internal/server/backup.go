// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/datadir"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// Backup copies the database of a data directory to a new file. A server may run on it.
func Backup(ctx context.Context, c config.Config, to string, out io.Writer) error {
	if c.DatabaseURL != "" {
		return errors.New("database_url is set: back PostgreSQL up by its own means, such as pg_dump")
	}
	path := datadir.DatabaseIn(c.Data)
	switch err := sqlite.Backup(ctx, path, to); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already: a backup goes over nothing", to)
	case err != nil:
		return fmt.Errorf("backup: %w", err)
	}
	_, err := fmt.Fprintf(out, "%s is copied to %s. Keep %s/keyring too, in another place: without it nothing sealed opens.\n", path, to, c.Data)
	return err
}
