// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// clusterOperations are the routes about the process itself.
func (h *Handler) clusterOperations() []operation {
	if h.c.Cluster == nil {
		return nil
	}
	return []operation{does(route{
		Method: http.MethodGet, Path: "/v1/cluster", ID: "getCluster", Tag: "cluster", Status: http.StatusOK,
		Summary: "Read how this process and the others stand",
		Text:    "What is wrong with a part is told in full at the admin socket and in the log only.",
		limits:  small, Scope: gatehouse.ScopeSystem, DefaultTenantOnly: true,
	}, h.getCluster)}
}

type clusterOut struct{ Body api.Cluster }

func (h *Handler) getCluster(ctx context.Context, c *caller, _ *struct{}) (*clusterOut, error) {
	out := h.c.Cluster(ctx)
	if c.operator() {
		return &clusterOut{Body: out}, nil
	}
	// What the feed tells is in words of ours.
	for name, p := range map[string]*api.Part{"store": &out.Store, "nonces": &out.Nonces, "limits": &out.Limits, "keyring": &out.Keyring, "rules": out.Rules} {
		if p != nil {
			h.veil(ctx, name, &p.Problem)
		}
	}
	return &clusterOut{Body: out}, nil
}

// veiled stands for a problem whose text may name addresses, files and users of databases,
// which are for who is on the machine.
const veiled = "something is wrong here; the server's log says what"

// veil keeps a problem from callers that are not on the machine, and writes it down.
func (h *Handler) veil(ctx context.Context, what string, problem *string) {
	if *problem != "" {
		h.c.Log.WarnContext(ctx, "not well", "part", what, "problem", *problem)
		*problem = veiled
	}
}
