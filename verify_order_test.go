// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/scheme/barong"
)

// spoil is one way to spoil a request: of the stored key, of the request, or of the
// time and state around them.
type spoil struct {
	reason  gatehouse.Reason
	key     func(k *gatehouse.Key, now time.Time)
	owner   gatehouse.PrincipalState
	nonce   time.Duration // how far the nonce is from now
	claimed bool
	taken   bool
	request func(r *gatehouse.Request, other gatehouse.Created)
}

// spoils are the ways in the order in which verification looks for them. The first two
// leave no credential to look further at, so the request is spoiled from the back.
var spoils = []spoil{
	{reason: gatehouse.ReasonNoCredential, request: func(r *gatehouse.Request, _ gatehouse.Created) { r.Header = gatehouse.Header{} }},
	{reason: gatehouse.ReasonMalformedCredential, request: func(r *gatehouse.Request, _ gatehouse.Created) { delete(r.Header, barong.HeaderNonce) }},
	{reason: gatehouse.ReasonAmbiguousCredential, request: func(r *gatehouse.Request, other gatehouse.Created) {
		r.Header["X-Api-Key"] = []string{other.Token.Reveal()}
	}},
	{reason: gatehouse.ReasonInvalidCredential, request: func(r *gatehouse.Request, _ gatehouse.Created) {
		r.Header[barong.HeaderSignature] = []string{barong.Sign("another secret", r.Header[barong.HeaderNonce][0], r.Header[barong.HeaderKey][0])}
	}},
	{reason: gatehouse.ReasonStaleCredential, nonce: -5 * time.Second},
	{reason: gatehouse.ReasonKeyRevoked, key: func(k *gatehouse.Key, _ time.Time) { k.State = gatehouse.StateRevoked }},
	{reason: gatehouse.ReasonKeyDisabled, key: func(k *gatehouse.Key, _ time.Time) {
		if k.State != gatehouse.StateRevoked {
			k.State = gatehouse.StateDisabled
		}
	}},
	{reason: gatehouse.ReasonKeyNotYetValid, key: func(k *gatehouse.Key, now time.Time) { k.NotBefore = now.Add(time.Second) }},
	{reason: gatehouse.ReasonKeyExpired, key: func(k *gatehouse.Key, now time.Time) { k.Expires = now }},
	{reason: gatehouse.ReasonPrincipalInactive, owner: gatehouse.PrincipalBanned},
	{reason: gatehouse.ReasonReplayed, claimed: true},
	{reason: gatehouse.ReasonSchemeNotAllowed, key: func(k *gatehouse.Key, _ time.Time) { k.Schemes = []string{"bearer"} }},
	{reason: gatehouse.ReasonSchemeNotAllowed, request: func(r *gatehouse.Request, _ gatehouse.Created) { r.Schemes = []string{"bearer", "httpsig"} }},
	{reason: gatehouse.ReasonNetworkNotAllowed, key: func(k *gatehouse.Key, _ time.Time) {
		k.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	}},
	{reason: gatehouse.ReasonRouteNotAllowed, key: func(k *gatehouse.Key, _ time.Time) { k.Methods = []string{"POST"} }},
	{reason: gatehouse.ReasonAmbiguousPath, key: func(k *gatehouse.Key, _ time.Time) { k.Paths = []string{"/"} }, request: func(r *gatehouse.Request, _ gatehouse.Created) { r.Target = "/a//b" }},
	{reason: gatehouse.ReasonRouteNotAllowed, request: func(r *gatehouse.Request, _ gatehouse.Created) { r.Roles = []string{"clerk", "nobody"} }},
	{reason: gatehouse.ReasonInsufficientScope, request: func(r *gatehouse.Request, _ gatehouse.Created) { r.Need = gatehouse.Scopes{"admin"} }},
	{reason: gatehouse.ReasonRateLimited, taken: true},
}

var hourly = []gatehouse.Limit{{Name: "hourly", Count: 1, Period: time.Hour, Burst: 1}}

// spoiled makes a key and a request with these ways of spoiling applied.
func spoiled(t *testing.T, h *house, clock *gatehousetest.Clock, ways []spoil) (*gatehouse.Request, gatehouse.Key) {
	t.Helper()
	ctx, now := context.Background(), clock.Now()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}, Scopes: gatehouse.Scopes{"trade"}, Limits: hourly})
	other := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	owner, at := gatehouse.PrincipalActive, now
	k := c.Key
	claimed := false
	for _, w := range ways {
		if w.key != nil {
			w.key(&k, now)
		}
		if w.owner != "" {
			owner = w.owner
		}
		if w.taken {
			if ok, _, err := h.limiter.Take(ctx, "key/"+k.ID, hourly); !ok || err != nil {
				t.Fatalf("Take = %v, %v", ok, err)
			}
		}
		at = at.Add(w.nonce)
		claimed = claimed || w.claimed
	}
	if err := h.store.UpdateKey(ctx, &k, gatehouse.NewEvent(operator, now, "key.update", k.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	h.setOwner(t, owner)
	r := triple(c, at)
	r.Need = gatehouse.Scopes{"trade"}
	if claimed && at.Equal(now) {
		if first, err := h.replay.Claim(ctx, k.ID, r.Header[barong.HeaderNonce][0], at, at.Add(barong.DefaultWindow)); !first || err != nil {
			t.Fatalf("Claim = %v, %v", first, err)
		}
	}
	for i := len(ways) - 1; i >= 0; i-- {
		if ways[i].request != nil {
			ways[i].request(r, other)
		}
	}
	return r, k
}

// TestVerifyOrder: each way alone gives its reason, and all ways from one on together
// give the reason of that one.
func TestVerifyOrder(t *testing.T) {
	t.Parallel()
	for i, way := range spoils {
		for name, ways := range map[string][]spoil{"alone": spoils[i : i+1], "and all after it": spoils[i:]} {
			t.Run(way.reason.Code()+" "+name, func(t *testing.T) {
				t.Parallel()
				clock := gatehousetest.NewClock()
				h := newHouse(t, clock.Now)
				r, k := spoiled(t, h, clock, ways)
				d := h.verify(t, r)
				if d.Granted || d.Reason != way.reason {
					t.Fatalf("granted %v, reason %v; want %v", d.Granted, d.Reason, way.reason)
				}
				if told := d.Key != nil || d.Principal != nil; told != (way.reason > gatehouse.ReasonInvalidCredential) {
					t.Errorf("the decision tells of the key: %v", told)
				}
				checkConsumed(t, h, clock, k, way.reason, ways)
			})
		}
	}
}

// checkConsumed: a nonce is taken only by a request that got as far as the claim, and a
// limit only by a granted one.
func checkConsumed(t *testing.T, h *house, clock *gatehousetest.Clock, k gatehouse.Key, reason gatehouse.Reason, ways []spoil) {
	t.Helper()
	ctx, now := context.Background(), clock.Now()
	for _, w := range ways {
		if w.claimed || w.taken || w.nonce != 0 {
			return // taken by the test itself, or never claimable
		}
	}
	free, err := h.replay.Claim(ctx, k.ID, strconv.FormatInt(now.UnixMilli(), 10), now, now.Add(barong.DefaultWindow))
	if err != nil {
		t.Fatal(err)
	}
	if want := reason < gatehouse.ReasonReplayed; free != want {
		t.Errorf("after %v the nonce is free: %v", reason, free)
	}
	if ok, _, err := h.limiter.Take(ctx, "key/"+k.ID, hourly); !ok || err != nil {
		t.Errorf("after %v the limit is charged (%v)", reason, err)
	}
}

func TestGranted(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	r, k := spoiled(t, h, clock, nil)
	d := h.verify(t, r)
	if !d.Granted || d.Reason != 0 || d.Key.ID != k.ID || d.Principal.UID != h.owner.UID || d.Scheme != "barong" || d.Material != 1 {
		t.Fatalf("decision %+v", d)
	}
	if ok, _, err := h.limiter.Take(context.Background(), "key/"+k.ID, hourly); ok || err != nil {
		t.Errorf("a granted request did not charge the limit (%v)", err)
	}
	if d := h.verify(t, r); d.Granted || d.Reason != gatehouse.ReasonReplayed {
		t.Errorf("the same request again: %v", d.Reason)
	}
}
