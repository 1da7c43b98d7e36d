// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// A thousand copies of one signed request at once: one is granted (I6).
func TestOneNonceOneGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}})
	r := triple(c, time.Now())
	var granted, replayed atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			switch d, err := h.Verify(context.Background(), r); {
			case err != nil:
				t.Error(err)
			case d.Granted:
				granted.Add(1)
			case d.Reason == gatehouse.ReasonReplayed:
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || replayed.Load() != 999 {
		t.Errorf("%d granted, %d replayed; want 1 and 999", granted.Load(), replayed.Load())
	}
}

// Every narrowing is in force at the next request (I2, I4).
func TestNarrowingIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		narrow func(h *house, kid string) error
		want   gatehouse.Reason
	}{
		"revoke": {func(h *house, kid string) error {
			_, err := h.Revoke(context.Background(), operator, kid, "")
			return err
		}, gatehouse.ReasonKeyRevoked},
		"disable": {func(h *house, kid string) error {
			_, err := h.Disable(context.Background(), operator, kid)
			return err
		}, gatehouse.ReasonKeyDisabled},
		"scopes": {func(h *house, kid string) error {
			_, err := h.Update(context.Background(), operator, kid, gatehouse.Patch{Scopes: &gatehouse.Scopes{}})
			return err
		}, gatehouse.ReasonInsufficientScope},
		"ban": {func(h *house, _ string) error {
			h.setOwner(t, gatehouse.PrincipalBanned)
			return nil
		}, gatehouse.ReasonPrincipalInactive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, time.Now)
			c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"read"}})
			r := token(c)
			r.Need = gatehouse.Scopes{"read"}
			if d := h.verify(t, r); !d.Granted {
				t.Fatalf("before: %v", d.Reason)
			}
			if err := row.narrow(h, c.Key.ID); err != nil {
				t.Fatal(err)
			}
			if d := h.verify(t, r); d.Granted || d.Reason != row.want {
				t.Errorf("after: granted %v, %v; want %v", d.Granted, d.Reason, row.want)
			}
		})
	}
}

// A revoke races ten thousand verifications: none that began after it returned is
// granted (I2).
func TestRevokeRace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	r := token(c)
	const workers, each = 16, 625
	var acked atomic.Bool
	var before, late atomic.Int64
	half := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				if i == each/2 {
					once.Do(func() { close(half) })
				}
				begun := acked.Load()
				d, err := h.Verify(context.Background(), r)
				if err != nil {
					t.Error(err)
					return
				}
				switch {
				case d.Granted && begun:
					late.Add(1)
				case d.Granted:
					before.Add(1)
				}
			}
		})
	}
	<-half
	if _, err := h.Revoke(context.Background(), operator, c.Key.ID, ""); err != nil {
		t.Fatal(err)
	}
	acked.Store(true)
	wg.Wait()
	if late.Load() != 0 || before.Load() == 0 {
		t.Errorf("%d granted after the acknowledgement, %d before", late.Load(), before.Load())
	}
}

// A key verifies from the acknowledgement on, even when somebody guessed its id before
// it was made (I1): an unknown id leaves nothing behind.
func TestGuessedIDVerifiesAtOnce(t *testing.T) {
	t.Parallel()
	const id, text = "0123456789abcdef", "a secret of the test, long enough"
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := gatehouse.Created{Secret: gatehouse.NewSecret(text), Key: gatehouse.Key{
		ID: id, Tenant: gatehouse.DefaultTenant, Principal: h.owner.ID, Schemes: []string{"barong"}, State: gatehouse.StateActive,
	}}
	for i := range 200 {
		if d := h.verify(t, triple(c, time.Now().Add(time.Duration(i)))); d.Reason != gatehouse.ReasonInvalidCredential || d.KeyKnown() {
			t.Fatalf("unknown id: %v, known %v", d.Reason, d.KeyKnown())
		}
	}
	sealed, err := h.sealer.Seal(ctx, gatehouse.Binding{Purpose: "key-secret", Tenant: c.Key.Tenant, ID: id, Version: 1}, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c.Key.Materials = []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: sealed.Ref, Data: sealed.Data, Created: time.Now()}}
	if err := h.store.InsertKey(ctx, &c.Key, gatehouse.NewEvent(operator, time.Now(), "key.create", id, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	if d := h.verify(t, triple(c, time.Now())); !d.Granted {
		t.Errorf("after its creation: %v", d.Reason)
	}
}

// A sealed secret belongs to its row: moved to another it does not open, and that is no
// answer about the credential.
func TestMovedSecretIsNoAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}})
	c.Key.ID = "fedcba9876543210"
	if err := h.store.InsertKey(context.Background(), &c.Key, gatehouse.NewEvent(operator, time.Now(), "key.create", c.Key.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	d, err := h.Verify(context.Background(), triple(c, time.Now()))
	if !errors.Is(err, gatehouse.ErrUnavailable) || d != (gatehouse.Decision{}) {
		t.Errorf("%+v, %v", d, err)
	}
}

// A failed dependency is an error, never an answer (I10).
func TestFailedDependencyIsNoAnswer(t *testing.T) {
	t.Parallel()
	h := newHouseOn(t, time.Now, sqlite.Options{Cache: -1})
	signed := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}})
	bearer := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	if err := h.replay.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := h.Verify(context.Background(), triple(signed, time.Now()))
	if !errors.Is(err, gatehouse.ErrUnavailable) || d != (gatehouse.Decision{}) {
		t.Errorf("replay cache closed: %+v, %v", d, err)
	}
	if d := h.verify(t, token(bearer)); !d.Granted {
		t.Errorf("a scheme that needs no replay cache: %v", d.Reason)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	d, err = h.Verify(context.Background(), token(bearer))
	if !errors.Is(err, gatehouse.ErrUnavailable) || d != (gatehouse.Decision{}) {
		t.Errorf("store closed: %+v, %v", d, err)
	}
}

// The replay mode of a key lets its own nonces repeat inside the window, and no longer.
func TestReplayWindow(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	h := newHouse(t, clock.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}, Replay: gatehouse.ReplayWindow})
	r := triple(c, clock.Now())
	for range 3 {
		if d := h.verify(t, r); !d.Granted {
			t.Fatalf("inside the window: %v", d.Reason)
		}
	}
	clock.Advance(5 * time.Second)
	if d := h.verify(t, r); d.Reason != gatehouse.ReasonStaleCredential {
		t.Errorf("at the end of the window: %v", d.Reason)
	}
}

// Every change leaves one event, and the chain of events verifies (I8).
func TestEveryChangeHasOneEvent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Name: "first"})
	name := "second"
	steps := []func() (gatehouse.Key, error){
		func() (gatehouse.Key, error) { return h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{Name: &name}) },
		func() (gatehouse.Key, error) { return h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{Name: &name}) }, // nothing changes
		func() (gatehouse.Key, error) { return h.Disable(ctx, operator, c.Key.ID) },
		func() (gatehouse.Key, error) { return h.Disable(ctx, operator, c.Key.ID) }, // nothing changes
		func() (gatehouse.Key, error) { return h.Enable(ctx, operator, c.Key.ID) },
		func() (gatehouse.Key, error) { return h.Revoke(ctx, operator, c.Key.ID, "") },
		func() (gatehouse.Key, error) { return h.Revoke(ctx, operator, c.Key.ID, "") }, // nothing changes
	}
	for i, step := range steps {
		if _, err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	for verb, step := range map[string]func() (gatehouse.Key, error){
		"enable": steps[4], "disable": steps[2], "update": func() (gatehouse.Key, error) {
			other := "third"
			return h.Update(ctx, operator, c.Key.ID, gatehouse.Patch{Name: &other})
		},
	} {
		if _, err := step(); !errors.Is(err, gatehouse.ErrConflict) {
			t.Errorf("%s of a revoked key: %v", verb, err)
		}
	}
	events, _, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: c.Key.ID, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, e := range events {
		verbs = append(verbs, e.Verb)
	}
	want := []string{"key.create", "key.update", "key.disable", "key.enable", "key.revoke"}
	if len(verbs) != len(want) {
		t.Fatalf("events %v, want %v", verbs, want)
	}
	for i := range want {
		if verbs[i] != want[i] {
			t.Errorf("event %d is %s, want %s", i, verbs[i], want[i])
		}
	}
	gatehousetest.Chain(t, h.store, gatehouse.DefaultTenant)
}

// Who may manage what.
func TestActors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	owner := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: h.owner.ID, Tenant: gatehouse.DefaultTenant}
	stranger := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: "stranger", Tenant: gatehouse.DefaultTenant}
	elsewhere := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: "other"}
	n := gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"read"}, Expires: time.Now().Add(time.Hour)}
	c, err := h.Create(ctx, owner, n)
	if err != nil {
		t.Fatal(err)
	}
	via := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: c.Key.ID, Tenant: gatehouse.DefaultTenant, Via: &c.Key}
	for name, row := range map[string]struct {
		actor gatehouse.Actor
		edit  func(*gatehouse.NewKey)
		want  error
	}{
		"stranger":               {stranger, nil, gatehouse.ErrForbidden},
		"nobody":                 {gatehouse.Actor{}, nil, gatehouse.ErrForbidden},
		"operator elsewhere":     {elsewhere, nil, gatehouse.ErrNotFound},
		"key, no more":           {via, nil, nil},
		"key, wider scopes":      {via, func(n *gatehouse.NewKey) { n.Scopes = gatehouse.Scopes{"read", "write"} }, gatehouse.ErrForbidden},
		"key, wildcard":          {via, func(n *gatehouse.NewKey) { n.Scopes = gatehouse.Scopes{"*"} }, gatehouse.ErrForbidden},
		"key, longer":            {via, func(n *gatehouse.NewKey) { n.Expires = n.Expires.Add(time.Second) }, gatehouse.ErrForbidden},
		"key, for ever":          {via, func(n *gatehouse.NewKey) { n.Expires = time.Time{} }, gatehouse.ErrForbidden},
		"key, another principal": {via, func(n *gatehouse.NewKey) { n.Principal = "stranger" }, gatehouse.ErrForbidden},
	} {
		in := n
		if row.edit != nil {
			row.edit(&in)
		}
		if _, err := h.Create(ctx, row.actor, in); !errors.Is(err, row.want) {
			t.Errorf("create by %s: %v, want %v", name, err, row.want)
		}
	}
	for name, actor := range map[string]gatehouse.Actor{"stranger": stranger, "nobody": {Tenant: gatehouse.DefaultTenant}, "operator elsewhere": elsewhere} {
		if _, err := h.Get(ctx, actor, c.Key.ID); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("get by %s: %v", name, err)
		}
		if _, err := h.Revoke(ctx, actor, c.Key.ID, ""); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("revoke by %s: %v", name, err)
		}
		if _, _, err := h.List(ctx, actor, gatehouse.KeyQuery{}); actor.Kind != gatehouse.ActorOperator && !errors.Is(err, gatehouse.ErrForbidden) {
			t.Errorf("list by %s: %v", name, err)
		}
	}
	wider := gatehouse.Scopes{"read", "write"}
	if _, err := h.Update(ctx, via, c.Key.ID, gatehouse.Patch{Scopes: &wider}); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("a key widened itself: %v", err)
	}
	if keys, total, err := h.List(ctx, owner, gatehouse.KeyQuery{Principal: h.owner.ID}); err != nil || total != 2 || len(keys) != 2 {
		t.Errorf("list by owner: %d of %d, %v", len(keys), total, err)
	}
}

// Bad input is told by its field and changes nothing.
func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	long := make([]byte, 256)
	for i := range long {
		long[i] = 'x'
	}
	for field, edit := range map[string]func(*gatehouse.NewKey){
		"principal": func(n *gatehouse.NewKey) { n.Principal = "" },
		"name":      func(n *gatehouse.NewKey) { n.Name = string(long) },
		"schemes":   func(n *gatehouse.NewKey) { n.Schemes = nil },
		"prefix":    func(n *gatehouse.NewKey) { n.Prefix = "My_Co" },
		"expires":   func(n *gatehouse.NewKey) { n.Expires = time.Now().Add(-time.Millisecond) },
		"scopes":    func(n *gatehouse.NewKey) { n.Scopes = gatehouse.Scopes{"a b"} },
		"limits":    func(n *gatehouse.NewKey) { n.Limits = []gatehouse.Limit{{Name: "x"}} },
	} {
		n := gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}}
		edit(&n)
		var invalid *gatehouse.InvalidError
		if _, err := h.Create(context.Background(), operator, n); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: error %v", field, err)
		}
	}
	for name, schemes := range map[string][]string{"unknown": {"basic"}, "twice": {"bearer", "bearer"}} {
		var invalid *gatehouse.InvalidError
		if _, err := h.Create(context.Background(), operator, gatehouse.NewKey{Principal: h.owner.ID, Schemes: schemes}); !errors.As(err, &invalid) || invalid.Field != "schemes" {
			t.Errorf("%s scheme: %v", name, err)
		}
	}
	h.setOwner(t, gatehouse.PrincipalPending)
	var invalid *gatehouse.InvalidError
	if _, err := h.Create(context.Background(), operator, gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"bearer"}}); !errors.As(err, &invalid) || invalid.Field != "principal" {
		t.Errorf("a key for an inactive principal: %v", err)
	}
	if _, total, err := h.List(context.Background(), operator, gatehouse.KeyQuery{}); err != nil || total != 0 {
		t.Errorf("%d keys were made (%v)", total, err)
	}
}

// One key by two schemes: one secret, either way of presenting it (docs/decisions/0002).
func TestOneSecretTwoSchemes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"barong", "bearer"}})
	if d := h.verify(t, token(c)); !d.Granted || d.Scheme != "bearer" {
		t.Errorf("bearer: %v", d.Reason)
	}
	if d := h.verify(t, triple(c, time.Now())); !d.Granted || d.Scheme != "barong" {
		t.Errorf("barong: %v", d.Reason)
	}
	one := h.key(t, gatehouse.NewKey{Schemes: []string{"barong"}})
	two := []string{"barong", "bearer"}
	var invalid *gatehouse.InvalidError
	if _, err := h.Update(context.Background(), operator, one.Key.ID, gatehouse.Patch{Schemes: &two}); !errors.As(err, &invalid) || invalid.Field != "schemes" {
		t.Errorf("a scheme without material was allowed: %v", err)
	}
}

// A node that lacks the pepper of a digest does not know whether a token is right (I10).
func TestForeignPepper(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	k, err := h.store.GetKey(t.Context(), c.Key.Tenant, c.Key.ID)
	if err != nil {
		t.Fatal(err)
	}
	k.Materials[0].Ref = "pepper-of-another-node"
	if err := h.store.UpdateKey(t.Context(), &k, gatehouse.NewEvent(operator, time.Now(), "test", k.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	if d, err := h.Verify(t.Context(), token(c)); !errors.Is(err, gatehouse.ErrUnavailable) || d.Granted {
		t.Errorf("%v, %v; want ErrUnavailable", d.Reason, err)
	}
}
