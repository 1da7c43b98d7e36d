// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// openAPI makes the native API on top of everything else.
func (p *parts) openAPI(c *config.Config, log *slog.Logger) (err error) {
	byFile := ""
	if c.Gate.RulesFile != "" && hasGates(c) {
		byFile = c.Gate.Tenant
	}
	p.api, err = rest.New(rest.Config{
		Authority: p.authority, Directory: p.directory, Tenants: p.store, Receipts: p.store, Usage: p.store, Attempts: p.store, Audit: p.store,
		Limiter: p.codes, Log: log, Proxies: p.proxies, Strip: []string{c.Shield.Header}, Keyring: keyring{p.keeper}, Defaults: keyDefaults(p.shieldUnused),
		RuleStore: p.store, ByFile: byFile, Notices: p.store, Chains: p.store, ChainKey: p.chainKey, ReceiptKey: p.receiptKey, Sessions: p.session(c), Signing: signing{p.keys}, Cluster: p.cluster,
	})
	return err
}

// signing is the signing keys as the native API sees them.
type signing struct{ keys *assertion.Keys }

// List implements [rest.Signing].
func (s signing) List(ctx context.Context) ([]api.SigningKey, error) {
	infos, err := s.keys.List(ctx)
	var out []api.SigningKey
	for _, k := range infos {
		row := api.SigningKey{ID: k.ID, Algorithm: k.Algorithm, State: string(k.State), Created: k.Created, Signs: &k.Signs}
		if !k.Retires.IsZero() {
			row.Retires = &k.Retires
		}
		out = append(out, row)
	}
	return out, err
}

// Rotate implements [rest.Signing].
func (s signing) Rotate(ctx context.Context, actor gatehouse.Actor) error {
	return s.keys.Rotate(ctx, actor)
}

// keyDefaults complete a new key as the system does that its scheme comes from.
func keyDefaults(shieldUnused time.Duration) map[string]func(*gatehouse.NewKey) {
	return map[string]func(*gatehouse.NewKey){
		shield.Name: func(n *gatehouse.NewKey) {
			n.Scopes = shield.NewKey(n.Principal, n.Name, n.Scopes...).Scopes
			n.Unused = cmp.Or(n.Unused, shieldUnused)
		},
	}
}
