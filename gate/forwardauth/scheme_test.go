// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
	"github.com/seed14544106/gatehouse/httpsig"
)

// signers are a key of each scheme in an authority, and who signs with it.
func signers(t *testing.T) (http.Handler, map[string]sign.Scheme) {
	t.Helper()
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	owner, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: "you@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]sign.Scheme{}
	for _, scheme := range []string{"bearer", "barong", "shield", "httpsig"} {
		c, err := house.Authority.Create(ctx, house.Actor(), gatehouse.NewKey{Principal: owner.ID, Schemes: []string{scheme}})
		if err != nil {
			t.Fatal(err)
		}
		switch scheme {
		case "bearer":
			out[scheme] = sign.Bearer(c.Token)
		case "barong":
			out[scheme] = sign.Barong(c.Key.ID, c.Secret)
		case "shield":
			out[scheme] = sign.Shield(c.Key.ID, c.Secret)
		case "httpsig":
			key, err := httpsig.HMACKey([]byte(c.Secret.Reveal()))
			if err != nil {
				t.Fatal(err)
			}
			out[scheme] = sign.HTTPSig(&httpsig.Signer{KeyID: c.Key.ID, Key: key})
		}
	}
	door, _ := doorOf(t, house.Authority, nil, forwardauth.Options{})
	return door, out
}

// signed is a request that a key's holder sends.
func signed(t *testing.T, s sign.Scheme, method, target, body string) client {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://api.example.com"+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(r, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return client{method: method, scheme: "https", host: "api.example.com", target: target, addr: "203.0.113.7", header: r.Header, body: body}
}

// Over a real authority every scheme passes through every dialect, with the same answer but
// for what is known of the body.
func TestEveryScheme(t *testing.T) {
	t.Parallel()
	door, keys := signers(t)
	for scheme, key := range keys {
		answers := map[string]http.Header{} // by what the dialect knows of the body
		for dialect, describe := range dialects {
			for _, body := range []string{"", `{"amount":1}`} {
				for _, withheld := range []bool{true, false} {
					if keeps(dialect) && !withheld || dialect == "traefik/body" && withheld {
						continue
					}
					checkScheme(t, door, answers, scheme, dialect, withheld, func() *http.Request {
						r := describe(signed(t, key, map[bool]string{true: "GET", false: "POST"}[body == ""], "/orders/7?x=%20a", body))
						if withheld {
							withhold(r)
						}
						return r
					})
				}
			}
		}
	}
}

// withhold makes a check one of a gateway that keeps the body.
func withhold(r *http.Request) {
	r.Body, r.ContentLength = http.NoBody, 0
	if r.Header["X-Original-Body"] != nil {
		r.Header.Set("X-Original-Body", "withheld")
	}
	r.Header.Del("X-Envoy-Auth-Partial-Body")
}

func checkScheme(t *testing.T, door http.Handler, answers map[string]http.Header, scheme, dialect string, withheld bool, sign func() *http.Request) {
	t.Helper()
	r := sign()
	digest := r.Header["Content-Digest"] != nil
	name := fmt.Sprint(scheme, " ", dialect, " withheld ", withheld, " digest ", digest)
	again := r.Clone(t.Context())
	answer, code := ask(door, r)
	if withheld && scheme == "shield" {
		if answer.StatusCode != http.StatusForbidden || code != "body_unavailable" {
			t.Errorf("%s: %d %s", name, answer.StatusCode, code)
		}
		return
	}
	want := "unavailable"
	switch {
	case scheme == "shield", scheme == "httpsig" && !withheld:
		want = "verified"
	case scheme == "httpsig" && digest:
		want = "deferred"
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get(gate.HeaderBody) != want {
		t.Errorf("%s: %d %q, body %q, want %q", name, answer.StatusCode, code, answer.Header.Get(gate.HeaderBody), want)
	}
	answer.Header.Del("X-Envoy-Auth-Headers-To-Remove")
	if answers[want] == nil {
		answers[want] = answer.Header
	}
	if diff := cmp.Diff(answers[want], answer.Header); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	once := scheme == "barong" || scheme == "httpsig" && digest
	if _, code := ask(door, again); withheld && once && code != "replayed" {
		t.Errorf("%s, again: %q", name, code)
	}
}

// A proof of one request is none of another.
func TestOtherRequest(t *testing.T) {
	t.Parallel()
	door, keys := signers(t)
	for dialect, describe := range dialects {
		for change, spoil := range map[string]func(*client){
			"method": func(c *client) { c.method = "PUT" },
			"host":   func(c *client) { c.host = "other.example.com" },
			"path":   func(c *client) { c.target = "/orders/8" },
			"query":  func(c *client) { c.target += "?x" },
			"body":   func(c *client) { c.body += " " },
		} {
			if change == "body" && keeps(dialect) {
				continue // withheld
			}
			c := signed(t, keys["httpsig"], "POST", "/orders/7", "{}")
			spoil(&c)
			if answer, code := ask(door, describe(c)); answer.StatusCode != http.StatusUnauthorized || code != "invalid_credential" {
				t.Errorf("%s %s: %d %s", dialect, change, answer.StatusCode, code)
			}
		}
		for scheme, key := range keys {
			if keeps(dialect) && scheme == "shield" {
				continue
			}
			c := signed(t, key, "GET", "/", "")
			for name, values := range c.header {
				twice := c.with(name, values[0])
				if answer, code := ask(door, describe(twice)); answer.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s %s, %s twice: %d %s", dialect, scheme, name, answer.StatusCode, code)
				}
				under := c.with()
				under.header[strings.ReplaceAll(name, "-", "_")+"_"] = values
				delete(under.header, name)
				if answer, code := ask(door, describe(under)); answer.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s %s, %s under another name: %d %s", dialect, scheme, name, answer.StatusCode, code)
				}
			}
		}
	}
}
