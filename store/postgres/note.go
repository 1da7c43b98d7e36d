// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"

	"github.com/seed14544106/gatehouse/store/internal/sqlstore"
)

// Note implements sqlstore.Engine. Nodes that add to the same row wait for each other and
// need not begin anew, as they would in serializable transactions.
func (e *engine) Note(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	if err := enter(ctx, e.writers); err != nil {
		return err
	}
	defer leave(e.writers)
	return retry(ctx, func() (bool, error) {
		err := e.once(ctx, sql.LevelReadCommitted, change)
		return again(err), err
	})
}

// NoteUsage implements sqlstore.Engine.
func (e *engine) NoteUsage(ctx context.Context, change func(context.Context, sqlstore.Querier) error) error {
	return e.Note(ctx, change)
}
