// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSession: who signed in at Barong's door reaches the native API with the same session.
// What changes something needs its CSRF token, and a fresh code where a second factor is on.
func TestSession(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "", readyKey(t))
	const email, password = "owner@example.com", "Correct-horse-7-battery"
	s.gatehouse(password+"\n", "account", "create", email, "--password-stdin")
	h := &holder{t: t, base: "http://" + s.addr, email: email, password: password}
	h.must(http.StatusOK, h.signIn(""))
	if r := h.must(http.StatusOK, h.call(http.MethodGet, "/v1/self", nil)); !strings.Contains(r.body, email) {
		t.Errorf("self: %s", r.body)
	}
	revoke := func(headers ...string) reply {
		return h.call(http.MethodPost, "/v1/keys/revoke", map[string]string{"owner": email}, headers...)
	}
	h.must(http.StatusOK, revoke())
	csrf := h.csrf
	for _, wrong := range []string{"", "0123456789abcdef0123"} {
		h.csrf = wrong
		h.must(http.StatusForbidden, revoke())
	}
	h.csrf = csrf
	h.must(http.StatusForbidden, h.call(http.MethodGet, "/v1/accounts", nil)) // a member manages nobody
	h.enableOTP()
	if r := h.must(http.StatusForbidden, revoke()); !strings.Contains(r.body, "code_missing") {
		t.Errorf("without a code: %s", r.body)
	}
	code := h.code()
	h.must(http.StatusOK, revoke("Gatehouse-Code", code))
	if r := h.must(http.StatusForbidden, revoke("Gatehouse-Code", code)); !strings.Contains(r.body, "code_invalid") {
		t.Errorf("the same code again: %s", r.body)
	}
	h.must(http.StatusOK, h.call(http.MethodDelete, "/api/v2/barong/identity/sessions", nil))
	h.must(http.StatusUnauthorized, h.call(http.MethodGet, "/v1/self", nil))
}
