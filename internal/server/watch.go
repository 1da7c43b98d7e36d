// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/observe"
)

// How often is done what nobody waits for.
const (
	flushUses     = 30 * time.Second
	flushAttempts = time.Second // whoever looks for an attempt has just made it
	purgeUsage    = 10 * time.Second
	sweepDead     = time.Minute
	tendShared    = time.Second
	reachVault    = 30 * time.Second
)

// flushGrace is how long the last flush may take.
const flushGrace = 5 * time.Second

// chore is something that is done again and again while the process runs.
type chore struct {
	interval time.Duration
	do       func(context.Context)
}

func (p *process) chores() []chore {
	list := []chore{
		{sweepDead, p.sweep}, {flushUses, p.flushUses}, {flushAttempts, p.flushAttempts}, {observe.UsageInterval, p.flushUsage},
		{purgeUsage, p.purgeUsage}, {reachVault, p.reachVault},
	}
	if p.shared.tend != nil {
		list = append(list, chore{tendShared, p.tendShared})
	}
	return list
}

// watch makes what watches decisions besides the metrics.
func (p *parts) watch(c *config.Config) gatehouse.Observer {
	policy, _ := observe.ParsePolicy(c.Attempts) // config knows the words
	p.uses = observe.NewUses(p.store, p.metrics)
	p.attempts = observe.NewAttempts(p.store, policy, p.tenant, p.metrics)
	p.usage = observe.NewUsage(p.store, p.tenant, p.metrics)
	return observe.Each{p.metrics, p.uses, p.usage, p.attempts}
}

// flushUses writes last uses. A failure is logged; the next flush tries again.
func (p *process) flushUses(ctx context.Context) {
	if err := p.uses.Flush(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("last uses not written", "error", err)
	}
}

// flushAttempts writes attempts. A failure is logged; the next flush tries again.
func (p *process) flushAttempts(ctx context.Context) {
	if err := p.attempts.Flush(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("attempts not written", "error", err)
	}
}

// flushUsage writes usage. A failure is logged; the next flush tries again.
func (p *process) flushUsage(ctx context.Context) {
	if err := p.usage.Flush(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("usage not written", "error", err)
	}
}

// usageRetention is how long usage is kept.
var usageRetention = gatehouse.UsageRetention{Minutes: 2 * 24 * time.Hour, Hours: 32 * 24 * time.Hour, Days: 400 * 24 * time.Hour, Sources: 90 * 24 * time.Hour}

// keepReceipts is how long the answer to an Idempotency-Key is remembered.
const keepReceipts = 24 * time.Hour

// purgeUsage moves usage to coarser spans as it ages, and deletes what is old of it, and of
// receipts: both may come by the thousand in a minute.
func (p *process) purgeUsage(ctx context.Context) {
	now := time.Now()
	err := errors.Join(p.store.PurgeUsage(ctx, now, usageRetention), p.store.PurgeReceipts(ctx, now.Add(-keepReceipts)))
	if err != nil && ctx.Err() == nil {
		p.log.Warn("usage and receipts not purged", "error", err)
	}
}

// sweep deletes what has expired.
func (p *process) sweep(ctx context.Context) {
	if err := p.purge(ctx, time.Now()); err != nil && ctx.Err() == nil {
		p.log.Warn("what has expired is not deleted", "error", err)
	}
}

// flushLast writes what is left, once nothing more comes.
func (p *process) flushLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	p.flushUses(ctx)
	p.flushUsage(ctx)
	p.flushAttempts(ctx)
}

// every calls do at intervals, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do(ctx)
		}
	}
}
