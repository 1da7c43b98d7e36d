// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Book is the [Rulebook] of the rules that tenants have stored. New rules are in force as
// soon as the store has them in force ([gatehouse.RuleStore]); what the book keeps is only
// the work of compiling them. It is safe for concurrent use. Make it with [NewBook].
type Book struct {
	store gatehouse.RuleStore
	none  Rule
	mu    sync.RWMutex
	pages map[string]*page // by tenant
}

// page is the rules of one tenant, compiled.
type page struct {
	set    gatehouse.RuleSet
	rules  Rules
	routes *Routes
	err    error // the stored text is no rules
}

// NewBook makes a book. none is the rule where a tenant has no rules; the zero value:
// there is none, and nobody passes.
func NewBook(store gatehouse.RuleStore, none Rule) *Book {
	return &Book{store: store, none: none, pages: map[string]*page{}}
}

// Rule implements [Rulebook].
func (b *Book) Rule(ctx context.Context, tenant, method, authority, target string) (Found, error) {
	p, err := b.page(ctx, tenant)
	if err != nil {
		return Found{}, err
	}
	rule, pattern, found, ok := p.routes.FindPattern(method, authority, target)
	if ok && !found && p.set.Text == "" {
		rule = b.none
	}
	return Found{Rule: rule, Pattern: pattern, Two: !ok}, nil
}

// Explain is [Rules.Explain] of the rules of a tenant that are in force. Where it has none, a
// request passes with any valid key, as it does at gates, and no pattern is named. An error
// wraps gatehouse.ErrUnavailable.
func (b *Book) Explain(ctx context.Context, tenant, method, authority, target string) (api.Explained, error) {
	p, err := b.page(ctx, tenant)
	if err != nil {
		return api.Explained{}, err
	}
	out, err := p.rules.Explain(method, authority, target)
	if p.set.Text == "" && out.Outcome == gatehouse.ReasonNoRule.Code() {
		out = AnyKey().told()
	}
	return out, err
}

func (b *Book) page(ctx context.Context, tenant string) (*page, error) {
	set, err := b.store.RulesInForce(ctx, tenant)
	if err != nil {
		return nil, err
	}
	b.mu.RLock()
	p := b.pages[tenant]
	b.mu.RUnlock()
	if p == nil || p.set != set {
		p = newPage(set)
		b.mu.Lock()
		b.pages[tenant] = p
		b.mu.Unlock()
	}
	return p, p.err
}

func newPage(set gatehouse.RuleSet) *page {
	p := &page{set: set}
	var table map[string]any
	var err error
	if set.Text != "" {
		err = json.Unmarshal([]byte(set.Text), &table)
	}
	if err == nil {
		p.rules, err = ParseRules(table)
	}
	if err == nil {
		p.routes, err = p.rules.Compile()
	}
	if err != nil {
		p.err = gatehouse.Unavailable("compile rules of tenant "+set.Tenant, fmt.Errorf("%s", err)) // it is no mistake of whoever asks
	}
	return p
}
