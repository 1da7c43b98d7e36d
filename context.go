// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import "context"

type contextKey struct{}

// NewContext returns a context that carries a granted decision to the handlers behind a
// gate. The decision must not be changed afterwards.
func NewContext(ctx context.Context, d *Decision) context.Context {
	return context.WithValue(ctx, contextKey{}, d)
}

// FromContext returns the decision that let the request pass: who is asking, by which
// key, with which scopes. Nil: the request came through no gate.
func FromContext(ctx context.Context) *Decision {
	d, _ := ctx.Value(contextKey{}).(*Decision)
	return d
}
