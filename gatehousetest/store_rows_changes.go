// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// person inserts an account with a sealed secret.
func (h *rowHouse) person(t *testing.T) account.Account {
	t.Helper()
	return h.account(t, func(a *account.Account) {
		a.TOTP, a.TOTPVersion = gatehouse.Sealed{Ref: "dek-3", Data: randomBytes(60)}, 1
	})
}

// rowsConflict changes every row between its reading and its writing.
func rowsConflict(t *testing.T, h *rowHouse) {
	a := h.person(t)
	k := h.key(t, a.ID, nil)
	sk := gatehouse.SigningKey{ID: name("jwk"), Tenant: h.tenant, Algorithm: "ES256", Private: gatehouse.Sealed{Ref: "dek-4", Data: randomBytes(150)}, Created: h.now()}
	must(t, h.InsertSigningKey(t.Context(), &sk, h.event("signingkey.create", sk.ID)))

	k.Materials[0].Data, a.TOTP.Data = []byte("written meanwhile"), []byte("written meanwhile")
	meanwhile := map[string]func() error{
		k.ID: func() error { return h.UpdateKey(t.Context(), &k, h.event("key.rotate", k.ID)) },
		a.ID: func() error {
			return h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID))
		},
		sk.ID: func() error {
			_, _, _, err := h.rows.Reseal(t.Context(), "signing_keys:", 10, func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error) {
				return gatehouse.Sealed{Ref: "dek-9", Data: []byte("written meanwhile")}, nil
			})
			return err
		},
	}
	_, stale := h.walk(t, 10, func(ctx context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
		must(t, meanwhile[b.ID]())
		return again(ctx, b, s)
	})
	if stale != 3 {
		t.Errorf("%d rows are stale; want 3, for another pass", stale)
	}
	after, _ := h.walk(t, 10, keep)
	for _, s := range after {
		if string(s.Sealed.Data) != "written meanwhile" {
			t.Errorf("%s is overwritten: %q", s.Binding.ID, s.Sealed.Data)
		}
	}
	if _, stale := h.walk(t, 10, again); stale != 3 {
		t.Errorf("%d rows are replaced in the next pass; want 3", stale)
	}
}

func rowsWriterConflict(t *testing.T, h *rowHouse) {
	a := h.person(t)
	k := h.key(t, a.ID, nil)
	h.walk(t, 10, again)
	h.unchanged(t, "update of a key that was read before", gatehouse.ErrConflict, func(e *gatehouse.Event) error {
		return h.UpdateKey(t.Context(), &k, e)
	})
	h.unchanged(t, "update of an account that was read before", gatehouse.ErrConflict, func(e *gatehouse.Event) error {
		return h.UpdateAccount(t.Context(), &a, account.Effects{}, e)
	})
	got, err := h.GetKey(t.Context(), h.tenant, k.ID)
	must(t, err)
	if got.Materials[0].Ref != "dek-new" {
		t.Errorf("the key refers to %s", got.Materials[0].Ref)
	}
}

// rowsRace lets writers change keys while all rows are sealed again and again.
func rowsRace(t *testing.T, h *rowHouse) {
	const writers, changes = 4, 10
	a := h.person(t)
	var keys []gatehouse.Key
	for range writers {
		keys = append(keys, h.key(t, a.ID, nil))
	}
	var calls sync.WaitGroup
	for _, k := range keys {
		calls.Go(func() {
			for i := range changes {
				for {
					now, err := h.GetKey(t.Context(), h.tenant, k.ID)
					if err == nil {
						now.Scopes = append(slices.Clone(now.Scopes), gatehouse.Scope(label("s%d", i)))
						err = h.UpdateKey(t.Context(), &now, h.event("key.update", k.ID))
					}
					if err == nil {
						break
					}
					if !errors.Is(err, gatehouse.ErrConflict) {
						t.Errorf("update: %v", err)
						return
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { calls.Wait(); close(done) }()
	for round, running := 0, true; running; round++ {
		select {
		case <-done:
			running = false
		default:
		}
		h.walk(t, 2, func(_ context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
			return gatehouse.Sealed{Ref: label("round-%d", round), Data: fresh(b)}, nil
		})
	}
	for _, k := range keys {
		now, err := h.GetKey(t.Context(), h.tenant, k.ID)
		must(t, err)
		if len(now.Scopes) != changes || string(now.Materials[0].Data) != string(fresh(gatehouse.Binding{ID: k.ID, Version: 1})) {
			t.Errorf("key %s: %d of %d changes, sealed %q", k.ID, len(now.Scopes), changes, now.Materials[0].Data)
		}
		if n := len(h.events(t, k.ID)); n != 1+changes {
			t.Errorf("key %s: %d events; want %d", k.ID, n, 1+changes)
		}
	}
}

func rowsReferences(t *testing.T, h *rowHouse) {
	h.filled(t)
	got, err := h.rows.References(t.Context())
	must(t, err)
	same(t, "references", got, map[string]int{"dek-1": 10, "dek-2": 2, "dek-3": 4, "dek-4": 4, "pepper-1": 2, "pepper-2/sha-512": 2})
}

func rowsWish(t *testing.T, h *rowHouse) {
	want := func(kek string) {
		t.Helper()
		got, err := h.rows.RewrapWish(t.Context())
		must(t, err)
		if got != kek {
			t.Errorf("the wish is %q; want %q", got, kek)
		}
	}
	want("")
	for _, kek := range []string{"kek-1", "kek-1", "kek-2"} {
		must(t, h.rows.SetRewrapWish(t.Context(), kek, h.event("keyring.rewrap", "kek")))
		want(kek)
	}
	for _, row := range []struct{ kek, left string }{{"kek-1", "kek-2"}, {"kek-2", ""}} {
		must(t, h.rows.DropRewrapWish(t.Context(), row.kek, h.event("keyring.rewrap", "kek")))
		want(row.left)
	}
	if n := len(h.events(t, "kek")); n != 5 {
		t.Errorf("%d events; want 5", n)
	}
}
