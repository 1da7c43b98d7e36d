// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	lib "github.com/seed14544106/gatehouse/httpsig"
)

// Both secrets work until the end of grace, exactly; from then on the new one alone.
func TestRotate(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	ctx := context.Background()
	old := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer", "barong"}, Scopes: gatehouse.Scopes{"a"}})
	began := clock.Now()
	next, err := h.Rotate(ctx, operator, old.Key.ID, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	if next.Key.ID != old.Key.ID || next.Secret.Reveal() == old.Secret.Reveal() || !strings.Contains(next.Token.Reveal(), old.Key.ID) || len(next.Key.Materials) != 4 {
		t.Fatalf("rotated: %+v", next.Key)
	}
	works := func(c gatehouse.Created, want bool) {
		t.Helper()
		clock.Advance(time.Millisecond) // a nonce of its own
		for name, r := range map[string]*gatehouse.Request{"token": token(c), "triple": triple(c, clock.Now())} {
			d := h.verify(t, r)
			if d.Granted != want || !want && d.Reason != gatehouse.ReasonInvalidCredential {
				t.Errorf("%s: granted %v, %v; want %v", name, d.Granted, d.Reason, want)
			}
		}
	}
	works(old, true)
	works(next, true)
	d := h.verify(t, token(old))
	if !d.Deprecated.Equal(began) || !d.Sunset.Equal(began.Add(time.Hour)) {
		t.Errorf("the old secret: deprecated %v, sunset %v", d.Deprecated, d.Sunset)
	}
	if d := h.verify(t, token(next)); !d.Deprecated.IsZero() || !d.Sunset.IsZero() {
		t.Errorf("the new secret: deprecated %v, sunset %v", d.Deprecated, d.Sunset)
	}
	if _, err := h.Rotate(ctx, operator, old.Key.ID, time.Hour, ""); !errors.Is(err, gatehouse.ErrConflict) {
		t.Errorf("a rotation in a rotation: %v", err)
	}
	clock.Advance(began.Add(time.Hour).Sub(clock.Now()) - time.Microsecond)
	if d := h.verify(t, token(old)); !d.Granted {
		t.Errorf("a microsecond before the end: %v", d.Reason)
	}
	clock.Advance(time.Microsecond)
	if d := h.verify(t, token(old)); d.Granted {
		t.Error("granted at the end")
	}
	works(next, true)
	third, err := h.Rotate(ctx, operator, old.Key.ID, time.Hour, "")
	if err != nil || len(third.Key.Materials) != 4 || third.Key.Materials[0].Version <= next.Key.Materials[0].Version {
		t.Fatalf("rotated again: %+v, %v", third.Key.Materials, err)
	}
	works(old, false)
	works(next, true)
	works(third, true)
}

// A rotation can be finished early, cancelled, made longer and shorter; each is in force
// when it returns.
func TestRotationVerbs(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	ctx := context.Background()
	ok := func(c gatehouse.Created) bool { return h.verify(t, token(c)).Granted }
	begin := func(grace time.Duration) (old, next gatehouse.Created) {
		t.Helper()
		old = h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
		clock.Advance(time.Second)
		next, err := h.Rotate(ctx, operator, old.Key.ID, grace, "")
		if err != nil {
			t.Fatal(err)
		}
		return old, next
	}
	old, next := begin(time.Hour)
	if k, err := h.FinishRotation(ctx, operator, old.Key.ID); err != nil || ok(old) || !ok(next) || len(k.Materials) != 1 {
		t.Errorf("finish: %v, old %v, new %v, %+v", err, ok(old), ok(next), k.Materials)
	}
	old, next = begin(time.Hour)
	if k, err := h.CancelRotation(ctx, operator, old.Key.ID); err != nil || !ok(old) || ok(next) || len(k.Materials) != 1 {
		t.Errorf("cancel: %v, old %v, new %v, %+v", err, ok(old), ok(next), k.Materials)
	}
	if d := h.verify(t, token(old)); !d.Deprecated.IsZero() {
		t.Error("deprecated after a cancelled rotation")
	}
	old, next = begin(time.Hour)
	if k, err := h.ExtendRotation(ctx, operator, old.Key.ID, 3*time.Hour); err != nil || !k.Rotation(clock.Now()).Ends.Equal(clock.Now().Add(3*time.Hour)) {
		t.Errorf("extend: %v, %+v", err, k.Rotation(clock.Now()))
	}
	clock.Advance(2 * time.Hour)
	if !ok(old) || !ok(next) {
		t.Error("one secret does not work in the longer grace")
	}
	if _, err := h.ExtendRotation(ctx, operator, old.Key.ID, time.Second); err != nil {
		t.Error(err)
	}
	clock.Advance(time.Second)
	if ok(old) || !ok(next) {
		t.Error("the old secret works after a grace made shorter, or the new one does not")
	}
	for name, verb := range map[string]func() (gatehouse.Key, error){
		"finish": func() (gatehouse.Key, error) { return h.FinishRotation(ctx, operator, old.Key.ID) },
		"cancel": func() (gatehouse.Key, error) { return h.CancelRotation(ctx, operator, old.Key.ID) },
		"extend": func() (gatehouse.Key, error) { return h.ExtendRotation(ctx, operator, old.Key.ID, time.Hour) },
	} {
		if _, err := verb(); !errors.Is(err, gatehouse.ErrConflict) {
			t.Errorf("%s without a rotation: %v", name, err)
		}
	}
	old, next = begin(0)
	if ok(old) || !ok(next) {
		t.Error("without grace the old secret works, or the new one does not")
	}
}

func TestRotateRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	wide := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a", "b"}})
	small := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a"}})
	gone := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	if _, err := h.Revoke(ctx, operator, gone.Key.ID, "lost"); err != nil {
		t.Fatal(err)
	}
	key := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: small.Key.ID, Tenant: gatehouse.DefaultTenant, Via: &small.Key, Everyone: true}
	stranger := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: "another", Tenant: gatehouse.DefaultTenant}
	var invalid *gatehouse.InvalidError
	for name, row := range map[string]struct {
		actor  gatehouse.Actor
		id     string
		grace  time.Duration
		public string
		want   error
	}{
		"a key that can less": {key, wide.Key.ID, 0, "", gatehouse.ErrForbidden},
		"another's":           {stranger, wide.Key.ID, 0, "", gatehouse.ErrNotFound},
		"revoked":             {operator, gone.Key.ID, 0, "", gatehouse.ErrConflict},
		"not there":           {operator, "nothing", 0, "", gatehouse.ErrNotFound},
		"grace below nothing": {operator, wide.Key.ID, -1, "", nil},
		"grace of years":      {operator, wide.Key.ID, gatehouse.MaxGrace + 1, "", nil},
		"a public key":        {operator, wide.Key.ID, 0, "PEM", nil},
	} {
		_, err := h.Rotate(ctx, row.actor, row.id, row.grace, row.public)
		if row.want == nil && !errors.As(err, &invalid) || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := h.verify(t, token(wide)); !d.Granted {
		t.Errorf("a refused rotation changed the key: %v", d.Reason)
	}
	if _, err := h.Rotate(ctx, key, small.Key.ID, 0, ""); err != nil {
		t.Errorf("a key rotates itself: %v", err)
	}
}

// A key with a public key takes the next one.
func TestRotatePublic(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	firstPEM, first := keyPair(t)
	secondPEM, second := keyPair(t)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"httpsig"}, PublicKey: firstPEM})
	var invalid *gatehouse.InvalidError
	if _, err := h.Rotate(ctx, operator, c.Key.ID, time.Hour, ""); !errors.As(err, &invalid) || invalid.Field != "public_key" {
		t.Errorf("without the next public key: %v", err)
	}
	next, err := h.Rotate(ctx, operator, c.Key.ID, time.Hour, secondPEM)
	if err != nil || !next.Secret.Empty() {
		t.Fatalf("rotated: %v", err)
	}
	for name, key := range map[string]lib.SignKey{"old": first, "new": second} {
		if d := h.verify(t, signed(t, c.Key.ID, key, time.Now(), nil, nil)); !d.Granted {
			t.Errorf("%s: %v", name, d.Reason)
		}
	}
	if _, err := h.FinishRotation(ctx, operator, c.Key.ID); err != nil {
		t.Fatal(err)
	}
	if d := h.verify(t, signed(t, c.Key.ID, first, time.Now(), nil, nil)); d.Granted {
		t.Error("the old public key works after the end")
	}
}

// Rotations in a row under verification: no request with a valid secret is refused.
func TestRotateManyTimes(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	for range 20 {
		next, err := h.Rotate(context.Background(), operator, c.Key.ID, time.Minute, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, made := range map[string]gatehouse.Created{"old": c, "new": next} {
			if d := h.verify(t, token(made)); !d.Granted {
				t.Fatalf("%s: %v", name, d.Reason)
			}
		}
		clock.Advance(time.Minute)
		c = next
	}
	k, err := h.Get(context.Background(), operator, c.Key.ID)
	if err != nil || len(k.Materials) > 2 {
		t.Errorf("%d materials are left after 20 rotations, %v", len(k.Materials), err)
	}
}

// A request tells its holder that the key expires soon.
func TestSunset(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	ends := clock.Now().Add(gatehouse.EndingSoon)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Expires: ends})
	if d := h.verify(t, token(c)); !d.Sunset.IsZero() {
		t.Errorf("%v before its expiry: sunset %v", gatehouse.EndingSoon, d.Sunset)
	}
	clock.Advance(time.Second)
	if d := h.verify(t, token(c)); !d.Sunset.Equal(ends) || !d.Deprecated.IsZero() {
		t.Errorf("sunset %v, deprecated %v", d.Sunset, d.Deprecated)
	}
}

// A key of another tenant than the one that asks is unknown.
func TestVerifyForTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer", "barong"}})
	for tenant, want := range map[string]gatehouse.Reason{"": 0, gatehouse.DefaultTenant: 0, "another": gatehouse.ReasonInvalidCredential} {
		for _, r := range []*gatehouse.Request{token(c), triple(c, time.Now().Add(time.Duration(len(tenant))*time.Millisecond))} {
			r.Tenant = tenant
			d := h.verify(t, r)
			if d.Reason != want || d.Granted != (want == 0) || want != 0 && (d.Key != nil || d.KeyKnown()) {
				t.Errorf("for %q: %v, %+v", tenant, d.Reason, d.Key)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Methods: []string{"GET", "PUT"}, Paths: []string{"/orders", "/users/"}})
	for _, row := range []struct {
		method, target string
		want           gatehouse.Reason
	}{
		{"GET", "/orders", 0}, {"PUT", "/orders?a=/b", 0}, {"GET", "/orders/", 0}, {"GET", "/users", 0}, {"GET", "/users/7/keys", 0},
		{"POST", "/orders", gatehouse.ReasonRouteNotAllowed}, {"get", "/orders", gatehouse.ReasonRouteNotAllowed}, {"", "/orders", gatehouse.ReasonRouteNotAllowed},
		{"GET", "/orders/7", gatehouse.ReasonRouteNotAllowed}, {"GET", "/usersx", gatehouse.ReasonRouteNotAllowed}, {"GET", "/", gatehouse.ReasonRouteNotAllowed},
		{"GET", "/users/../orders", gatehouse.ReasonAmbiguousPath}, {"GET", "/users/%2e%2e/admin", gatehouse.ReasonAmbiguousPath}, {"GET", "", gatehouse.ReasonAmbiguousPath},
		{"GET", "/users//x", gatehouse.ReasonAmbiguousPath}, {"GET", "*", gatehouse.ReasonAmbiguousPath},
	} {
		r := token(c)
		r.Method, r.Target = row.method, row.target
		if d := h.verify(t, r); d.Reason != row.want {
			t.Errorf("%s %s: %v, want %v", row.method, row.target, d.Reason, row.want)
		}
	}
	var invalid *gatehouse.InvalidError
	for field, bad := range map[string][]string{
		"methods": {"", "get", "GET ", "GE\nT", strings.Repeat("X", 33)},
		"paths":   {"", "orders", "/a//b", "/a/../b", "/a%20b", "/a?b", "/a/*", "/a;b", "/" + strings.Repeat("x", 512)},
	} {
		for _, one := range bad {
			n := gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}}
			if field == "methods" {
				n.Methods = []string{one}
			} else {
				n.Paths = []string{one}
			}
			if _, err := h.Create(context.Background(), operator, n); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%s %q: %v", field, one, err)
			}
		}
	}
}

// A key for signed requests only refuses its own token.
func TestSignedOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer", "barong"}, Signed: true})
	if d := h.verify(t, token(c)); d.Reason != gatehouse.ReasonSchemeNotAllowed {
		t.Errorf("its token: %v", d.Reason)
	}
	if d := h.verify(t, triple(c, time.Now())); !d.Granted {
		t.Errorf("a signature: %v", d.Reason)
	}
	var invalid *gatehouse.InvalidError
	if _, err := h.Create(ctx, operator, gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}, Signed: true}); !errors.As(err, &invalid) || invalid.Field != "signed" {
		t.Errorf("a key that nothing could use: %v", err)
	}
	off := false
	if _, err := h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{Signed: &off}); err != nil {
		t.Fatal(err)
	}
	if d := h.verify(t, token(c)); !d.Granted {
		t.Errorf("its token, allowed again: %v", d.Reason)
	}
}

// A deleted key is gone for all but the log, and its id stays taken.
func TestDelete(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}, Name: "bot", Metadata: gatehouse.Metadata{"plan": "gold"}})
	if err := h.Delete(ctx, operator, c.Key.ID); !errors.Is(err, gatehouse.ErrConflict) {
		t.Errorf("delete an active key: %v", err)
	}
	if _, err := h.Revoke(ctx, operator, c.Key.ID, "leaked\nx"); err == nil {
		t.Error("a reason with a line break was taken")
	}
	if _, err := h.Revoke(ctx, operator, c.Key.ID, "leaked"); err != nil {
		t.Fatal(err)
	}
	events, _, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: c.Key.ID, Verbs: []string{"key.revoke"}})
	if err != nil || len(events) != 1 || !slices.Contains(events[0].Changes, gatehouse.Change{Field: "reason", After: "leaked"}) {
		t.Errorf("the event of the revocation: %+v, %v", events, err)
	}
	if err := h.Delete(ctx, operator, c.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Get(ctx, operator, c.Key.ID); !errors.Is(err, gatehouse.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := h.Delete(ctx, operator, c.Key.ID); !errors.Is(err, gatehouse.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
	if d := h.verify(t, triple(c, time.Now())); d.Granted || d.Reason != gatehouse.ReasonInvalidCredential {
		t.Errorf("verify: %v", d.Reason)
	}
	k, err := h.store.GetKey(ctx, gatehouse.DefaultTenant, c.Key.ID)
	if err != nil || k.Name != "" || len(k.Materials) != 0 || len(k.Metadata) != 0 || k.State != gatehouse.StateRevoked || k.Deleted.IsZero() {
		t.Errorf("what is left: %+v, %v", k, err)
	}
	same := gatehouse.Foreign{ID: c.Key.ID, Principal: h.owner.ID, Scheme: "shield", Secret: c.Secret}
	if answers, _, err := h.Adopt(ctx, operator, []gatehouse.Foreign{same}, false); err != nil || answers[0].Outcome != gatehouse.AdoptRefused {
		t.Errorf("the id was given again: %+v, %v", answers, err)
	}
}

// The wildcard is no management scope, and passes none on.
func TestManagementScopes(t *testing.T) {
	t.Parallel()
	any, create := gatehouse.Scopes{gatehouse.AnyScope}, gatehouse.Scopes{gatehouse.AnyScope, gatehouse.ScopeKeysCreate}
	if any.Holds(gatehouse.ScopeKeysCreate) || !create.Holds(gatehouse.ScopeKeysCreate) || !any.Covers(gatehouse.Scopes{gatehouse.ScopeKeysCreate}) {
		t.Error("Holds or Covers is wrong")
	}
	seen := map[gatehouse.Scope]bool{}
	for _, m := range gatehouse.ManagementScopes() {
		if !m.Scope.Manages() || m.Text == "" || seen[m.Scope] {
			t.Errorf("%+v", m)
		}
		seen[m.Scope] = true
		if _, err := gatehouse.ParseScopes([]string{string(m.Scope)}); err != nil {
			t.Error(err)
		}
	}
	h := newHouse(t, time.Now)
	ctx := context.Background()
	via := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: create})
	actor := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: via.Key.ID, Tenant: gatehouse.DefaultTenant, Via: &via.Key}
	for scope, want := range map[gatehouse.Scope]error{"orders:read": nil, gatehouse.AnyScope: nil, gatehouse.ScopeKeysCreate: nil, gatehouse.ScopeKeysRevoke: gatehouse.ErrForbidden} {
		_, err := h.Create(ctx, actor, gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{scope}})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", scope, err, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		m  gatehouse.Metadata
		ok bool
	}{
		"none":           {nil, true},
		"usual":          {gatehouse.Metadata{"plan": "gold", "team.name": "Ops & more"}, true},
		"empty value":    {gatehouse.Metadata{"a": ""}, true},
		"empty name":     {gatehouse.Metadata{"": "a"}, false},
		"a space":        {gatehouse.Metadata{"a b": "a"}, false},
		"an equals sign": {gatehouse.Metadata{"a=b": "a"}, false},
		"a control":      {gatehouse.Metadata{"a": "b\x1fc"}, false},
		"not text":       {gatehouse.Metadata{"a": "\xff"}, false},
		"long name":      {gatehouse.Metadata{strings.Repeat("a", 65): ""}, false},
		"long value":     {gatehouse.Metadata{"a": strings.Repeat("a", 513)}, false},
	} {
		if err := row.m.Check(); (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := gatehouse.Metadata{}
	for i := range 33 {
		many[strings.Repeat("a", i+1)] = ""
	}
	if many.Check() == nil {
		t.Error("33 pairs were accepted")
	}
	if got := (gatehouse.Metadata{"b": "2", "a": "1"}).String(); got != "a=1 b=2" {
		t.Errorf("String() = %q", got)
	}
}

// keyPair makes an ed25519 public key as PEM, and its private half.
func keyPair(t *testing.T) (string, lib.SignKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := lib.Ed25519PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), key
}

// A patch may end a key, but not leave it one that begins after its end.
func TestPatchTimes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	now := time.Now()
	begin, before, after := now.Add(time.Hour), now.Add(30*time.Minute), now.Add(2*time.Hour)
	var invalid *gatehouse.InvalidError
	if _, err := h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{NotBefore: &begin, Expires: &before}); !errors.As(err, &invalid) || invalid.Field != "expires" {
		t.Errorf("an end before the begin: %v", err)
	}
	if _, err := h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{NotBefore: &begin, Expires: &after}); err != nil {
		t.Fatal(err)
	}
	if d := h.verify(t, token(c)); d.Reason != gatehouse.ReasonKeyNotYetValid {
		t.Errorf("before its begin: %v", d.Reason)
	}
	never, past := time.Time{}, now.Add(-time.Hour)
	if _, err := h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{NotBefore: &never, Expires: &past}); err != nil {
		t.Fatal(err)
	}
	if d := h.verify(t, token(c)); d.Reason != gatehouse.ReasonKeyExpired {
		t.Errorf("after its end: %v", d.Reason)
	}
	old := gatehouse.Patch{Version: 1, NotBefore: &never}
	if _, err := h.Update(ctx, operator, c.Key.ID, old); !errors.Is(err, gatehouse.ErrConflict) {
		t.Errorf("for an old version: %v", err)
	}
}

// The secret that is on its way out may end the rotation, and neither cancel nor extend it: it
// could be the one who is shut out.
func TestOutgoingSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a"}})
	next, err := h.Rotate(ctx, operator, c.Key.ID, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	as := func(made gatehouse.Created) gatehouse.Actor {
		d := h.verify(t, token(made))
		return gatehouse.Actor{Kind: gatehouse.ActorKey, ID: d.Key.ID, Tenant: d.Key.Tenant, Via: d.Key, Material: d.Material}
	}
	old := as(c)
	for name, verb := range map[string]func() error{
		"extend": func() error { _, err := h.ExtendRotation(ctx, old, c.Key.ID, 2*time.Hour); return err },
		"cancel": func() error { _, err := h.CancelRotation(ctx, old, c.Key.ID); return err },
	} {
		if err := verb(); !errors.Is(err, gatehouse.ErrForbidden) {
			t.Errorf("%s by the old secret: %v", name, err)
		}
	}
	if _, err := h.ExtendRotation(ctx, as(next), c.Key.ID, 2*time.Hour); err != nil {
		t.Errorf("extend by the new secret: %v", err)
	}
	if _, err := h.FinishRotation(ctx, old, c.Key.ID); err != nil {
		t.Errorf("finish by the old secret: %v", err)
	}
	if _, err := h.Rotate(ctx, old, c.Key.ID, time.Hour, ""); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("rotate by a secret that is gone: %v", err)
	}
}

// No version of material is given twice: what was used of a cancelled secret says nothing
// of the next one.
func TestVersionsOfMaterial(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer", "barong"}})
	seen := map[int64]bool{}
	for i := range 20 {
		k, err := h.Rotate(ctx, operator, c.Key.ID, time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range k.Key.Rotation(clock.Now()).Incoming {
			if seen[v] {
				t.Fatalf("round %d: version %d was given before", i, v)
			}
			seen[v] = true
		}
		if i%3 == 0 {
			_, err = h.CancelRotation(ctx, operator, c.Key.ID)
		} else {
			_, err = h.FinishRotation(ctx, operator, c.Key.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
