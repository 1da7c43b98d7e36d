// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	getRules = "SELECT text, version FROM rules WHERE tenant = $1"

	insertRules = "INSERT INTO rules (tenant, text, version) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING"

	updateRules = "UPDATE rules SET text = $2, version = version + 1 WHERE tenant = $1 AND version = $3"
)

// keptRules are the rules of tenants as they were read last. When they may answer is as for
// records: see [cache].
type keptRules struct {
	mu  sync.RWMutex
	all map[string]ruleSetRead
}

type ruleSetRead struct {
	stamp uint64 // taken before it was read
	read  time.Time
	set   gatehouse.RuleSet
}

// Rules implements [gatehouse.RuleStore].
func (db *DB) Rules(ctx context.Context, tenant string) (gatehouse.RuleSet, error) {
	out := gatehouse.RuleSet{Tenant: tenant}
	err := db.read(ctx, getRules, []any{tenant}, func(r Row) error {
		c := columnsOf(r)
		out.Text, out.Version = c.text(), c.number()
		return c.done()
	})
	if err != nil {
		return gatehouse.RuleSet{}, db.fail("read rules", err)
	}
	return out, nil
}

// RulesInForce implements [gatehouse.RuleStore]. Stamp and time come first, then the lease,
// and what is kept at last (R1, R2).
func (db *DB) RulesInForce(ctx context.Context, tenant string) (gatehouse.RuleSet, error) {
	stamp, now := uint64(0), time.Now()
	if db.cache != nil {
		stamp = db.cache.marks.Stamp()
	}
	if db.cache != nil && db.cache.answers(now) {
		db.rules.mu.RLock()
		kept, ok := db.rules.all[tenant]
		db.rules.mu.RUnlock()
		if ok && now.Sub(kept.read) < db.cache.most && db.cache.marks.HoldsRules(kept.stamp) {
			return kept.set, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	set, err := db.Rules(ctx, tenant)
	if err != nil {
		return gatehouse.RuleSet{}, err
	}
	db.rules.mu.Lock()
	defer db.rules.mu.Unlock()
	if db.rules.all == nil {
		db.rules.all = map[string]ruleSetRead{}
	}
	db.rules.all[tenant] = ruleSetRead{stamp, now, set}
	return set, nil
}

// PutRules implements [gatehouse.RuleStore].
func (db *DB) PutRules(ctx context.Context, r *gatehouse.RuleSet, e *gatehouse.Event) error {
	return db.told(ctx, "put rules", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		text, args := updateRules, []any{r.Tenant, r.Text, r.Version}
		if r.Version == 0 {
			text, args = insertRules, args[:2]
		}
		n, err := exec(ctx, tx, text, args...)
		if err == nil && n == 0 {
			return nil, gatehouse.ErrConflict
		}
		return notice(gatehouse.NoticeRules, r.Tenant, "", false), err
	})
}
