// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// selection is the FROM and WHERE of a list, and its arguments.
type selection struct {
	text strings.Builder
	args []any
}

func selectFrom(table, tenant string) *selection {
	s := &selection{}
	s.text.WriteString("FROM " + table)
	s.text.WriteString(" WHERE tenant = " + s.parameter(tenant))
	return s
}

// parameter adds an argument and returns its name.
func (s *selection) parameter(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

// and narrows to rows where comparing, such as "state =", the value holds.
func (s *selection) and(comparing string, value any) {
	s.text.WriteString(" AND " + comparing + " " + s.parameter(value))
}

// in narrows to rows where column is one of values.
func (s *selection) in(column string, values []string) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !storable(v) })
	if len(values) == 0 {
		s.text.WriteString(" AND 1 = 0")
		return
	}
	s.text.WriteString(" AND " + column + " IN (" + s.list(values) + ")")
}

// list adds arguments, at least one, and returns their names. The last is repeated up to a
// power of two, so that there are few different statements to prepare.
func (s *selection) list(values []string) string {
	names := make([]string, roomFor(len(values)))
	for i := range names {
		names[i] = s.parameter(values[min(i, len(values)-1)])
	}
	return strings.Join(names, ", ")
}

// parameters is "$from, …", n of them.
func parameters(from, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(from+i)
	}
	return strings.Join(names, ", ")
}

// page calls each for the rows of one page of a list, and returns how long the whole
// list is. limit zero: all rows.
func (db *DB) page(ctx context.Context, columns string, s *selection, order string, offset, limit int, each func(Row) error) (int, error) {
	text := s.text.String()
	if offset <= 0 && limit <= 0 {
		rows := 0
		err := db.read(ctx, "SELECT "+columns+" "+text+" ORDER BY "+order, s.args, func(r Row) error {
			rows++
			return each(r)
		})
		return rows, err
	}
	total := 0
	err := db.read(ctx, "SELECT count(*) "+text, s.args, func(r Row) error {
		c := columnsOf(r)
		total = int(c.number())
		return c.done()
	})
	if err != nil || total <= offset {
		return total, err
	}
	if limit <= 0 {
		limit = total
	}
	text += " ORDER BY " + order + " LIMIT " + s.parameter(int64(limit))
	text += " OFFSET " + s.parameter(int64(max(offset, 0)))
	return total, db.read(ctx, "SELECT "+columns+" "+text, s.args, each)
}

// roomFor is a power of two: few numbers of parameters make few different statements.
func roomFor(values int) int {
	room := 1
	for room < values {
		room *= 2
	}
	return room
}
