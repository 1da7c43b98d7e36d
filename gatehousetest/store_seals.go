// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

// dataKeys reads the data keys of one tenant.
func (h *house) dataKeys(t *testing.T) []gatehouse.DataKey {
	t.Helper()
	all, err := h.DataKeys(t.Context())
	must(t, err)
	var mine []gatehouse.DataKey
	for _, k := range all {
		if k.Tenant == h.tenant {
			mine = append(mine, k)
		}
	}
	return mine
}

func (h *house) dataKey(t *testing.T) gatehouse.DataKey {
	t.Helper()
	k := gatehouse.DataKey{ID: name("dek"), Tenant: h.tenant, Purpose: "totp", KEK: "kek-1", Wrapped: randomBytes(48), Created: h.now()}
	must(t, h.InsertDataKey(t.Context(), &k, h.event("datakey.create", k.ID)))
	return k
}

func dataKeyRoundTrip(t *testing.T, h *house) {
	first := h.dataKey(t)
	second := h.dataKey(t)
	other := newHouse(t, h.AllStores)
	foreign := other.dataKey(t)
	same(t, "data keys", h.dataKeys(t), []gatehouse.DataKey{second, first})
	same(t, "data keys of another tenant", other.dataKeys(t), []gatehouse.DataKey{foreign})

	again := first
	again.Wrapped = randomBytes(48)
	h.unchanged(t, "insert again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertDataKey(t.Context(), &again, e) })
	again.Tenant = other.tenant
	h.unchanged(t, "insert again elsewhere", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertDataKey(t.Context(), &again, e) })
	same(t, "data keys", h.dataKeys(t), []gatehouse.DataKey{second, first})
	if n := len(h.events(t, first.ID)); n != 1 {
		t.Errorf("%d events; want 1", n)
	}
}

func dataKeyRewrap(t *testing.T, h *house) {
	k := h.dataKey(t)
	old := k
	k.KEK, k.Wrapped = "kek-2", randomBytes(48)
	for what, spoil := range map[string]func(k *gatehouse.DataKey, oldKEK *string){
		"another kek":    func(_ *gatehouse.DataKey, oldKEK *string) { *oldKEK = "kek-0" },
		"an unknown id":  func(k *gatehouse.DataKey, _ *string) { k.ID = "none" },
		"another tenant": func(k *gatehouse.DataKey, _ *string) { k.Tenant = "none" },
	} {
		bad, oldKEK := k, "kek-1"
		spoil(&bad, &oldKEK)
		h.unchanged(t, "rewrap from "+what, gatehouse.ErrNotFound, func(e *gatehouse.Event) error {
			return h.RewrapDataKey(t.Context(), &bad, oldKEK, e)
		})
	}
	same(t, "data keys", h.dataKeys(t), []gatehouse.DataKey{old})

	errs := attempts(8, func(int) error { return h.RewrapDataKey(t.Context(), &k, "kek-1", h.event("datakey.rewrap", k.ID)) })
	if n := count(t, "rewrap at once", errs, gatehouse.ErrNotFound); n != 7 {
		t.Errorf("of 8 rewraps from one kek %d failed; want 7", n)
	}
	same(t, "data keys", h.dataKeys(t), []gatehouse.DataKey{k})
}

func (h *house) signingKey(t *testing.T, edit func(*gatehouse.SigningKey)) gatehouse.SigningKey {
	t.Helper()
	k := gatehouse.SigningKey{
		ID: name("jwk"), Tenant: h.tenant, Algorithm: "ES256", Private: gatehouse.Sealed{Ref: "dek-1", Data: randomBytes(150)},
		Public: randomBytes(91), Created: h.now(),
	}
	if edit != nil {
		edit(&k)
	}
	must(t, h.InsertSigningKey(t.Context(), &k, h.event("signingkey.create", k.ID)))
	return k
}

// wantSigningKeys reads the signing keys of the tenant, newest first.
func (h *house) wantSigningKeys(t *testing.T, what string, want ...gatehouse.SigningKey) {
	t.Helper()
	keys, err := h.SigningKeys(t.Context(), h.tenant)
	must(t, err)
	same(t, what, keys, want)
}

func signingKeyRoundTrip(t *testing.T, h *house) {
	first := h.signingKey(t, func(k *gatehouse.SigningKey) { k.Signs, k.Retires = h.now(), h.now() })
	second := h.signingKey(t, func(k *gatehouse.SigningKey) { k.Algorithm, k.Private.Data = "RS256", randomBytes(1300) })
	other := newHouse(t, h.AllStores)
	foreign := other.signingKey(t, nil)

	check := func() {
		t.Helper()
		h.wantSigningKeys(t, "signing keys", second, first)
		other.wantSigningKeys(t, "signing keys of another tenant", foreign)
	}
	check()
	again := first
	again.Tenant = other.tenant
	h.unchanged(t, "insert again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertSigningKey(t.Context(), &again, e) })
	check()
}

func signingKeyRetire(t *testing.T, h *house) {
	first := h.signingKey(t, nil)
	second := h.signingKey(t, nil)
	foreign := newHouse(t, h.AllStores).signingKey(t, nil)
	for what, id := range map[string]string{"none": "none", "that of another tenant": foreign.ID, "one that is no text": "\xff"} {
		want := gatehouse.ErrNotFound
		if what == "one that is no text" {
			want = nil
		}
		h.unchanged(t, "retire "+what, want, func(e *gatehouse.Event) error { return h.RetireSigningKey(t.Context(), h.tenant, id, h.now(), e) })
		h.unchanged(t, "delete "+what, want, func(e *gatehouse.Event) error { return h.DeleteSigningKey(t.Context(), h.tenant, id, e) })
	}
	for range 2 { // the second time moves it
		first.Retires = h.now()
		must(t, h.RetireSigningKey(t.Context(), h.tenant, first.ID, first.Retires, h.event("signingkey.retire", first.ID)))
		h.wantSigningKeys(t, "retired", second, first)
	}
	must(t, h.DeleteSigningKey(t.Context(), h.tenant, first.ID, h.event("signingkey.delete", first.ID)))
	h.wantSigningKeys(t, "deleted", second)
	h.unchanged(t, "delete again", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.DeleteSigningKey(t.Context(), h.tenant, first.ID, e) })
	if n := len(h.events(t, first.ID)); n != 4 {
		t.Errorf("%d events; want 4", n)
	}
}
