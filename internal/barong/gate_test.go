// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/barong"
	scheme "github.com/seed14544106/gatehouse/scheme/barong"
)

const market = "api/v2/peatio/market/orders"

// granted expects 200, an empty body and a JWT, and returns its claims.
func (h *house) granted(what string, got reply) string {
	h.t.Helper()
	h.expect(what, got, 200, "")
	if got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Set-Cookie") != "" {
		h.t.Errorf("%s: header %v", what, got.header)
	}
	token, ok := strings.CutPrefix(got.header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		h.t.Fatalf("%s: Authorization %q", what, got.header.Get("Authorization"))
	}
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || string(head) != `{"alg":"RS256"}` {
		h.t.Fatalf("%s: header %s, %v", what, head, err)
	}
	return string(claims)
}

// denied expects a refusal of the gate, with all it never leaves out.
func (h *house) denied(what string, got reply, status int, code string) {
	h.t.Helper()
	h.refused(what, got, status, code)
	if got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Authorization") != "" {
		h.t.Errorf("%s: header %v", what, got.header)
	}
}

// The example of Barong's documents, at its own time.
func TestGateTakesTheSeedExample(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, _, _ := h.holderOf("holder@example.com")
	h.seedKey(a)
	h.at = time.UnixMilli(1584524005143)
	if got := scheme.Sign(seedSecret, seedNonce, seedKID); got != seedSignature {
		t.Fatalf("signature %s", got)
	}
	claims := h.granted("seed", h.gate("GET", market, triple(seedKID, seedNonce, seedSecret)))
	want := `"sub":"session","iss":"barong","aud":["peatio","barong"],"jti":"`
	if !strings.Contains(claims, want) || !strings.HasSuffix(claims, `,"uid":"`+a.UID+`","username":null,"email":"holder@example.com","role":"member","level":0,"state":"active","referral_id":null}`) {
		t.Errorf("claims %s", claims)
	}
}

func TestGateAPIKeyCodes(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, _, _ := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	ms := func(d time.Duration) string { return fmt.Sprint(h.now().Add(d).UnixMilli()) }
	without := func(name string) with {
		return func(r *http.Request) { h.signed(kid, secret)(r); r.Header.Del(name) }
	}
	set := func(name, value string) with {
		return func(r *http.Request) { h.signed(kid, secret)(r); r.Header.Set(name, value) }
	}
	twice := func(name string) with {
		return func(r *http.Request) { h.signed(kid, secret)(r); r.Header.Add(name, r.Header.Get(name)) }
	}
	const malformed = "authz.invalid_api_key_headers"
	for _, tt := range []struct {
		name   string
		change with
		status int
		code   string
	}{
		{"no kid", without("X-Auth-Apikey"), 422, malformed},
		{"no nonce", without("X-Auth-Nonce"), 422, malformed},
		{"no signature", without("X-Auth-Signature"), 422, malformed},
		{"blank kid", set("X-Auth-Apikey", ""), 422, malformed},
		{"blank nonce", set("X-Auth-Nonce", " "), 422, malformed},
		{"blank signature", set("X-Auth-Signature", ""), 422, malformed},
		{"kid twice", twice("X-Auth-Apikey"), 422, malformed},
		{"nonce twice", twice("X-Auth-Nonce"), 422, malformed},
		{"signature twice", twice("X-Auth-Signature"), 422, malformed},

		{"unknown kid", triple("0123456789abcdef", ms(0), secret), 401, "authz.unexistent_apikey"},
		{"unknown kid before nonce", triple("0123456789abcdef", "junk", secret), 401, "authz.unexistent_apikey"},
		{"unknown kid before window", triple("0123456789abcdef", "1", secret), 401, "authz.unexistent_apikey"},

		{"nonce zero", triple(kid, "0", secret), 401, "authz.nonce_not_valid_timestamp"},
		{"nonce negative", triple(kid, "-1", secret), 401, "authz.nonce_not_valid_timestamp"},
		{"nonce no number, signature wrong", triple(kid, "junk", "wrong"), 401, "authz.nonce_not_valid_timestamp"},
		// On purpose: Barong reads the leading integer of the text.
		{"digits and letters", triple(kid, ms(0)+"abc", secret), 401, "authz.nonce_not_valid_timestamp"},
		{"digits with underscore", triple(kid, "1_584524005143", secret), 401, "authz.nonce_not_valid_timestamp"},
		{"plus sign", triple(kid, "+"+ms(0), secret), 401, "authz.nonce_not_valid_timestamp"},
		{"leading zero", triple(kid, "0"+ms(0), secret), 401, "authz.nonce_not_valid_timestamp"},
		{"fraction", triple(kid, ms(0)+".5", secret), 401, "authz.nonce_not_valid_timestamp"},

		{"nonce past", triple(kid, ms(-5*time.Second), secret), 401, "authz.nonce_expired"},
		{"nonce future", triple(kid, ms(5*time.Second), secret), 401, "authz.nonce_expired"},
		{"nonce long past", triple(kid, "1", secret), 401, "authz.nonce_expired"},
		{"nonce past before signature", triple(kid, ms(-5*time.Second), "wrong"), 401, "authz.nonce_expired"},

		{"wrong secret", triple(kid, ms(0), "wrong"), 401, "authz.invalid_signature"},
		{"upper-case signature", set("X-Auth-Signature", strings.ToUpper(scheme.Sign(secret, ms(0), kid))), 401, "authz.invalid_signature"},
	} {
		h.denied(tt.name, h.gate("GET", market, tt.change), tt.status, tt.code)
	}
	h.granted("just inside the past", h.gate("GET", market, triple(kid, ms(-4999*time.Millisecond), secret)))
	h.granted("just inside the future", h.gate("GET", market, triple(kid, ms(4999*time.Millisecond), secret)))
	h.granted("any verb", h.gate("POST", market, h.signed(kid, secret)))
}

func TestGateKeyStates(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	ctx := t.Context()
	a, _, _ := h.holderOf("holder@example.com")
	update := func(kid string, p gatehouse.Patch) {
		t.Helper()
		if _, err := h.authority.Update(ctx, h.operator, kid, p); err != nil {
			t.Fatal(err)
		}
	}
	kid, secret := h.key(a, gatehouse.NewKey{})
	if _, err := h.authority.Disable(ctx, h.operator, kid); err != nil {
		t.Fatal(err)
	}
	h.denied("disabled", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	h.denied("disabled, wrong signature", h.gate("GET", market, h.signed(kid, "wrong")), 401, "authz.invalid_signature")
	if _, err := h.authority.Revoke(ctx, h.operator, kid, ""); err != nil {
		t.Fatal(err)
	}
	h.denied("revoked", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.unexistent_apikey")
	h.denied("revoked, wrong signature", h.gate("GET", market, h.signed(kid, "wrong")), 401, "authz.invalid_signature")
	h.denied("revoked and stale", h.gate("GET", market, triple(kid, "1", secret)), 401, "authz.unexistent_apikey")

	kid, secret = h.key(a, gatehouse.NewKey{Expires: h.now().Add(time.Minute)})
	h.granted("before expiry", h.gate("GET", market, h.signed(kid, secret)))
	h.pass(time.Minute)
	h.denied("expired", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	kid, secret = h.key(a, gatehouse.NewKey{NotBefore: h.now().Add(time.Minute)})
	h.denied("not yet valid", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")

	kid, secret = h.key(a, gatehouse.NewKey{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	h.granted("network", h.gate("GET", market, h.signed(kid, secret)))
	h.pass(time.Millisecond)
	h.denied("foreign network", h.gate("GET", market, h.signed(kid, secret), from("198.51.100.1")), 401, "authz.invalid_permission")

	kid, secret = h.key(a, gatehouse.NewKey{Limits: []gatehouse.Limit{{Name: "m", Count: 1, Period: time.Minute}}})
	h.granted("first of a minute", h.gate("GET", market, h.signed(kid, secret)))
	h.pass(time.Millisecond)
	got := h.gate("GET", market, h.signed(kid, secret))
	h.denied("second of a minute", got, 429, "authz.rate_limited")
	if got.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}

	kid, secret = h.key(a, gatehouse.NewKey{Scopes: gatehouse.Scopes{"trade"}})
	update(kid, gatehouse.Patch{})
	h.denied("RBAC", h.gate("GET", "api/v2/barong/admin/users", h.signed(kid, secret)), 401, "authz.invalid_permission")
	h.pass(time.Millisecond)
	h.granted("a scope means nothing here", h.gate("GET", market, h.signed(kid, secret)))
}

func TestGateHolderStates(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, _, _ := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	active := gatehouse.StateActive

	// A key outlives its holder's second factor only where an operator brings it back.
	plain := h.person("plain@example.com")
	kid2, secret2 := h.key(plain, gatehouse.NewKey{})
	h.denied("second factor off", h.gate("GET", market, h.signed(kid2, secret2)), 401, "authz.disabled_2fa")

	h.setState(a, gatehouse.PrincipalBanned)
	h.denied("banned: the key is disabled with its holder", h.gate("GET", market, h.signed(kid, secret)), 401, "authz.apikey_not_active")
	h.setState(a, gatehouse.PrincipalActive)
	if _, err := h.authority.Update(t.Context(), h.operator, kid, gatehouse.Patch{State: &active}); err != nil {
		t.Fatal(err)
	}
	h.granted("active again", h.gate("GET", market, h.signed(kid, secret)))

	bot, err := h.directory.CreateAccount(t.Context(), h.operator, account.NewAccount{
		Kind: gatehouse.PrincipalService, Owner: a.ID, Role: "sa_maker",
	})
	if err != nil {
		t.Fatal(err)
	}
	kid3, secret3 := h.key(bot, gatehouse.NewKey{})
	claims := h.granted("service account", h.gate("GET", market, h.signed(kid3, secret3)))
	if want := `"uid":"` + bot.UID + `","email":"` + bot.Email + `","role":"sa_maker","level":0,"state":"active"}`; !strings.HasSuffix(claims, want) {
		t.Errorf("claims %s, want %s at the end", claims, want)
	}
	h.pass(time.Millisecond)
	h.denied("dropped for its role", h.gate("GET", "api/v2/barong/resource/api_keys", h.signed(kid3, secret3)), 401, "authz.invalid_permission")
	h.pass(time.Millisecond)
	token := h.gate("GET", "api/v2/barong/resource/users/me", h.signed(kid3, secret3)).header.Get("Authorization")
	h.refused("a service account has no resources", h.api("GET", "/resource/users/me", header("Authorization", token)), 404, "record.not_found")
	h.setState(bot, gatehouse.PrincipalLocked)
	h.denied("service account not active", h.gate("GET", market, h.signed(kid3, secret3)), 401, "authz.invalid_session")
}

// On purpose: Barong forgets its nonces.
func TestGateRefusesReplay(t *testing.T) {
	t.Parallel()
	for _, repeat := range []bool{false, true} {
		h := open(t, options{repeat: repeat})
		a, _, _ := h.holderOf("holder@example.com")
		kid, secret := h.key(a, gatehouse.NewKey{})
		same := h.signed(kid, secret)
		h.granted("first", h.gate("GET", market, same))
		if repeat {
			h.granted("again, as in Barong", h.gate("GET", market, same))
			continue
		}
		h.denied("again", h.gate("GET", market, same), 401, "authz.signature_blacklisted")
		h.denied("elsewhere", h.gate("POST", "api/v2/peatio/account/balances", same), 401, "authz.signature_blacklisted")
		h.pass(time.Millisecond)
		h.granted("next nonce", h.gate("GET", market, h.signed(kid, secret)))

		window := gatehouse.ReplayWindow
		if _, err := h.authority.Update(t.Context(), h.operator, kid, gatehouse.Patch{Replay: &window}); err != nil {
			t.Fatal(err)
		}
		h.granted("a key that may repeat", h.gate("GET", market, same))
		h.granted("and repeats", h.gate("GET", market, same))
	}
}

func TestGateSessionCodes(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	junk := session{strings.Repeat("0", 32), s.csrf}
	for _, tt := range []struct {
		name, method string
		change       []with
		code         string
	}{
		{"nothing", "GET", nil, "authz.invalid_session"},
		{"CSRF before session", "POST", nil, "authz.missing_csrf_token"},
		{"no token", "POST", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"no token, PUT", "PUT", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"no token, PATCH", "PATCH", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"no token, DELETE", "DELETE", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"no token, TRACE", "TRACE", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"no token, odd case", "Patch", []with{s.cookieOnly}, "authz.missing_csrf_token"},
		{"other token", "POST", []with{session{s.id, strings.Repeat("0", 20)}.with}, "authz.csrf_token_mismatch"},
		{"token twice", "POST", []with{s.with, header("X-CSRF-Token", s.csrf)}, "authz.csrf_token_mismatch"},
		{"token without session", "POST", []with{junk.with}, "authz.csrf_token_mismatch"},
		{"unknown session", "GET", []with{junk.with}, "authz.invalid_session"},
		{"no session id", "GET", []with{session{id: "x"}.cookieOnly}, "authz.invalid_session"},
		{"two cookies", "GET", []with{s.with, s.cookieOnly}, "authz.invalid_session"},
		{"two cookies, POST", "POST", []with{s.with, s.cookieOnly}, "authz.invalid_session"},
		{"role may not", "POST", []with{s.with}, "authz.invalid_permission"},
	} {
		path := market
		if tt.code == "authz.invalid_permission" {
			path = "api/v2/barong/admin/users"
		}
		h.denied(tt.name, h.gate(tt.method, path, tt.change...), 401, tt.code)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		h.granted(method, h.gate(method, market, s.cookieOnly))
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE"} {
		h.granted(method, h.gate(method, market, s.with))
	}
	h.denied("key headers go first", h.gate("GET", market, s.with, header("X-Auth-Nonce", "1")), 422, "authz.invalid_api_key_headers")

	h.setState(a, gatehouse.PrincipalPending)
	h.granted("pending", h.gate("GET", market, s.with))
	h.setState(a, gatehouse.PrincipalLocked)
	h.denied("locked", h.gate("GET", market, s.with), 401, "authz.user_not_active")
}

func TestGateSessionBinding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		wait   time.Duration
		change with
		code   string
	}{
		{"same network", 29 * time.Minute, from("203.0.200.1"), ""},
		{"other agent", 0, func(r *http.Request) { r.Header.Set("User-Agent", "other") }, "authz.client_session_mismatch"},
		{"other network", 0, from("203.1.113.9"), "authz.client_session_mismatch"},
		{"expired", 30 * time.Minute, from(home), "authz.client_session_mismatch"},
	} {
		h := open(t, options{})
		h.person("holder@example.com")
		s := h.signInAs("holder@example.com")
		h.pass(tt.wait)
		got := h.gate("GET", market, s.with, tt.change)
		if tt.code == "" {
			h.granted(tt.name, got)
			h.pass(29 * time.Minute)
			h.granted("the use moved its end", h.gate("GET", market, s.with))
			continue
		}
		h.denied(tt.name, got, 401, tt.code)
		h.denied(tt.name+": the session is over", h.gate("GET", market, s.with), 401, "authz.invalid_session")
	}
}

// On purpose: Barong makes a session for every stranger.
func TestGateKeepsNothingOfStrangers(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	for _, change := range []with{from(home), header("X-CSRF-Token", "x"), session{strings.Repeat("0", 32), "x"}.with, h.signed("0123456789abcdef", "x")} {
		if got := h.gate("POST", market, change); got.status != 401 || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%v %v", got, got.header)
		}
	}
	_, events, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{"gate.refuse", "gate.audit", account.VerbSessionCreate}})
	if err != nil || events != 0 {
		t.Errorf("%d events, %v", events, err)
	}
}

// On purpose: in Barong a session that is used never ends.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	for range 2*12 - 1 {
		h.pass(30*time.Minute - time.Second)
		h.granted("in use", h.gate("GET", market, s.with))
	}
	h.pass(30*time.Minute + 23*time.Second)
	h.denied("after 12 hours", h.gate("GET", market, s.with), 401, "authz.client_session_mismatch")
}

// On purpose: Barong believes what proxies in private networks say, and akamai's field.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		c.Proxies = gate.Proxies{}
		c.Rules.Restrictions = []barong.Restriction{{Category: "blacklist", Scope: "ip", Value: "192.0.2.1"}, {Category: "blacklist", Scope: "ip_subnet", Value: "127.0.0.0/8"}}
	}})
	const path = "api/v2/barong/public/ping"
	h.denied("everybody is the gateway", h.gate("GET", path, from("192.0.2.1")), 403, "authz.restrict.blacklist")
	h = open(t, options{door: func(c *barong.Config) {
		c.Rules.Restrictions = []barong.Restriction{{Category: "blacklist", Scope: "ip", Value: "192.0.2.1"}}
	}})
	h.denied("behind a trusted gateway", h.gate("GET", path, from("192.0.2.1")), 401, "authz.restrict.blacklist")
	h.expect("True-Client-IP", h.gate("GET", path, header("True-Client-IP", "192.0.2.1")), 200, "")
}

// On purpose: Barong signs for every request.
func TestGateReusesTokens(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	first := h.granted("first", h.gate("GET", market, s.with))
	h.pass(5*time.Second - time.Millisecond)
	if again := h.granted("soon", h.gate("GET", market, s.with)); again != first {
		t.Errorf("within five seconds another token:\n%s\n%s", first, again)
	}
	h.pass(time.Millisecond)
	if later := h.granted("later", h.gate("GET", market, s.with)); later == first {
		t.Error("after five seconds the same token")
	}
}

// What expired is kept for a day, and its holder is told.
func TestGateTellsOfAnExpiredSession(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	told, late := h.signInAs("holder@example.com"), h.signInAs("holder@example.com")
	purge := func() {
		t.Helper()
		if err := h.store.PurgeExpired(t.Context(), h.now().Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	h.pass(30*time.Minute + 2*time.Hour)
	purge()
	h.denied("two hours late", h.gate("GET", market, told.with), 401, "authz.client_session_mismatch")
	h.denied("told once", h.gate("GET", market, told.with), 401, "authz.invalid_session")
	h.pass(23 * time.Hour)
	purge()
	h.denied("a day late", h.gate("GET", market, late.with), 401, "authz.invalid_session")
}

func TestGateRules(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		c.Rules = barong.Rules{Restrictions: []barong.Restriction{
			{Category: "whitelist", Scope: "ip", Value: "198.51.100.7"},
			{Category: "maintenance", Scope: "ip_subnet", Value: "198.51.100.0/24"},
			{Category: "blacklist", Scope: "ip", Value: "192.0.2.1"},
			{Category: "blacklist", Scope: "ip_subnet", Value: "192.0.2.0/24"},
			{Category: "blocklogin", Scope: "ip", Value: "192.88.99.1", Code: 434},
		}}
	}})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	const public = "api/v2/barong/public/ping"

	got := h.gate("GET", public)
	h.expect("pass", got, 200, "")
	if got.header.Get("Authorization") != "" {
		t.Error("a path that passes got a token")
	}
	h.expect("pass does not look at keys", h.gate("POST", public, header("X-Auth-Nonce", "1")), 200, "")
	h.expect("pass does not look at CSRF", h.gate("POST", "api/v2/barong/identity/sessions", s.cookieOnly), 200, "")
	h.denied("block", h.gate("POST", "api/v2/barong/management/api_keys", s.with), 401, "authz.permission_denied")
	h.denied("block ends at a segment", h.gate("GET", "api/v2/barong/management2", s.with), 401, "authz.invalid_permission")
	h.denied("pass ends at a segment", h.gate("GET", "api/v2/barong/publicity"), 401, "authz.invalid_session")
	h.denied("permission ends at a segment", h.gate("GET", "api/v2/peatio/markets", s.with), 401, "authz.invalid_permission")
	h.denied("a suffix is part of the path", h.gate("GET", "api/v2/peatio/market.json", s.with), 401, "authz.invalid_permission")

	h.denied("maintenance", h.gate("GET", public, from("198.51.100.8")), 471, "authz.restrict.maintenance")
	h.expect("whitelist", h.gate("GET", public, from("198.51.100.7")), 200, "")
	h.denied("blacklist ip", h.gate("GET", public, from("192.0.2.1")), 401, "authz.restrict.blacklist")
	h.denied("blacklist subnet", h.gate("GET", public, from("192.0.2.2")), 403, "authz.restrict.blacklist")
	h.denied("restriction before block", h.gate("POST", "api/v2/barong/management/x", from("192.0.2.2")), 403, "authz.restrict.blacklist")
	h.denied("blocklogin", h.gate("POST", "api/v2/barong/identity/sessions", from("192.88.99.1")), 434, "authz.restrict.blocklogin")
	h.expect("blocklogin elsewhere", h.gate("GET", public, from("192.88.99.1")), 200, "")

	// Without a gateway in front the same rules hold.
	h.refused("direct blocklogin", h.api("POST", "/identity/sessions", from("192.88.99.1")), 434, "authz.restrict.blocklogin")
	h.refused("direct blacklist", h.api("GET", "/public/ping", from("192.0.2.2")), 403, "authz.restrict.blacklist")
	h.refused("direct resource", h.api("GET", "/resource/users/me", s.with, from("192.0.2.1")), 401, "authz.restrict.blacklist")
}

// On purpose: Barong and the gateways before it read such paths in their own ways.
func TestGateRefusesAmbiguousPaths(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	for _, path := range []string{
		"api/v2/barong/public/../resource/users/me", "api/v2/barong/public/%2e%2e/resource", "api/v2//barong/public", "/api/v2/barong/public",
		"api/v2/barong%2fpublic", "api/v2/barong/public%5c..", "api/v2/barong/public/./x", "api/v2/barong/public%00", "api/v2/barong/public;x=1",
		"api/v2/barong/public/%252e%252e/resource", "api/v2/barong/public\\x", "api/v2/barong/public/%20/%2e%2e", "api/v2/barong/public%23x", "api/v2/barong/public%3bx", "api/v2/barong/public%09",
	} {
		h.denied(path, h.gate("GET", path, s.with), 401, "authz.permission_denied")
	}
	h.expect("query with dots", h.gate("GET", "api/v2/barong/public/ping?x=/../y"), 200, "")
	h.expect("slash at the end", h.gate("GET", "api/v2/barong/public/"), 200, "")
	h.granted("a space", h.gate("GET", market+"/two%20words", s.with))
	h.denied("a space is part of the segment", h.gate("GET", "api/v2/peatio/market%20", s.with), 401, "authz.invalid_permission")
	h.denied("no path", h.do("GET", "/api/v2/auth"), 401, "authz.permission_denied")
	h.denied("root", h.do("GET", "/api/v2/auth/"), 401, "authz.invalid_session")
	h.expect("not the gate", h.do("GET", "/api/v2/authentication/"+market), 404, `{"error":"Route is not found"}`)
	h.expect("another spelling of the gate", h.do("GET", "/api/v2/%61uth/api/v2/barong/public/ping"), 404, `{"error":"Route is not found"}`)
}

// On purpose: in Barong a form in the body, or a header, changes the method.
func TestGateKnowsNoMethodOverride(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	override := body("application/x-www-form-urlencoded", "_method=GET")
	h.denied("body", h.gate("POST", market, s.cookieOnly, override), 401, "authz.missing_csrf_token")
	h.denied("header", h.gate("POST", market, s.cookieOnly, header("X-HTTP-Method-Override", "GET")), 401, "authz.missing_csrf_token")
	h.denied("query", h.gate("POST", market+"?_method=GET", s.cookieOnly), 401, "authz.missing_csrf_token")
	h.denied("to a method that may", h.gate("GET", "api/v2/barong/resource/users/me", override, header("X-HTTP-Method-Override", "POST")), 401, "authz.invalid_session")
	got := h.api("GET", "/resource/users/me", s.with, header("X-HTTP-Method-Override", "DELETE"))
	if got.status != 200 || !strings.Contains(got.body, `"state":"active"`) {
		t.Errorf("the header changed the method: %v", got)
	}
}

// A gateway that hands on no body of a refusal can hand on its code.
func TestGateNamesItsCodeInAHeader(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	for target, want := range map[string]string{market: "authz.invalid_session", "api/v2/barong/management/x": "authz.permission_denied"} {
		got := h.gate("GET", target)
		if said := got.header.Values("X-Auth-Error"); len(said) != 1 || said[0] != want || got.body != `{"errors":["`+want+`"]}` {
			t.Errorf("%s: %v, header %q", target, got, said)
		}
	}
	if got := h.gate("GET", "api/v2/barong/public/ping"); got.status != 200 || got.header.Get("X-Auth-Error") != "" {
		t.Errorf("a granted request: %v", got)
	}
}

// The gate answers before the body has come, so it cannot depend on it.
func TestGateDoesNotReadTheBody(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	never := &endless{done: make(chan struct{})}
	defer close(never.done)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	announced := func(r *http.Request) {
		*r = *r.WithContext(ctx)
		r.Body, r.ContentLength = never, 16
	}
	h.granted("POST", h.gate("POST", market, s.with, announced))
	h.denied("refused", h.gate("POST", market, announced), 401, "authz.missing_csrf_token")
	for range 50 {
		h.granted("a body that comes", h.gate("POST", market, s.with, jsonBody(`{"price":1}`)))
	}
}

// endless is a body that never comes.
type endless struct{ done chan struct{} }

func (e *endless) Read([]byte) (int, error) { <-e.done; return 0, http.ErrBodyReadAfterClose }
func (e *endless) Close() error             { return nil }

func TestGateFailsClosed(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	a, s, _ := h.holderOf("holder@example.com")
	kid, secret := h.key(a, gatehouse.NewKey{})
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]reply{
		"key":     h.gate("GET", market, h.signed(kid, secret)),
		"session": h.gate("GET", market, s.with),
	} {
		h.denied(name, got, 503, "server.unavailable")
		if got.header.Get("Retry-After") != "1" || got.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: header %v", name, got.header)
		}
		if !strings.Contains(h.log.String(), got.header.Get("X-Request-Id")) {
			t.Errorf("%s: the log does not know the request", name)
		}
	}
	for _, word := range []string{secret, s.id, s.csrf, password} {
		if strings.Contains(h.log.String(), word) {
			t.Error("the log tells a secret")
		}
	}
}

// On purpose: Barong keeps the parameters of such requests, passwords among them.
func TestAuditRowsHoldNoParameters(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) {
		c.Rules.Permissions = append(barong.DefaultRules().Permissions, barong.Permission{Role: "member", Verb: "post", Path: "api/v2/peatio", Action: "audit", Topic: "trades"})
	}})
	a := h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	const secret = "s3cr3t-parameter"
	h.granted("audited", h.gate("POST", market+"?otp_code="+secret, s.with, jsonBody(`{"password":"`+secret+`"}`)))
	h.denied("refused", h.gate("POST", "api/v2/barong/admin/users/role?otp_code="+secret, s.with), 401, "authz.invalid_permission")
	h.granted("not audited", h.gate("GET", market, s.with))

	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: a.Tenant, Subject: a.ID, Verbs: []string{"gate.audit", "gate.refuse"}, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Verb, " ", e.Outcome, " ", e.Actor.Address, " ", e.Changes))
	}
	want := []string{
		"gate.audit succeeded 203.0.113.9 [{topic  trades} {method  POST} {path  /" + market + "}]",
		"gate.refuse denied 203.0.113.9 [{topic  users} {method  POST} {path  /api/v2/barong/admin/users/role}]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: a.Tenant})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(all), secret) {
		t.Error("an event holds a parameter")
	}
}

func TestGateWithoutCSRF(t *testing.T) {
	t.Parallel()
	h := open(t, options{door: func(c *barong.Config) { c.NoCSRF = true }})
	h.person("holder@example.com")
	s := h.signInAs("holder@example.com")
	h.granted("POST", h.gate("POST", market, s.cookieOnly))
}
