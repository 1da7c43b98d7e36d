// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

func grant() assertion.Grant {
	return assertion.Grant{Subject: keySubject(), Scopes: gatehouse.Scopes{"read"}, Audience: []string{"elsewhere"}, Lifetime: 90 * time.Second}
}

// A grant's scopes, audience and lifetime stand in place of the key's and the minter's, and
// change neither.
func TestMintGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	second := start.Truncate(time.Second)
	for name, row := range map[string]struct {
		change func(*assertion.Grant)
		want   assertion.DefaultClaims
	}{
		"all": {func(*assertion.Grant) {}, assertion.DefaultClaims{Scopes: gatehouse.Scopes{"read"}, Audience: []string{"elsewhere"}, Expires: second.Add(90 * time.Second)}},
		"nothing": {
			func(g *assertion.Grant) { g.Scopes, g.Audience, g.Lifetime = nil, nil, 0 },
			assertion.DefaultClaims{Audience: []string{"orders"}, Expires: second.Add(time.Minute)},
		},
		"the key's end": {
			func(g *assertion.Grant) { g.Key.Expires = start.Add(30 * time.Second) },
			assertion.DefaultClaims{Scopes: gatehouse.Scopes{"read"}, Audience: []string{"elsewhere"}, Expires: second.Add(30 * time.Second)},
		},
	} {
		g := grant()
		row.change(&g)
		token, expires, err := m.MintGrant(t.Context(), g)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := m.VerifyDefault(t.Context(), token)
		if err != nil || got.ID == "" {
			t.Fatal(name, err, got)
		}
		row.want.UID, row.want.Key, row.want.Tenant, row.want.ID = "ID0123456789", "k1", "default", got.ID
		row.want.IssuedAt, row.want.NotBefore = second, second
		if diff := cmp.Diff(row.want, got); diff != "" || !expires.Equal(got.Expires) {
			t.Errorf("%s: expires %v\n%s", name, expires, diff)
		}
		if len(g.Key.Scopes) != 2 {
			t.Errorf("%s: the key's scopes are now %v", name, g.Key.Scopes)
		}
	}
	g := grant()
	g.Principal.UID = ""
	if _, _, err := m.MintGrant(t.Context(), g); !isInvalid(err) {
		t.Errorf("no UID: %v", err)
	}
}

func isInvalid(err error) bool {
	e, ok := errors.AsType[*gatehouse.InvalidError](err)
	return ok && e.Field == "principal"
}

func TestMintGrantPanics(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	keys := h.open(t, h.config())
	noKey, short := grant(), grant()
	noKey.Key, short.Lifetime = nil, time.Millisecond
	for name, row := range map[string]struct {
		m *assertion.Minter
		g assertion.Grant
	}{
		"other profile": {h.minter(keys, assertion.Barong), grant()},
		"no key":        {h.minter(keys, assertion.Default), noKey},
		"short life":    {h.minter(keys, assertion.Default), short},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(name)
				}
			}()
			_, _, _ = row.m.MintGrant(t.Context(), row.g)
		}()
	}
}

// Tokens that are not the minter's, or not any more.
func TestVerifyDefaultRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	keys := h.open(t, h.config())
	m := h.minter(keys, assertion.Default)
	token, _, err := m.MintGrant(t.Context(), grant())
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(token, ".")
	other := h.minterConfig(keys, assertion.Default)
	other.Issuer = "https://other.example"
	strange := newHouse(t)
	elsewhere, _, err := strange.minter(strange.open(t, strange.config()), assertion.Default).MintGrant(t.Context(), grant())
	if err != nil {
		t.Fatal(err)
	}
	header := func(change func(h map[string]any)) string {
		var v map[string]any
		b, _ := base64.RawURLEncoding.DecodeString(part[0])
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		change(v)
		b, _ = json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b) + "." + part[1] + "." + part[2]
	}
	for _, row := range []struct {
		name, token string
		want        error
	}{
		{"nothing", "", assertion.ErrMalformed},
		{"two parts", part[0] + "." + part[1], assertion.ErrMalformed},
		{"too long", strings.Repeat("a", 8<<10) + "..", assertion.ErrMalformed},
		{"no header", "%." + part[1] + "." + part[2], assertion.ErrEncoding},
		{"other claims", part[0] + "." + part[1][:len(part[1])-4] + "AAA9." + part[2], assertion.ErrSignature},
		{"other signature", part[0] + "." + part[1] + "." + strings.Repeat("A", len(part[2])), assertion.ErrSignature},
		{"no algorithm", header(func(h map[string]any) { h["alg"] = "none" }), assertion.ErrSignature},
		{"RS256", header(func(h map[string]any) { h["alg"] = "RS256" }), assertion.ErrSignature},
		{"no key id", header(func(h map[string]any) { delete(h, "kid") }), assertion.ErrSignature},
		{"other type", header(func(h map[string]any) { h["typ"] = "JWT" }), assertion.ErrSignature},
		{"other keys", elsewhere, assertion.ErrSignature},
		{"other issuer", mint(t, assertion.NewMinter(other), keySubject()), assertion.ErrClaims},
	} {
		if _, err := m.VerifyDefault(t.Context(), row.token); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	h.clock.add(-6 * time.Second)
	if _, err := m.VerifyDefault(t.Context(), token); !errors.Is(err, assertion.ErrClaims) {
		t.Errorf("six seconds early: %v", err)
	}
	h.clock.add(6*time.Second + 90*time.Second - 251*time.Millisecond)
	if _, err := m.VerifyDefault(t.Context(), token); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	h.clock.add(time.Millisecond)
	if _, err := m.VerifyDefault(t.Context(), token); !errors.Is(err, assertion.ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
}

// A key that another node made is read when its token comes; a store that cannot be asked
// is no answer.
func TestVerifyDefaultOfAnotherNode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.Algorithms = []string{assertion.RS256}
	c.ImportRSA = pkcs1(ourRSA())
	here := h.minter(h.open(t, c), assertion.Default)
	there := h.minter(h.open(t, h.config()), assertion.Default)
	token, _, err := there.MintGrant(t.Context(), grant())
	if err != nil {
		t.Fatal(err)
	}
	h.clock.add(2 * time.Second)
	h.store.failWith(errBroken)
	if _, err := here.VerifyDefault(t.Context(), token); !errors.Is(err, gatehouse.ErrUnavailable) || errors.Is(err, assertion.ErrInvalidToken) {
		t.Errorf("broken store: %v", err)
	}
	h.store.failWith(nil)
	h.clock.add(2 * time.Second)
	if _, err := here.VerifyDefault(t.Context(), token); err != nil {
		t.Error(err)
	}
}
