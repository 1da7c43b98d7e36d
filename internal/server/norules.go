// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/json"

	"github.com/seed14544106/gatehouse"
)

// warnOfNoRules says which tenants have rules stored that are none, as builds of before took
// them: they deny everything, and whoever stored them may have meant the contrary.
func (p *process) warnOfNoRules(ctx context.Context) {
	tenants, err := p.store.ListTenants(ctx)
	for i := 0; err == nil && i < len(tenants); i++ {
		t := &tenants[i]
		if t.State == gatehouse.TenantRemoved {
			continue
		}
		var set gatehouse.RuleSet
		var table map[string]any
		if set, err = p.store.Rules(ctx, t.Name); err != nil || set.Text == "" {
			continue
		}
		if json.Unmarshal([]byte(set.Text), &table) == nil && len(table) == 0 {
			p.log.WarnContext(ctx, "the rules that are stored are none, and deny everything", "tenant", t.Name, "remedy", "gatehouse --tenant "+t.Name+" rules clear")
		}
	}
	if err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "rules not looked at", "error", err)
	}
}
