// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"

	"github.com/seed14544106/gatehouse"
)

const (
	getRules = "SELECT text, version FROM rules WHERE tenant = $1"

	insertRules = "INSERT INTO rules (tenant, text, version) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING"

	updateRules = "UPDATE rules SET text = $2, version = version + 1 WHERE tenant = $1 AND version = $3"
)

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

// PutRules implements [gatehouse.RuleStore].
func (db *DB) PutRules(ctx context.Context, r *gatehouse.RuleSet, e *gatehouse.Event) error {
	return db.change(ctx, "put rules", e, func(ctx context.Context, tx Querier) error {
		text, args := updateRules, []any{r.Tenant, r.Text, r.Version}
		if r.Version == 0 {
			text, args = insertRules, args[:2]
		}
		n, err := exec(ctx, tx, text, args...)
		if err == nil && n == 0 {
			return gatehouse.ErrConflict
		}
		return err
	})
}
