// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"
	"strings"
)

// upsert inserts rows of a table, and changes those that are there. Use [newUpsert].
type upsert[T any] struct {
	// compare orders rows by the columns that are unique together. Writers that take rows
	// in one order do not stand in each other's way.
	compare func(a, b T) int
	add     func(to, row *T)               // adds a row of the same key
	args    func(args []any, row *T) []any // appends what is stored
	texts   [upsertRows + 1]string         // by the number of rows; only powers of two
}

// upsertRows is how many rows one statement takes at most. Fewer are taken in powers of
// two, so that there are few different statements to prepare. More do not pay: SQLite's
// driver looks each parameter up in the list of their names.
const upsertRows = 16

// newUpsert makes the statements. columns and key are parted by ", ". set is what happens to
// a row that is there; what was to be inserted is called excluded.
func newUpsert[T any](table, columns, key, set string, compare func(a, b T) int, add func(to, row *T), args func([]any, *T) []any) *upsert[T] {
	u := &upsert[T]{compare: compare, add: add, args: args}
	width := strings.Count(columns, ", ") + 1
	for n := 1; n <= upsertRows; n *= 2 {
		values := make([]string, n)
		for i := range values {
			values[i] = "(" + parameters(1+i*width, width) + ")"
		}
		u.texts[n] = "INSERT INTO " + table + " (" + columns + ") VALUES " + strings.Join(values, ", ") +
			" ON CONFLICT (" + key + ") DO UPDATE SET " + set
	}
	return u
}

// merge puts rows in order and adds up those of the same key.
func (u *upsert[T]) merge(rows []T) []T {
	slices.SortFunc(rows, u.compare)
	out := rows[:0]
	for i := range rows {
		if last := len(out) - 1; last >= 0 && u.compare(out[last], rows[i]) == 0 {
			u.add(&out[last], &rows[i])
		} else {
			out = append(out, rows[i])
		}
	}
	return out
}

// run writes rows that were merged.
func (u *upsert[T]) run(ctx context.Context, tx Querier, rows []T) error {
	var args []any
	for n := upsertRows; len(rows) > 0; rows = rows[n:] {
		for n > len(rows) {
			n /= 2
		}
		args = args[:0]
		for i := range rows[:n] {
			args = u.args(args, &rows[i])
		}
		if _, err := exec(ctx, tx, u.texts[n], args...); err != nil {
			return err
		}
	}
	return nil
}
