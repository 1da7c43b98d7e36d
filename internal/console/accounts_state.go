// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// stateWord is a change of an account's state, in words.
type stateWord struct {
	title, button string
	danger        bool // the account stops: it has to be typed who it is
}

var stateWords = map[gatehouse.PrincipalState]stateWord{
	gatehouse.PrincipalActive:   {"Make active", "Make the account active", false},
	gatehouse.PrincipalPending:  {"Make pending", "Make the account pending", false},
	gatehouse.PrincipalLocked:   {"Lock", "Lock the account", true},
	gatehouse.PrincipalBanned:   {"Ban", "Ban the account", true},
	gatehouse.PrincipalDeleted:  {"Delete", "Delete the account", true},
	gatehouse.PrincipalDisabled: {"Disable", "Disable the account", true},
}

// statePage asks to confirm another state of an account.
type statePage struct {
	Account       api.Account
	Services      []*shownService // the oldest that go with it
	State         string          // the new one
	Title, Button string
	Danger        bool
	Own           bool   // it is the account of the reader
	Word          string // that has to be typed; empty: none
	Typed         string // in its place
	Once          string // of the form as it was sent first; empty: a new one
	Problem       string
}

// statePage reads the account of the path, and puts the new state into words.
func (v *visit) statePage(state string) (*statePage, error) {
	a, err := v.api.Account(v.r.Context(), v.r.PathValue("uid"))
	if err != nil {
		return nil, err
	}
	word, known := stateWords[gatehouse.PrincipalState(state)]
	if !known {
		return nil, errForm
	}
	page := &statePage{Account: a, State: state, Title: word.title, Button: word.button, Danger: word.danger, Own: a.UID == v.account.UID, Once: v.r.PostFormValue("once"), Typed: v.r.PostFormValue("confirm")}
	if word.danger {
		page.Word = a.UID[max(0, len(a.UID)-4):]
	}
	page.Services, _, err = v.servicesOf(&a)
	return page, err
}

// stateForm shows the page with a status.
func (v *visit) stateForm(page *statePage) func(int) error {
	return func(status int) error {
		return v.show(status, "operate-account-state.html", page.Title, page)
	}
}

func (v *visit) showAccountState() error {
	page, err := v.statePage(v.r.URL.Query().Get("state"))
	if err != nil {
		return err
	}
	if page.Account.State == page.State {
		return v.to(accountAt(page.Account.UID), "")
	}
	return v.stateForm(page)(http.StatusOK)
}

func (v *visit) setAccountState() error {
	page, err := v.statePage(v.r.PostFormValue("state"))
	if err != nil {
		return err
	}
	if page.Word != "" && !v.confirms(page.Word) {
		page.Problem = "Type the last characters of the user id, as they are shown, to confirm. Nothing was done."
		return v.stateForm(page)(http.StatusUnprocessableEntity)
	}
	a, err := v.api.SetAccountState(v.r.Context(), page.Account.UID, page.State)
	if err != nil {
		return v.refusedOr(err, &page.Problem, v.stateForm(page))
	}
	if page.Own && page.Danger {
		return v.to("/sign-in", "")
	}
	done := "account-state"
	if _, left, err := v.servicesOf(&a); err == nil && left {
		done = "account-state-left"
	}
	return v.to(accountAt(a.UID), done)
}
