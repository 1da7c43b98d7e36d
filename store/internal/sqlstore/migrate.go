// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Programs of several versions work on one database while nodes are replaced one by one. So a
// step only adds what older programs need not know: a table, an index, a column with a default.
// It says so in its text: "-- oldest: N" names the last step that a program must know to work
// beside it. What takes something away, or gives it another meaning, comes in a later version,
// when no program is left that needs it, and its oldest is the step of the first that does not.
// The database keeps what steps say, so a program that starts knows of steps that it has never
// heard of whether it may work beside them.

// ErrNewer: a newer version of the program has changed the database in a way that this one
// cannot work with.
var ErrNewer = errors.New("the database belongs to a newer version of gatehouse")

// errApplied ends a step that another process has done meanwhile.
var errApplied = errors.New("another process has changed the schema")

// Part says which tables a database has.
type Part int

// The zero Part is a database that has all of them. Otherwise those of usage, which are made
// by the steps that are called after it, are in one and all others in another.
const (
	Whole Part = iota
	WithoutUsage
	OnlyUsage
)

// dropUsage is for databases that had the tables before there were parts: where a name has
// no database before it, those would be found first.
const dropUsage = "DROP TABLE IF EXISTS usage_keys; DROP TABLE IF EXISTS usage_tenants; DROP TABLE IF EXISTS usage_schemes; " +
	"DROP TABLE IF EXISTS usage_sources; DROP TABLE IF EXISTS usage_scopes"

// Migrate brings the tables of db up to this version of the program. types holds what
// to put in place of the words TEXT, BYTES, PLACE and CLUSTERED. [ErrNewer].
//
// Processes that start together must not do a step twice. A step looks for itself
// inside its own transaction, which is enough where a transaction that may write
// excludes all others; elsewhere a locker among the options does the rest.
func Migrate(ctx context.Context, db *sql.DB, part Part, dialect goose.Dialect, types *strings.Replacer, options ...goose.ProviderOption) error {
	steps, err := steps(part, types)
	if err != nil {
		return err
	}
	options = append(options, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(dialect, db, nil, options...)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	for {
		has, wants, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if has > wants {
			if err := beside(ctx, db, part, wants); err != nil {
				return err
			}
		}
		if has >= wants {
			break
		}
		// Whoever is told that a step is done sees a later version the next time, so
		// this ends.
		if _, err := p.Up(ctx); err != nil && !errors.Is(err, errApplied) {
			return fmt.Errorf("change schema: %w", err)
		}
	}
	if part != WithoutUsage {
		return nil
	}
	if _, err := db.ExecContext(ctx, dropUsage); err != nil {
		return fmt.Errorf("drop usage: %w", err)
	}
	return nil
}

// beside fails where the steps behind the last one that is known here do not allow it.
// [ErrNewer].
func beside(ctx context.Context, db *sql.DB, part Part, last int64) error {
	if part == OnlyUsage { // it keeps no list, and belongs to one process
		return ErrNewer
	}
	var oldest int64
	err := db.QueryRowContext(ctx, "SELECT max(COALESCE(p.oldest, v.version_id)) FROM "+goose.DefaultTablename+
		" v LEFT JOIN programs p ON p.step = v.version_id WHERE v.version_id > $1", last).Scan(&oldest)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	if oldest > last {
		return ErrNewer
	}
	return nil
}

// firstListed is the step that makes the list of programs.
const firstListed = 14

var oldestLine = regexp.MustCompile(`(?m)^-- oldest: ([0-9]+)$`)

// oldestOf reads what the text of a step says of programs; zero for one before there was a
// list.
func oldestOf(version int64, text string) (int64, error) {
	if version < firstListed {
		return 0, nil
	}
	line := oldestLine.FindStringSubmatch(text)
	if line == nil {
		return 0, fmt.Errorf("migration %d does not say which program is the oldest beside it", version)
	}
	return strconv.ParseInt(line[1], 10, 64)
}

// after is what a step does besides its text, in the same transaction.
var after = map[int64]func(context.Context, *sql.Tx) error{5: tagAll}

// steps are those of a part. A step of usage is counted in a database that has none.
func steps(part Part, types *strings.Replacer) ([]*goose.Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	out := make([]*goose.Migration, 0, len(names))
	for _, name := range names {
		usage := strings.HasSuffix(name, "_usage.sql")
		if part == OnlyUsage && !usage {
			continue
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		version, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			return nil, fmt.Errorf("number of migration: %w", err)
		}
		oldest, err := oldestOf(version, string(text))
		if err != nil {
			return nil, err
		}
		if part == OnlyUsage {
			oldest = 0
		}
		up := types.Replace(string(text))
		if part == WithoutUsage && usage {
			up = ""
		}
		out = append(out, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return step(ctx, tx, version, oldest, up)
		}}, nil))
	}
	return out, nil
}

func step(ctx context.Context, tx *sql.Tx, version, oldest int64, up string) error {
	applied := 0
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+goose.DefaultTablename+" WHERE version_id = $1", version).Scan(&applied)
	if err != nil {
		return err
	}
	if applied > 0 {
		return errApplied
	}
	if _, err = tx.ExecContext(ctx, up); err != nil {
		return err
	}
	if oldest > 0 {
		if _, err = tx.ExecContext(ctx, "INSERT INTO programs (step, oldest) VALUES ($1, $2)", version, oldest); err != nil {
			return err
		}
	}
	if after[version] == nil {
		return nil
	}
	return after[version](ctx, tx)
}
