// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

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
		return sqlite.Open(ctx, p.data.Database(), sqlite.Options{Cache: c.Database.CacheMB << 20})
	}
	o := postgres.Options{
		MaxConns: c.Database.MaxConns, AllowUnsafe: c.Database.Unsafe, Lease: c.Database.Lease, Cache: c.Database.CacheMB << 20, NoHints: !c.Database.Hints,
		Name: nodeName(c), Version: version, Shares: shares(c), Logger: log, Heard: p.heard,
		Settled: p.metrics.WatchNodes(p.nodeStatus),
	}
	db, err := postgres.Open(ctx, c.DatabaseURL, o)
	if errors.Is(err, postgres.ErrUnsafe) {
		return nil, fmt.Errorf("%w; database.allow_unsafe = true starts all the same", err)
	}
	if err != nil {
		return nil, err
	}
	p.nodes.db.Store(db)
	if other := strangest(db, shares(c)); other != nil {
		_ = db.Close()
		return nil, fmt.Errorf("node %q keeps nonces and limits in %s, and this one would in %s: a request could be repeated; "+
			"all nodes need the same redis_url, so stop those of the other kind first", other.Name, other.Shares, shares(c))
	}
	return db, nil
}

// shares says where nonces and limits are kept.
func shares(c *config.Config) string {
	if c.RedisURL != "" {
		return "redis"
	}
	return "postgresql"
}

// strangest returns a node that runs, was there before this one, and keeps nonces and limits
// elsewhere; nil: there is none.
func strangest(db *postgres.DB, own string) *postgres.Node {
	s, _, _ := db.Sharing()
	me := slices.IndexFunc(s.Nodes, func(n postgres.Node) bool { return n.ID == s.ID })
	for i := range max(me, 0) { // in the order in which they began
		if n := &s.Nodes[i]; n.Shares != own && time.Since(n.Seen).Abs() < seenLately {
			return n
		}
	}
	return nil
}

// seenLately is how long ago a node that runs may have polled, by its own clock.
const seenLately = 10 * time.Second

// nodeName is what this process is called among others.
func nodeName(c *config.Config) string {
	if c.Node != "" {
		return c.Node
	}
	host, _ := os.Hostname() // a name for people; none is one too
	return host + " " + c.Listen
}
