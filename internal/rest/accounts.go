// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// find reads an account by e-mail address or uid.
func (h *Handler) find(ctx context.Context, ref string) (account.Account, error) {
	if strings.Contains(ref, "@") {
		return h.directory.Account(ctx, account.ByEmail, ref)
	}
	return h.directory.Account(ctx, account.ByUID, ref)
}

func (h *Handler) createAccount(w http.ResponseWriter, r *http.Request) {
	var in api.NewAccount
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	if in.State == "" {
		in.State = string(gatehouse.PrincipalActive)
	}
	a, err := h.directory.CreateAccount(r.Context(), h.operator(r), account.NewAccount{
		Email: in.Email, Username: in.Username, Role: in.Role, Level: in.Level,
		State: gatehouse.PrincipalState(in.State), Password: gatehouse.NewSecret(in.Password),
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusCreated, accountOut(&a))
}

func (h *Handler) listAccounts(w http.ResponseWriter, r *http.Request) {
	offset, limit, err := page(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	as, total, err := h.directory.List(r.Context(), account.Query{Tenant: h.tenant, Offset: offset, Limit: limit})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := api.Accounts{Accounts: []api.Account{}, Total: total}
	for i := range as {
		out.Accounts = append(out.Accounts, accountOut(&as[i]))
	}
	answer(w, http.StatusOK, out)
}

func (h *Handler) showAccount(w http.ResponseWriter, r *http.Request) {
	a, err := h.find(r.Context(), r.PathValue("ref"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, accountOut(&a))
}

func (h *Handler) setState(w http.ResponseWriter, r *http.Request) {
	var in api.NewState
	if err := read(r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	h.onAccount(w, r, func(id string) error {
		return h.directory.SetState(r.Context(), h.operator(r), id, gatehouse.PrincipalState(in.State))
	})
}

func (h *Handler) resetOTP(w http.ResponseWriter, r *http.Request) {
	h.onAccount(w, r, func(id string) error {
		return h.directory.ResetOTP(r.Context(), h.operator(r), id)
	})
}

// onAccount changes an account and answers with what it is then.
func (h *Handler) onAccount(w http.ResponseWriter, r *http.Request, change func(id string) error) {
	a, err := h.find(r.Context(), r.PathValue("ref"))
	if err == nil {
		err = change(a.ID)
	}
	if err == nil {
		a, err = h.directory.Account(r.Context(), account.ByID, a.ID)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, accountOut(&a))
}

func accountOut(a *account.Account) api.Account {
	kind := "account"
	if a.Kind == gatehouse.PrincipalService {
		kind = "service"
	}
	return api.Account{
		UID: a.UID, Tenant: a.Tenant, Kind: kind, Email: a.Email, Username: a.Username, Role: a.Role, Level: a.Level,
		State: string(a.State), OTP: a.OTP, Created: a.Created, Updated: a.Updated,
	}
}
