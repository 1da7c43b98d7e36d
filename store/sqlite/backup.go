// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// Backup copies the database at path, as it is at one moment, to a new file that only its owner
// reads (https://www.sqlite.org/lang_vacuum.html#vacuuminto). A server may work with the database
// meanwhile, and is not held up. Usage, in the file beside it, is not copied. The copy is whole and
// on the disk when Backup returns; after an error there is none.
//
// Errors: those of [os.OpenFile], such as fs.ErrExist where the file is there and fs.ErrNotExist
// where there is no database.
func Backup(ctx context.Context, path, to string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(to) // half a copy is none; the error says what happened
		}
	}()
	if err := copyInto(ctx, path, to); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func copyInto(ctx context.Context, path, to string) (err error) {
	c, err := sqlite.NewConnector(dsn(path, "ro"))
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}
