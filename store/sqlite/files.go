// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const fileMode = 0o600

// usageFile is the file beside the database that holds usage.
func usageFile(path string) string { return strings.TrimSuffix(path, ".db") + "-usage.db" }

// prepareFile makes the database file where there is none, and takes the rights of
// everybody else from it and its companions. SQLite gives new companions the mode of
// the file.
func prepareFile(path string) error {
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if !folder.IsDir() {
		return fmt.Errorf("%s is not a folder", filepath.Dir(path))
	}
	if folder.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody may write to the folder %s: whoever can replace the database is the operator", filepath.Dir(path))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
