// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

var comparables cmp.Option = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// hostile are texts that are text, but not to every program.
var hostile = []string{
	"", " ", "'; DROP TABLE keys; --", "\"quoted\" \\ \\u0000 %s %d $1 ?", "[\"a\",\"b\"]", "\t\r\n\x01\x1e\x7f",
	"zażółć gęślą jaźń", "\u202eright to left\u202c", "e\u0301 \u00e9", "\U0001F511\U0001F3F4", "\ufffd\ufeff\uffff", "NULL", "0", "1e309",
	strings.Repeat("long ", 20000),
}

// unstorable are no texts to a store: PostgreSQL keeps none of them but U+001F, which
// the SQL stores put between fields.
var unstorable = []string{"\x00", "a\x00b", "a\x1fb", "\xff", "caf\xe9", "\xed\xa0\x80"}

func mustReadKey(t *testing.T, h *house, want gatehouse.Key) {
	t.Helper()
	got, err := h.GetKey(t.Context(), h.tenant, want.ID)
	must(t, err)
	same(t, "GetKey", got, want)
	record, err := h.Lookup(t.Context(), want.ID)
	must(t, err)
	same(t, "Lookup", record.Key, want)
}

func keyRoundTrip(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) {
		a.Username, a.Role, a.Level, a.State, a.Referral, a.OTP = "Ada", "trader", 3, gatehouse.PrincipalPending, "account-0", true
		a.Limits = []gatehouse.Limit{{Name: "all", Count: 10, Period: time.Minute}, {Name: "week", Count: 7, Refill: gatehouse.RefillWeek}}
	})
	k := h.key(t, a.ID, func(k *gatehouse.Key) {
		k.Name, k.Prefix = "Ada's bot", "mycompany"
		k.Schemes = []string{"bearer", "barong", "a<b>&c"}
		k.Scopes = gatehouse.Scopes{"orders:read", "*", "<&>", "a,b"}
		k.Networks = []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::ffff:1.2.3.4/120")}
		k.Limits = []gatehouse.Limit{{Name: "fast", Count: 10, Period: time.Second, Burst: 20}, {Name: "\"day\"", Count: 1e9, Period: 24 * time.Hour}, {Name: "month", Count: 5, Refill: gatehouse.RefillMonth}}
		k.Methods, k.Paths, k.Signed = []string{"GET", "X-\"<&>"}, []string{"/v1/orders/", "/é \\"}, true
		k.Metadata = gatehouse.Metadata{"plan": "gold", "text": "a=b <&> é\u2028\"\\", "empty": ""}
		k.Replay = gatehouse.ReplayWindow
		k.State, k.StateText = gatehouse.StateDisabled, "inactive"
		k.NotBefore, k.Expires = h.now(), h.now().Add(time.Hour)
		k.Unused, k.LastUsed = 8760*time.Hour+time.Microsecond, h.now()
		k.Version = 77 // not taken over
	})
	k.Version = 1
	mustReadKey(t, h, k)

	record, err := h.Lookup(t.Context(), k.ID)
	must(t, err)
	same(t, "principal of Lookup", record.Principal, a.Principal())
	p, err := h.Principal(t.Context(), h.tenant, a.ID)
	must(t, err)
	same(t, "Principal", p, a.Principal())
}

func keyEmptyLists(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, func(k *gatehouse.Key) { k.Schemes, k.Materials = nil, nil })
	mustReadKey(t, h, k)
	k = h.key(t, a.ID, func(k *gatehouse.Key) {
		k.Schemes, k.Materials = []string{}, []gatehouse.Material{}
		k.Scopes, k.Networks, k.Limits = gatehouse.Scopes{}, []netip.Prefix{}, []gatehouse.Limit{}
		k.Methods, k.Paths, k.Metadata = []string{}, []string{}, gatehouse.Metadata{}
	})
	mustReadKey(t, h, k)
	// One empty word is not no words.
	k = h.key(t, a.ID, func(k *gatehouse.Key) { k.Scopes = gatehouse.Scopes{""} })
	mustReadKey(t, h, k)
}

func keyTimes(t *testing.T, h *house) {
	a := h.account(t, nil)
	zone := time.FixedZone("zone", 3*3600)
	for _, row := range []struct{ stored, read time.Time }{
		{time.Time{}, time.Time{}},
		{time.Date(2026, 1, 2, 3, 4, 5, 123456789, zone), time.Date(2026, 1, 2, 0, 4, 5, 123456000, time.UTC)},
		{time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC)},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{time.UnixMicro(-1), time.UnixMicro(-1).UTC()},
		// The beginning of 1970 is a time; a key that expired then did not expire never.
		{time.Unix(0, 0), time.UnixMicro(1).UTC()},
	} {
		k := h.key(t, a.ID, func(k *gatehouse.Key) {
			k.NotBefore, k.Expires, k.Created, k.Updated, k.LastUsed = row.stored, row.stored, row.stored, row.stored, row.stored
			k.Materials[0].Created, k.Materials[0].NotAfter = row.stored, row.stored
		})
		k.NotBefore, k.Expires, k.Created, k.Updated, k.LastUsed = row.read, row.read, row.read, row.read, row.read
		k.Materials[0].Created, k.Materials[0].NotAfter = row.read, row.read
		mustReadKey(t, h, k)
	}
}

func keyTexts(t *testing.T, h *house) {
	for _, text := range hostile {
		a := h.account(t, func(a *account.Account) { a.Role, a.Referral = text, text })
		k := h.key(t, a.ID, func(k *gatehouse.Key) {
			k.Name, k.Prefix, k.StateText, k.Schemes, k.Scopes = text, text, text, []string{text, "x"}, gatehouse.Scopes{"x", gatehouse.Scope(text)}
			k.Limits = []gatehouse.Limit{{Name: text, Count: 1, Period: time.Second}}
			k.Materials[0].Ref = text
		})
		mustReadKey(t, h, k)
		record, err := h.Lookup(t.Context(), k.ID)
		must(t, err)
		same(t, "principal of Lookup", record.Principal, a.Principal())
		if _, err := h.Lookup(t.Context(), text); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("Lookup(%.40q): %v; want ErrNotFound", text, err)
		}
	}
}

func keyUnstorable(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	for _, text := range unstorable {
		for what, spoil := range map[string]func(*gatehouse.Key){
			"id":       func(k *gatehouse.Key) { k.ID = text },
			"name":     func(k *gatehouse.Key) { k.Name = text },
			"scheme":   func(k *gatehouse.Key) { k.Schemes = []string{"x", text} },
			"scope":    func(k *gatehouse.Key) { k.Scopes = gatehouse.Scopes{gatehouse.Scope(text)} },
			"limit":    func(k *gatehouse.Key) { k.Limits = []gatehouse.Limit{{Name: text, Count: 1, Period: 1}} },
			"material": func(k *gatehouse.Key) { k.Materials[0].Ref = text },
			"method":   func(k *gatehouse.Key) { k.Methods = []string{text} },
			"path":     func(k *gatehouse.Key) { k.Paths = []string{"/", text} },
			"a pair":   func(k *gatehouse.Key) { k.Metadata = gatehouse.Metadata{"a": text} },
			"a name":   func(k *gatehouse.Key) { k.Metadata = gatehouse.Metadata{text: "a"} },
		} {
			bad := h.newKey(a.ID)
			spoil(&bad)
			h.unchanged(t, label("insert with %s %q", what, text), nil, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &bad, e) })
		}
		bad := k
		bad.Name = text
		h.unchanged(t, label("update with name %q", text), nil, func(e *gatehouse.Event) error { return h.UpdateKey(t.Context(), &bad, e) })

		_, err := h.Lookup(t.Context(), text)
		mustBe(t, label("Lookup(%q)", text), err, gatehouse.ErrNotFound)
		_, err = h.GetKey(t.Context(), h.tenant, k.ID+text)
		mustBe(t, label("GetKey(%q)", text), err, gatehouse.ErrNotFound)
		keys, total, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant, Principal: text, Limit: 5})
		must(t, err)
		if len(keys) != 0 || total != 0 {
			t.Errorf("ListKeys of principal %q: %d keys, total %d", text, len(keys), total)
		}
	}
	mustReadKey(t, h, k)
}

func keyMaterials(t *testing.T, h *house) {
	a := h.account(t, nil)
	material := func(version int64) gatehouse.Material {
		kind := gatehouse.MaterialKind(1 + version%3)
		return gatehouse.Material{Version: version, Kind: kind, Ref: name("ref"), Data: randomBytes(int(version % 5000)), Created: h.now(), NotAfter: h.now()}
	}
	versions := []int64{3, 1, 4999, 1 << 40, 2}
	k := h.key(t, a.ID, func(k *gatehouse.Key) {
		k.Materials = nil
		for _, v := range versions {
			k.Materials = append(k.Materials, material(v))
		}
	})
	slices.SortFunc(k.Materials, newestFirst)
	mustReadKey(t, h, k)

	k.Materials = []gatehouse.Material{material(5), k.Materials[4]}
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.rotate", k.ID)))
	k.Version++
	mustReadKey(t, h, k)
}

func newestFirst(a, b gatehouse.Material) int {
	if a.Version > b.Version {
		return -1
	}
	return 1
}

func keyInvalid(t *testing.T, h *house) {
	a := h.account(t, nil)
	for what, spoil := range map[string]func(*gatehouse.Key){
		"no state":         func(k *gatehouse.Key) { k.State = gatehouse.StateInvalid },
		"a state too high": func(k *gatehouse.Key) { k.State = 99 },
		"a replay mode":    func(k *gatehouse.Key) { k.Replay = 99 },
		"no kind":          func(k *gatehouse.Key) { k.Materials[0].Kind = gatehouse.MaterialInvalid },
		"a kind too high":  func(k *gatehouse.Key) { k.Materials[0].Kind = 99 },
		"no version":       func(k *gatehouse.Key) { k.Materials[0].Version = 0 },
		"two of a version": func(k *gatehouse.Key) { k.Materials = append(k.Materials, k.Materials[0]) },
		"a limit's span":   func(k *gatehouse.Key) { k.Limits = []gatehouse.Limit{{Name: "x", Refill: 99}} },
		"no network":       func(k *gatehouse.Key) { k.Networks = []netip.Prefix{{}} },
	} {
		k := h.newKey(a.ID)
		spoil(&k)
		h.unchanged(t, "insert with "+what, nil, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &k, e) })
		_, err := h.Lookup(t.Context(), k.ID)
		mustBe(t, "Lookup", err, gatehouse.ErrNotFound)
	}
}

func keyTaken(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	again := h.newKey(a.ID)
	again.ID = k.ID
	h.unchanged(t, "insert again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &again, e) })

	other := newHouse(t, h.AllStores)
	b := other.account(t, nil)
	foreign := other.newKey(b.ID)
	foreign.ID = k.ID
	other.unchanged(t, "insert in another tenant", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &foreign, e) })
	mustReadKey(t, h, k)

	errs := attempts(20, func(int) error {
		k := again
		k.ID = "raced-" + h.tenant
		return h.InsertKey(t.Context(), &k, h.event("key.create", k.ID))
	})
	if n := count(t, "insert at once", errs, gatehouse.ErrExists); n != 19 {
		t.Errorf("of 20 inserts of one id %d failed", n)
	}
}

func keyWithoutPrincipal(t *testing.T, h *house) {
	k := h.newKey("nobody")
	h.unchanged(t, "insert without principal", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &k, e) })
	other := newHouse(t, h.AllStores)
	k.Principal = other.account(t, nil).ID
	h.unchanged(t, "insert with another tenant's principal", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.InsertKey(t.Context(), &k, e) })
}

func keyEvents(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.newKey(a.ID)
	inserted := h.event("key.create", k.ID)
	must(t, h.InsertKey(t.Context(), &k, inserted))
	k.State = gatehouse.StateRevoked
	updated := h.event("key.revoke", k.ID)
	must(t, h.UpdateKey(t.Context(), &k, updated))
	if inserted.Seq != 2 || updated.Seq != 3 { // the first is that of the account
		t.Errorf("Seq %d and %d; want 2 and 3", inserted.Seq, updated.Seq)
	}
	same(t, "events", h.events(t, k.ID), []gatehouse.Event{*inserted, *updated})
}

func keyNotFound(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	other := newHouse(t, h.AllStores)
	for _, id := range []string{"", "nobody", k.ID[:15], k.ID + " ", strings.ToUpper(k.ID) + "A", "%"} {
		_, err := h.Lookup(t.Context(), id)
		mustBe(t, label("Lookup(%q)", id), err, gatehouse.ErrNotFound)
		_, err = h.GetKey(t.Context(), h.tenant, id)
		mustBe(t, label("GetKey(%q)", id), err, gatehouse.ErrNotFound)
		_, err = h.Principal(t.Context(), h.tenant, id)
		mustBe(t, label("Principal(%q)", id), err, gatehouse.ErrNotFound)
	}
	_, err := h.GetKey(t.Context(), other.tenant, k.ID)
	mustBe(t, "GetKey in another tenant", err, gatehouse.ErrNotFound)
	_, err = h.Principal(t.Context(), other.tenant, a.ID)
	mustBe(t, "Principal in another tenant", err, gatehouse.ErrNotFound)
}

func keyLookupPrincipal(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	for _, state := range []gatehouse.PrincipalState{gatehouse.PrincipalBanned, gatehouse.PrincipalActive, gatehouse.PrincipalDeleted} {
		a.State = state
		must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.state", a.ID)))
		a.Version++
		record, err := h.Lookup(t.Context(), k.ID)
		must(t, err)
		same(t, "principal", record.Principal, a.Principal())
	}
}

// knows checks that a look-up of a key tells its principal as it is.
func (h *house) knows(t *testing.T, keyID, principal string) gatehouse.Principal {
	t.Helper()
	want, err := h.Principal(t.Context(), h.tenant, principal)
	must(t, err)
	record, err := h.Lookup(t.Context(), keyID)
	must(t, err)
	same(t, "principal of Lookup", record.Principal, want)
	return want
}

// Every field follows, for every key, and for one that moves to another principal.
func keyMoves(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	first := h.key(t, a.ID, nil)
	a.Email, a.Username, a.Role, a.Level, a.Referral, a.OTP = "other."+a.Email, "other", "admin", 3, b.ID, !a.OTP
	a.Limits = []gatehouse.Limit{{Name: "all", Count: 10, Period: time.Minute}}
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID)))
	second := h.key(t, a.ID, nil)
	for _, k := range []gatehouse.Key{first, second} {
		if p := h.knows(t, k.ID, a.ID); p.Role != "admin" || p.Level != 3 {
			t.Errorf("principal %+v", p)
		}
	}
	first.Principal = b.ID
	must(t, h.UpdateKey(t.Context(), &first, h.event("key.update", first.ID)))
	h.knows(t, first.ID, b.ID)
	a.Version++
	a.State = gatehouse.PrincipalBanned
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.state", a.ID)))
	if p := h.knows(t, first.ID, b.ID); p.State != gatehouse.PrincipalActive {
		t.Errorf("a key that moved away has its old principal's state: %+v", p)
	}
	h.knows(t, second.ID, a.ID)
}

// Whichever is first: once both are acknowledged the key's principal is banned.
func keyBanRace(t *testing.T, h *house) {
	for range 20 {
		a := h.account(t, nil)
		k := h.newKey(a.ID)
		a.State = gatehouse.PrincipalBanned
		var wg sync.WaitGroup
		var errs [2]error
		insert, ban := h.event("key.create", k.ID), h.event("account.state", a.ID)
		wg.Go(func() { errs[0] = h.InsertKey(t.Context(), &k, insert) })
		wg.Go(func() { errs[1] = h.UpdateAccount(t.Context(), &a, account.Effects{}, ban) })
		wg.Wait()
		must(t, errors.Join(errs[0], errs[1]))
		if p := h.knows(t, k.ID, a.ID); p.State != gatehouse.PrincipalBanned {
			t.Fatalf("principal %+v", p)
		}
	}
}

func keyContext(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	fresh := h.newKey(a.ID)
	for what, call := range map[string]func() error{
		"Lookup":    func() error { _, err := h.Lookup(ended, k.ID); return err },
		"ListKeys":  func() error { _, _, err := h.ListKeys(ended, gatehouse.KeyQuery{Tenant: h.tenant}); return err },
		"InsertKey": func() error { return h.InsertKey(ended, &fresh, h.event("key.create", fresh.ID)) },
	} {
		err := call()
		mustBe(t, what, err, context.Canceled)
		mustBe(t, what, err, gatehouse.ErrUnavailable)
	}
	_, err := h.Lookup(t.Context(), fresh.ID)
	mustBe(t, "Lookup of what was not inserted", err, gatehouse.ErrNotFound)
	mustReadKey(t, h, k)
}
