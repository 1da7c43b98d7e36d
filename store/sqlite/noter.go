// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// noter writes what may be lost with the power, on a connection of its own that commits
// without a sync (synchronous=NORMAL): the next sync of the log is the writer's, or that
// of a checkpoint. Nothing that the writer acknowledged is at risk, because it syncs the
// whole log, and checkpoints sync whoever makes them.
//
// It takes turns with the writer of its file, so that one transaction of it is all that a
// write waits for. The noter of usage has its file for itself. Since it writes the most, it makes checkpoints too, and nobody waits for those.
type noter struct {
	name string
	turn *sync.Mutex // of all who write to the file

	entry  chan struct{} // held by whoever uses what follows
	conn   *conn         // nil before the first use, and after a failure
	rows   int64         // written since a checkpoint
	closed bool
}

// checkpointAfter is how many rows are in the log before they are moved into the file, each
// in a page of its own at worst.
const checkpointAfter = 20_000

func newNoter(path string, turn *sync.Mutex) *noter {
	return &noter{
		name: dsn(path, "rw", "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-16384)", "wal_autocheckpoint(0)", "journal_size_limit(67108864)"),
		turn: turn, entry: make(chan struct{}, 1),
	}
}

// Note implements sqlstore.Engine.
func (e *engine) Note(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	return e.noter.note(ctx, change)
}

// NoteUsage implements sqlstore.Engine.
func (e *engine) NoteUsage(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	return e.usage.note(ctx, change)
}

func (n *noter) connect() (err error) {
	if n.conn == nil {
		n.conn, err = connect(n.name)
	}
	return err
}

// note runs one change in one transaction. It ends with ctx only before it begins.
func (n *noter) note(ctx context.Context, change func(context.Context, sqlstore.Querier) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case n.entry <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.entry }()
	if n.closed {
		return errClosed
	}
	if err := n.connect(); err != nil {
		return err
	}
	fine := false
	defer func() {
		if !fine { // or change panics: what became of the transaction is not known
			_ = n.conn.close()
			n.conn = nil
		}
	}()
	if fine, err = n.transact(context.WithoutCancel(ctx), change); err != nil {
		return err
	}
	if n.rows >= checkpointAfter {
		n.rows = 0
		// It does not fail where somebody is in its way. Whatever it says, the next one comes.
		_ = n.do("PRAGMA wal_checkpoint(PASSIVE)")
	}
	return nil
}

// transact runs change in a transaction. fine says that none is open after it.
func (n *noter) transact(ctx context.Context, change func(context.Context, sqlstore.Querier) error) (fine bool, err error) {
	n.turn.Lock()
	defer n.turn.Unlock()
	if err := n.do("BEGIN IMMEDIATE"); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	if err := change(ctx, counting{n.conn, &n.rows}); err != nil {
		return n.do("ROLLBACK") == nil, err
	}
	if err := n.do("COMMIT"); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	return true, nil
}

// counting is a connection that counts the rows it changes.
type counting struct {
	*conn
	rows *int64
}

func (c counting) Exec(ctx context.Context, text string, args []any) (int64, error) {
	n, err := c.conn.Exec(ctx, text, args)
	*c.rows += n
	return n, err
}

func (n *noter) do(text string) error {
	_, err := n.conn.Exec(context.Background(), text, nil)
	return err
}

// close waits for the change that runs. Later ones fail.
func (n *noter) close() (err error) {
	n.entry <- struct{}{}
	defer func() { <-n.entry }()
	n.closed = true
	if n.conn != nil {
		err = n.conn.close()
		n.conn = nil
	}
	return err
}
