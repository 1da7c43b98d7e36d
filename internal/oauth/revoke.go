// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"context"
	"errors"

	"github.com/seed14544106/gatehouse"
)

// revoke ends the key that a token is of (RFC 7009).
//
// Whoever has the token could use it, so having it is enough to end it: who finds a token
// can make it harmless, and needs no key of its own. With a credential besides, that one
// must be the same key's, or hold keys:revoke by name. A token whose key cannot be used for
// now, being disabled or too early, is revoked too: it could come back. The same answer
// is given whether there was something to revoke (section 2.2).
func (d *Door) revoke(c *call) (any, error) {
	by, err := d.caller(c)
	if err != nil {
		return nil, err
	}
	token := c.form["token"]
	switch {
	case token == "":
		return nil, invalidRequest("token is missing")
	case isJWT(token):
		return nil, errTokenType
	}
	of, err := d.holder(c, by, token)
	if err != nil || of == nil {
		return struct{}{}, err
	}
	actor := gatehouse.Actor{
		Kind: gatehouse.ActorKey, ID: of.ID, Tenant: of.Tenant, Via: of, Address: c.peer, UserAgent: c.UserAgent(),
	}
	if by != nil && by.Key.ID != of.ID {
		if !by.Key.Scopes.Holds(gatehouse.ScopeKeysRevoke) {
			return nil, lacks(gatehouse.ScopeKeysRevoke)
		}
		actor.ID, actor.Via, actor.Everyone = by.Key.ID, by.Key, true
	}
	_, err = d.c.Authority.Revoke(c.Context(), actor, of.ID, "by its token (RFC 7009)")
	if errors.Is(err, gatehouse.ErrNotFound) { // somebody was faster and deleted it
		err = nil
	}
	return struct{}{}, err
}

// holder is the key that a token is of, in the tenant of the caller where there is one. Nil:
// no key's. A wrong token counts as a guess.
func (d *Door) holder(c *call, by *gatehouse.Decision, token string) (*gatehouse.Key, error) {
	r := gatehouse.Request{Header: bearerHeader(token)}
	if by != nil {
		r.Tenant = by.Key.Tenant
	}
	var of *gatehouse.Key
	err := d.guess(c, func(ctx context.Context) (bool, error) {
		i, err := d.c.Authority.Inspect(ctx, &r)
		of = i.Key
		return of != nil, err
	})
	return of, err
}
