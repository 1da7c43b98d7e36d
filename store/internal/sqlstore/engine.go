// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlstore holds all SQL of the house, one text for every engine, and the
// stores that speak it: keys and their uses, tenants, route rules, attempts, usage, events,
// data keys, signing keys, accounts, sessions and tickets.
//
// The text keeps to what PostgreSQL, its relatives on the same wire and SQLite share:
// numbered parameters, text, 64-bit numbers and bytes. Changes are guarded by a
// version and not by locks, and every id is made before the statement. What
// differs between engines is behind [Engine].
package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

var (
	_ gatehouse.Store           = (*DB)(nil)
	_ gatehouse.TenantStore     = (*DB)(nil)
	_ gatehouse.RuleStore       = (*DB)(nil)
	_ gatehouse.UseStore        = (*DB)(nil)
	_ gatehouse.AttemptStore    = (*DB)(nil)
	_ gatehouse.UsageStore      = (*DB)(nil)
	_ gatehouse.AuditStore      = (*DB)(nil)
	_ gatehouse.ChainStore      = (*DB)(nil)
	_ gatehouse.NoticeStore     = (*DB)(nil)
	_ gatehouse.Settler         = (*DB)(nil)
	_ gatehouse.ReceiptStore    = (*DB)(nil)
	_ gatehouse.DataKeyStore    = (*DB)(nil)
	_ gatehouse.SigningKeyStore = (*DB)(nil)
	_ account.Store             = (*DB)(nil)
	_ account.SessionStore      = (*DB)(nil)
	_ account.TicketStore       = (*DB)(nil)
)

// Row is one row of a result: string for text, int64 for numbers, []byte or nil for
// bytes. It is valid during the call it is passed to; the values in it may be kept.
type Row []driver.Value

// Querier runs statements. Arguments are string, int64, []byte and nil.
type Querier interface {
	// Query calls each for every row of the result, in order. An error of each ends
	// the query and is returned.
	Query(ctx context.Context, text string, args []any, each func(Row) error) error

	// Exec runs a statement and returns how many rows it touched.
	Exec(ctx context.Context, text string, args []any) (int64, error)
}

// Engine is a database. Its errors are those of its driver; [DB] translates them.
type Engine interface {
	// Query reads as [Querier] does, what was last acknowledged. It ends with ctx.
	Query(ctx context.Context, text string, args []any, each func(Row) error) error

	// Point is Query for a statement that selects at most one row by an index. An engine
	// for which watching ctx costs more than such a statement may look at it only
	// before it begins.
	Point(ctx context.Context, text string, args []any, each func(Row) error) error

	// Write runs change in one transaction that is as if it ran alone (serializable).
	// It returns nil only when the change is durable; after any other error but those
	// of change it may be durable. It calls change again where the transaction could
	// not be had or change returned [ErrAgain]; where transactions exclude each other
	// neither happens. chain names the chain of events
	// that change adds to, empty for none: changes to one chain cannot overlap, so an
	// engine may queue them.
	Write(ctx context.Context, chain string, change func(ctx context.Context, tx Querier) error) error

	// Note is Write for what no promise rests on, such as counters: it may be lost with
	// the machine's power, keeps no Write waiting for more than its own transaction, and
	// may run beside others that change the same rows. So each statement of change must
	// be right alone, and never rest on what one before it read.
	Note(ctx context.Context, change func(ctx context.Context, tx Querier) error) error

	// NoteUsage is Note for the tables of usage (migration 0007), which an engine may keep
	// beside its database. change speaks of no other table.
	NoteUsage(ctx context.Context, change func(ctx context.Context, tx Querier) error) error

	// IsUnique reports whether err says that a unique index has such a row already.
	IsUnique(err error) bool

	// IsForeignKey reports whether err says that a row refers to one that is not there.
	IsForeignKey(err error) bool
}

// ErrAgain asks [Engine].Write to run the whole transaction again, because somebody
// else added to the same chain.
var ErrAgain = errors.New("the chain has grown meanwhile")

// DB keeps everything in an [Engine]. It implements the Store, UseStore, AttemptStore,
// AuditStore, DataKeyStore and SigningKeyStore of package gatehouse and the Store,
// SessionStore and TicketStore of package account. It is safe for concurrent use.
type DB struct {
	engine Engine
	cache  *cache // nil: records are not kept
	rules  keptRules
	bell   bell
	walks  *walks

	chainKey []byte // signs the heads of chains; empty: they are not signed
}

// New returns a DB on an engine that [Migrate] has prepared.
func New(e Engine) *DB { return &DB{engine: e, walks: newWalks()} }
