// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// A time that no Duration reaches is as stale as any other.
func TestFarFutureIsStale(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	for _, replay := range []gatehouse.ReplayMode{gatehouse.ReplayStrict, gatehouse.ReplayWindow} {
		b := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}, Replay: replay})
		s := h.key(t, gatehouse.NewKey{Schemes: []string{"httpsig"}, Replay: replay})
		for _, nonce := range []string{"1", "99999999999999", "999999999999999"} {
			r := &gatehouse.Request{Header: gatehouse.Header{
				barong.HeaderKey: {b.Key.ID}, barong.HeaderNonce: {nonce}, barong.HeaderSignature: {barong.Sign(b.Secret.Reveal(), nonce, b.Key.ID)},
			}}
			if d := h.verify(t, r); d.Reason != gatehouse.ReasonStaleCredential {
				t.Errorf("nonce %s, %v: %v", nonce, replay, d.Reason)
			}
		}
		for _, at := range []int64{0, 10_000_000_000, 11_000_000_000, 253402300799} {
			if d := h.verify(t, signed(t, s.Key.ID, macKey(t, s), time.Unix(at, 0), nil, nil)); d.Reason != gatehouse.ReasonStaleCredential {
				t.Errorf("created %d, %v: %v", at, replay, d.Reason)
			}
		}
	}
}

// Who can choose a body that a Shield client sends must not get another scheme's proof.
func TestShieldSharesNoSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	var invalid *gatehouse.InvalidError
	for _, schemes := range [][]string{{"shield", "httpsig"}, {"barong", "shield"}, {"bearer", "barong", "shield"}} {
		if _, err := h.Create(ctx, operator, gatehouse.NewKey{Principal: h.owner.ID, Schemes: schemes}); !errors.As(err, &invalid) || invalid.Field != "schemes" {
			t.Errorf("a key of %v: %v", schemes, err)
		}
	}
	k := h.key(t, gatehouse.NewKey{Schemes: []string{"shield", "bearer"}}) // a token is no MAC
	wider := []string{"shield", "bearer", "barong"}
	if _, err := h.Update(ctx, operator, k.Key.ID, gatehouse.Patch{Schemes: &wider}); !errors.As(err, &invalid) || invalid.Field != "schemes" {
		t.Errorf("widened to %v: %v", wider, err)
	}
	h.key(t, gatehouse.NewKey{Schemes: []string{"barong", "httpsig", "bearer"}})
}

// A key that acts makes and leaves nothing that can more than itself.
func TestKeyDoesNotWiden(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	home := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	slow := []gatehouse.Limit{{Name: "slow", Count: 1, Period: time.Minute}}
	narrow := gatehouse.NewKey{
		Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"a", "b"}, Networks: home, Limits: slow, Expires: time.Now().Add(time.Hour), Unused: 2 * time.Hour,
	}
	made := h.key(t, narrow)
	self := made.Key
	actor := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: self.ID, Tenant: self.Tenant, Via: &self}
	everywhere, nets, limits, schemes, window, hours := []netip.Prefix{}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []gatehouse.Limit{}, []string{"bearer", "barong"}, gatehouse.ReplayWindow, 3*time.Hour
	forever, never, scopes := time.Duration(0), time.Time{}, gatehouse.Scopes{"a", "c"}
	for name, row := range map[string]struct {
		patch  gatehouse.Patch
		create func(n *gatehouse.NewKey)
	}{
		"no network":     {gatehouse.Patch{Networks: &everywhere}, func(n *gatehouse.NewKey) { n.Networks = nil }},
		"wider network":  {gatehouse.Patch{Networks: &nets}, func(n *gatehouse.NewKey) { n.Networks = nets }},
		"no limit":       {gatehouse.Patch{Limits: &limits}, func(n *gatehouse.NewKey) { n.Limits = nil }},
		"another scheme": {gatehouse.Patch{Schemes: &schemes}, func(n *gatehouse.NewKey) { n.Schemes = schemes }},
		"window":         {gatehouse.Patch{Replay: &window}, func(n *gatehouse.NewKey) { n.Replay = window }},
		"longer unused":  {gatehouse.Patch{Unused: &hours}, func(n *gatehouse.NewKey) { n.Unused = hours }},
		"ever unused":    {gatehouse.Patch{Unused: &forever}, func(n *gatehouse.NewKey) { n.Unused = 0 }},
		"no end":         {gatehouse.Patch{Expires: &never}, func(n *gatehouse.NewKey) { n.Expires = never }},
		"another scope":  {gatehouse.Patch{Scopes: &scopes}, func(n *gatehouse.NewKey) { n.Scopes = scopes }},
	} {
		if _, err := h.Update(ctx, actor, self.ID, row.patch); !errors.Is(err, gatehouse.ErrForbidden) && name != "another scheme" {
			t.Errorf("update, %s: %v", name, err)
		}
		n := narrow
		n.Principal = h.owner.ID
		row.create(&n)
		if _, err := h.Create(ctx, actor, n); !errors.Is(err, gatehouse.ErrForbidden) {
			t.Errorf("create, %s: %v", name, err)
		}
	}
	n := narrow
	n.Principal, n.Networks = h.owner.ID, []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}
	if _, err := h.Create(ctx, actor, n); err != nil {
		t.Errorf("create a narrower one: %v", err)
	}
	wide := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"*"}})
	if _, err := h.Disable(ctx, operator, wide.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Enable(ctx, actor, wide.Key.ID); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("enable a wider one: %v", err)
	}
}
