// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// statementsKept is how many prepared statements a connection keeps. There are fewer
// texts than that, but for lists with many different filters.
const statementsKept = 256

// conn is a connection and its prepared statements. One goroutine uses it at a time.
//
// It speaks to the driver and not through database/sql: a look-up is a few
// microseconds, and database/sql's locks and conversions as much again.
type conn struct {
	driver     driver.Conn
	statements map[string]driver.Stmt
	args       []driver.NamedValue
	row        sqlstore.Row
}

func connect(name string) (*conn, error) {
	c, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	d, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{driver: d, statements: map[string]driver.Stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// prepare returns the statement and what to do with it afterwards.
func (c *conn) prepare(text string) (driver.Stmt, func(), error) {
	if s, ok := c.statements[text]; ok {
		return s, keep, nil
	}
	s, err := c.driver.Prepare(text)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare statement: %w", err)
	}
	if len(c.statements) < statementsKept {
		c.statements[text] = s
		return s, keep, nil
	}
	return s, func() { _ = s.Close() }, nil
}

func keep() {}

// bind puts the arguments into the driver's form. The slice is used again.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// Query implements sqlstore.Querier.
func (c *conn) Query(ctx context.Context, text string, args []any, each func(sqlstore.Row) error) error {
	return c.query(ctx, text, args, all, each)
}

// How many rows a query reads.
const (
	all = -1
	one = 1 // the statement is not asked for a second row, which costs a step
)

func (c *conn) query(ctx context.Context, text string, args []any, rowsMost int, each func(sqlstore.Row) error) (err error) {
	s, release, err := c.prepare(text)
	if err != nil {
		return err
	}
	defer release()
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	// each may run another statement on this connection, so the row is not shared
	// with it.
	row := c.row
	c.row = nil
	defer func() { c.row = row }()
	if n := len(rows.Columns()); cap(row) < n {
		row = make(sqlstore.Row, n)
	} else {
		row = row[:n]
	}
	for n := 0; n != rowsMost; n++ {
		// The driver watches ctx only up to the first row.
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Next(row); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

// Exec implements sqlstore.Querier.
func (c *conn) Exec(ctx context.Context, text string, args []any) (int64, error) {
	s, release, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	defer release()
	result, err := s.(driver.StmtExecContext).ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
