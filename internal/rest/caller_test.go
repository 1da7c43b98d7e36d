// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// manageAll are all management scopes.
func manageAll() []string {
	var out []string
	for _, m := range gatehouse.ManagementScopes() {
		out = append(out, string(m.Scope))
	}
	return out
}

// tenant makes a tenant.
func (h *house) tenant(name string) {
	h.t.Helper()
	if _, err := gatehouse.NewTenants(h.store, nil).Create(h.t.Context(), operator, name, "", nil); err != nil {
		h.t.Fatal(err)
	}
}

// keyOf makes an account with a role in a tenant, and a key of it.
func (h *house) keyOf(tenant, email, role string, scopes ...string) (api.Account, api.CreatedKey) {
	h.t.Helper()
	c := h.client
	if tenant != "" {
		c = c.InTenant(tenant)
	}
	a, err := c.CreateAccount(h.t.Context(), api.NewAccount{Email: email, Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	k, err := c.CreateKey(h.t.Context(), api.NewKey{Owner: email, Schemes: []string{"bearer"}, Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return a, k
}

// call sends a request to the public face with a token (empty: none) and further header
// fields as "Name: value".
func (h *house) call(token, line, body string, fields ...string) reply {
	h.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.public.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// code is the code of a problem.
func (r *reply) code(t *testing.T) string {
	t.Helper()
	if r.status < 400 {
		return ""
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Status != r.status || p.Title == "" {
		t.Errorf("%d is no problem: %s", r.status, r.body)
	}
	return p.Code
}
