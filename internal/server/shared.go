// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/datadir"
	"github.com/seed14544106/gatehouse/state/lease"
	"github.com/seed14544106/gatehouse/state/memory"
	statepostgres "github.com/seed14544106/gatehouse/state/postgres"
	"github.com/seed14544106/gatehouse/state/redis"
)

// shared is what the schemes' nonces and the keys' limits are kept in: files of this process
// while it is alone, else the database, or Redis where one is configured.
type shared struct {
	kind    string
	replay  gatehouse.ReplayCache
	limiter gatehouse.Limiter
	charges gatehouse.Limiter           // the limiter for requests with keys, with leases where they are configured
	ping    func(context.Context) error // nil: it cannot be away
	tend    func(context.Context) error // every second: it purges what has ended, or sees who is there and that no memory was lost; nil: nothing
}

// ahead is how far ahead of now the signed time of a request may be, in any scheme.
func ahead(c *config.Config) time.Duration {
	return max(c.Barong.NonceWindow, c.HTTPSig.Skew) + time.Second
}

func (p *parts) openShared(ctx context.Context, c *config.Config, log *slog.Logger) error {
	switch {
	case c.RedisURL != "":
		return p.openRedis(ctx, c, log)
	case c.DatabaseURL != "":
		return p.openState(ctx, c, log)
	}
	replay, err := p.data.Replay(ctx, p.store, ahead(c))
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = replay.Close() })
	limiter, err := p.data.Limiter()
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = limiter.Close() })
	if doubt := limiter.Doubt(); doubt != "" {
		log.Warn("limits begin full", "why", doubt)
	}
	p.shared = shared{kind: "files", replay: replay, limiter: limiter, charges: limiter}
	return nil
}

// openState keeps nonces and limits in the database.
func (p *parts) openState(ctx context.Context, c *config.Config, log *slog.Logger) error {
	// A store without accounts has no keys: nothing was ever claimed.
	_, total, err := p.store.ListAccounts(ctx, account.Query{Tenant: gatehouse.DefaultTenant, Limit: 1})
	if err != nil {
		return fmt.Errorf("count accounts: %w", err)
	}
	s, err := statepostgres.Open(ctx, c.DatabaseURL, statepostgres.Options{
		MaxConns: stateConns, Fresh: total == 0, MaxWindow: datadir.MaxWindow, MaxAhead: ahead(c), Logger: log,
	})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = s.Close() })
	p.shared = shared{kind: "postgresql", replay: s, limiter: s, charges: leased(s, c), ping: s.Ping, tend: s.Purge}
	return nil
}

// stateConns is how many connections nonces and limits have to the database.
const stateConns = 8

// openRedis keeps nonces and limits in Redis. While it is away signed requests with nonces
// are refused, and limits are shared out among the nodes.
func (p *parts) openRedis(ctx context.Context, c *config.Config, log *slog.Logger) error {
	r, err := redis.Open(ctx, c.RedisURL, redis.Options{AllowUnsafe: c.Database.Unsafe})
	if err != nil {
		return fmt.Errorf("redis_url: %w", err)
	}
	p.closers = append(p.closers, r.Close)
	replay := r.Replay(redis.ReplayOptions{MaxWindow: datadir.MaxWindow, MaxAhead: ahead(c)})
	limiter := r.Limiter(redis.LimiterOptions{
		Local: memory.NewLimiter(0, nil), Nodes: func() int { return p.nodeStatus().Nodes }, OnFallback: p.metrics.Fallback(),
	})
	tend := func(ctx context.Context) error {
		limiter.Tend()
		return replay.Tend(ctx)
	}
	p.shared = shared{kind: "redis", replay: replay, limiter: limiter, charges: leased(limiter, c), ping: r.Ping, tend: tend}
	return nil
}

// leased is the limiter for requests with keys. Codes of accounts are few, and may be given
// back: they stay exact.
func leased(shared gatehouse.Limiter, c *config.Config) gatehouse.Limiter {
	if c.Limits.Lease == 0 {
		return shared
	}
	return lease.New(shared, lease.Options{For: c.Limits.Lease})
}
