// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// newAccountPage is the form that makes the account of a person.
type newAccountPage struct {
	Email   string // as typed
	Role    string
	Pending bool
	Roles   []string
	Once    string // of the form as it was sent first; empty: a new one
	Problem string
}

func (v *visit) showNewAccount() error {
	return v.newAccountForm(&newAccountPage{Role: "member"})(http.StatusOK)
}

// newAccountForm shows the form with a status.
func (v *visit) newAccountForm(page *newAccountPage) func(int) error {
	return func(status int) (err error) {
		if page.Roles, err = v.roles(); err != nil {
			return err
		}
		return v.show(status, "operate-account-new.html", "New account", page)
	}
}

func (v *visit) createAccount() error {
	field := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	page := &newAccountPage{Email: field("email"), Role: field("role"), Pending: field("pending") != "", Once: v.r.PostFormValue("once")}
	n := api.NewAccount{Email: page.Email, Role: page.Role, Password: v.r.PostFormValue("password"), State: string(gatehouse.PrincipalActive)}
	if page.Pending {
		n.State = string(gatehouse.PrincipalPending)
	}
	a, err := v.api.CreateAccount(v.r.Context(), n)
	if err != nil {
		return v.refusedOr(err, &page.Problem, v.newAccountForm(page))
	}
	return v.to(accountAt(a.UID), "account-created")
}
