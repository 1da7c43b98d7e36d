// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	lib "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// signed is a request with an RFC 9421 signature.
func signed(tb testing.TB, keyID string, key lib.SignKey, at time.Time, body []byte, edit func(*lib.Signer)) *gatehouse.Request {
	tb.Helper()
	m := lib.Message{Method: "POST", Scheme: "https", Authority: "api.example.com", Target: "/orders?x=1", Header: map[string][]string{}, Body: lib.BodyNone}
	if len(body) > 0 {
		m.Body = lib.BodyPresent
		m.Header["Content-Digest"] = []string{lib.ContentDigest(body)}
	}
	s := lib.Signer{KeyID: keyID, Key: key, Now: func() time.Time { return at }}
	if edit != nil {
		edit(&s)
	}
	input, signature, err := s.Sign(&m)
	if err != nil {
		tb.Fatal(err)
	}
	m.Header["Signature-Input"], m.Header["Signature"] = []string{input}, []string{signature}
	return &gatehouse.Request{Method: m.Method, Scheme: m.Scheme, Authority: m.Authority, Target: m.Target, Header: m.Header, Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body}}
}

func macKey(tb testing.TB, c gatehouse.Created) lib.SignKey {
	tb.Helper()
	key, err := lib.HMACKey([]byte(c.Secret.Reveal()))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// shieldRequest is a request with a Shield credential.
func shieldRequest(c gatehouse.Created, body []byte) *gatehouse.Request {
	return &gatehouse.Request{Method: "POST", Authority: "api.example.com", Target: "/", Header: gatehouse.Header{
		"Authorization": {"HMAC-SHA256 " + c.Key.ID + ":" + shield.Sign(c.Secret.Reveal(), body)},
	}, Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body}}
}

// What speaks against a credential whatever its key is comes before anything about the
// key, and the nonce stays free.
func TestFlaws(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"httpsig"}})
	s := h.key(t, gatehouse.NewKey{Schemes: []string{"shield"}})
	thin := func(s *lib.Signer) { s.Components = []string{"@method", "@authority"} }
	for _, row := range []struct {
		name string
		r    *gatehouse.Request
		want gatehouse.Reason
	}{
		{"thin signature", signed(t, c.Key.ID, macKey(t, c), time.Now(), nil, thin), gatehouse.ReasonInsufficientCoverage},
		{"thin signature of nobody", signed(t, "nobody", macKey(t, c), time.Now(), nil, thin), gatehouse.ReasonInsufficientCoverage},
		{"no body to check", shieldRequest(s, nil), gatehouse.ReasonBodyUnavailable},
		{"no body to check, nobody", &gatehouse.Request{Header: gatehouse.Header{"Authorization": {"HMAC-SHA256 0123456789abcdef0123456789abcdef:" + shield.Sign("x", nil)}}}, gatehouse.ReasonBodyUnavailable},
	} {
		if row.want == gatehouse.ReasonBodyUnavailable {
			row.r.Body = gatehouse.Body{}
		}
		d := h.verify(t, row.r)
		if d.Granted || d.Reason != row.want || d.Key != nil || d.KeyKnown() || d.Scheme == "" {
			t.Errorf("%s: %+v, want %v", row.name, d, row.want)
		}
		row.r.Header["X-Api-Key"] = []string{h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}}).Token.Reveal()}
		if d := h.verify(t, row.r); d.Reason != gatehouse.ReasonAmbiguousCredential {
			t.Errorf("%s and a token: %v", row.name, d.Reason)
		}
	}
}

func TestSignedOnce(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"httpsig"}})
	r := signed(t, c.Key.ID, macKey(t, c), clock.Now(), []byte("x"), nil)
	d := h.verify(t, r)
	if !d.Granted || d.Body != gatehouse.BodyVerified || d.Digest != lib.ContentDigest([]byte("x")) {
		t.Fatalf("%+v", d)
	}
	if d := h.verify(t, r); d.Granted || d.Reason != gatehouse.ReasonReplayed {
		t.Errorf("again: %+v", d)
	}
	for ahead, want := range map[time.Duration]gatehouse.Reason{
		-59 * time.Second: 0, -60 * time.Second: gatehouse.ReasonStaleCredential, 4 * time.Second: 0, 5 * time.Second: gatehouse.ReasonStaleCredential,
	} {
		if d := h.verify(t, signed(t, c.Key.ID, macKey(t, c), clock.Now().Add(ahead), nil, nil)); d.Reason != want {
			t.Errorf("created %v from now: %v, want %v", ahead, d.Reason, want)
		}
	}
	// The body that a gate cannot supply is checked by the service.
	r = signed(t, c.Key.ID, macKey(t, c), clock.Now(), []byte("x"), nil)
	r.Body = gatehouse.Body{}
	if d := h.verify(t, r); !d.Granted || d.Body != gatehouse.BodyDeferred || d.Digest == "" {
		t.Errorf("deferred: %+v", d)
	}
}

// publicKey makes a key with an ed25519 public key, and its private half.
func publicKey(tb testing.TB, h *house) (gatehouse.Created, lib.SignKey) {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := lib.Ed25519PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return h.key(tb, gatehouse.NewKey{Schemes: []string{"httpsig"}, PublicKey: pemText(der)}), key
}

// With a public key the secret never reaches us, and nothing but its holder's signature
// proves the key.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c, key := publicKey(t, h)
	der := c.Key.Materials[0].Data
	text := pemText(der)
	if !c.Secret.Empty() || !c.Token.Empty() || len(c.Key.Materials) != 1 || c.Key.Materials[0].Kind != gatehouse.MaterialPublic {
		t.Fatalf("%+v", c)
	}
	if d := h.verify(t, signed(t, c.Key.ID, key, time.Now(), []byte("x"), nil)); !d.Granted {
		t.Errorf("%+v", d)
	}
	mac, err := lib.HMACKey(der)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*gatehouse.Request{
		"a MAC under the public key": signed(t, c.Key.ID, mac, time.Now(), nil, nil),
		"a key that is not there":    signed(t, "nobody", key, time.Now(), nil, nil),
	} {
		if d := h.verify(t, r); d.Granted || d.Reason != gatehouse.ReasonInvalidCredential {
			t.Errorf("%s: %+v", name, d)
		}
	}
	var invalid *gatehouse.InvalidError
	for name, n := range map[string]gatehouse.NewKey{
		"a scheme with a secret": {Schemes: []string{"httpsig", "bearer"}, PublicKey: text},
		"no key":                 {Schemes: []string{"httpsig"}, PublicKey: "x"},
	} {
		n.Principal = h.owner.ID
		if _, err := h.Create(context.Background(), operator, n); !errors.As(err, &invalid) || invalid.Field != "public_key" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A route says by which schemes, and of which roles, requests may be.
func TestRouteDemands(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer", "httpsig"}})
	s := h.key(t, gatehouse.NewKey{Schemes: []string{"shield"}})
	requests := map[string]func() *gatehouse.Request{
		"bearer":  func() *gatehouse.Request { return token(c) },
		"httpsig": func() *gatehouse.Request { return signed(t, c.Key.ID, macKey(t, c), time.Now(), []byte("x"), nil) },
		"shield":  func() *gatehouse.Request { return shieldRequest(s, []byte("x")) },
	}
	role := h.owner.Role
	for _, row := range []struct {
		name    string
		demand  func(r *gatehouse.Request)
		refused map[string]gatehouse.Reason
	}{
		{"nothing", func(*gatehouse.Request) {}, nil},
		{"signed", func(r *gatehouse.Request) { r.Signed = true }, map[string]gatehouse.Reason{"bearer": gatehouse.ReasonSchemeNotAllowed}},
		{"one scheme", func(r *gatehouse.Request) { r.Schemes = []string{"httpsig"} }, map[string]gatehouse.Reason{"bearer": gatehouse.ReasonSchemeNotAllowed, "shield": gatehouse.ReasonSchemeNotAllowed}},
		{"a scheme that shows the secret, signed", func(r *gatehouse.Request) { r.Schemes, r.Signed = []string{"bearer"}, true }, map[string]gatehouse.Reason{
			"bearer": gatehouse.ReasonSchemeNotAllowed, "httpsig": gatehouse.ReasonSchemeNotAllowed, "shield": gatehouse.ReasonSchemeNotAllowed,
		}},
		{"a scheme that is none", func(r *gatehouse.Request) { r.Schemes = []string{""} }, map[string]gatehouse.Reason{
			"bearer": gatehouse.ReasonSchemeNotAllowed, "httpsig": gatehouse.ReasonSchemeNotAllowed, "shield": gatehouse.ReasonSchemeNotAllowed,
		}},
		{"the owner's role", func(r *gatehouse.Request) { r.Roles = []string{"x", role} }, nil},
		{"other roles", func(r *gatehouse.Request) { r.Roles = []string{role + "x", "x"} }, map[string]gatehouse.Reason{
			"bearer": gatehouse.ReasonRouteNotAllowed, "httpsig": gatehouse.ReasonRouteNotAllowed, "shield": gatehouse.ReasonRouteNotAllowed,
		}},
	} {
		for scheme, make := range requests {
			r := make()
			row.demand(r)
			if d := h.verify(t, r); d.Reason != row.refused[scheme] || d.Granted != (d.Reason == 0) || d.Signed != (scheme != "bearer") {
				t.Errorf("%s, %s: %+v", row.name, scheme, d)
			}
		}
	}
}

func TestAnyScope(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a", "b"}})
	all := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"*"}})
	none := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	for _, row := range []struct {
		need, any           gatehouse.Scopes
		two, everything, no bool
	}{
		{nil, nil, true, true, true},
		{nil, gatehouse.Scopes{"x", "b"}, true, true, false},
		{nil, gatehouse.Scopes{"x"}, false, true, false},
		{gatehouse.Scopes{"a"}, gatehouse.Scopes{"x"}, false, true, false},
		{gatehouse.Scopes{"a", "b"}, gatehouse.Scopes{"a"}, true, true, false},
		{gatehouse.Scopes{"a", "x"}, gatehouse.Scopes{"a"}, false, true, false},
	} {
		for i, want := range []bool{row.two, row.everything, row.no} {
			r := token([]gatehouse.Created{c, all, none}[i])
			r.Need, r.NeedAny = row.need, row.any
			if d := h.verify(t, r); d.Granted != want || (!want && d.Reason != gatehouse.ReasonInsufficientScope) {
				t.Errorf("need %v, any of %v, key %d: %v %v", row.need, row.any, i, d.Granted, d.Reason)
			}
		}
	}
}

func TestRevokeAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	keys := []gatehouse.Created{
		h.key(t, gatehouse.NewKey{Schemes: []string{"shield"}}), h.key(t, gatehouse.NewKey{Schemes: []string{"shield"}}), h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}}),
	}
	holder := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: h.owner.ID, Tenant: h.owner.Tenant}
	stranger := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: "other", Tenant: h.owner.Tenant}
	if _, err := h.RevokeAll(ctx, stranger, h.owner.ID, ""); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("a stranger: %v", err)
	}
	var invalid *gatehouse.InvalidError
	if _, err := h.RevokeAll(ctx, operator, h.owner.ID, "shiled"); !errors.As(err, &invalid) || invalid.Field != "scheme" {
		t.Errorf("an unknown scheme: %v", err)
	}
	for i, want := range []int{2, 0} {
		if n, err := h.RevokeAll(ctx, holder, h.owner.ID, "shield"); n != want || err != nil {
			t.Errorf("time %d: %d, %v", i, n, err)
		}
	}
	if d := h.verify(t, shieldRequest(keys[0], []byte("x"))); d.Reason != gatehouse.ReasonKeyRevoked {
		t.Errorf("revoked: %v", d.Reason)
	}
	if d := h.verify(t, token(keys[2])); !d.Granted {
		t.Errorf("a key of another scheme: %v", d.Reason)
	}
	if n, err := h.RevokeAll(ctx, operator, h.owner.ID, ""); n != 1 || err != nil {
		t.Errorf("all: %d, %v", n, err)
	}
}
