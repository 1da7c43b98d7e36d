// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

var errWritten = errors.New("the file was written meanwhile: stop its application, or read a copy")

// openSQLite opens a file for reading alone; locks are held for the time of a statement,
// so that its application may go on.
//
// Reading a file in WAL mode makes its two companions (-wal, -shm) where they are not
// there, and leaves them: its application might not be allowed to use them. Such a file
// is read as one that does not change, and still says whether that has held.
//
// What is no URL is taken for a path, so that a path may be anything, a password with the
// rest of a mistyped URL as well: no error holds it.
func openSQLite(path string) (db *sql.DB, still func() error, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, err
	}
	before, err := os.Stat(path)
	if err != nil {
		return nil, nil, cause(err)
	}
	wal, err := usesWAL(path)
	if err != nil {
		return nil, nil, cause(err)
	}
	query := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}
	still = always
	if wal && !exists(path+"-wal") {
		query.Set("immutable", "1")
		still = func() error {
			after, err := os.Stat(path)
			if err == nil && (exists(path+"-wal") || !os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
				err = errWritten
			}
			return cause(err)
		}
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, nil, err
	}
	return sql.OpenDB(c), still, nil
}

// usesWAL reads the version that a reader of the file must know: 2 is the write-ahead
// log (https://www.sqlite.org/fileformat.html section 1.3).
func usesWAL(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var version [1]byte
	// An empty file has none, and is for SQLite to refuse.
	n, _ := f.ReadAt(version[:], 19)
	return n == 1 && version[0] == 2, nil
}

// cause drops the path of an error about a file.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
