// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"

	"github.com/seed14544106/gatehouse/api"
)

// Cluster reads how the server and those that share its database stand. What is wrong with
// one is told in full at the admin socket only.
func (c *Client) Cluster(ctx context.Context) (out api.Cluster, err error) {
	err = c.read(ctx, "/v1/cluster", &out)
	return out, err
}
