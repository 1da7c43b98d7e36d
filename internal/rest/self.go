// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) selfOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/self", ID: "getSelf", Tag: "self", Summary: "Ask who the caller is and what it may", Status: http.StatusOK,
			limits: small, AnyCaller: true,
		}, h.getSelf),
		does(route{
			Method: http.MethodPost, Path: "/v1/self/revoke", ID: "revokeSelf", Tag: "self", Summary: "End the key that the call is made with", Status: http.StatusOK,
			Text:   "Whoever holds a key can end it, such as one that was found where it should not be. The body may be left out.",
			limits: small, AnyCaller: true, Repeat: repeatFresh,
		}, h.revokeSelf),
	}
}

type selfOut struct{ Body api.Self }

func (h *Handler) getSelf(ctx context.Context, c *caller, _ *struct{}) (*selfOut, error) {
	out := api.Self{Tenant: c.actor.Tenant, Everyone: c.everyone(), Scopes: []string{}}
	for _, m := range gatehouse.ManagementScopes() {
		out.Scopes = append(out.Scopes, string(m.Scope))
	}
	if id := c.principal(); id != "" {
		a, err := c.directory.Account(ctx, account.ByID, id)
		if err != nil {
			return nil, err
		}
		body := accountOut(&a)
		out.Account = &body
	}
	if d := c.decision; d != nil {
		k := keyBody(d.Key, d.Principal.UID)
		out.Key, out.Scopes, out.Ends, out.Deprecated = &k, k.Scopes, timeOut(d.Sunset), timeOut(d.Deprecated)
		if out.Ends == nil {
			out.Ends = k.Expires
		}
	}
	return &selfOut{Body: out}, nil
}

func (h *Handler) revokeSelf(ctx context.Context, c *caller, in *struct{ Body *api.Revoke }) (*keyOut, error) {
	if c.decision == nil {
		return nil, &refusal{Status: http.StatusForbidden, Code: "forbidden", Title: "The caller may not do this", Detail: "the call was not made with a key"}
	}
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	k, err := h.c.Authority.Revoke(ctx, c.actor, c.decision.Key.ID, reason)
	return h.shown(ctx, c, &k, err)
}
