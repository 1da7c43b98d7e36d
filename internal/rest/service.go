// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// serviceOperations are the routes of service accounts. Their owners read them, and manage
// their keys as their own. Making them is for who manages others: a service account has limits
// of its own, so whoever could make one could make a way around the limits of its owner.
func (h *Handler) serviceOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/service-accounts", ID: "createServiceAccount", Tag: "accounts", Summary: "Make a service account", Status: http.StatusCreated,
			Text:   "It never signs in. With an owner it has the owner's state and level, and goes where the owner goes; without one it is active.",
			limits: small, Scope: gatehouse.ScopeAccounts, Everyone: true, again: h.accountAgain,
		}, h.createServiceAccount),
		does(route{
			Method: http.MethodGet, Path: "/v1/service-accounts", ID: "listServiceAccounts", Tag: "accounts", Summary: "List service accounts", Status: http.StatusOK,
			Text:   "The oldest first. Callers that manage no others see their own.",
			limits: small, Scope: gatehouse.ScopeAccountsRead,
		}, h.listServiceAccounts),
	}
}

func (h *Handler) createServiceAccount(ctx context.Context, c *caller, in *struct{ Body api.NewServiceAccount }) (*accountAnswer, error) {
	limits, err := checkedLimits(in.Body.Limit)
	if err == nil {
		err = c.newRole(in.Body.Role)
	}
	if err != nil {
		return nil, err
	}
	n := account.NewAccount{Kind: gatehouse.PrincipalService, Username: in.Body.Name, Role: in.Body.Role, State: gatehouse.PrincipalActive, Limits: limits}
	if in.Body.Owner != "" {
		owner, err := c.find(ctx, in.Body.Owner)
		if err == nil {
			err = c.mayTouch(ctx, &owner)
		}
		if err != nil {
			return nil, err
		}
		n.Owner = owner.ID
	}
	a, err := c.directory.CreateAccount(ctx, c.actor, n)
	return c.shownAccount(ctx, &a, named(err))
}

// named gives an error about a user name the name that the field has here.
func named(err error) error {
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok && e.Field == "username" {
		return &gatehouse.InvalidError{Field: "name", Problem: e.Problem}
	}
	if e, ok := errors.AsType[*account.TakenError](err); ok && e.Field == "username" {
		return &account.TakenError{Field: "name"}
	}
	return err
}

func (h *Handler) listServiceAccounts(ctx context.Context, c *caller, in *struct {
	Page
	Owner string `query:"owner" maxLength:"255" doc:"e-mail address or uid: those of this account"`
}) (*accountsAnswer, error) {
	return h.listAccounts(ctx, c, &accountFilter{Page: in.Page, Kind: kindService, Owner: in.Owner})
}
