// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"slices"
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
		Asked:  client.AccountQuery{Kind: get("kind"), Owner: get("owner"), State: get("state"), Role: get("role"), Text: strings.TrimSpace(get("find"))},
		States: accountStates,
	}
	status := http.StatusOK
	found, err := v.api.AccountPage(v.r.Context(), page.Asked, client.Page{Cursor: get("cursor"), Limit: rows})
	if err != nil {
		if status, page.Problem, err = v.answered(err); err != nil {
			return err
		}
	}
	for _, a := range found.Accounts {
		if find := page.Asked.Text; find != "" && (strings.EqualFold(a.Email, find) || strings.EqualFold(a.UID, find)) {
			return v.to(accountAt(a.UID), "")
		}
	}
	page.Accounts = found.Accounts
	page.First, page.More = v.pager("/operate/accounts", "cursor", found.Next)
	return v.show(status, "operate-accounts.html", "Accounts", page)
}

// accountAt is where the page of an account is.
func accountAt(uid string) string { return "/operate/accounts/" + url.PathEscape(uid) }

// accountPage is one account.
type accountPage struct {
	Account  api.Account
	Role     string // as typed
	Roles    []string
	Level    string
	State    string
	Limits   string
	States   []gatehouse.PrincipalState
	Keys     []api.Key
	More     bool            // it has more keys
	Swept    bool            // some keys were disabled with the account
	Services []*shownService // the oldest that belong to it
	Left     bool            // it is active, and some of them are not
	Problem  string
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
		Account: a, Keys: keys.Keys, More: keys.Next != "", Swept: slices.ContainsFunc(keys.Keys, swept), States: accountStates, Problem: problem,
		Role: a.Role, Level: strconv.Itoa(a.Level), State: a.State, Limits: limitLines(a.Limits),
	}
	if page.Services, page.Left, err = v.servicesOf(&a); err != nil {
		return err
	}
	if page.Roles, err = v.roles(); err != nil {
		return err
	}
	for name, field := range map[string]*string{"role": &page.Role, "level": &page.Level, "limits": &page.Limits} {
		if v.r.PostForm.Has(name) {
			*field = v.r.PostFormValue(name)
		}
	}
	return v.show(status, "operate-account.html", "Account", page)
}

// swept reports whether a key was disabled because of its account: it left the active state, or
// its second factor was turned off.
func swept(k api.Key) bool {
	return k.State == gatehouse.StateDisabled.String() && k.StateText == "inactive"
}

// servicesOf are the oldest service accounts that belong to a, and whether some of them are out
// of use although a is active: they left with it, and nothing comes back by itself.
func (v *visit) servicesOf(a *api.Account) (out []*shownService, left bool, err error) {
	if a.Kind == kindService {
		return nil, false, nil
	}
	found, err := v.api.AccountPage(v.r.Context(), client.AccountQuery{Kind: kindService, Owner: a.UID}, client.Page{Limit: rows})
	for _, one := range found.Accounts {
		s := &shownService{one}
		out, left = append(out, s), left || !s.Active() && a.State == string(gatehouse.PrincipalActive)
	}
	return out, left, err
}

// roles are those that forms offer: the ones that Gatehouse knows, and those of the oldest
// accounts.
func (v *visit) roles() ([]string, error) {
	out := []string{"member", "admin", roleSuperadmin}
	found, err := v.api.AccountPage(v.r.Context(), client.AccountQuery{}, client.Page{Limit: rows})
	for i := range found.Accounts {
		if role := found.Accounts[i].Role; !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	return out, err
}

func (v *visit) changeAccount() error {
	ctx, uid, what := v.r.Context(), v.r.PathValue("uid"), v.r.PathValue("what")
	var err error
	switch what {
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
