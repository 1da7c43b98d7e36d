// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// source makes a source of the key "k" that was seen once.
func (h *house) source(scheme, peer, agent string, at time.Time) gatehouse.Source {
	s := gatehouse.Source{Tenant: h.tenant, KeyID: "k", Material: 1, Scheme: scheme, Agent: agent, First: at, Last: at, Uses: 1}
	if peer != "" {
		s.Peer = netip.MustParseAddr(peer)
	}
	return s
}

func (h *house) total(scheme string, at time.Time, uses int64) gatehouse.Source {
	s := h.source(scheme, "", "", at)
	s.Total, s.Uses = true, uses
	return s
}

func (h *house) mustSources(t *testing.T, want ...gatehouse.Source) {
	t.Helper()
	got, err := h.usage().Sources(t.Context(), h.tenant, "k")
	must(t, err)
	same(t, "sources", got, want)
}

func sourceRoundTrip(t *testing.T, h *house) {
	a, b, c := h.source("barong", "192.0.2.1", "curl", noon), h.source("barong", "fe80::1%eth0", "go", noon.Add(2)), h.source("bearer", "", "none", noon.Add(time.Hour))
	c.Material = 2
	total, other := h.total("barong", noon.Add(time.Minute), 9), h.total("bearer", noon, 1)
	stranger := h.source("barong", "192.0.2.9", "curl", noon)
	stranger.KeyID = "l"
	h.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{a, other, stranger, b, total, c}})
	elsewhere := newHouse(t, h.AllStores)
	elsewhere.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{elsewhere.source("shield", "192.0.2.1", "curl", noon)}})
	b.Peer, b.First, b.Last = b.Peer.WithZone(""), noon, noon // a part of a microsecond is dropped
	h.mustSources(t, total, other, c, a, b)
}

func sourceAdds(t *testing.T, h *house) {
	first, last := h.source("barong", "192.0.2.1", "curl", noon), h.source("barong", "192.0.2.1", "curl", noon.Add(time.Hour))
	between := h.source("barong", "192.0.2.1", "curl", noon.Add(time.Minute))
	h.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{last, h.total("barong", noon.Add(time.Hour), 2)}})
	h.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{between, first, between, h.total("barong", noon, 3)}})
	want, total := last, h.total("barong", noon.Add(time.Hour), 5)
	want.First, want.Uses, total.First = noon, 4, noon
	h.mustSources(t, total, want)
}

// Of each material, 32 sources are kept: those that were seen last.
func sourceBounded(t *testing.T, h *house) {
	at := func(i int) gatehouse.Source {
		peer := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		return h.source("barong", peer.String(), "curl", noon.Add(time.Duration(i)*time.Second))
	}
	var want []gatehouse.Source
	for i := range 40 {
		h.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{at(i)}})
		want = append(want, at(i))
	}
	want = want[8:]
	slices.Reverse(want)
	h.mustSources(t, want...)

	// Many of one instant, in one batch, and another material beside.
	second := h.source("barong", "", "go", noon)
	second.Material = 2
	b := gatehouse.UsageBatch{Sources: []gatehouse.Source{second}}
	for i := range 50 {
		s := at(100 + i)
		s.First, s.Last = noon.Add(time.Hour), noon.Add(time.Hour)
		b.Sources = append(b.Sources, s)
	}
	h.addUsage(t, b)
	got, err := h.usage().Sources(t.Context(), h.tenant, "k")
	must(t, err)
	if len(got) != 33 || !got[31].Last.Equal(noon.Add(time.Hour)) || got[32].Material != 2 {
		t.Errorf("%d sources are kept, the last is %+v; want 32 of the last hour and one of the other material", len(got), got[len(got)-1])
	}
}

// The times of this test are long before those of all others, which share the store.
func sourcePurge(t *testing.T, h *house) {
	old := time.Date(1955, 1, 1, 0, 0, 0, 0, time.UTC)
	fresh, total := h.source("barong", "192.0.2.1", "curl", old.Add(time.Hour)), h.total("barong", old.Add(time.Hour), 1)
	h.addUsage(t, gatehouse.UsageBatch{Sources: []gatehouse.Source{h.source("barong", "192.0.2.2", "curl", old), h.total("bearer", old, 1), fresh, total}})
	h.purgeUsage(t, old.Add(2*time.Hour), gatehouse.UsageRetention{Sources: time.Hour})
	h.mustSources(t, total, fresh)
}

// hygieneOf asks for what is wrong with the keys of the house.
func (h *house) hygieneOf(t *testing.T, limit int) []gatehouse.Hygiene {
	t.Helper()
	got, err := h.usage().Hygiene(t.Context(), gatehouse.HygieneQuery{
		Tenant: h.tenant, Now: noon, Unused: 30 * usageDay, Legacy: []string{"barong", "shield"}, Limit: limit,
	})
	must(t, err)
	return got
}

// tidy makes a key that nothing is wrong with: old, in use, with an end, and its one scope
// demanded lately.
func (h *house) tidy(t *testing.T, edit func(*gatehouse.Key)) gatehouse.Key {
	t.Helper()
	a := h.account(t, nil)
	k := h.newKey(a.ID)
	k.Created, k.Expires, k.LastUsed, k.Scopes = noon.Add(-90*usageDay), noon.Add(usageDay), noon.Add(-usageDay), gatehouse.Scopes{"a"}
	if edit != nil {
		edit(&k)
	}
	must(t, h.InsertKeys(t.Context(), []*gatehouse.Key{&k}, []*gatehouse.Event{h.event("key.create", k.ID)}))
	h.addUsage(t, gatehouse.UsageBatch{
		Scopes:  []gatehouse.ScopeUse{{Tenant: h.tenant, KeyID: k.ID, Scope: "a", Last: noon.Add(-usageDay)}},
		Sources: []gatehouse.Source{{Tenant: h.tenant, KeyID: k.ID, Scheme: "bearer", Total: true, First: noon.Add(-usageDay), Last: noon.Add(-usageDay), Uses: 1}},
	})
	return k
}

func hygieneFindings(t *testing.T, h *house) {
	old := noon.Add(-31 * usageDay)
	presented := func(scheme string, last time.Time) func(gatehouse.Key) gatehouse.UsageBatch {
		return func(k gatehouse.Key) gatehouse.UsageBatch {
			return gatehouse.UsageBatch{Sources: []gatehouse.Source{{Tenant: h.tenant, KeyID: k.ID, Scheme: scheme, Total: true, First: old, Last: last, Uses: 1}}}
		}
	}
	for what, row := range map[string]struct {
		edit  func(*gatehouse.Key)
		usage func(gatehouse.Key) gatehouse.UsageBatch
		want  *gatehouse.Hygiene // nil: nothing
	}{
		"tidy":                 {},
		"unused":               {func(k *gatehouse.Key) { k.LastUsed = old }, nil, &gatehouse.Hygiene{Unused: true}},
		"never used":           {func(k *gatehouse.Key) { k.LastUsed = time.Time{} }, nil, &gatehouse.Hygiene{Never: true}},
		"new and never used":   {func(k *gatehouse.Key) { k.LastUsed, k.Created = time.Time{}, noon.Add(-usageDay) }, nil, nil},
		"without end":          {func(k *gatehouse.Key) { k.Expires = time.Time{} }, nil, &gatehouse.Hygiene{Endless: true}},
		"unused, without end":  {func(k *gatehouse.Key) { k.LastUsed, k.Expires = old, time.Time{} }, nil, &gatehouse.Hygiene{Unused: true, Endless: true}},
		"expired":              {func(k *gatehouse.Key) { k.LastUsed, k.Expires = old, noon }, nil, nil},
		"disabled":             {func(k *gatehouse.Key) { k.LastUsed, k.State = old, gatehouse.StateDisabled }, nil, nil},
		"revoked":              {func(k *gatehouse.Key) { k.LastUsed, k.State = old, gatehouse.StateRevoked }, nil, nil},
		"no scopes":            {func(k *gatehouse.Key) { k.Scopes = nil }, nil, nil},
		"idle scopes":          {func(k *gatehouse.Key) { k.Scopes = gatehouse.Scopes{"b", "a", "a,b%_"} }, nil, &gatehouse.Hygiene{Idle: []gatehouse.Scope{"b", "a,b%_"}}},
		"idle scopes of a new": {func(k *gatehouse.Key) { k.Scopes, k.Created = gatehouse.Scopes{"b"}, noon.Add(-usageDay) }, nil, nil},
		"another scope demanded": {func(k *gatehouse.Key) { k.Scopes = gatehouse.Scopes{"b"} }, func(k gatehouse.Key) gatehouse.UsageBatch {
			return gatehouse.UsageBatch{Scopes: []gatehouse.ScopeUse{{Tenant: h.tenant, KeyID: k.ID, Scope: "c", Last: noon}}}
		}, &gatehouse.Hygiene{Idle: []gatehouse.Scope{"b"}}},
		"scope demanded long ago": {func(k *gatehouse.Key) { k.Scopes = gatehouse.Scopes{"a", "b"} }, func(k gatehouse.Key) gatehouse.UsageBatch {
			return gatehouse.UsageBatch{Scopes: []gatehouse.ScopeUse{{Tenant: h.tenant, KeyID: k.ID, Scope: "b", Last: old}}}
		}, &gatehouse.Hygiene{Idle: []gatehouse.Scope{"b"}}},
		"legacy":          {nil, presented("barong", noon), &gatehouse.Hygiene{Legacy: []string{"barong"}}},
		"legacy long ago": {nil, presented("barong", old), nil},
		"no legacy":       {nil, presented("httpsig", noon), nil},
	} {
		own := newHouse(t, h.AllStores)
		h := own
		k := h.tidy(t, row.edit)
		if row.usage != nil {
			b := row.usage(k)
			for i := range b.Sources {
				b.Sources[i].Tenant = h.tenant
			}
			for i := range b.Scopes {
				b.Scopes[i].Tenant = h.tenant
			}
			h.addUsage(t, b)
		}
		var want []gatehouse.Hygiene
		if row.want != nil {
			row.want.Key = k
			row.want.Key.Materials = nil
			want = append(want, *row.want)
		}
		same(t, what, h.hygieneOf(t, 10), want)
	}
}

func hygieneOrder(t *testing.T, h *house) {
	var ids []string
	for i := range 6 {
		k := h.tidy(t, func(k *gatehouse.Key) {
			k.Created = noon.Add(-time.Duration(90-i%5) * usageDay)
			if i != 3 {
				k.Expires = time.Time{}
			}
		})
		if i != 3 {
			ids = append(ids, k.ID)
		}
	}
	// The last was made when the first was: then by id.
	first := []string{ids[0], ids[4]}
	slices.Sort(first)
	want := append(first, ids[1], ids[2], ids[3])
	for _, limit := range []int{1, 2, 4, 5, 100} {
		var got []string
		for _, f := range h.hygieneOf(t, limit) {
			got = append(got, f.Key.ID)
		}
		same(t, label("the first %d", limit), got, want[:min(limit, len(want))])
	}
}

func hygieneInvalid(t *testing.T, h *house) {
	for _, q := range []gatehouse.HygieneQuery{{Limit: 1}, {Unused: time.Hour}, {Unused: -1, Limit: 1}, {Unused: time.Hour, Limit: -1}} {
		q.Tenant, q.Now = h.tenant, noon
		_, err := h.usage().Hygiene(t.Context(), q)
		mustInvalid(t, label("unused %v, limit %d", q.Unused, q.Limit), err)
	}
}
