// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// reaches reports whether the caller may know of an account: where it manages no others, of
// its own and of the service accounts that this owns. A service account owns none, so its
// keys reach neither its owner nor its siblings.
func (c *caller) reaches(a *account.Account) bool {
	own := c.principal()
	return c.everyone() || own != "" && (a.ID == own || a.Owner == own)
}

// find reads an account of the caller's tenant by e-mail address or uid. To a caller that
// manages no others there is none but its own and its service accounts. gatehouse.ErrNotFound.
func (c *caller) find(ctx context.Context, ref string) (account.Account, error) {
	by := account.ByUID
	if strings.Contains(ref, "@") {
		by = account.ByEmail
	}
	a, err := c.directory.Account(ctx, by, ref)
	if err == nil && !c.reaches(&a) {
		return account.Account{}, gatehouse.ErrNotFound
	}
	return a, err
}

// reach reads a key that the caller may know of, and tells as whom it does what it does to the
// key. gatehouse.ErrNotFound.
func (h *Handler) reach(ctx context.Context, c *caller, kid string) (gatehouse.Key, gatehouse.Actor, error) {
	k, err := h.c.Authority.Get(ctx, c.actor, kid)
	if !errors.Is(err, gatehouse.ErrNotFound) || c.everyone() {
		return k, c.actor, err
	}
	looking := c.actor
	looking.Everyone = true // the ground knows nothing of owners: see whose it is
	if k, err = h.c.Authority.Get(ctx, looking, kid); err != nil {
		return gatehouse.Key{}, c.actor, err
	}
	a, err := c.directory.Account(ctx, account.ByID, k.Principal)
	if err == nil && !c.reaches(&a) {
		err = gatehouse.ErrNotFound
	}
	if err != nil {
		return gatehouse.Key{}, c.actor, err
	}
	return k, c.actorFor(a.ID), nil
}

// actorFor is as whom the caller does something to the keys of a principal that it reaches;
// empty: its own. To those of its service accounts it may do what it may do to its own; a key
// is bound by all that binds it for its own principal. Events name the caller.
func (c *caller) actorFor(principal string) gatehouse.Actor {
	actor := c.actor
	switch {
	case c.everyone() || principal == "" || principal == c.principal():
	case actor.Via != nil:
		via := *actor.Via
		via.Principal = principal
		actor.Via = &via
	default:
		actor.Everyone = true
	}
	return actor
}

// mayTouch refuses what would let a caller speak for somebody with more than it: what
// belongs to a superadministrator, service accounts too, is changed by superadministrators
// and the operator, and a service account that manages others by who does so too.
// gatehouse.ErrForbidden.
func (c *caller) mayTouch(ctx context.Context, a *account.Account) error {
	if c.superadmin() || a.ID == c.principal() {
		return nil
	}
	if a.Role == roleSuperadmin || manages(a.Role) && !c.everyone() { // whoever owns it
		return gatehouse.ErrForbidden
	}
	if a.Owner == "" || a.Owner == c.principal() {
		return nil
	}
	owner, err := c.directory.Account(ctx, account.ByID, a.Owner)
	if err == nil && owner.Role == roleSuperadmin {
		err = gatehouse.ErrForbidden
	}
	return err
}

// mayGive refuses to let a caller that manages no others give keys of its service accounts a
// scope that is worth more in their hands than in its own. *refusal.
func (h *Handler) mayGive(c *caller, owner *account.Account, scopes gatehouse.Scopes) error {
	if c.everyone() || owner.ID == c.principal() {
		return nil
	}
	for _, rt := range h.routes {
		if rt.Services && scopes.Holds(rt.Scope) {
			return &refusal{
				Status: http.StatusForbidden, Code: "forbidden", Title: "The caller may not do this",
				Detail: "the scope " + string(rt.Scope) + " is given to a service account's key by who has the role admin or superadmin",
			}
		}
	}
	return nil
}

// mayChange refuses callers that may not change the key for whose it is, or may not leave it
// with these scopes (nil: those it has), and tells as whom they change it.
// gatehouse.ErrNotFound, gatehouse.ErrForbidden, *refusal.
func (h *Handler) mayChange(ctx context.Context, c *caller, kid string, scopes gatehouse.Scopes) (gatehouse.Actor, error) {
	return h.may(ctx, c, kid, func(k *gatehouse.Key, owner *account.Account) error {
		if scopes == nil {
			scopes = k.Scopes
		}
		return h.mayGive(c, owner, scopes)
	})
}

// mayEnd is mayChange for what only takes away: it leaves nobody with any scope.
func (h *Handler) mayEnd(ctx context.Context, c *caller, kid string) (gatehouse.Actor, error) {
	return h.may(ctx, c, kid, func(*gatehouse.Key, *account.Account) error { return nil })
}

func (h *Handler) may(ctx context.Context, c *caller, kid string, give func(*gatehouse.Key, *account.Account) error) (gatehouse.Actor, error) {
	if c.superadmin() { // whether the key is there the ground says
		return c.actor, nil
	}
	k, actor, err := h.reach(ctx, c, kid)
	if err != nil {
		return actor, err
	}
	owner, err := c.directory.Account(ctx, account.ByID, k.Principal)
	if err == nil {
		err = c.mayTouch(ctx, &owner)
	}
	if err == nil {
		err = give(&k, &owner)
	}
	return actor, err
}
