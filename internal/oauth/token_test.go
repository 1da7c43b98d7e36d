// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const grant = "grant_type=client_credentials"

// claims are those of a JWT, after the door's own check of it.
func (h *house) claims(r reply) (head, claims map[string]any) {
	h.t.Helper()
	token, _ := r.field("access_token").(string)
	if _, ok, err := h.minter.Read(h.t.Context(), token); !ok || err != nil {
		h.t.Fatalf("the token does not hold: %v %d %s", err, r.status, r.body)
	}
	parts := strings.Split(token, ".")
	for i, v := range []*map[string]any{&head, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		h.must(err)
		h.must(json.Unmarshal(b, v))
	}
	return head, claims
}

// Credentials in the header or the body, the secret alone or in its token: one answer.
func TestToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, c := range map[string]gatehouse.Created{
		"default prefix": h.with("read", "write"),
		"own prefix":     h.key(gatehouse.NewKey{Prefix: "acme", Scopes: gatehouse.Scopes{"read", "write"}}),
		"two schemes":    h.key(gatehouse.NewKey{Schemes: []string{"barong", "bearer"}, Scopes: gatehouse.Scopes{"read", "write"}}),
	} {
		for way, r := range map[string]reply{
			"header, secret": h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant),
			"header, token":  h.post(tokens, basic(c.Key.ID, c.Token.Reveal()), grant),
			"body, secret":   h.post(tokens, nil, grant+"&"+form("client_id", c.Key.ID, "client_secret", c.Secret.Reveal())),
			"body, token":    h.post(tokens, nil, grant+"&"+form("client_id", c.Key.ID, "client_secret", c.Token.Reveal())),
			"charset":        h.post(tokens, append(header{"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"}, basic(c.Key.ID, c.Secret.Reveal())...), grant),
			"empty values":   h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant+"&scope=&client_secret=&audience=&unknown=1"),
		} {
			what := name + ", " + way
			if r.status != 200 || r.field("token_type") != "Bearer" || r.field("expires_in") != 60.0 || r.field("scope") != "read write" {
				t.Errorf("%s: %d %s", what, r.status, r.body)
			}
			head, claims := h.claims(r)
			if head["typ"] != "at+jwt" || head["alg"] != "ES256" {
				t.Errorf("%s: head %v", what, head)
			}
			delete(claims, "jti")
			at := float64(h.clock.Now().Unix())
			if diff := cmp.Diff(map[string]any{
				"iss": issuer, "sub": "ID0000000001", "aud": []any{"orders", "https://api.example/v1"}, "client_id": c.Key.ID, "scope": "read write",
				"tenant": "default", "iat": at, "nbf": at, "exp": at + 60,
				"auth": map[string]any{"scheme": "bearer", "key": c.Key.ID, "body": "unavailable"},
			}, claims); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
	}
}

// What a request narrows.
func TestTokenNarrowed(t *testing.T) {
	t.Parallel()
	h := open(t)
	several := h.with("read", "write", gatehouse.ScopeKeysRead)
	wild := h.with(gatehouse.AnyScope, gatehouse.ScopeKeysRead)
	for _, row := range []struct {
		name  string
		key   gatehouse.Created
		form  string
		scope any
		code  string // of the refusal; empty: granted
		aud   string
	}{
		{"all", several, "", "read write keys:read", "", "orders https://api.example/v1"},
		{"one", several, "scope=write", "write", "", "orders https://api.example/v1"},
		{"order and repetition", several, "scope=write+read+write", "write read", "", "orders https://api.example/v1"},
		{"by name", several, "scope=keys:read", "keys:read", "", "orders https://api.example/v1"},
		{"not held", several, "scope=read+admin", nil, "invalid_scope", ""},
		{"wildcard not held", several, "scope=*", nil, "invalid_scope", ""},
		{"not a scope", several, `scope=re"ad`, nil, "invalid_scope", ""},
		{"two spaces", several, "scope=read++write", nil, "invalid_scope", ""},
		{"wildcard as it is", wild, "", "* keys:read", "", "orders https://api.example/v1"},
		{"wildcard asked for", wild, "scope=*", "*", "", "orders https://api.example/v1"},
		{"under the wildcard", wild, "scope=anything", "anything", "", "orders https://api.example/v1"},
		{"managing, by name", wild, "scope=keys:read", "keys:read", "", "orders https://api.example/v1"},
		{"managing, under the wildcard only", wild, "scope=keys:revoke", nil, "invalid_scope", ""},
		{"no scopes at all", h.with(), "", nil, "", "orders https://api.example/v1"},
		{"audience", several, "scope=read&audience=orders", "read", "", "orders"},
		{"resource", several, "scope=read&resource=https://api.example/v1", "read", "", "https://api.example/v1"},
		{"unknown audience", several, "audience=elsewhere", nil, "invalid_target", ""},
		{"unknown resource", several, "resource=https://api.example/v1/", nil, "invalid_target", ""},
		{"audience and resource", several, "audience=orders&resource=orders", nil, "invalid_request", ""},
		{"two resources", several, "resource=orders&resource=https://api.example/v1", nil, "invalid_request", ""},
	} {
		r := h.post(tokens, basic(row.key.Key.ID, row.key.Secret.Reveal()), grant+"&"+row.form)
		if row.code != "" {
			h.refused(row.name, r, 400, row.code)
			continue
		}
		_, claims := h.claims(r)
		var aud []string
		for _, a := range claims["aud"].([]any) {
			aud = append(aud, a.(string))
		}
		if r.field("scope") != row.scope || claims["scope"] != row.scope || strings.Join(aud, " ") != row.aud {
			t.Errorf("%s: %s, claims %v", row.name, r.body, claims)
		}
	}
}

// A token ends with its key at the latest, and a key in its last second gets none.
func TestTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.key(gatehouse.NewKey{Expires: h.clock.Now().Add(90*time.Second + 500*time.Millisecond)})
	ask := func() reply { return h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant) }
	for _, want := range []float64{60, 50} {
		if r := ask(); r.field("expires_in") != want {
			t.Errorf("%s, want %v", r.body, want)
		}
		h.clock.Advance(40 * time.Second)
	}
	h.clock.Advance(10 * time.Second)
	h.refused("in its last second", ask(), 401, "invalid_client")
	h.clock.Advance(time.Second)
	h.refused("expired", ask(), 401, "invalid_client")
}

// The refusals of the grant and of the client's authentication.
func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, other := h.with("read"), h.with("read")
	id, secret, token := c.Key.ID, c.Secret.Reveal(), c.Token.Reveal()
	raw := func(text string) header {
		return header{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
	}
	for _, row := range []struct {
		name   string
		with   header
		body   string
		status int
		code   string
	}{
		{"no grant type", basic(id, secret), "", 400, "invalid_request"},
		{"empty grant type", basic(id, secret), "grant_type=", 400, "invalid_request"},
		{"password", basic(id, secret), "grant_type=password", 400, "unsupported_grant_type"},
		{"code", basic(id, secret), "grant_type=authorization_code", 400, "unsupported_grant_type"},
		{"case of the grant type", basic(id, secret), "grant_type=Client_Credentials", 400, "unsupported_grant_type"},
		{"nobody", nil, grant, 401, "invalid_client"},
		{"unknown id", basic("BRTRKFsL0xYz", secret), grant, 401, "invalid_client"},
		{"wrong secret", basic(id, other.Secret.Reveal()), grant, 401, "invalid_client"},
		{"a secret that is none", basic(id, "x"), grant, 401, "invalid_client"},
		{"another key's token", basic(id, other.Token.Reveal()), grant, 401, "invalid_client"},
		{"id with a prefix", basic("gh_"+id, secret), grant, 401, "invalid_client"},
		{"id without secret", nil, grant + "&client_id=" + id, 401, "invalid_client"},
		{"secret without id", nil, grant + "&client_secret=" + secret, 401, "invalid_client"},
		{"wrong secret in the body", nil, grant + "&client_id=" + id + "&client_secret=" + other.Secret.Reveal(), 401, "invalid_client"},
		{"bearer token", bearerOf(c), grant, 401, "invalid_client"},
		{"X-Api-Key", header{"X-Api-Key", token}, grant, 401, "invalid_client"},
		{"header and body", basic(id, secret), grant + "&client_id=" + id + "&client_secret=" + secret, 400, "invalid_request"},
		{"header and id in the body", basic(id, secret), grant + "&client_id=" + id, 400, "invalid_request"},
		{"bearer token and body", bearerOf(c), grant + "&client_id=" + id + "&client_secret=" + secret, 400, "invalid_request"},
		{"two headers", append(basic(id, secret), basic(id, secret)...), grant, 400, "invalid_request"},
		{"not base64", header{"Authorization", "Basic ???"}, grant, 401, "invalid_client"},
		{"no colon", raw(id), grant, 401, "invalid_client"},
		{"empty id", raw(":" + secret), grant, 401, "invalid_client"},
		{"empty secret", raw(id + ":"), grant, 401, "invalid_client"},
		{"escape cut short", raw(id + ":" + secret + "%2"), grant, 401, "invalid_client"},
		{"not UTF-8", raw(id + ":%ff"), grant, 401, "invalid_client"},
		{"nothing", header{"Authorization", "Basic"}, grant, 401, "invalid_client"},
		{"line break in the token", basic(id, token+"\n"), grant, 401, "invalid_client"},
	} {
		r := h.post(tokens, row.with, row.body)
		h.refused(row.name, r, row.status, row.code)
		if row.status == 401 && !cmp.Equal(r.header.Values("WWW-Authenticate"), []string{`Basic realm="gatehouse"`}) {
			t.Errorf("%s: challenge %q", row.name, r.header.Values("WWW-Authenticate"))
		}
	}
	// What is refused unproven looks the same, whether the key exists.
	known, unknown := h.post(tokens, basic(id, "wrong"), grant), h.post(tokens, basic("BRTRKFsL0xYz", "wrong"), grant)
	if known.body != unknown.body || len(known.header) != len(unknown.header) {
		t.Errorf("%s\n%s", known.body, unknown.body)
	}
}

// Every rule of a key holds for its client too.
func TestTokenHoldsToTheKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	one := []gatehouse.Limit{{Name: "daily", Count: 1, Period: 24 * time.Hour, Burst: 1}}
	from := func(address string) header { return header{"X-Forwarded-For", address} }
	ctx := context.Background()
	spent := h.key(gatehouse.NewKey{Limits: one})
	revoked, disabled, signed := h.with(), h.with(), h.key(gatehouse.NewKey{Schemes: []string{"bearer", "httpsig"}})
	_, err := h.auth.Revoke(ctx, operator, revoked.Key.ID, "")
	h.must(err)
	_, err = h.auth.Disable(ctx, operator, disabled.Key.ID)
	h.must(err)
	signs := true
	_, err = h.auth.Update(ctx, operator, signed.Key.ID, gatehouse.Patch{Signed: &signs})
	h.must(err)
	if r := h.post(tokens, basic(spent.Key.ID, spent.Secret.Reveal()), grant); r.status != 200 {
		t.Errorf("first: %s", r.body)
	}
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, row := range []struct {
		name   string
		key    gatehouse.Created
		with   header
		status int
		code   string // empty: granted
	}{
		{"revoked", revoked, nil, 401, "invalid_client"},
		{"disabled", disabled, nil, 401, "invalid_client"},
		{"too early", h.key(gatehouse.NewKey{NotBefore: h.clock.Now().Add(time.Hour)}), nil, 401, "invalid_client"},
		{"no bearer scheme", h.key(gatehouse.NewKey{Schemes: []string{"barong"}}), nil, 401, "invalid_client"},
		{"signed requests only", signed, nil, 401, "invalid_client"},
		{"its network", h.key(gatehouse.NewKey{Networks: nets}), from("192.0.2.7"), 200, ""},
		{"another network", h.key(gatehouse.NewKey{Networks: nets}), from("198.51.100.7"), 400, "unauthorized_client"},
		{"its method", h.key(gatehouse.NewKey{Methods: []string{"POST"}}), nil, 200, ""},
		{"another method", h.key(gatehouse.NewKey{Methods: []string{"GET"}}), nil, 400, "unauthorized_client"},
		{"its path", h.key(gatehouse.NewKey{Paths: []string{"/oauth2/token"}}), nil, 200, ""},
		{"another path", h.key(gatehouse.NewKey{Paths: []string{"/orders/"}}), nil, 400, "unauthorized_client"},
		{"its limit", spent, nil, 429, "temporarily_unavailable"},
	} {
		r := h.post(tokens, append(basic(row.key.Key.ID, row.key.Secret.Reveal()), row.with...), grant)
		if row.code == "" {
			if r.status != 200 {
				t.Errorf("%s: %d %s", row.name, r.status, r.body)
			}
			continue
		}
		h.refused(row.name, r, row.status, row.code)
	}
	c := h.with()
	a, err := h.store.Account(ctx, gatehouse.DefaultTenant, account.ByID, "owner")
	h.must(err)
	a.State = gatehouse.PrincipalBanned
	h.must(h.store.UpdateAccount(ctx, &a, account.Effects{}, gatehouse.NewEvent(operator, h.clock.Now(), "account.state", a.ID, gatehouse.OutcomeSucceeded)))
	h.refused("banned", h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant), 401, "invalid_client")
}
