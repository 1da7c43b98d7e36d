// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
)

// hints implements lease.Hinter with NOTIFY and LISTEN. A hint is sent by a statement of its
// own: inside the transaction of a change it would make all commits of the server queue.
type hints struct {
	config *pgx.ConnConfig
	pool   *sql.DB
}

const channel = "gatehouse"

func (h *hints) Hint(ctx context.Context, text string) error {
	_, err := h.pool.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, text)
	return err
}

func (h *hints) Listen(ctx context.Context, heard func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, h.config.Copy())
	if err != nil {
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bounded)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}
