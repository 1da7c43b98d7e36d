// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func keyUpdate(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	k := h.key(t, a.ID, func(k *gatehouse.Key) {
		k.Networks, k.Scopes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, gatehouse.Scopes{"all"}
		k.Unused, k.LastUsed = time.Hour, h.now()
	})
	k.Principal, k.Name, k.Prefix, k.Schemes, k.Scopes, k.Networks = b.ID, "new name", "new", []string{"bearer"}, gatehouse.Scopes{"one", "two"}, nil
	k.Limits = []gatehouse.Limit{{Name: "all", Count: 1, Period: time.Minute, Burst: 2}}
	k.Replay, k.State, k.StateText = gatehouse.ReplayWindow, gatehouse.StateDisabled, "banned"
	k.NotBefore, k.Expires, k.Updated, k.Unused = h.now(), h.now(), h.now(), 2*time.Hour
	k.Materials = []gatehouse.Material{
		{Version: 2, Kind: gatehouse.MaterialDigest, Ref: "pepper-1", Data: randomBytes(32), Created: h.now()},
		{Version: 1, Kind: k.Materials[0].Kind, Ref: k.Materials[0].Ref, Data: k.Materials[0].Data, Created: k.Materials[0].Created, NotAfter: h.now()},
	}
	passed := k
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	same(t, "the key passed to UpdateKey", k, passed)
	k.Version = 2
	mustReadKey(t, h, k)
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	k.Version = 3
	mustReadKey(t, h, k)
}

func keyUpdateRefused(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	for _, version := range []int64{0, 2, -1} {
		stale := k
		stale.Version, stale.Name = version, "stale"
		h.unchanged(t, label("update of version %d", version), gatehouse.ErrConflict, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &stale, e) })
	}
	unknown := h.newKey(a.ID)
	h.unchanged(t, "update of an unknown key", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &unknown, e) })
	foreign := k
	foreign.Tenant = newHouse(t, h.AllStores).tenant
	h.unchanged(t, "update in another tenant", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &foreign, e) })
	orphan := k
	orphan.Principal = "nobody"
	h.unchanged(t, "update to an unknown principal", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &orphan, e) })
	mustReadKey(t, h, k)
}

func keyUpdateRace(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	for range 10 {
		before := len(h.events(t, k.ID))
		var winner atomic.Pointer[string]
		errs := attempts(8, func(i int) error {
			mine := k
			mine.Name = fmt.Sprintf("writer %d", i)
			err := h.UpdateKey(t.Context(), &mine, h.event("key.update", k.ID))
			if err == nil {
				winner.Store(&mine.Name)
			}
			return err
		})
		if n := count(t, "update at once", errs, gatehouse.ErrConflict); n != 7 {
			t.Fatalf("of 8 updates of one version %d failed; want 7", n)
		}
		if after := len(h.events(t, k.ID)); after != before+1 {
			t.Errorf("one update left %d events", after-before)
		}
		k.Name, k.Version = *winner.Load(), k.Version+1
		mustReadKey(t, h, k)
	}
}

func keyRevoked(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	k.State, k.StateText = gatehouse.StateRevoked, "revoked"
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.revoke", k.ID)))
	k.Version++
	for _, state := range []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled} {
		back := k
		back.State, back.Name = state, "back from the dead"
		h.unchanged(t, "update of a revoked key to "+state.String(), gatehouse.ErrConflict, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &back, e) })
	}
	mustReadKey(t, h, k)
	k.Name, k.Materials = "still revoked", nil
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	k.Version++
	mustReadKey(t, h, k)

	// Whoever read the key before the revocation and writes after it loses.
	for range 20 {
		k := h.key(t, k.Principal, nil)
		attempts(2, func(i int) error {
			mine := k
			mine.State = []gatehouse.State{gatehouse.StateRevoked, gatehouse.StateDisabled}[i]
			for {
				err := h.UpdateKey(t.Context(), &mine, h.event("key.update", k.ID))
				now, readErr := h.GetKey(t.Context(), h.tenant, k.ID)
				if err == nil || readErr != nil || now.State == gatehouse.StateRevoked && i == 1 {
					return readErr
				}
				mine.Version = now.Version
			}
		})
		record, err := h.Lookup(t.Context(), k.ID)
		must(t, err)
		if record.Key.State != gatehouse.StateRevoked {
			t.Fatalf("state %v after a revocation was acknowledged", record.Key.State)
		}
	}
}

func keyDeleted(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, func(k *gatehouse.Key) { k.State = gatehouse.StateRevoked })
	kept := h.key(t, a.ID, nil)
	k.Materials, k.Metadata, k.Name, k.Deleted = nil, nil, "", h.now()
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.delete", k.ID)))
	k.Version++
	mustReadKey(t, h, k)
	for what, deleted := range map[string]time.Time{"without": {}, "with another": h.now()} {
		back := k
		back.Deleted = deleted
		h.unchanged(t, "update "+what+" time of deletion", gatehouse.ErrConflict, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &back, e) })
	}
	mustReadKey(t, h, k)
	again := h.newKey(a.ID)
	again.ID = k.ID
	h.unchanged(t, "insert its id", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &again, e) })
	for _, limit := range []int{0, 10} {
		keys, total, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant, Limit: limit})
		must(t, err)
		kept.Materials = nil
		same(t, "ListKeys", keys, []gatehouse.Key{kept})
		if total != 1 {
			t.Errorf("total %d; want 1", total)
		}
	}
	// An account that changes takes the copies in deleted keys along.
	a.Role = "changed"
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID)))
	h.knows(t, k.ID, a.ID)
}

func keyAcknowledged(t *testing.T, h *house) {
	a := h.account(t, nil)
	errs := attempts(16, func(int) error {
		for range 8 {
			k := h.newKey(a.ID)
			if err := h.InsertKey(t.Context(), &k, h.event("key.create", k.ID)); err != nil {
				return err
			}
			if _, err := h.Lookup(t.Context(), k.ID); err != nil {
				return fmt.Errorf("look-up after the insert: %w", err)
			}
			k.State = gatehouse.StateRevoked
			if err := h.UpdateKey(t.Context(), &k, h.event("key.revoke", k.ID)); err != nil {
				return err
			}
			record, err := h.Lookup(t.Context(), k.ID)
			if err != nil {
				return err
			}
			if record.Key.State != gatehouse.StateRevoked {
				return fmt.Errorf("state %v after the revocation", record.Key.State)
			}
		}
		return nil
	})
	for _, err := range errs {
		must(t, err)
	}
	if _, total, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant, Limit: 1}); err != nil || total != 128 {
		t.Errorf("%d keys (%v); want 128", total, err)
	}
}

func keyList(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	var all []gatehouse.Key
	for i, state := range []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled, gatehouse.StateRevoked, gatehouse.StateActive} {
		k := h.key(t, []string{a.ID, a.ID, a.ID, b.ID}[i], func(k *gatehouse.Key) { k.State = state })
		k.Materials = nil // a list is without
		all = append(all, k)
	}
	other := newHouse(t, h.AllStores)
	other.key(t, other.account(t, nil).ID, nil)

	for _, row := range []struct {
		what string
		q    gatehouse.KeyQuery
		want []int
	}{
		{"all", gatehouse.KeyQuery{}, []int{0, 1, 2, 3}},
		{"of a principal", gatehouse.KeyQuery{Principal: a.ID}, []int{0, 1, 2}},
		{"in a state", gatehouse.KeyQuery{States: []gatehouse.State{gatehouse.StateActive}}, []int{0, 3}},
		{"in one of two states", gatehouse.KeyQuery{States: []gatehouse.State{gatehouse.StateRevoked, gatehouse.StateDisabled}}, []int{1, 2}},
		{"in one of three states", gatehouse.KeyQuery{States: []gatehouse.State{gatehouse.StateRevoked, gatehouse.StateDisabled, gatehouse.StateActive}}, []int{0, 1, 2, 3}},
		{"of a principal in a state", gatehouse.KeyQuery{Principal: a.ID, States: []gatehouse.State{gatehouse.StateActive}}, []int{0}},
		{"of nobody", gatehouse.KeyQuery{Principal: "nobody"}, nil},
	} {
		row.q.Tenant = h.tenant
		var want []gatehouse.Key
		for _, i := range row.want {
			want = append(want, all[i])
		}
		keys, total, err := h.ListKeys(t.Context(), row.q)
		must(t, err)
		same(t, "keys "+row.what, keys, want)
		if total != len(want) {
			t.Errorf("keys %s: total %d; want %d", row.what, total, len(want))
		}
	}
}

func keyListOrders(t *testing.T, h *house) {
	a := h.account(t, nil)
	created := h.now()
	var all []gatehouse.Key
	for i, text := range []string{"b", "B", "a", "", "_", "é", "b"} {
		k := h.key(t, a.ID, func(k *gatehouse.Key) {
			k.ID = text + "/" + k.ID
			k.Created = created.Add(time.Duration(i/2) * time.Second) // two of each
			k.Updated = created.Add(time.Duration((i*3)%4) * time.Second)
			k.StateText = text
			k.State = []gatehouse.State{gatehouse.StateActive, gatehouse.StateDisabled}[i%2]
			k.Scopes = gatehouse.Scopes{gatehouse.Scope(text + "x")}
		})
		k.Materials = nil
		all = append(all, k)
	}
	stateText := func(k gatehouse.Key) string { return cmp.Or(k.StateText, k.State.String()) }
	for order, compare := range map[gatehouse.KeyOrder]func(a, b gatehouse.Key) int{
		gatehouse.KeyOrderCreated: func(a, b gatehouse.Key) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) },
		gatehouse.KeyOrderID:      func(a, b gatehouse.Key) int { return cmp.Compare(a.ID, b.ID) },
		gatehouse.KeyOrderUpdated: func(a, b gatehouse.Key) int { return a.Updated.Compare(b.Updated) },
		gatehouse.KeyOrderState:   func(a, b gatehouse.Key) int { return cmp.Compare(stateText(a), stateText(b)) },
		gatehouse.KeyOrderScopes:  func(a, b gatehouse.Key) int { return cmp.Compare(a.Scopes[0], b.Scopes[0]) },
	} {
		for _, desc := range []bool{false, true} {
			want := slices.Clone(all)
			// Text is ordered by its bytes, and what is equal by creation.
			slices.SortFunc(want, func(a, b gatehouse.Key) int {
				c := compare(a, b)
				if desc {
					c = -c
				}
				return cmp.Or(c, a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
			})
			keys, _, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant, Order: order, Desc: desc})
			must(t, err)
			same(t, label("order %d, descending %v", order, desc), keys, want)
		}
	}
}

func keyListPages(t *testing.T, h *house) {
	a := h.account(t, nil)
	var ids []string
	for range 7 {
		ids = append(ids, h.key(t, a.ID, nil).ID)
	}
	for _, row := range []struct {
		offset, limit int
		want          []string
	}{
		{0, 0, ids}, {0, 3, ids[:3]}, {3, 3, ids[3:6]}, {6, 3, ids[6:]}, {7, 3, nil}, {100, 3, nil}, {5, 0, ids[5:]}, {0, 100, ids}, {0, 7, ids},
	} {
		q := gatehouse.KeyQuery{Tenant: h.tenant, Principal: a.ID, Offset: row.offset, Limit: row.limit}
		keys, total, err := h.ListKeys(t.Context(), q)
		must(t, err)
		var got []string
		for _, k := range keys {
			got = append(got, k.ID)
		}
		same(t, label("page from %d of %d", row.offset, row.limit), got, row.want)
		if total != 7 {
			t.Errorf("total %d from %d; want 7", total, row.offset)
		}
	}
}
