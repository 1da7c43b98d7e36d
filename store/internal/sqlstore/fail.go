// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// answers are the errors that are told as they are: they say something about the
// records and nothing about the database.
var answers = []error{account.ErrLastAdministrator, gatehouse.ErrNotFound, gatehouse.ErrExists, gatehouse.ErrConflict, gatehouse.ErrRepeated, gatehouse.ErrForbidden, account.ErrSpent}

// fail translates an error of the engine, or of a change, into one of the contract.
// The driver's words are kept only where the database failed: those of a broken
// constraint could name values.
func (db *DB) fail(what string, err error) error {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return fmt.Errorf("%s: %w", what, answer)
		}
	}
	var invalid *gatehouse.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return fmt.Errorf("%s: %w", what, invalid)
	case db.engine.IsUnique(err):
		return fmt.Errorf("%s: %w", what, gatehouse.ErrExists)
	case db.engine.IsForeignKey(err):
		return fmt.Errorf("%s: %w", what, gatehouse.ErrNotFound)
	}
	return gatehouse.Unavailable(what, err)
}

// storable reports whether every engine can keep s as text, and we can read it back.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsAny(s, "\x00"+separator) }

func allStorable(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok && !storable(s) {
			return false
		}
	}
	return true
}

// errUnstorable refuses text that one engine would keep and another would not.
var errUnstorable = &gatehouse.InvalidError{Field: "text", Problem: "not UTF-8, or with a control character that is not kept (U+0000, U+001F)"}

// exec runs a statement of a change.
func exec(ctx context.Context, tx Querier, text string, args ...any) (int64, error) {
	if !allStorable(args) {
		return 0, errUnstorable
	}
	return tx.Exec(ctx, text, args)
}

// has reports, inside a change, whether a statement selects any row.
func has(ctx context.Context, tx Querier, text string, args ...any) (found bool, err error) {
	if !allStorable(args) {
		return false, errUnstorable
	}
	err = tx.Query(ctx, text, args, func(Row) error {
		found = true
		return nil
	})
	return found, err
}

// read calls each for the rows that a statement selects by comparing its arguments.
// An argument that no row can hold selects none, in every engine.
func (db *DB) read(ctx context.Context, text string, args []any, each func(Row) error) error {
	if !allStorable(args) {
		return nil
	}
	return db.engine.Query(ctx, text, args, each)
}

// one is read for a statement that selects at most one row by an index.
// gatehouse.ErrNotFound when there is none.
func (db *DB) one(ctx context.Context, text string, args []any, each func(Row) error) error {
	if !allStorable(args) {
		return gatehouse.ErrNotFound
	}
	found := false
	err := db.engine.Point(ctx, text, args, func(r Row) error {
		found = true
		return each(r)
	})
	if err == nil && !found {
		return gatehouse.ErrNotFound
	}
	return err
}
