// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

func TestGenerateToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shield.Options{})
	c := h.key(t, shield.NewKey("alice", "Work Laptop"))
	if len(c.Key.ID) != 32 || len(c.Secret.Reveal()) != 44 || c.Key.Name != "Work Laptop" || c.Key.Unused != shield.DefaultUnused {
		t.Errorf("Create = %s, secret of %d characters, name %q, unused %v", c.Key.ID, len(c.Secret.Reveal()), c.Key.Name, c.Key.Unused)
	}
	if diff := cmp.Diff(gatehouse.Scopes{"*"}, c.Key.Scopes); diff != "" {
		t.Error(diff)
	}
	d := h.verify(t, signed(c))
	if !d.Granted || d.Key.ID != c.Key.ID || d.Principal.ID != "alice" || d.Body != gatehouse.BodyVerified {
		t.Errorf("granted %v (%v) to %+v, body %v", d.Granted, d.Reason, d.Key, d.Body)
	}
	// A second key of one name, one with scopes, one with none.
	again := h.key(t, shield.NewKey("alice", "Work Laptop", "users-read"))
	if again.Key.ID == c.Key.ID || again.Secret.Reveal() == c.Secret.Reveal() || !slices.Equal(again.Key.Scopes, gatehouse.Scopes{"users-read"}) {
		t.Errorf("a second key is %s with scopes %v", again.Key.ID, again.Key.Scopes)
	}
	none := shield.NewKey("alice", "nothing")
	none.Scopes = nil
	if d := h.verify(t, signed(h.key(t, none))); !d.Granted || len(d.Key.Scopes) != 0 {
		t.Errorf("without scopes: granted %v with %v", d.Granted, d.Key.Scopes)
	}
	var invalid *gatehouse.InvalidError
	if _, err := h.Create(context.Background(), operator, shield.NewKey("alice", strings.Repeat("n", 256))); !errors.As(err, &invalid) || invalid.Field != "name" {
		t.Errorf("a name of 256 characters: %v", err)
	}
	// Shield throws for a user that was not saved.
	if _, err := h.Create(context.Background(), operator, shield.NewKey("nobody", "n")); !errors.Is(err, gatehouse.ErrNotFound) {
		t.Errorf("for nobody: %v", err)
	}
	if _, err := h.Create(context.Background(), holder("bob"), shield.NewKey("alice", "n")); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("for another: %v", err)
	}
}

func TestListAndGetTokens(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, shield.Options{})
	first := h.key(t, shield.NewKey("alice", "first"))
	h.now = h.now.Add(time.Second)
	second := h.key(t, shield.NewKey("alice", "a second"))
	bobs := h.key(t, shield.NewKey("bob", "bob's"))
	keys, total, err := h.List(ctx, holder("alice"), gatehouse.KeyQuery{Principal: "alice"})
	must(t, err)
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
		if len(k.Materials) != 0 {
			t.Errorf("the list holds material of %s", k.Name)
		}
	}
	if total != 2 || !slices.Equal(names, []string{"first", "a second"}) {
		t.Errorf("List = %v, %d in all", names, total)
	}
	if _, _, err := h.List(ctx, holder("alice"), gatehouse.KeyQuery{Principal: "bob"}); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("List of another's keys: %v", err)
	}
	for _, id := range []string{first.Key.ID, second.Key.ID} {
		if k, err := h.Get(ctx, holder("alice"), id); err != nil || k.ID != id {
			t.Errorf("Get %s = %s, %v", id, k.ID, err)
		}
	}
	for _, id := range []string{"", "unknown", bobs.Key.ID} {
		if _, err := h.Get(ctx, holder("alice"), id); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("Get %q: %v", id, err)
		}
	}
}

// Shield deletes the row and says nothing of a key it does not find.
func TestRevokeToken(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, shield.Options{})
	c := h.key(t, shield.NewKey("alice", "one"))
	bobs := h.key(t, shield.NewKey("bob", "bob's"))
	for _, id := range []string{"", "unknown", bobs.Key.ID} {
		if _, err := h.Revoke(ctx, holder("alice"), id, ""); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("Revoke %q: %v", id, err)
		}
	}
	k, err := h.Revoke(ctx, holder("alice"), c.Key.ID, "")
	if err != nil || k.State != gatehouse.StateRevoked {
		t.Errorf("Revoke = %v, %v", k.State, err)
	}
	if got := h.denied(t, signed(c)); got != gatehouse.ReasonKeyRevoked {
		t.Errorf("the revoked key: %v", got)
	}
	if got := h.denied(t, signed(bobs)); got != 0 {
		t.Errorf("bob's key: %v", got)
	}
	used := []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled}
	if keys, _, err := h.List(ctx, holder("alice"), gatehouse.KeyQuery{Principal: "alice", States: used}); err != nil || len(keys) != 0 {
		t.Errorf("List = %v, %v", keys, err)
	}
	// The record stays, and who ended it is written down.
	if k, err := h.Get(ctx, holder("alice"), c.Key.ID); err != nil || k.State != gatehouse.StateRevoked {
		t.Errorf("Get = %v, %v", k.State, err)
	}
	events, _, err := h.store.ListEvents(ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	must(t, err)
	if i := slices.IndexFunc(events, func(e gatehouse.Event) bool { return e.Verb == "key.revoke" }); i < 0 || events[i].Actor.ID != "alice" || events[i].Subject != c.Key.ID {
		t.Errorf("no event tells of the revoking: %+v", events)
	}
}

// Keys of other schemes stay. One that may also be presented as a token goes with them:
// it has one secret.
func TestRevokeAllTokens(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, shield.Options{})
	both := shield.NewKey("alice", "both")
	both.Schemes = []string{shield.Name, "bearer"}
	ends := []gatehouse.Created{h.key(t, shield.NewKey("alice", "one")), h.key(t, shield.NewKey("alice", "two")), h.key(t, both)}
	access := h.key(t, gatehouse.NewKey{Principal: "alice", Name: "access token", Schemes: []string{"bearer"}})
	bobs := h.key(t, shield.NewKey("bob", "bob's"))
	if _, err := h.RevokeAll(ctx, holder("bob"), "alice", shield.Name); !errors.Is(err, gatehouse.ErrForbidden) {
		t.Errorf("RevokeAll of another's keys: %v", err)
	}
	if n, err := h.RevokeAll(ctx, holder("alice"), "alice", shield.Name); n != len(ends) || err != nil {
		t.Errorf("RevokeAll = %d, %v", n, err)
	}
	for _, c := range ends {
		if got := h.denied(t, signed(c)); got != gatehouse.ReasonKeyRevoked {
			t.Errorf("%s: %v", c.Key.Name, got)
		}
	}
	bearer := carrying("Bearer " + access.Token.Reveal())
	for name, r := range map[string]*gatehouse.Request{"access token": bearer, "bob's": signed(bobs)} {
		if got := h.denied(t, r); got != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What a handler asks of the key that let its request pass.
func TestCurrentToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, shield.Options{})
	c := h.key(t, shield.NewKey("alice", "reader", "users-read"))
	if gatehouse.FromContext(context.Background()) != nil {
		t.Error("there is a current key before any request")
	}
	d := h.verify(t, signed(c))
	ctx := gatehouse.NewContext(context.Background(), &d)
	current := gatehouse.FromContext(ctx)
	if current == nil || current.Key.ID != c.Key.ID || !current.Key.Scopes.Has("users-read") || current.Key.Scopes.Has("users-write") {
		t.Fatalf("current = %+v", current)
	}
	// A key revoked meanwhile stays the request's own.
	_, err := h.Revoke(ctx, operator, c.Key.ID, "")
	must(t, err)
	if gatehouse.FromContext(ctx).Key.ID != c.Key.ID {
		t.Error("the request lost its key")
	}
}

// Shield's later expiresAt, honoured here from the start.
func TestTokenExpiration(t *testing.T) {
	t.Parallel()
	ctx, h := context.Background(), newHouse(t, shield.Options{})
	n := shield.NewKey("alice", "short")
	n.Expires = began.Add(time.Hour)
	c := h.key(t, n)
	steps := []struct {
		expires time.Time
		want    gatehouse.Reason
	}{
		{began.Add(time.Minute), 0}, {began.Add(-time.Minute), gatehouse.ReasonKeyExpired}, {began, gatehouse.ReasonKeyExpired}, {time.Time{}, 0},
	}
	if k, err := h.Get(ctx, operator, c.Key.ID); err != nil || !k.Expires.Equal(n.Expires) {
		t.Errorf("expires %v, %v", k.Expires, err)
	}
	for _, step := range steps {
		_, err := h.Update(ctx, holder("alice"), c.Key.ID, gatehouse.Patch{Expires: &step.expires})
		must(t, err)
		if got := h.denied(t, signed(c)); got != step.want {
			t.Errorf("expires %v: %v, want %v", step.expires, got, step.want)
		}
	}
}
