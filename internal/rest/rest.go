// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package rest is the native API, /v1. Its routes are one table: each says who may take it,
// what bounds it and what it does. Callers come with a key or a session, or through the
// admin socket: whoever can open that owns the machine and acts as the operator.
package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// Config is what the API stands on. All fields are required but those that say what their
// zero value means.
type Config struct {
	Authority *gatehouse.Authority
	Directory *account.Directory // of the default tenant; those of others are made from it
	Tenants   gatehouse.TenantStore
	Receipts  gatehouse.ReceiptStore
	Usage     gatehouse.UsageStore
	Attempts  gatehouse.AttemptStore
	Audit     gatehouse.AuditStore
	Limiter   gatehouse.Limiter // of denials that are written down
	Log       *slog.Logger
	Proxies   gate.Proxies // zero: nobody's word on the client's address counts
	Strip     []string     // further header fields that hold credentials
	Keyring   Keyring      // nil: the API does not show it
	// Cluster tells how the process and its neighbours stand; nil: the API does not say.
	Cluster   func(context.Context) api.Cluster
	Signing   Signing               // nil: nor these
	Notices   gatehouse.NoticeStore // nil: there is no list of revocations
	RuleStore gatehouse.RuleStore
	Rules     gate.Rulebook        // nil: what RuleStore holds
	ByFile    string               // the tenant at whose gates a file holds instead of RuleStore; empty: none
	Chains    gatehouse.ChainStore // of the events in Audit
	ChainKey  []byte               // that the heads of chains are signed with; empty: they are not

	// ReceiptKey keys the hashes of requests in receipts; empty: they can be guessed at.
	ReceiptKey []byte

	// Sessions finds whose session a request carries: account.ErrNoSession for none,
	// gatehouse.ErrForbidden where a request that may change something does not prove that
	// a page of ours made it. Nil: there are no sessions.
	Sessions func(*http.Request) (account.Account, error)

	// Defaults complete what is asked of a new key that has this scheme and no other. What
	// is asked explicitly stays.
	Defaults map[string]func(*gatehouse.NewKey)
}

// Handler is the API. Use [New].
type Handler struct {
	c       Config
	gate    *gate.Gate
	api     huma.API
	mounted []mounted
	routes  map[string]*route // by pattern
	names   map[string]bool   // of input
	flights flights
	tenants *gatehouse.Tenants
	book    *gate.Book // of RuleStore
	ends    ends
	waits   waits
	drained chan struct{} // closed by Drain
	spec    []byte        // the OpenAPI document
	page    []byte        // the reference page
}

// New makes the API. It fails where a key could not be asked for.
func New(c Config) (*Handler, error) {
	h := &Handler{
		c: c, routes: map[string]*route{}, names: map[string]bool{}, tenants: gatehouse.NewTenants(c.Tenants, nil), book: gate.NewBook(c.RuleStore, gate.Rule{}),
		ends: ends{store: c.Notices, people: c.Directory, now: time.Now}, drained: make(chan struct{}),
	}
	if h.c.Rules == nil {
		h.c.Rules = h.book
	}
	var err error
	h.gate, err = gate.New(c.Authority, gate.Options{Proxies: c.Proxies, MaxBody: large.MaxBody, Strip: c.Strip, Denials: h.denials, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("new API: %w", err)
	}
	a := &adapter{}
	h.api = huma.NewAPI(h.config(), a)
	for _, o := range h.operations() {
		op := o.document()
		o.register(h, op)
		h.mounted = append(h.mounted, mounted{o.route, a.op, a.handler})
		h.routes[o.pattern()] = &o.route
	}
	h.learnNames()
	if h.spec, err = h.document(); err != nil {
		return nil, err
	}
	h.page, err = h.reference()
	h.takeEmptyBytes()
	return h, err
}

// Socket is the API for the admin socket.
func (h *Handler) Socket() http.Handler { return h.mount(false) }

// Public is the API for everybody else: its callers show a credential.
func (h *Handler) Public() http.Handler { return h.mount(true) }

// operations is the table of routes.
func (h *Handler) operations() []operation {
	var all []operation
	for _, some := range [][]operation{
		h.selfOperations(), h.keyOperations(), h.lifeOperations(), h.rotationOperations(), h.verifyOperations(), h.revocationOperations(), h.importOperations(),
		h.accountOperations(), h.serviceOperations(), h.tenantOperations(), h.ruleOperations(), h.usageOperations(),
		h.auditOperations(), h.attemptOperations(), h.signingOperations(), h.keyringOperations(), h.clusterOperations(), h.docsOperations(),
	} {
		all = append(all, some...)
	}
	return all
}
