// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// identity are the fields of an answer that lets a request pass.
var identity = []string{
	"Authorization", gate.HeaderKey, gate.HeaderSubject, gate.HeaderRole, gate.HeaderTenant, gate.HeaderScopes, gate.HeaderScheme, gate.HeaderBody,
}

// A request that passes has every field of identity, on an open route too, each once.
func TestAllowed(t *testing.T) {
	t.Parallel()
	limited := granted
	limited.Limit = gatehouse.Standing{Name: "key", Count: 10, Period: time.Minute, Remaining: 9, Reset: time.Second}
	rules := gate.Rules{"/": gate.AnyKey(), "/open/": gate.Open()}
	for dialect, describe := range dialects {
		door, _ := doorOf(t, &judge{say: limited}, rules, forwardauth.Options{})
		answer, _ := ask(door, describe(plain()))
		want := http.Header{
			"Authorization": {"Bearer jwt.k1"}, "X-Auth-Key-Id": {"k1"}, "X-Auth-Subject": {"ID1"}, "X-Auth-Role": {"member"}, "X-Auth-Tenant": {"t1"}, "X-Auth-Scopes": {"a b"},
			"X-Auth-Scheme": {"bearer"}, "X-Auth-Body": {"unavailable"}, "X-Auth-Status": {"200"}, "X-Auth-Error": {""}, "Cache-Control": {"no-store"},
			"Ratelimit": {`"key";r=9;t=1`}, "Ratelimit-Policy": {`"key";q=10;w=60`},
		}
		if dialect == "envoy" {
			want["X-Envoy-Auth-Headers-To-Remove"] = []string{"proxy-authorization,x-api-key,x-auth-apikey,x-auth-nonce,x-auth-signature,signature,signature-input"}
		}
		check(t, dialect, answer, http.StatusOK, want)

		c := plain()
		c.target = "/open/x"
		answer, _ = ask(door, describe(c))
		want = http.Header{"X-Auth-Status": {"200"}, "X-Auth-Error": {""}, "Cache-Control": {"no-store"}}
		for _, name := range identity {
			want[name] = []string{""}
		}
		if dialect == "envoy" {
			want["X-Envoy-Auth-Headers-To-Remove"] = []string{"proxy-authorization,x-api-key,x-auth-apikey,x-auth-nonce,x-auth-signature,signature,signature-input," +
				"authorization,x-auth-key-id,x-auth-subject,x-auth-role,x-auth-tenant,x-auth-scopes,x-auth-scheme,x-auth-body"}
		}
		check(t, dialect+" open", answer, http.StatusOK, want)
	}
}

func check(t *testing.T, name string, answer *http.Response, status int, want http.Header) {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || len(body) != 0 {
		t.Errorf("%s: %d %q %v", name, answer.StatusCode, body, err)
	}
	if diff := cmp.Diff(want, answer.Header); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// What is removed behind Envoy besides the identity is what the gate takes for a credential.
func TestEnvoyRemovesCredentials(t *testing.T) {
	t.Parallel()
	g, err := gate.New(&judge{}, gate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	door, _ := doorOf(t, &judge{say: granted}, nil, forwardauth.Options{})
	answer, _ := ask(door, envoy(plain()))
	for name := range strings.SplitSeq(answer.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
		if !g.Presents(&http.Request{Header: http.Header{name: {"x"}}}) {
			t.Errorf("%s is no credential", name)
		}
	}
}

// What else the gate strips of what the client sent is removed as well, in the client's spelling.
func TestEnvoyRemovesWhatTheGateStrips(t *testing.T) {
	t.Parallel()
	g, err := gate.New(&judge{say: granted}, gate.Options{Tokens: minter{}, Strip: []string{"X-Shop-Secret"}})
	if err != nil {
		t.Fatal(err)
	}
	c := plain().with("X-Shop-Secret", "s", "X-Original-Url", "/admin", "X-Auth-Role", "admin", "X-Auth-Subject", "victim", "Accept", "b")
	c.header["X_shop_secret"] = []string{"s"}
	answer, _ := ask(forwardauth.New(g, forwardauth.Options{}), envoy(c))
	const want = "proxy-authorization,x-api-key,x-auth-apikey,x-auth-nonce,x-auth-signature,signature,signature-input,x-original-url,x-shop-secret,x_shop_secret"
	if got := answer.Header.Get("X-Envoy-Auth-Headers-To-Remove"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A denial has its status, which nginx maps to the two that auth_request knows, and its code.
func TestDenied(t *testing.T) {
	t.Parallel()
	limited := gatehouse.Decision{Reason: gatehouse.ReasonRateLimited, RetryAfter: 1500 * time.Millisecond, Key: granted.Key, Principal: granted.Principal}
	rules := gate.Rules{"/orders/": gate.AnyKey(), "/no/": gate.Block()}
	for _, row := range []struct {
		target string
		say    gatehouse.Decision
		err    error
		status int
		code   string
		coarse int
		retry  string
	}{
		{"/orders/7", gatehouse.Decision{Reason: gatehouse.ReasonNoCredential}, nil, 401, "no_credential", 401, ""},
		{"/orders/7", gatehouse.Decision{Reason: gatehouse.ReasonInvalidCredential}, nil, 401, "invalid_credential", 401, ""},
		{"/orders/7", gatehouse.Decision{Reason: gatehouse.ReasonNetworkNotAllowed}, nil, 403, "network_not_allowed", 403, ""},
		{"/orders/7", gatehouse.Decision{Reason: gatehouse.ReasonBodyUnavailable}, nil, 403, "body_unavailable", 403, ""},
		{"/orders/7", limited, nil, 429, "rate_limited", 403, "2"},
		{"/orders/7", gatehouse.Decision{}, errors.New("down"), 503, "unavailable", 403, "1"},
		{"/orders/7", gatehouse.Decision{}, nil, 503, "undecided", 403, "1"},
		{"/none", granted, nil, 403, "no_rule", 403, ""},
		{"/no/x", granted, nil, 403, "route_not_allowed", 403, ""},
		{"/orders/../no", granted, nil, 403, "ambiguous_path", 403, ""},
	} {
		for dialect, describe := range dialects {
			door, _ := doorOf(t, &judge{say: row.say, err: row.err}, rules, forwardauth.Options{})
			c := plain()
			c.target = row.target
			answer, code := ask(door, describe(c))
			coarse := dialect == "nginx" || dialect == "ingress-nginx"
			status := row.status
			if coarse {
				status = row.coarse
			}
			h := answer.Header
			if answer.StatusCode != status || code != row.code || h.Get(forwardauth.HeaderStatus) != strconv.Itoa(row.status) || h.Get("Retry-After") != row.retry || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: %d %v", dialect, row.code, answer.StatusCode, h)
			}
			if challenged := h.Get("Www-Authenticate") != "" && h.Get("Accept-Signature") != ""; challenged != (row.status == http.StatusUnauthorized) {
				t.Errorf("%s %s: challenges %v", dialect, row.code, h)
			}
			for _, name := range identity {
				if h[name] != nil {
					t.Errorf("%s %s: %s on a denial", dialect, row.code, name)
				}
			}
			var p api.Problem
			if err := json.NewDecoder(answer.Body).Decode(&p); coarse != errors.Is(err, io.EOF) || !coarse && (p.Status != row.status || p.Code != row.code) {
				t.Errorf("%s %s: %v %v", dialect, row.code, p, err)
			}
		}
	}
}

// Without rules too, a target that can be read in two ways is refused: the gateway may read
// it in the other.
func TestAmbiguousPaths(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/a/../b", "/a/./b", "//a", "/a//b", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%2e%2e/b", "/%2e%2e/b", "/a;b", "/a#b", "/a%00b", "/a%zz", "/a%", "/%ff", "/a%252fb"} {
		for dialect, describe := range dialects {
			j := &judge{say: granted}
			door, _ := doorOf(t, j, nil, forwardauth.Options{})
			c := plain()
			c.target = target
			if answer, code := ask(door, describe(c)); answer.StatusCode != http.StatusForbidden || code != "ambiguous_path" || j.asked != 0 {
				t.Errorf("%s %s: %d %s", dialect, target, answer.StatusCode, code)
			}
		}
	}
}
