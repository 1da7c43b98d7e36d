// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// check is a check of a request that s signed.
func check(t *testing.T, s sign.Scheme) api.Check {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.example.com/a?b", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"a":1}`)
	if err := s.Sign(req, body); err != nil {
		t.Fatal(err)
	}
	return api.Check{Method: "POST", Authority: "api.example.com", Target: "/a?b", Headers: req.Header, Body: &body}
}

// A key with a public key has no secret, and verifies what the private key signed.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner, Schemes: []string{"httpsig"}, PublicKey: text})
	if err != nil || k.Secret != "" || k.Token != "" {
		t.Fatalf("made %+v, %v", k.Key, err)
	}
	key, err := httpsig.Ed25519PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := check(t, sign.HTTPSig(&httpsig.Signer{KeyID: k.ID, Key: key}))
	if d, err := h.client.Verify(t.Context(), c); err != nil || !d.Granted || d.Body != "verified" {
		t.Errorf("verified %+v, %v", d, err)
	}
	c.Target = "/a?c"
	if d, err := h.client.Verify(t.Context(), c); err != nil || d.Granted {
		t.Errorf("another target: %+v, %v", d, err)
	}
	for _, n := range []api.NewKey{
		{Schemes: []string{"httpsig"}, PublicKey: "hunter2"},
		{Schemes: []string{"bearer"}, PublicKey: text},
		{Schemes: []string{"httpsig", "barong"}, PublicKey: text},
	} {
		n.Owner = owner
		if _, err := h.client.CreateKey(t.Context(), n); code(err) != "invalid public_key" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", n.Schemes, err)
		}
	}
}

// The defaults are those of the one scheme, and what is asked explicitly stays.
func TestDefaults(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for _, row := range []struct {
		schemes, scopes, want []string
		asked                 int64
		unused                time.Duration
	}{
		{[]string{"shield"}, nil, []string{"*"}, 0, shield.DefaultUnused},
		{[]string{"shield"}, []string{"read"}, []string{"read"}, 7200, 2 * time.Hour},
		{[]string{"shield", "bearer"}, nil, nil, 0, 0},
		{[]string{"barong"}, nil, nil, 0, 0},
	} {
		k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner, Schemes: row.schemes, Scopes: row.scopes, Unused: row.asked})
		if err != nil || !slices.Equal(k.Scopes, row.want) {
			t.Errorf("%v, %v: %v, %v", row.schemes, row.scopes, k.Scopes, err)
		}
		stored, err := h.authority.Get(t.Context(), operator, k.ID)
		if err != nil || stored.Unused != row.unused {
			t.Errorf("%v: unused %v, %v", row.schemes, stored.Unused, err)
		}
		if row.schemes[0] == "shield" {
			if d, err := h.client.Verify(t.Context(), check(t, sign.Shield(k.ID, gatehouse.NewSecret(k.Secret)))); err != nil || !d.Granted {
				t.Errorf("%v: verified %+v, %v", row.schemes, d, err)
			}
		}
	}
}

// All keys of an owner end at once, or those of one scheme, and nobody else's.
func TestRevokeKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	if _, err := h.client.CreateAccount(t.Context(), api.NewAccount{Email: "other@example.com", Password: password}); err != nil {
		t.Fatal(err)
	}
	other, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: "other@example.com", Schemes: []string{"shield"}})
	if err != nil {
		t.Fatal(err)
	}
	keys := []api.CreatedKey{h.key("shield"), h.key("shield", "bearer"), h.key("bearer"), h.key("bearer")}
	if _, err := h.client.DisableKey(t.Context(), keys[3].ID); err != nil {
		t.Fatal(err)
	}
	states := func(want ...string) {
		t.Helper()
		for i, k := range append(keys, other) {
			if got, err := h.client.Key(t.Context(), k.ID); err != nil || got.State != want[i] {
				t.Errorf("key %d is %s, %v; want %s", i, got.State, err, want[i])
			}
		}
	}
	for _, row := range []struct {
		scheme string
		want   int
		states []string
	}{
		{"httpsig", 0, []string{"active", "active", "active", "disabled", "active"}},
		{"shield", 2, []string{"revoked", "revoked", "active", "disabled", "active"}},
		{"", 2, []string{"revoked", "revoked", "revoked", "revoked", "active"}},
		{"", 0, []string{"revoked", "revoked", "revoked", "revoked", "active"}},
	} {
		if n, err := h.client.RevokeKeys(t.Context(), owner, row.scheme); err != nil || n != row.want {
			t.Errorf("%q: revoked %d, %v; want %d", row.scheme, n, err, row.want)
		}
		states(row.states...)
	}
	if _, err := h.client.RevokeKeys(t.Context(), owner, "shiled"); code(err) != "invalid scheme" {
		t.Errorf("of an unknown scheme: %v", err)
	}
	if _, err := h.client.RevokeKeys(t.Context(), "nobody@example.com", ""); code(err) != "not_found " {
		t.Errorf("of nobody: %v", err)
	}
}
