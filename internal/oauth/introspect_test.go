// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

const inactive = `{"active":false}` + "\n"

// mint gets a JWT for a key.
func (h *house) mint(c gatehouse.Created, more string) string {
	h.t.Helper()
	r := h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant+more)
	token, _ := r.field("access_token").(string)
	if token == "" {
		h.t.Fatalf("%d %s", r.status, r.body)
	}
	return token
}

// What is said of the token of a key, and of a JWT.
func TestIntrospect(t *testing.T) {
	t.Parallel()
	h := open(t)
	service := h.with(gatehouse.ScopeKeysVerify)
	at := h.clock.Now()
	c := h.key(gatehouse.NewKey{Scopes: gatehouse.Scopes{"read", "*"}, Expires: at.Add(time.Hour), NotBefore: at.Add(-time.Hour)})
	n := func(after time.Duration) float64 { return float64(at.Add(after).Unix()) }
	said := map[string]any{
		"active": true, "scope": "read *", "client_id": c.Key.ID, "username": "owner", "token_type": "Bearer", "sub": "ID0000000001",
		"iss": issuer, "tenant": "default", "iat": n(0), "nbf": n(-time.Hour), "exp": n(time.Hour),
	}
	r := h.post(look, bearerOf(service), form("token", c.Token.Reveal(), "token_type_hint", "refresh_token"))
	if diff := cmp.Diff(said, r.said); r.status != 200 || diff != "" {
		t.Error(r.status, diff)
	}
	r = h.post(look, bearerOf(service), form("token", h.mint(c, "&scope=read&audience=orders")))
	if id, _ := r.field("jti").(string); id == "" {
		t.Error("no jti")
	}
	delete(r.said, "jti")
	said["scope"], said["aud"], said["nbf"], said["exp"] = "read", []any{"orders"}, n(0), n(time.Minute)
	if diff := cmp.Diff(said, r.said); r.status != 200 || diff != "" {
		t.Error(r.status, diff)
	}
	r = h.post(look, bearerOf(service), form("token", h.with().Token.Reveal()))
	for _, name := range []string{"exp", "nbf", "scope", "aud", "jti"} {
		if r.field("active") != true || r.field(name) != nil {
			t.Errorf("%s is told: %s", name, r.body)
		}
	}
}

// Whoever asks must hold keys:verify by name, and may show its key in any way.
func TestIntrospectCaller(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.with("read")
	token := form("token", c.Token.Reveal())
	service := h.key(gatehouse.NewKey{Schemes: []string{"bearer", "barong"}, Scopes: gatehouse.Scopes{gatehouse.ScopeKeysVerify}})
	id, secret := service.Key.ID, service.Secret.Reveal()
	nonce := strconv.FormatInt(h.clock.Now().UnixMilli(), 10)
	triple := header{
		barong.HeaderKey, id, barong.HeaderNonce, nonce, barong.HeaderSignature, barong.Sign(secret, nonce, id),
	}
	for name, r := range map[string]reply{
		"bearer":    h.post(look, bearerOf(service), token),
		"X-Api-Key": h.post(look, header{"X-Api-Key", service.Token.Reveal()}, token),
		"barong":    h.post(look, triple, token),
		"basic":     h.post(look, basic(id, secret), token),
		"body":      h.post(look, nil, token+"&"+form("client_id", id, "client_secret", secret)),
	} {
		if r.status != 200 || r.field("active") != true {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for _, row := range []struct {
		name   string
		with   header
		body   string
		status int
		code   string
		bearer string // what the challenge of bearer tokens ends in
	}{
		{"nobody", nil, token, 401, "invalid_client", `realm="gatehouse"`},
		{"wrong secret", basic(id, "wrong"), token, 401, "invalid_client", `realm="gatehouse"`},
		{"wrong token", header{"Authorization", "Bearer " + c.Token.Reveal() + "x"}, token, 401, "invalid_token", `error="invalid_token"`},
		{"nonce used", triple, token, 401, "invalid_token", `error="invalid_token"`},
		{"no scope", bearerOf(c), token, 403, "insufficient_scope", `error="insufficient_scope", scope="keys:verify"`},
		{"wildcard", bearerOf(h.with("*")), token, 403, "insufficient_scope", `error="insufficient_scope", scope="keys:verify"`},
		{"no scope, basic", basic(c.Key.ID, c.Secret.Reveal()), token, 403, "insufficient_scope", `error="insufficient_scope", scope="keys:verify"`},
		{"two credentials", append(bearerOf(service), "X-Api-Key", service.Token.Reveal()), token, 401, "invalid_token", `error="invalid_token"`},
		{"no token", bearerOf(service), "", 400, "invalid_request", ""},
		{"empty token", bearerOf(service), "token=", 400, "invalid_request", ""},
		{"two tokens", bearerOf(service), token + "&" + token, 400, "invalid_request", ""},
	} {
		r := h.post(look, row.with, row.body)
		h.refused(row.name, r, row.status, row.code)
		challenges := r.header.Values("WWW-Authenticate")
		found := slices.ContainsFunc(challenges, func(v string) bool {
			return strings.HasPrefix(v, "Bearer ") && strings.HasSuffix(v, row.bearer)
		})
		if row.bearer != "" && (!found || !slices.Contains(challenges, `Basic realm="gatehouse"`)) {
			t.Errorf("%s: challenges %q", row.name, challenges)
		}
	}
}

// Everything that is not usable gives the same answer.
func TestIntrospectInactive(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, service := context.Background(), h.with(gatehouse.ScopeKeysVerify)
	ask := func(token string) string { return h.post(look, bearerOf(service), form("token", token)).body }
	change := func(c gatehouse.Created, p gatehouse.Patch) gatehouse.Created {
		_, err := h.auth.Update(ctx, operator, c.Key.ID, p)
		h.must(err)
		return c
	}
	revoked, disabled := h.with(), h.with()
	_, err := h.auth.Revoke(ctx, operator, revoked.Key.ID, "")
	h.must(err)
	_, err = h.auth.Disable(ctx, operator, disabled.Key.ID)
	h.must(err)
	narrowed, gone := h.with("read", "write"), h.with("read")
	wide, last := h.mint(narrowed, ""), h.mint(gone, "")
	narrow := h.mint(narrowed, "&scope=read")
	_, err = h.auth.Revoke(ctx, operator, gone.Key.ID, "")
	h.must(err)
	change(narrowed, gatehouse.Patch{Scopes: &gatehouse.Scopes{"read"}})
	session, err := h.minter.Minter.Mint(ctx, assertion.Subject{Principal: gatehouse.Principal{
		ID: "owner", Tenant: "default", Kind: gatehouse.PrincipalAccount, UID: "ID0000000001", Version: 1,
	}, Scheme: "session"})
	h.must(err)
	both := h.key(gatehouse.NewKey{Schemes: []string{"bearer", "barong"}})
	strange := h.stranger("read")
	for name, token := range map[string]string{
		"no token":                  "nonsense",
		"two words":                 "Bearer " + h.with().Token.Reveal(),
		"wrong secret":              "gh_" + revoked.Key.ID + "_51FwqftsmMDHHbJAMEXXHCgG",
		"unknown":                   "gh_BRTRKFsL0xYz_51FwqftsmMDHHbJAMEXXHCgG",
		"revoked":                   revoked.Token.Reveal(),
		"disabled":                  disabled.Token.Reveal(),
		"too early":                 h.key(gatehouse.NewKey{NotBefore: h.clock.Now().Add(time.Hour)}).Token.Reveal(),
		"not by bearer tokens":      change(both, gatehouse.Patch{Schemes: &[]string{"barong"}}).Token.Reveal(),
		"of another tenant":         strange.Token.Reveal(),
		"JWT":                       "eyJhbGciOiJub25lIn0.e30.",
		"JWT with other signature":  narrow[:len(narrow)-8] + "AAAAAAAA",
		"JWT of a revoked key":      last,
		"JWT wider than its key":    wide,
		"JWT of a session":          session,
		"JWT of another tenant":     h.mint(strange, ""),
		"JWT with a header of ours": narrow[:strings.Index(narrow, ".")] + ".e30.AAAA",
	} {
		if got := ask(token); got != inactive {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := ask(narrow); got == inactive {
		t.Error("the JWT that the key still covers is not active")
	}
	h.clock.Advance(time.Minute)
	if got := ask(narrow); got != inactive {
		t.Errorf("JWT past its end: %s", got)
	}
}

// Looking at a token is no use of it: no limit, no nonce, no network, path or method.
func TestIntrospectTakesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	service := h.with(gatehouse.ScopeKeysVerify)
	c := h.key(gatehouse.NewKey{Limits: []gatehouse.Limit{{Name: "daily", Count: 1, Period: 24 * time.Hour, Burst: 1}}})
	for range 3 {
		if r := h.post(look, bearerOf(service), form("token", c.Token.Reveal())); r.field("active") != true {
			t.Fatal(r.body)
		}
	}
	if r := h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant); r.status != 200 {
		t.Errorf("the holder's one request is gone: %s", r.body)
	}
}

// The old secret of a key that rotates ends with the grace.
func TestIntrospectRotated(t *testing.T) {
	t.Parallel()
	h := open(t)
	service, c := h.with(gatehouse.ScopeKeysVerify), h.with("read")
	next, err := h.auth.Rotate(context.Background(), operator, c.Key.ID, time.Hour, "")
	h.must(err)
	ask := func(c gatehouse.Created) reply {
		return h.post(look, bearerOf(service), form("token", c.Token.Reveal()))
	}
	if r := ask(c); r.field("exp") != float64(h.clock.Now().Add(time.Hour).Unix()) {
		t.Errorf("old: %s", r.body)
	}
	if r := ask(next); r.field("active") != true || r.field("exp") != nil {
		t.Errorf("new: %s", r.body)
	}
	h.clock.Advance(time.Hour)
	if r := ask(c); r.body != inactive {
		t.Errorf("old, after the grace: %s", r.body)
	}
}
