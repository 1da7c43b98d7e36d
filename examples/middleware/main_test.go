// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

func TestService(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := firstKeys(ctx, house)
	if err != nil {
		t.Fatal(err)
	}
	key := keys[0]
	if _, err := firstKeys(ctx, house); err == nil {
		t.Error("first keys a second time")
	}
	legacy, err := house.Authority.Create(ctx, house.Actor(), shield.NewKey(key.Key.Principal, "as Shield makes them"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := protected(house)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)

	const body = `{"name":"Ada"}`
	token := "Bearer " + key.Token.Reveal()
	signed := func(body string) string {
		return shield.Header(legacy.Key.ID, shield.Sign(legacy.Secret.Reveal(), []byte(body)))
	}
	for _, row := range []struct {
		name, method, target, authorization, body string
		want                                      string
	}{
		{"bearer", "GET", "/api/users/7", token, "", "200 user 7, for first@example.com"},
		{"bearer without the scope", "PUT", "/api/users/7", token, body, "403 insufficient_scope"},
		{"Shield", "PUT", "/api/users/7", signed(body), body, "200 user 7, for first@example.com"},
		{"the first Shield key", "GET", "/api/users/9", shield.Header(keys[1].Key.ID, shield.Sign(keys[1].Secret.Reveal(), nil)), "", "200 user 9, for first@example.com"},
		{"a secret that is not shared", "GET", "/api/users/9", shield.Header(key.Key.ID, shield.Sign(key.Secret.Reveal(), nil)), "", "403 scheme_not_allowed"},
		{"Shield without body", "GET", "/api/users/8", signed(""), "", "200 user 8, for first@example.com"},
		{"Shield, another body", "PUT", "/api/users/7", signed(body), body + " ", "401 invalid_credential"},
		{"nothing", "GET", "/api/users/7", "", "", "401 no_credential"},
		{"another token", "GET", "/api/users/7", "Bearer x", "", "401 malformed_credential"},
		{"open", "GET", "/health", "", "", "200 well"},
		{"no rule", "DELETE", "/api/users/7", token, "", "403 no_rule"},
		{"ambiguous", "GET", "/api/users/7%2F..", token, "", "403 ambiguous_path"},
	} {
		if got := call(t, row.method, s.URL+row.target, row.authorization, row.body); !strings.HasPrefix(got, row.want[:3]) || !strings.Contains(got, row.want[4:]) {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
	if _, err := house.Authority.Revoke(ctx, house.Actor(), key.Key.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := call(t, "GET", s.URL+"/api/users/7", token, ""); !strings.HasPrefix(got, "401") || !strings.Contains(got, "key_revoked") {
		t.Errorf("revoked: %s", got)
	}
}

// TestEveryScheme calls the service with curl and openssl, by the script beside it.
func TestEveryScheme(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	house, err := embedded.Open(ctx, filepath.Join(dir, "data"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	keys, err := firstKeys(ctx, house)
	if err != nil {
		t.Fatal(err)
	}
	key, scopes := keys[0], gatehouse.Scopes{"users-read", "users-write"}
	for _, k := range keys {
		if _, err := house.Authority.Update(ctx, house.Actor(), k.Key.ID, gatehouse.Patch{Scopes: &scopes}); err != nil {
			t.Fatal(err)
		}
	}
	private := filepath.Join(dir, "private.pem")
	if out, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519", "-out", private).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := exec.Command("openssl", "pkey", "-in", private, "-pubout").Output()
	if err != nil {
		t.Fatal(err)
	}
	edwards, err := house.Authority.Create(ctx, house.Actor(), gatehouse.NewKey{Principal: key.Key.Principal, Schemes: []string{"httpsig"}, Scopes: scopes, PublicKey: string(public)})
	if err != nil {
		t.Fatal(err)
	}
	h, err := protected(house)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	for scheme, k := range map[string]gatehouse.Created{"bearer": key, "barong": key, "httpsig": key, "shield": keys[1], "httpsig-ed25519": edwards} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{scheme, "GET", s.URL + "/api/users/7?page=2&x=a%20b"}, {scheme, "PUT", s.URL + "/api/users/7", `{"name":"Ada"}`}} {
				c := exec.Command("./call", args...)
				c.Env = append(os.Environ(), "KEY_ID="+k.Key.ID, "SECRET="+k.Secret.Reveal(), "TOKEN="+k.Token.Reveal(), "PRIVATE_KEY="+private, "TMPDIR="+t.TempDir())
				out, err := c.CombinedOutput()
				if err != nil || string(out) != "user 7, for first@example.com\n200\n" {
					t.Errorf("%v: %v: %s", args[:2], err, out)
				}
			}
		})
	}
}

// call returns the status and the body of an answer.
func call(t *testing.T, method, url, authorization, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + " " + string(b)
}
