// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

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
		limits:  small, AnyCaller: true, SocketOnly: true, DefaultTenantOnly: true,
	}, h.getCluster)}
}

type clusterOut struct{ Body api.Cluster }

func (h *Handler) getCluster(ctx context.Context, _ *caller, _ *struct{}) (*clusterOut, error) {
	return &clusterOut{Body: h.c.Cluster(ctx)}, nil
}
