// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/seed14544106/gatehouse/api"
)

// Attempts lists the newest attempts, of one key or of all (empty), limit at most (1 to
// 1,000).
func (c *Client) Attempts(ctx context.Context, kid string, limit int) (out api.Attempts, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if kid != "" {
		q.Set("key", kid)
	}
	err = c.call(ctx, http.MethodGet, "/v1/attempts?"+q.Encode(), nil, &out)
	return out, err
}
