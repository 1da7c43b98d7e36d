// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/barong"
)

// bearerOf is the JWT that the gate makes for a session, as a service would see it.
func (h *house) bearerOf(s session) with {
	h.t.Helper()
	got := h.gate("GET", "api/v2/barong/resource/users/me", s.cookieOnly)
	if got.status != 200 {
		h.t.Fatalf("the gate refuses: %v", got)
	}
	return header("Authorization", got.header.Get("Authorization"))
}

// A JWT that was got before the account changed is no way around the change, nor is one
// that was kept.
func TestBearerEndsWithAChangeOfTheAccount(t *testing.T) {
	t.Parallel()
	const me = "/resource/users/me"
	for name, change := range map[string]func(h *house, id string){
		"nothing but time": func(h *house, _ string) { h.pass(61 * time.Second) },
		"ban": func(h *house, id string) {
			if err := h.directory.SetState(t.Context(), h.operator, id, gatehouse.PrincipalBanned); err != nil {
				t.Fatal(err)
			}
		},
		"any change": func(h *house, id string) {
			h.pass(2 * time.Second)
			if _, err := h.directory.SetData(t.Context(), h.operator, id, `{"a":1}`); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, options{})
			a := h.person("holder@example.com")
			old := h.bearerOf(h.signInAs("holder@example.com"))
			if got := h.api("GET", me, old); got.status != 200 {
				t.Fatalf("at once: %v", got)
			}
			change(h, a.ID)
			if got := h.api("GET", me, old); got.status != 401 {
				t.Errorf("afterwards: %v", got)
			}
			if got := h.api("POST", "/resource/otp/generate_qrcode", old); got.status != 401 {
				t.Errorf("enrolling a second factor: %v", got)
			}
		})
	}
}

// Rules hold for a bearer as for a session: its holder may have it from the gate.
func TestBearerIsUnderTheRules(t *testing.T) {
	t.Parallel()
	rules := barong.DefaultRules()
	rules.Permissions = append(rules.Permissions, barong.Permission{Role: "member", Verb: "PUT", Path: "api/v2/barong/resource/users/password", Action: "DROP"})
	rules.Restrictions = []barong.Restriction{{Category: "blacklist", Scope: "ip", Value: "198.51.100.7"}}
	h := open(t, options{door: func(c *barong.Config) { c.Rules = rules }})
	h.person("holder@example.com")
	token := h.bearerOf(h.signInAs("holder@example.com"))
	change := jsonBody(`{"old_password":"a","new_password":"b","confirm_password":"b"}`)
	h.refused("a dropped path", h.api("PUT", "/resource/users/password", token, change), 401, "authz.invalid_permission")
	h.refused("a blacklisted client", h.api("GET", "/resource/users/me", token, from("198.51.100.7")), 401, "authz.restrict.blacklist")
	if got := h.api("GET", "/resource/users/me", token); got.status != 200 {
		t.Errorf("what is allowed: %v", got)
	}
}

// Who asks for confirmations of an account must not use up its password resets.
func TestMailBudgetsAreApart(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com") // active: there is nothing to confirm
	for range 5 {
		h.api("POST", "/identity/users/email/generate_code", jsonBody(`{"email":"holder@example.com"}`))
	}
	h.api("POST", "/identity/users/password/generate_code", jsonBody(`{"email":"holder@example.com"}`))
	if n := len(h.mails()["holder@example.com"]); n != 1 {
		t.Errorf("%d mails, want the reset", n)
	}
}

// Refusals of one account do not fill the audit log.
func TestRefusalsAreWrittenDownToABound(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	for range 25 {
		h.denied("a staff path", h.gate("GET", "api/v2/barong/admin/users", s.cookieOnly), 401, "authz.invalid_permission")
	}
	_, total, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: a.ID, Verbs: []string{"gate.refuse"}, Limit: 1})
	if err != nil || total != 10 {
		t.Errorf("%d events (%v), want 10", total, err)
	}
}

// Another site's page must not sign its visitor in (login CSRF).
func TestNoSessionForAnotherSite(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) { c.CORSOrigins = []string{"*", "https://front.example"} }})
	h.person("holder@example.com")
	sign := body("application/x-www-form-urlencoded", "email=holder@example.com&password="+password)
	site := func(origin, relation string) with {
		return func(r *http.Request) {
			r.Header.Set("Origin", origin)
			r.Header.Set("Sec-Fetch-Site", relation)
		}
	}
	got := h.api("POST", "/identity/sessions", sign, site("https://evil.example", "cross-site"))
	h.refused("another site", got, 403, "authz.cross_site")
	if got.cookie() != nil {
		t.Error("it set a cookie")
	}
	h.refused("a page without an origin", h.api("POST", "/identity/users", jsonBody(`{}`), site("null", "cross-site")), 403, "authz.cross_site")
	for name, from := range map[string]with{
		"no browser": func(*http.Request) {}, "the same origin": site("https://keys.example", "same-origin"), "a configured origin": site("https://front.example", "cross-site"),
	} {
		if got := h.api("POST", "/identity/sessions", sign, from); got.status != 200 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
