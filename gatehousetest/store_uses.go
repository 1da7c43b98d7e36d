// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// newKeys makes n keys and their events without inserting them.
func (h *house) newKeys(principal string, n int) (ks []*gatehouse.Key, es []*gatehouse.Event) {
	for range n {
		k := h.newKey(principal)
		ks, es = append(ks, &k), append(es, h.event("key.import", k.ID))
	}
	return ks, es
}

func keysRoundTrip(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	ks, es := h.newKeys(a.ID, 3)
	ks[1].Principal, ks[1].Unused, ks[1].LastUsed = b.ID, time.Hour, h.now()
	ks[2].Version = 77 // not taken over
	must(t, h.InsertKeys(t.Context(), ks, es))
	ks[2].Version = 1
	for i, k := range ks {
		mustReadKey(t, h, *k)
		if es[i].Seq != int64(i)+3 { // the first two are those of the accounts
			t.Errorf("event %d has Seq %d", i, es[i].Seq)
		}
		same(t, "events", h.events(t, k.ID), []gatehouse.Event{*es[i]})
	}

	before := len(h.events(t, ""))
	must(t, h.InsertKeys(t.Context(), nil, nil))
	must(t, h.InsertKeys(t.Context(), []*gatehouse.Key{}, []*gatehouse.Event{}))
	if after := len(h.events(t, "")); after != before {
		t.Errorf("no keys left %d events", after-before)
	}
}

func keysAllOrNone(t *testing.T, h *house) {
	a := h.account(t, nil)
	old := h.key(t, a.ID, nil)
	for what, row := range map[string]struct {
		want  error // nil: an *InvalidError
		spoil func(ks []*gatehouse.Key, es *[]*gatehouse.Event)
	}{
		"the last id taken":        {gatehouse.ErrExists, func(ks []*gatehouse.Key, _ *[]*gatehouse.Event) { ks[2].ID = old.ID }},
		"one id twice":             {gatehouse.ErrExists, func(ks []*gatehouse.Key, _ *[]*gatehouse.Event) { ks[2].ID = ks[0].ID }},
		"no principal of the last": {gatehouse.ErrNotFound, func(ks []*gatehouse.Key, _ *[]*gatehouse.Event) { ks[2].Principal = "nobody" }},
		"no state of the last":     {nil, func(ks []*gatehouse.Key, _ *[]*gatehouse.Event) { ks[2].State = gatehouse.StateInvalid }},
		"no text in the last":      {nil, func(ks []*gatehouse.Key, _ *[]*gatehouse.Event) { ks[2].Name = "\xff" }},
		"too few events":           {nil, func(_ []*gatehouse.Key, es *[]*gatehouse.Event) { *es = (*es)[:2] }},
	} {
		ks, es := h.newKeys(a.ID, 3)
		id := ks[0].ID
		row.spoil(ks, &es)
		h.unchanged(t, "insert with "+what, row.want, func(e *gatehouse.Event) error {
			es[0] = e
			return h.InsertKeys(t.Context(), ks, es)
		})
		_, err := h.Lookup(t.Context(), id)
		mustBe(t, "Lookup of the first with "+what, err, gatehouse.ErrNotFound)
	}
	mustReadKey(t, h, old)
}

// lastUsed reads when a key was last used. It asks GetKey: a Lookup may be a second late.
func (h *house) lastUsed(t *testing.T, keyID string, want time.Time) {
	t.Helper()
	k, err := h.GetKey(t.Context(), h.tenant, keyID)
	must(t, err)
	same(t, "LastUsed", k.LastUsed, want)
}

func (h *house) touch(t *testing.T, uses ...gatehouse.Use) {
	t.Helper()
	must(t, h.TouchKeys(t.Context(), uses))
}

func useTouch(t *testing.T, h *house) {
	a := h.account(t, nil)
	k, l, rest := h.key(t, a.ID, nil), h.key(t, a.ID, nil), h.key(t, a.ID, nil)
	at := h.now()
	uses := []gatehouse.Use{{KeyID: l.ID, Time: at}, {KeyID: "nobody", Time: at}, {KeyID: k.ID, Time: at.Add(time.Second + 999)}, {KeyID: "\xff", Time: at}, {Time: at}}
	passed := slices.Clone(uses)
	h.touch(t, uses...)
	same(t, "the uses passed to TouchKeys", uses, passed)
	k.LastUsed, l.LastUsed = at.Add(time.Second), at // a part of a microsecond is dropped
	for _, k := range []gatehouse.Key{k, l, rest} {
		mustReadKey(t, h, k)
	}
	keys, _, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant, Order: gatehouse.KeyOrderCreated, Limit: 1})
	must(t, err)
	if len(keys) != 1 || !keys[0].LastUsed.Equal(k.LastUsed) {
		t.Errorf("ListKeys: %+v", keys)
	}
	h.touch(t)
	h.touch(t, gatehouse.Use{KeyID: "nobody", Time: at})
}

func useNeverBack(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	at := h.now()
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: at})
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: at.Add(-time.Microsecond)}, gatehouse.Use{KeyID: k.ID}, gatehouse.Use{KeyID: k.ID, Time: time.Unix(0, 0)})
	h.lastUsed(t, k.ID, at)
	// Of several uses of one key in one call the latest counts, in any order.
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: at.Add(2)}, gatehouse.Use{KeyID: k.ID, Time: at.Add(time.Hour)}, gatehouse.Use{KeyID: k.ID, Time: at.Add(time.Minute)})
	h.lastUsed(t, k.ID, at.Add(time.Hour))
	for _, err := range attempts(8, func(i int) error {
		return h.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: k.ID, Time: at.Add(time.Duration(i+2) * time.Hour)}})
	}) {
		must(t, err)
	}
	h.lastUsed(t, k.ID, at.Add(9*time.Hour))
}

// A use moves no version and leaves no event, and an update by somebody who read the key
// before the use takes nothing back.
func useNoChange(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	before := len(h.events(t, ""))
	at := h.now()
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: at})
	if after := len(h.events(t, "")); after != before {
		t.Errorf("a use left %d events", after-before)
	}
	k.Name, k.LastUsed = "updated", at.Add(time.Hour) // not taken over
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	k.LastUsed, k.Version = at, 2
	mustReadKey(t, h, k)
	k.State = gatehouse.StateRevoked
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.revoke", k.ID)))
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: at.Add(time.Hour)})
	h.lastUsed(t, k.ID, at.Add(time.Hour))
}

func useMany(t *testing.T, h *house) {
	a := h.account(t, nil)
	ks, es := h.newKeys(a.ID, 500)
	must(t, h.InsertKeys(t.Context(), ks, es))
	at := h.now()
	// Nodes write the same keys at once, in different orders, beside a change of one.
	for _, err := range attempts(4, func(i int) error {
		if i == 0 {
			return h.UpdateKey(t.Context(), ks[250], h.event("key.update", ks[250].ID))
		}
		var uses []gatehouse.Use
		for _, k := range ks {
			uses = append(uses, gatehouse.Use{KeyID: k.ID, Time: at.Add(time.Duration(i) * time.Second)})
		}
		if i == 1 {
			slices.Reverse(uses)
		}
		return h.TouchKeys(t.Context(), uses)
	}) {
		must(t, err)
	}
	keys, total, err := h.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: h.tenant})
	must(t, err)
	for _, k := range keys {
		if !k.LastUsed.Equal(at.Add(3 * time.Second)) {
			t.Fatalf("last used %v; want %v", k.LastUsed, at.Add(3*time.Second))
		}
	}
	if total != 500 {
		t.Errorf("%d keys", total)
	}
}

func useContext(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := h.TouchKeys(ended, []gatehouse.Use{{KeyID: k.ID, Time: h.now()}})
	mustBe(t, "TouchKeys", err, context.Canceled)
	mustBe(t, "TouchKeys", err, gatehouse.ErrUnavailable)
	mustReadKey(t, h, k)
}

func (h *house) attempt(outcome string) gatehouse.Attempt {
	return gatehouse.Attempt{
		Time: h.now(), Tenant: h.tenant, Scheme: "barong", KeyID: "key-1", Principal: "account-1", Peer: netip.MustParseAddr("192.0.2.1"),
		UserAgent: "suite/1", Outcome: outcome,
	}
}

func (h *house) mustList(t *testing.T, q gatehouse.AttemptQuery, want ...gatehouse.Attempt) {
	t.Helper()
	q.Tenant = h.tenant
	got, err := h.ListAttempts(t.Context(), q)
	must(t, err)
	same(t, label("attempts of %+v", q), got, want)
}

func attemptRoundTrip(t *testing.T, h *house) {
	granted, bare, late := h.attempt("granted"), gatehouse.Attempt{Time: h.now(), Tenant: h.tenant, Outcome: "no_credential"}, h.attempt("replayed")
	late.Peer = netip.MustParseAddr("fe80::1%eth0")
	late.Time = late.Time.Add(999).In(time.FixedZone("zone", 3600))
	must(t, h.InsertAttempts(t.Context(), []gatehouse.Attempt{late, granted, bare}))
	late.Peer, late.Time = late.Peer.WithZone(""), late.Time.UTC().Truncate(time.Microsecond)
	must(t, h.InsertAttempts(t.Context(), nil))
	h.mustList(t, gatehouse.AttemptQuery{}, late, bare, granted)
	if n := len(h.events(t, "")); n != 0 {
		t.Errorf("attempts left %d events", n)
	}
}

func attemptHostileText(t *testing.T, h *house) {
	for _, text := range append(slices.Clone(hostile), unstorable...) {
		a := h.attempt("granted")
		a.UserAgent, a.Scheme, a.KeyID, a.Principal, a.Outcome = text, text, text, text, text
		must(t, h.InsertAttempts(t.Context(), []gatehouse.Attempt{a}))
		kept := strings.NewReplacer("\x00", "\ufffd", "\x1f", "\ufffd").Replace(strings.ToValidUTF8(text, "\ufffd"))
		a.UserAgent, a.Scheme, a.KeyID, a.Principal, a.Outcome = kept, kept, kept, kept, kept
		h.mustList(t, gatehouse.AttemptQuery{Limit: 1}, a)
	}
	for _, text := range unstorable {
		h.mustList(t, gatehouse.AttemptQuery{KeyID: text})
	}
}

func attemptList(t *testing.T, h *house) {
	var all []gatehouse.Attempt // newest first
	for i := range 6 {
		a := h.attempt("granted")
		a.KeyID = []string{"key-1", "key-2", ""}[i%3]
		all = slices.Insert(all, 0, a)
	}
	must(t, h.InsertAttempts(t.Context(), all))
	other := newHouse(t, h.AllStores)
	must(t, h.InsertAttempts(t.Context(), []gatehouse.Attempt{other.attempt("granted")}))
	h.mustList(t, gatehouse.AttemptQuery{}, all...)
	h.mustList(t, gatehouse.AttemptQuery{Limit: 2}, all[:2]...)
	h.mustList(t, gatehouse.AttemptQuery{Limit: 100}, all...)
	h.mustList(t, gatehouse.AttemptQuery{KeyID: "key-1"}, all[2], all[5])
	h.mustList(t, gatehouse.AttemptQuery{KeyID: "key-2", Limit: 1}, all[1])
	h.mustList(t, gatehouse.AttemptQuery{KeyID: "key-3"})

	// Two of one microsecond are two.
	twins := []gatehouse.Attempt{h.attempt("granted"), {}}
	twins[1] = twins[0]
	must(t, h.InsertAttempts(t.Context(), twins))
	h.mustList(t, gatehouse.AttemptQuery{Limit: 2}, twins...)
}

// The times of this test are long before those of all others, which share the store.
func attemptPurge(t *testing.T, h *house) {
	old, older, fresh := h.attempt("granted"), h.attempt("granted"), h.attempt("granted")
	old.Time, older.Time = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, h.InsertAttempts(t.Context(), []gatehouse.Attempt{old, older, fresh}))
	must(t, h.PurgeAttempts(t.Context(), older.Time))
	h.mustList(t, gatehouse.AttemptQuery{}, fresh, old, older)
	must(t, h.PurgeAttempts(t.Context(), old.Time))
	h.mustList(t, gatehouse.AttemptQuery{}, fresh, old)

	// A long past is purged in parts, the oldest first.
	many := make([]gatehouse.Attempt, 5001)
	for i := range many {
		many[i] = old
		many[i].Time = older.Time.Add(time.Duration(i) * time.Microsecond)
	}
	must(t, h.InsertAttempts(t.Context(), many))
	for _, left := range [][]gatehouse.Attempt{{fresh, old, many[5000]}, {fresh}, {fresh}} {
		must(t, h.PurgeAttempts(t.Context(), old.Time.Add(1000)))
		h.mustList(t, gatehouse.AttemptQuery{}, left...)
	}
}
