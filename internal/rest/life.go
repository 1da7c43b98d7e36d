// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// lifeOperations take keys out of use and back.
func (h *Handler) lifeOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/disable", ID: "disableKey", Tag: "keys", Summary: "Take a key out of use, reversibly", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeKeysUpdate, again: h.keyAgain,
		}, h.disableKey),
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/enable", ID: "enableKey", Tag: "keys", Summary: "Make a disabled key active again", Status: http.StatusOK,
			limits: small, Scope: gatehouse.ScopeKeysUpdate, again: h.keyAgain,
		}, h.enableKey),
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/{kid}/revoke", ID: "revokeKey", Tag: "keys", Summary: "End a key for good", Status: http.StatusOK,
			Text:   "No verification that begins after the answer succeeds. The body may be left out.",
			limits: small, Scope: gatehouse.ScopeKeysRevoke, again: h.keyAgain,
		}, h.revokeKey),
		does(route{
			Method: http.MethodPost, Path: "/v1/keys/revoke", ID: "revokeKeys", Tag: "keys", Summary: "End the keys of an account", Status: http.StatusOK,
			Text:   "Of one scheme, or all of them. What was ended before an error stays ended.",
			limits: small, Scope: gatehouse.ScopeKeysRevoke, Repeat: repeatAnswer,
		}, h.revokeKeys),
	}
}

func (h *Handler) disableKey(ctx context.Context, c *caller, in *KeyPath) (*keyOut, error) {
	return h.end(ctx, c, in.Kid, h.c.Authority.Disable)
}

func (h *Handler) enableKey(ctx context.Context, c *caller, in *KeyPath) (*keyOut, error) {
	return h.change(ctx, c, in.Kid, h.c.Authority.Enable)
}

func (h *Handler) revokeKey(ctx context.Context, c *caller, in *struct {
	KeyPath
	Body *api.Revoke
}) (*keyOut, error) {
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return h.end(ctx, c, in.Kid, func(ctx context.Context, a gatehouse.Actor, kid string) (gatehouse.Key, error) {
		return h.c.Authority.Revoke(ctx, a, kid, reason)
	})
}

type revokedOut struct{ Body api.RevokedKeys }

func (h *Handler) revokeKeys(ctx context.Context, c *caller, in *struct{ Body api.RevokeKeys }) (*revokedOut, error) {
	owner, err := c.find(ctx, in.Body.Owner)
	if err != nil {
		return nil, err
	}
	if err := c.mayTouch(ctx, &owner); err != nil {
		return nil, err
	}
	n, err := h.c.Authority.RevokeAll(ctx, c.actorFor(owner.ID), owner.ID, in.Body.Scheme)
	return &revokedOut{Body: api.RevokedKeys{Revoked: n}}, err
}
