// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// accountsPage is a page of the accounts.
type accountsPage struct {
	Asked    client.AccountQuery
	Find     string // e-mail address or uid that was looked for
	States   []gatehouse.PrincipalState
	Accounts []api.Account
	More     string // where the next page is; empty: this is the last
	First    string // where the first page is; empty: this is it
	Problem  string
}

// accountStates are those that an operator may choose from.
var accountStates = []gatehouse.PrincipalState{
	gatehouse.PrincipalActive, gatehouse.PrincipalPending, gatehouse.PrincipalLocked, gatehouse.PrincipalBanned, gatehouse.PrincipalDeleted, gatehouse.PrincipalDisabled,
}

func (v *visit) accounts() error {
	get := v.r.URL.Query().Get
	page := accountsPage{
		Asked: client.AccountQuery{Kind: get("kind"), Owner: get("owner"), State: get("state"), Role: get("role")},
		Find:  strings.TrimSpace(get("find")), States: accountStates,
	}
	var found api.Accounts
	var err error
	if page.Find != "" {
		var one api.Account
		if one, err = v.api.Account(v.r.Context(), page.Find); err == nil {
			return v.to(accountAt(one.UID), "")
		}
	} else {
		found, err = v.api.AccountPage(v.r.Context(), page.Asked, client.Page{Cursor: get("cursor"), Limit: rows})
	}
	var status int
	if status, page.Problem, err = v.answered(err); err != nil {
		return err
	}
	page.Accounts = found.Accounts
	page.First, page.More = v.pager("/operate/accounts", "cursor", found.Next)
	return v.show(status, "operate-accounts.html", "Accounts", page)
}

// accountAt is where the page of an account is.
func accountAt(uid string) string { return "/operate/accounts/" + url.PathEscape(uid) }

// accountPage is one account.
type accountPage struct {
	Account api.Account
	Role    string // as typed
	Level   string
	State   string
	Limits  string
	States  []gatehouse.PrincipalState
	Keys    []api.Key
	More    bool // it has more keys
	Problem string
}

func (v *visit) showAccount() error { return v.accountPage(http.StatusOK, "") }

// accountPage shows the account. With a problem it shows what was typed, too.
func (v *visit) accountPage(status int, problem string) error {
	ctx := v.r.Context()
	a, err := v.api.Account(ctx, v.r.PathValue("uid"))
	if err != nil {
		return err
	}
	keys, err := v.api.KeyPage(ctx, client.KeyQuery{Owner: a.UID}, client.Page{Limit: rows})
	if err != nil {
		return err
	}
	page := accountPage{
		Account: a, Keys: keys.Keys, More: keys.Next != "", States: accountStates, Problem: problem,
		Role: a.Role, Level: strconv.Itoa(a.Level), State: a.State, Limits: limitLines(a.Limits),
	}
	for name, field := range map[string]*string{"role": &page.Role, "level": &page.Level, "state": &page.State, "limits": &page.Limits} {
		if v.r.PostForm.Has(name) {
			*field = v.r.PostFormValue(name)
		}
	}
	return v.show(status, "operate-account.html", "Account", page)
}

func (v *visit) changeAccount() error {
	ctx, uid, what := v.r.Context(), v.r.PathValue("uid"), v.r.PathValue("what")
	var err error
	switch what {
	case "state":
		_, err = v.api.SetAccountState(ctx, uid, v.r.PostFormValue("state"))
	case "role":
		level, bad := strconv.Atoi(v.r.PostFormValue("level"))
		if bad != nil {
			return v.accountPage(http.StatusUnprocessableEntity, "Level: it is a number.")
		}
		_, err = v.api.UpdateAccount(ctx, uid, api.PatchAccount{Role: new(v.r.PostFormValue("role")), Level: &level})
	case "limits":
		var limits []api.Limit
		if limits, err = readLimits(v.r.PostFormValue("limits")); err == nil {
			_, err = v.api.UpdateAccount(ctx, uid, api.PatchAccount{Limits: &limits})
		}
	case "reset-otp":
		_, err = v.api.ResetOTP(ctx, uid)
	case "sign-out":
		err = v.signOutEverywhere(uid)
	default:
		return gatehouse.ErrNotFound
	}
	if status, text := v.refusal(err); text != "" {
		return v.accountPage(status, text)
	}
	if err != nil {
		return err
	}
	return v.to(accountAt(uid), "account-"+what)
}

// signOutEverywhere ends the sessions of an account but for the one that asks for it. The API
// has no such verb; a change that changes nothing lets it decide whether we may, and check
// the code of the second factor.
func (v *visit) signOutEverywhere(uid string) error {
	if _, err := v.api.UpdateAccount(v.r.Context(), uid, api.PatchAccount{}); err != nil {
		return err
	}
	directory := v.Directory.In(v.account.Tenant)
	a, err := directory.Account(v.r.Context(), account.ByUID, uid)
	if err != nil {
		return err
	}
	return directory.EndSessions(v.r.Context(), v.actor(), a.ID, v.id)
}
