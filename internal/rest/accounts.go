// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

func (h *Handler) accountOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/accounts", ID: "createAccount", Tag: "accounts", Summary: "Make an account", Status: http.StatusCreated,
			Text:   "Without a password it cannot sign in.",
			limits: small, Scope: gatehouse.ScopeAccounts, Everyone: true, again: h.accountAgain,
		}, h.createAccount),
		does(route{
			Method: http.MethodGet, Path: "/v1/accounts", ID: "listAccounts", Tag: "accounts", Summary: "List accounts and service accounts", Status: http.StatusOK,
			Text:   "The oldest first. Filters narrow together.",
			limits: small, Scope: gatehouse.ScopeAccountsRead, Everyone: true,
		}, h.listAccounts),
		does(route{
			Method: http.MethodGet, Path: "/v1/accounts/{ref}", ID: "getAccount", Tag: "accounts", Summary: "Read an account", Status: http.StatusOK,
			Text:   "Callers that manage no others read their own and their service accounts.",
			limits: small, Scope: gatehouse.ScopeAccountsRead,
		}, h.getAccount),
		does(route{
			Method: http.MethodPatch, Path: "/v1/accounts/{ref}", ID: "updateAccount", Tag: "accounts", Summary: "Change an account's role, level, limits or password", Status: http.StatusOK,
			Text:   "Role and level are one change, limits another. Only superadministrators give the roles admin and superadmin. Only the operator on the machine sets a password, and nothing else with it; all sessions of the account end.",
			limits: small, Scope: gatehouse.ScopeAccounts, Everyone: true,
		}, h.updateAccount),
		does(route{
			Method: http.MethodPost, Path: "/v1/accounts/{ref}/state", ID: "setAccountState", Tag: "accounts", Summary: "Put an account into another state", Status: http.StatusOK,
			Text:   "Out of the active state its keys are disabled.",
			limits: small, Scope: gatehouse.ScopeAccounts, Everyone: true, again: h.accountAgain,
		}, h.setState),
		does(route{
			Method: http.MethodPost, Path: "/v1/accounts/{ref}/reset-otp", ID: "resetOTP", Tag: "accounts", Summary: "Turn an account's second factor off", Status: http.StatusOK,
			Text:   "Its keys are disabled.",
			limits: small, Scope: gatehouse.ScopeAccounts, Everyone: true, again: h.accountAgain,
		}, h.resetOTP),
	}
}

// AccountPath names an account.
type AccountPath struct {
	Ref string `path:"ref" maxLength:"255" doc:"e-mail address or uid"`
}

type accountAnswer struct{ Body api.Account }

func (h *Handler) createAccount(ctx context.Context, c *caller, in *struct{ Body api.NewAccount }) (*accountAnswer, error) {
	n := account.NewAccount{
		Email: in.Body.Email, Username: in.Body.Username, Role: in.Body.Role, Level: in.Body.Level,
		State: gatehouse.PrincipalState(in.Body.State), Password: gatehouse.NewSecret(in.Body.Password),
	}
	if n.State == "" {
		n.State = gatehouse.PrincipalActive
	}
	if err := c.newRole(n.Role); err != nil {
		return nil, err
	}
	a, err := c.directory.CreateAccount(ctx, c.actor, n)
	return c.shownAccount(ctx, &a, err)
}

// newRole refuses a role that an account is not to be made with; empty: the default one.
func (c *caller) newRole(role string) error {
	if role != "" {
		if err := account.CheckRole(role); err != nil {
			return err
		}
	}
	return c.mayGiveRole(role)
}

// mayGiveRole refuses roles that let their bearers manage others, but to the operator and to
// superadministrators in person: whoever has such a role is bound by nothing that a key is
// bound by. gatehouse.ErrForbidden.
func (c *caller) mayGiveRole(role string) error {
	if manages(role) && (!c.superadmin() || c.decision != nil) {
		return gatehouse.ErrForbidden
	}
	return nil
}

// accountAgain is the account of a change that was made before.
func (h *Handler) accountAgain(ctx context.Context, c *caller, id string) (any, error) {
	a, err := c.directory.Account(ctx, account.ByID, id)
	if err != nil {
		return nil, err
	}
	return c.accountBody(ctx, &a, map[string]string{})
}

// accountFilter is what a list of accounts is asked.
type accountFilter struct {
	Page
	Kind    string `query:"kind" enum:"account,service" doc:"people's accounts, or service accounts"`
	Owner   string `query:"owner" maxLength:"255" doc:"e-mail address or uid: the service accounts of this account"`
	State   string `query:"state" enum:"active,pending,locked,banned,deleted,disabled"`
	Role    string `query:"role" maxLength:"255"`
	Limited bool   `query:"limited" doc:"true: with limits of its own"`
	Text    string `query:"text" maxLength:"255" doc:"beginning of the e-mail address or the uid"`
}

type accountsAnswer struct{ Body api.Accounts }

const orderOffset byte = 1

func (h *Handler) listAccounts(ctx context.Context, c *caller, in *accountFilter) (*accountsAnswer, error) {
	at, err := parseCursor(in.Cursor, orderOffset)
	if err != nil {
		return nil, err
	}
	q := account.Query{State: gatehouse.PrincipalState(in.State), Role: in.Role, Limited: in.Limited, Text: in.Text, Offset: int(max(at.At, 0)), Limit: in.Limit}
	switch in.Kind {
	case kindAccount:
		q.Kind = gatehouse.PrincipalAccount
	case kindService:
		q.Kind = gatehouse.PrincipalService
	}
	if in.Owner != "" {
		owner, err := c.find(ctx, in.Owner)
		if err != nil {
			return nil, err
		}
		q.Owner = owner.ID
	}
	if !c.everyone() { // who asks for another's was told that there is none
		q.Owner = cmp.Or(q.Owner, c.principal())
	}
	as, total, err := c.directory.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &accountsAnswer{Body: api.Accounts{Accounts: []api.Account{}}}
	seen := map[string]string{}
	for i := range as {
		body, err := c.accountBody(ctx, &as[i], seen)
		if err != nil {
			return nil, err
		}
		out.Body.Accounts = append(out.Body.Accounts, body)
	}
	if next := q.Offset + len(as); len(as) > 0 && next < total {
		out.Body.Next = cursor{Order: orderOffset, At: int64(next)}.String()
	}
	return out, nil
}

func (h *Handler) getAccount(ctx context.Context, c *caller, in *AccountPath) (*accountAnswer, error) {
	a, err := c.find(ctx, in.Ref)
	return c.shownAccount(ctx, &a, err)
}

func (h *Handler) updateAccount(ctx context.Context, c *caller, in *struct {
	AccountPath
	Body api.PatchAccount
}) (*accountAnswer, error) {
	p := &in.Body
	if p.Password != nil {
		return h.setPassword(ctx, c, in.Ref, p)
	}
	var limits *[]gatehouse.Limit
	if err := convert(&limits, p.Limits, checkedLimits); err != nil {
		return nil, err
	}
	return c.changeAccount(ctx, in.Ref, func(d *account.Directory, a *account.Account) error {
		if err := c.mayMake(p.Role)(ctx, a); err != nil {
			return err
		}
		if limits != nil { // first: the caller may have another role after the other change
			if _, err := d.SetLimits(ctx, c.actor, a.ID, *limits); err != nil {
				return err
			}
		}
		if p.Role == nil && p.Level == nil {
			return nil
		}
		_, err := d.Judging(c.mayMake(p.Role)).SetRole(ctx, c.actor, a.ID, p.Role, p.Level)
		return err
	})
}

// mayMake judges whether the caller may change an account and give it the role; nil: the one it has.
func (c *caller) mayMake(role *string) func(context.Context, *account.Account) error {
	return func(ctx context.Context, a *account.Account) error {
		if err := c.mayTouch(ctx, a); err != nil || role == nil || *role == a.Role {
			return err
		}
		if err := account.CheckRole(*role); err != nil {
			return err
		}
		return errors.Join(c.mayGiveRole(*role), c.mayGiveRole(a.Role)) // to take one away is as much
	}
}

// setPassword gives an account another password, and changes nothing else. Whoever may do this
// may sign in as anybody, so it is for the operator alone.
func (h *Handler) setPassword(ctx context.Context, c *caller, ref string, p *api.PatchAccount) (*accountAnswer, error) {
	if !c.operator() {
		return nil, gatehouse.ErrForbidden
	}
	if p.Role != nil || p.Level != nil || p.Limits != nil {
		return nil, &gatehouse.InvalidError{Field: "password", Problem: "is changed alone"}
	}
	return c.changeAccount(ctx, ref, func(d *account.Directory, a *account.Account) error {
		return d.SetPassword(ctx, c.actor, a.ID, gatehouse.NewSecret(*p.Password))
	})
}

// checkedLimits reads limits that are set after something else was: they must not fail then.
func checkedLimits(in []api.Limit) ([]gatehouse.Limit, error) {
	limits, err := limitsIn(in)
	if err == nil {
		err = gatehouse.CheckLimits(limits)
	}
	return limits, err
}

func (h *Handler) setState(ctx context.Context, c *caller, in *struct {
	AccountPath
	Body api.NewState
}) (*accountAnswer, error) {
	return c.changeAccount(ctx, in.Ref, func(d *account.Directory, a *account.Account) error {
		return d.SetState(ctx, c.actor, a.ID, gatehouse.PrincipalState(in.Body.State))
	})
}

func (h *Handler) resetOTP(ctx context.Context, c *caller, in *AccountPath) (*accountAnswer, error) {
	return c.changeAccount(ctx, in.Ref, func(d *account.Directory, a *account.Account) error {
		return d.ResetOTP(ctx, c.actor, a.ID)
	})
}

// changeAccount changes an account, through a directory that judges whether the caller may, and
// answers with what it is then.
func (c *caller) changeAccount(ctx context.Context, ref string, change func(*account.Directory, *account.Account) error) (*accountAnswer, error) {
	a, err := c.find(ctx, ref)
	if err == nil {
		err = c.mayTouch(ctx, &a) // also where there is nothing to change
	}
	if err == nil {
		err = change(c.directory.Judging(c.mayTouch), &a)
	}
	if err == nil {
		a, err = c.directory.Account(ctx, account.ByID, a.ID)
	}
	return c.shownAccount(ctx, &a, err)
}

// shownAccount answers with an account that a verb returned.
func (c *caller) shownAccount(ctx context.Context, a *account.Account, err error) (*accountAnswer, error) {
	if err != nil {
		return nil, err
	}
	body, err := c.accountBody(ctx, a, map[string]string{})
	return &accountAnswer{Body: body}, err
}

// The kinds of accounts on the wire.
const (
	kindAccount = "account"
	kindService = "service"
)

// accountBody is an account as the wire has it, with whose it is. Uids are remembered in seen.
func (c *caller) accountBody(ctx context.Context, a *account.Account, seen map[string]string) (out api.Account, err error) {
	out = accountOut(a)
	if a.Owner != "" {
		out.Owner, err = c.uid(ctx, a.Owner, seen)
	}
	return out, err
}

// accountOut is an account as the wire has it, but for its owner.
func accountOut(a *account.Account) api.Account {
	kind := kindAccount
	if a.Kind == gatehouse.PrincipalService {
		kind = kindService
	}
	return api.Account{
		UID: a.UID, Tenant: a.Tenant, Kind: kind, Email: a.Email, Username: a.Username, Role: a.Role, Level: a.Level,
		State: string(a.State), OTP: a.OTP, Limits: limitsOut(a.Limits), Created: a.Created, Updated: a.Updated,
	}
}
