// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) attemptOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodGet, Path: "/v1/attempts", ID: "listAttempts", Tag: "audit", Summary: "Read the newest attempts", Status: http.StatusOK,
			Text:   "They tell which key a credential named although its proof failed.",
			limits: small, Scope: gatehouse.ScopeAuditRead, Everyone: true,
		}, h.listAttempts),
	}
}

type attemptsAnswer struct{ Body api.Attempts }

func (h *Handler) listAttempts(ctx context.Context, c *caller, in *struct {
	Key   string `query:"key" maxLength:"128" doc:"id of a key: those of this key only"`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"rows at most"`
}) (*attemptsAnswer, error) {
	attempts, err := h.c.Attempts.ListAttempts(ctx, gatehouse.AttemptQuery{Tenant: c.actor.Tenant, KeyID: in.Key, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &attemptsAnswer{Body: api.Attempts{Attempts: []api.Attempt{}}}
	uids := map[string]string{"": ""}
	for i := range attempts {
		a := &attempts[i]
		uid, err := c.uid(ctx, a.Principal, uids)
		if err != nil {
			return nil, err
		}
		row := api.Attempt{Time: a.Time, Outcome: a.Outcome, Scheme: a.Scheme, KeyID: a.KeyID, Owner: uid, UserAgent: a.UserAgent}
		if a.Peer.IsValid() {
			row.Peer = a.Peer.String()
		}
		out.Body.Attempts = append(out.Body.Attempts, row)
	}
	return out, nil
}
