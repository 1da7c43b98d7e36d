// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

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
func (p *parts) openStore(ctx context.Context, c *config.Config) (stores, error) {
	if c.DatabaseURL != "" {
		return postgres.Open(ctx, c.DatabaseURL, postgres.Options{})
	}
	return sqlite.Open(ctx, p.data.Database(), sqlite.Options{})
}
