// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlite keeps everything in one SQLite database file, but for usage, which is in
// another beside it.
//
// Writes go through one connection that syncs the log before it acknowledges
// (journal_mode=WAL, synchronous=FULL). Writes that wait while another is being synced
// share the next transaction and the next sync, each inside a savepoint of its own.
// What no promise rests on, such as last uses, goes through a second connection, without a
// sync. Usage is the most that is written, and nothing of it concerns a verification: so it
// has a log, and pages, of its own.
// Reads run beside them on connections that cannot write.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// Options are the settings of a database. The zero value is good.
type Options struct {
	// Readers is how many reads run at once; zero: one for each processor, 4 at least.
	Readers int
	// Cache is how many bytes of records that were looked up are kept in memory, where they
	// answer until they change; zero: 256 MiB, negative: none. It takes them as it fills. What
	// is kept is right only while this DB is the one writer of the file.
	Cache int
}

// DB is an open database. It implements every store of the packages gatehouse and
// account, and is safe for concurrent use. Open makes it; the zero value is not usable.
//
// A write whose context ends while it waits for its turn has not happened. Once it
// runs it is waited for, whatever becomes of the context. An error that wraps
// gatehouse.ErrUnavailable from a write that ran leaves open whether it is durable.
type DB struct {
	*sqlstore.DB
	engine *engine
}

// Open opens the database file at path, and makes it where there is none; its tables
// are brought up to this version of the program. Usage is in a second file, named after it:
// gatehouse-usage.db beside gatehouse.db. Who takes that away loses usage and nothing else.
// The files and their two companions (-wal, -shm) get mode 0600. Open fails when the folder is not there or is writable
// for everybody, when the file system cannot keep a write-ahead log, and with an error
// that says so when the file was written by a newer version.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := prepare(ctx, path, sqlstore.WithoutUsage); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := prepare(ctx, usageFile(path), sqlstore.OnlyUsage); err != nil {
		return nil, fmt.Errorf("open database of usage %s, which a new one replaces when it is moved away: %w", usageFile(path), err)
	}
	if o.Readers <= 0 {
		o.Readers = max(4, runtime.GOMAXPROCS(0))
	}
	w, err := newWriter(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	e := &engine{
		writer: w, noter: newNoter(path, &w.turn), usage: newNoter(usageFile(path), new(sync.Mutex)), readers: newReaders(path, o.Readers),
	}
	// The last to close a file tidies up behind it, which a reader cannot.
	if err := e.usage.connect(); err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, w.close()))
	}
	if o.Cache < 0 {
		return &DB{DB: sqlstore.New(e), engine: e}, nil
	}
	return &DB{DB: sqlstore.NewAlone(e, o.Cache), engine: e}, nil
}

// Close waits for the reads and writes that have begun and closes the files. Later ones
// fail.
func (db *DB) Close() error {
	return errors.Join(db.engine.readers.close(), db.engine.usage.close(), db.engine.noter.close(), db.engine.writer.close())
}

// engine implements sqlstore.Engine.
type engine struct {
	writer  *writer
	noter   *noter
	usage   *noter // on the file of usage
	readers *readers
}

func (e *engine) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return e.readers.query(ctx, ctx, text, args, all, each)
}

// Point watches ctx only until a connection is free: the statement takes microseconds,
// and a watch as long again.
func (e *engine) Point(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return e.readers.query(ctx, context.Background(), text, args, one, each)
}

func (e *engine) Write(ctx context.Context, _ string, change func(context.Context, sqlstore.Querier) error) error {
	return e.writer.write(ctx, change)
}

// Extended result codes of SQLite, https://www.sqlite.org/rescode.html.
const (
	constraintPrimaryKey = 1555
	constraintUnique     = 2067
	constraintForeignKey = 787
)

func (e *engine) IsUnique(err error) bool {
	c := code(err)
	return c == constraintUnique || c == constraintPrimaryKey
}

func (e *engine) IsForeignKey(err error) bool { return code(err) == constraintForeignKey }

func code(err error) int {
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		return failed.Code()
	}
	return 0
}

// busyTimeout is how long a statement waits for another process that writes.
const busyTimeout = 10 * time.Second

// dsn names the file to the driver. pragmas run in order on every connection.
func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_dqs": {"0"}, "_txlock": {"immediate"}}
	q["_pragma"] = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "foreign_keys(1)"}, pragmas...)
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

var types = strings.NewReplacer("BYTES", "BLOB", "PLACE", "INTEGER", "CLUSTERED", "WITHOUT ROWID")

// prepare makes the file and its tables. While another process turns a new file over to its log
// (WAL), SQLite waits for no lock and says that it is busy: it is asked again.
func prepare(ctx context.Context, path string, part sqlstore.Part) error {
	const busy = 5
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(busyTimeout); ; {
		err := prepareOnce(ctx, path, part)
		if code(err)&0xff != busy || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}

func prepareOnce(ctx context.Context, path string, part sqlstore.Part) (err error) {
	if err := prepareFile(path); err != nil {
		return err
	}
	c, err := sqlite.NewConnector(dsn(path, "rw", "journal_mode(WAL)", "synchronous(FULL)"))
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	// Transactions begin as writing ones (_txlock), so there is no need of a lock.
	return sqlstore.Migrate(ctx, db, part, goose.DialectSQLite3, types)
}
