// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// RowStore is a store of everything that also implements seal.Rows, whose documentation
// is the contract.
type RowStore interface {
	AllStores
	Reseal(ctx context.Context, after string, limit int, again func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (next string, read, stale int, err error)
	CountRows(ctx context.Context) (int, error)
	References(ctx context.Context) (map[string]int, error)
	RewrapWish(ctx context.Context) (kek string, err error)
	SetRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error
	DropRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error
}

// Rows is the suite of seal.Rows. open returns a store that nobody else uses; every test
// opens its own, because rows are read over all tenants.
func Rows(t *testing.T, open func(t *testing.T) RowStore) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, h *rowHouse)
	}{
		{"all rows are read once", rowsWalk},
		{"rows are replaced", rowsReplace},
		{"an error changes nothing", rowsFail},
		{"a change meanwhile is not overwritten", rowsConflict},
		{"a writer who read before begins again", rowsWriterConflict},
		{"no change is lost", rowsRace},
		{"references", rowsReferences},
		{"the wish", rowsWish},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			row.test(t, &rowHouse{newHouse(t, s), s})
		})
	}
}

// rowHouse is a tenant of a store with rows.
type rowHouse struct {
	*house
	rows RowStore
}

// seen is what again was asked about.
type seen struct {
	Binding gatehouse.Binding
	Sealed  gatehouse.Sealed
}

// again replaces everything that is not sealed with "dek-new".
func again(_ context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
	if s.Ref == "dek-new" {
		return s, nil
	}
	return gatehouse.Sealed{Ref: "dek-new", Data: fresh(b)}, nil
}

// fresh is the data of a secret with a binding, sealed again.
func fresh(b gatehouse.Binding) []byte {
	return fmt.Appendf(nil, "%s again, version %d", b.ID, b.Version)
}

// walk reads all rows and returns what again was asked about, by row and version.
func (h *rowHouse) walk(t *testing.T, limit int, again func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (asked map[string]seen, stale int) {
	t.Helper()
	asked = map[string]seen{}
	total, err := h.rows.CountRows(t.Context())
	must(t, err)
	all := 0
	for after := ""; ; {
		next, read, found, err := h.rows.Reseal(t.Context(), after, limit, func(ctx context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
			name := label("%s %s %d", b.Tenant, b.ID, b.Version)
			if _, twice := asked[name]; twice {
				t.Errorf("%s comes twice", name)
			}
			asked[name] = seen{b, gatehouse.Sealed{Ref: s.Ref, Data: append([]byte(nil), s.Data...)}}
			return again(ctx, b, s)
		})
		must(t, err)
		if read > limit || next == after {
			t.Fatalf("limit %d: %d rows from %q to %q", limit, read, after, next)
		}
		all, stale, after = all+read, stale+found, next
		if next == "" {
			break
		}
	}
	if all != total {
		t.Errorf("limit %d: %d rows, counted %d", limit, all, total)
	}
	return asked, stale
}

func keep(_ context.Context, _ gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
	return s, nil
}

// filled inserts rows of every kind and returns the secrets that are sealed in them.
func (h *rowHouse) filled(t *testing.T) map[string]seen {
	t.Helper()
	want := map[string]seen{}
	note := func(b gatehouse.Binding, s gatehouse.Sealed) {
		want[label("%s %s %d", b.Tenant, b.ID, b.Version)] = seen{b, s}
	}
	for _, h := range []*house{h.house, newHouse(t, h.rows)} {
		plain := h.account(t, nil)
		for i := range 5 {
			k := h.key(t, plain.ID, func(k *gatehouse.Key) {
				if i == 0 {
					k.Materials = append([]gatehouse.Material{
						{Version: 4, Kind: gatehouse.MaterialSealed, Ref: "dek-2", Data: randomBytes(70), Created: k.Created},
						{Version: 3, Kind: gatehouse.MaterialDigest, Ref: "pepper-1", Data: randomBytes(32), Created: k.Created, NotAfter: h.now()},
						{Version: 2, Kind: gatehouse.MaterialPublic, Ref: "dek-1", Data: randomBytes(44), Created: k.Created},
					}, k.Materials...)
				}
			})
			for _, m := range k.Materials {
				if m.Kind == gatehouse.MaterialSealed {
					note(gatehouse.Binding{Tenant: h.tenant, ID: k.ID, Version: m.Version}, gatehouse.Sealed{Ref: m.Ref, Data: m.Data})
				}
			}
		}
		h.key(t, plain.ID, func(k *gatehouse.Key) { // nothing in it is sealed
			k.Materials = []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialDigest, Ref: "pepper-2/sha-512", Data: randomBytes(32), Created: k.Created}}
		})
		for range 2 {
			a := h.account(t, func(a *account.Account) {
				a.TOTP, a.TOTPVersion = gatehouse.Sealed{Ref: "dek-3", Data: randomBytes(60)}, 7
			})
			note(gatehouse.Binding{Tenant: h.tenant, ID: a.ID, Version: 7}, a.TOTP)
			k := gatehouse.SigningKey{ID: name("jwk"), Tenant: h.tenant, Algorithm: "ES256", Private: gatehouse.Sealed{Ref: "dek-4", Data: randomBytes(150)}, Public: randomBytes(91), Created: h.now()}
			must(t, h.InsertSigningKey(t.Context(), &k, h.event("signingkey.create", k.ID)))
			note(gatehouse.Binding{Tenant: h.tenant, ID: k.ID, Version: 1}, k.Private)
		}
	}
	return want
}

func rowsWalk(t *testing.T, h *rowHouse) {
	if asked, _ := h.walk(t, 10, keep); len(asked) != 0 {
		t.Errorf("an empty store holds %d secrets", len(asked))
	}
	want := h.filled(t)
	events := len(h.events(t, ""))
	for _, limit := range []int{1, 2, 3, 5, 1000} {
		asked, stale := h.walk(t, limit, keep)
		same(t, label("limit %d", limit), asked, want)
		if stale != 0 {
			t.Errorf("limit %d: %d rows are stale; want 0", limit, stale)
		}
	}
	if _, _, _, err := h.rows.Reseal(t.Context(), "nowhere", 10, keep); err == nil {
		t.Error("a place that is none was read")
	}
	if after := len(h.events(t, "")); after != events {
		t.Errorf("%d events of reading", after-events)
	}
}

func rowsReplace(t *testing.T, h *rowHouse) {
	want := h.filled(t)
	// Lookups before, so that a store that keeps records has some to forget.
	keys, _, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant})
	must(t, err)
	before := map[string]gatehouse.Key{}
	for _, k := range keys {
		r, err := h.Lookup(t.Context(), k.ID)
		must(t, err)
		before[k.ID] = r.Key
	}
	events := len(h.events(t, ""))
	if _, stale := h.walk(t, 3, again); stale != len(want)-2 { // two keys have two secrets each
		t.Errorf("%d rows are stale; want %d", stale, len(want)-2)
	}
	for id, k := range before {
		sealed := false
		k.Materials = append([]gatehouse.Material(nil), k.Materials...)
		for i, m := range k.Materials {
			if m.Kind == gatehouse.MaterialSealed {
				sealed = true
				k.Materials[i].Ref, k.Materials[i].Data = "dek-new", fresh(gatehouse.Binding{ID: id, Version: m.Version})
			}
		}
		if sealed {
			k.Version++
		}
		got, err := h.GetKey(t.Context(), h.tenant, id)
		must(t, err)
		same(t, "key", got, k)
		r, err := h.Lookup(t.Context(), id)
		must(t, err)
		same(t, "record", r.Key, k)
		h.knows(t, id, k.Principal)
	}
	for name, s := range want {
		s.Sealed = gatehouse.Sealed{Ref: "dek-new", Data: fresh(s.Binding)}
		want[name] = s
	}
	asked, stale := h.walk(t, 1000, again)
	same(t, "a second time", asked, want)
	if stale != 0 {
		t.Errorf("%d rows are stale a second time", stale)
	}
	accounts, _, err := h.ListAccounts(t.Context(), account.Query{Tenant: h.tenant})
	must(t, err)
	for _, a := range accounts {
		if version := int64(1); a.TOTP.Ref != "" {
			if version++; a.Version != version || a.TOTPVersion != 7 {
				t.Errorf("account %s has version %d, secret %d", a.ID, a.Version, a.TOTPVersion)
			}
		}
	}
	if after := len(h.events(t, "")); after != events {
		t.Errorf("%d events", after-events)
	}
}

func rowsFail(t *testing.T, h *rowHouse) {
	want := h.filled(t)
	fault, asked := errors.New("fault"), 0
	_, _, _, err := h.rows.Reseal(t.Context(), "", 100, func(ctx context.Context, b gatehouse.Binding, s gatehouse.Sealed) (gatehouse.Sealed, error) {
		if asked++; asked == 4 {
			return gatehouse.Sealed{}, fault
		}
		return again(ctx, b, s)
	})
	if err != fault { // as it is, not wrapped
		t.Errorf("error %v; want the one of again", err)
	}
	got, _ := h.walk(t, 1000, keep)
	same(t, "rows", got, want)
}
