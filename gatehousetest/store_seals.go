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

func signingKeyRoundTrip(t *testing.T, h *house) {
	insert := func(h *house, edit func(*gatehouse.SigningKey)) gatehouse.SigningKey {
		k := gatehouse.SigningKey{
			ID: name("jwk"), Tenant: h.tenant, Algorithm: "ES256", Private: gatehouse.Sealed{Ref: "dek-1", Data: randomBytes(150)},
			Public: randomBytes(91), Created: h.now(),
		}
		edit(&k)
		must(t, h.InsertSigningKey(t.Context(), &k, h.event("signingkey.create", k.ID)))
		return k
	}
	first := insert(h, func(k *gatehouse.SigningKey) { k.Retires = h.now() })
	second := insert(h, func(k *gatehouse.SigningKey) { k.Algorithm, k.Private.Data = "RS256", randomBytes(1300) })
	other := newHouse(t, h.AllStores)
	foreign := insert(other, func(*gatehouse.SigningKey) {})

	check := func() {
		t.Helper()
		keys, err := h.SigningKeys(t.Context(), h.tenant)
		must(t, err)
		same(t, "signing keys", keys, []gatehouse.SigningKey{second, first})
		keys, err = h.SigningKeys(t.Context(), other.tenant)
		must(t, err)
		same(t, "signing keys of another tenant", keys, []gatehouse.SigningKey{foreign})
	}
	check()
	again := first
	again.Tenant = other.tenant
	h.unchanged(t, "insert again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertSigningKey(t.Context(), &again, e) })
	check()
}
