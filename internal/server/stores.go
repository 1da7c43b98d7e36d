// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"os"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/store/postgres"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// stores is every store of the house, as one database fills them.
type stores interface {
	gatehouse.Store
	gatehouse.TenantStore
	gatehouse.NoticeStore
	gatehouse.ReceiptStore
	gatehouse.UsageStore
	gatehouse.RuleStore
	gatehouse.UseStore
	gatehouse.AttemptStore
	gatehouse.AuditStore
	gatehouse.ChainStore
	gatehouse.DataKeyStore
	gatehouse.SigningKeyStore
	account.Store
	account.SessionStore
	account.TicketStore
	seal.Rows
	SignChain(key []byte)
	Close() error
}

// openStore opens PostgreSQL where a URL is configured, else SQLite in the data
// directory.
func (p *parts) openStore(ctx context.Context, c *config.Config, version string, log *slog.Logger) (stores, error) {
	if c.DatabaseURL == "" {
		return sqlite.Open(ctx, p.data.Database(), sqlite.Options{})
	}
	o := postgres.Options{
		MaxConns: c.Database.MaxConns, AllowUnsafe: c.Database.Unsafe, Lease: c.Database.Lease, Cache: c.Database.CacheMB << 20, NoHints: !c.Database.Hints,
		Name: nodeName(c), Version: version, Logger: log, Heard: p.heard,
		Settled: p.metrics.WatchNodes(p.nodeStatus),
	}
	db, err := postgres.Open(ctx, c.DatabaseURL, o)
	if err != nil {
		return nil, err
	}
	p.nodes.db.Store(db)
	return db, nil
}

// nodeName is what this process is called among others.
func nodeName(c *config.Config) string {
	if c.Node != "" {
		return c.Node
	}
	host, _ := os.Hostname() // a name for people; none is one too
	return host + " " + c.Listen
}
