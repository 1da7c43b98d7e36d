// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// UsageStores is a store of usage and of everything else.
type UsageStores interface {
	AllStores
	gatehouse.UsageStore
}

// UsageStore is the suite of [gatehouse.UsageStore]. open is as for [Store].
func UsageStore(t *testing.T, open func(t *testing.T) UsageStores) {
	tests := []houseTest{
		{"series", usageSeries},
		{"counts add up", usageAdds},
		{"many batches at once", usageMany},
		{"a batch is stored wholly or not at all", usageAllOrNothing},
		{"usage when the context has ended", usageContext},
		{"usage is no change of the key", usageNoChange},
		{"series that are none", usageInvalid},
		{"sources", sourceRoundTrip},
		{"sources add up", sourceAdds},
		{"sources are bounded", sourceBounded},
		{"hygiene", hygieneFindings},
		{"hygiene in order", hygieneOrder},
		{"hygiene that is none", hygieneInvalid},
		{"purge series", usagePurge},
		{"purge sources", sourcePurge},
	}
	runHouses(t, func(t *testing.T) AllStores { return open(t) }, tests)
}

// usage is the house's store of usage.
func (h *house) usage() gatehouse.UsageStore { return h.AllStores.(gatehouse.UsageStore) }

func (h *house) addUsage(t *testing.T, b gatehouse.UsageBatch) {
	t.Helper()
	must(t, h.usage().AddUsage(t.Context(), &b))
}

// counted makes a count of the house.
func (h *house) counted(keyID, outcome string, minute time.Time, n int64) gatehouse.UsageCount {
	return gatehouse.UsageCount{Tenant: h.tenant, KeyID: keyID, Outcome: outcome, Minute: minute, Count: n}
}

// mustSeries wants a series of the house.
func (h *house) mustSeries(t *testing.T, keyID string, g gatehouse.Grain, from, to time.Time, want ...gatehouse.UsagePoint) {
	t.Helper()
	got, err := h.usage().Usage(t.Context(), gatehouse.UsageQuery{Tenant: h.tenant, KeyID: keyID, Grain: g, From: from, To: to})
	must(t, err)
	same(t, label("series of %q by %v", keyID, g.Length()), got, want)
}

// noon is when the usage of the suite begins.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const usageDay = 24 * time.Hour

func usageSeries(t *testing.T, h *house) {
	late := noon.Add(13*time.Hour + 5*time.Minute)
	h.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
		h.counted("k", "replayed", noon.Add(time.Minute), 2),
		h.counted("k", "granted", noon.Add(time.Minute+59*time.Second).In(time.FixedZone("zone", 3600)), 3),
		h.counted("k", "granted", noon, 5),
		h.counted("l", "granted", late, 7),
		h.counted("", "no_credential", noon, 11),
	}})
	other := newHouse(t, h.AllStores)
	other.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{other.counted("k", "granted", noon, 1)}})
	at := func(start time.Time, outcome string, n int64) gatehouse.UsagePoint {
		return gatehouse.UsagePoint{Start: start, Outcome: outcome, Count: n}
	}
	day, end := noon.Truncate(usageDay), noon.Add(2*usageDay)
	first, second := noon, noon.Add(time.Minute)
	h.mustSeries(t, "k", gatehouse.GrainMinute, day, end, at(first, "granted", 5), at(second, "granted", 3), at(second, "replayed", 2))
	h.mustSeries(t, "k", gatehouse.GrainMinute, first, second, at(first, "granted", 5))
	h.mustSeries(t, "k", gatehouse.GrainMinute, first.Add(1000), second.Add(1000), at(second, "granted", 3), at(second, "replayed", 2))
	h.mustSeries(t, "k", gatehouse.GrainMinute, second, second)
	h.mustSeries(t, "k", gatehouse.GrainMinute, end, day)
	h.mustSeries(t, "k", gatehouse.GrainHour, day, end, at(noon, "granted", 8), at(noon, "replayed", 2))
	h.mustSeries(t, "k", gatehouse.GrainDay, day, end, at(day, "granted", 8), at(day, "replayed", 2))
	h.mustSeries(t, "l", gatehouse.GrainDay, day, end, at(day.Add(usageDay), "granted", 7))
	h.mustSeries(t, "", gatehouse.GrainMinute, first, second, at(first, "granted", 5), at(first, "no_credential", 11))
	h.mustSeries(t, "", gatehouse.GrainHour, day, end,
		at(noon, "granted", 8), at(noon, "no_credential", 11), at(noon, "replayed", 2), at(late.Truncate(time.Hour), "granted", 7))
	h.mustSeries(t, "", gatehouse.GrainDay, day, end,
		at(day, "granted", 8), at(day, "no_credential", 11), at(day, "replayed", 2), at(day.Add(usageDay), "granted", 7))
	h.mustSeries(t, "m", gatehouse.GrainDay, day, end)
	for _, text := range unstorable {
		h.mustSeries(t, text, gatehouse.GrainDay, day, end)
	}
	// A time before 1970 has its spans too.
	early := time.Date(1969, 12, 31, 23, 59, 30, 0, time.UTC)
	h.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{h.counted("k", "granted", early, 1)}})
	h.mustSeries(t, "k", gatehouse.GrainDay, early.Add(-usageDay), early, at(early.Truncate(usageDay), "granted", 1))
}

func usageAdds(t *testing.T, h *house) {
	h.addUsage(t, gatehouse.UsageBatch{})
	for range 3 {
		h.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
			h.counted("k", "granted", noon, 1), h.counted("k", "granted", noon, 1<<40), h.counted("l", "granted", noon, 1),
		}})
	}
	point := gatehouse.UsagePoint{Start: noon, Outcome: "granted", Count: 3 + 3<<40}
	h.mustSeries(t, "k", gatehouse.GrainHour, noon, noon.Add(time.Hour), point)
	point.Count += 3
	h.mustSeries(t, "", gatehouse.GrainHour, noon, noon.Add(time.Hour), point)
}

// usageMany adds to the same rows from many sides, in batches of several hundred rows.
func usageMany(t *testing.T, h *house) {
	const batches, keys = 8, 151 // a prime, so that each batch below holds every key
	names := make([]string, keys)
	for i := range names {
		names[i] = name("key")
	}
	errs := attempts(batches, func(i int) error {
		var b gatehouse.UsageBatch
		for n := range keys {
			id := names[(n*(2*i+1))%keys] // each in another order
			b.Counts = append(b.Counts, h.counted(id, "granted", noon, 1))
			b.Sources = append(b.Sources, gatehouse.Source{Tenant: h.tenant, KeyID: id, Scheme: "barong", Agent: "curl", First: noon, Last: noon, Uses: 1})
			b.Scopes = append(b.Scopes, gatehouse.ScopeUse{Tenant: h.tenant, KeyID: id, Scope: "a", Last: noon})
		}
		return h.usage().AddUsage(t.Context(), &b)
	})
	count(t, "AddUsage", errs, context.Canceled)
	for _, id := range names[:3] {
		h.mustSeries(t, id, gatehouse.GrainDay, noon.Truncate(usageDay), noon, gatehouse.UsagePoint{Start: noon.Truncate(usageDay), Outcome: "granted", Count: batches})
		s, err := h.usage().Sources(t.Context(), h.tenant, id)
		must(t, err)
		if len(s) != 1 || s[0].Uses != batches {
			t.Errorf("sources %+v; want one of %d uses", s, batches)
		}
	}
	h.mustSeries(t, "", gatehouse.GrainMinute, noon, noon.Add(time.Minute), gatehouse.UsagePoint{Start: noon, Outcome: "granted", Count: batches * keys})
}

func usageAllOrNothing(t *testing.T, h *house) {
	good := func() gatehouse.UsageBatch {
		return gatehouse.UsageBatch{
			Counts:  []gatehouse.UsageCount{h.counted("k", "granted", noon, 1), h.counted("l", "granted", noon, 1)},
			Sources: []gatehouse.Source{{Tenant: h.tenant, KeyID: "k", Scheme: "s", Agent: "curl", First: noon, Last: noon, Uses: 1}},
			Scopes:  []gatehouse.ScopeUse{{Tenant: h.tenant, KeyID: "k", Scope: "a", Last: noon}},
		}
	}
	for what, spoil := range map[string]func(*gatehouse.UsageBatch){
		"a count of none":          func(b *gatehouse.UsageBatch) { b.Counts[1].Count = 0 },
		"a count below none":       func(b *gatehouse.UsageBatch) { b.Counts[1].Count = -1 },
		"an outcome that no text":  func(b *gatehouse.UsageBatch) { b.Counts[1].Outcome = "\xff" },
		"a key that is no text":    func(b *gatehouse.UsageBatch) { b.Counts[1].KeyID = "a\x00" },
		"an agent that is no text": func(b *gatehouse.UsageBatch) { b.Sources[0].Agent = "\xff" },
		"a scope that is no text":  func(b *gatehouse.UsageBatch) { b.Scopes[0].Scope = "a\x1f" },
	} {
		b := good()
		spoil(&b)
		mustInvalid(t, what, h.usage().AddUsage(t.Context(), &b))
	}
	h.mustSeries(t, "", gatehouse.GrainDay, noon.Add(-usageDay), noon.Add(usageDay))
	s, err := h.usage().Sources(t.Context(), h.tenant, "k")
	must(t, err)
	same(t, "sources", s, []gatehouse.Source(nil))
}

func usageContext(t *testing.T, h *house) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{h.counted("k", "granted", noon, 1)}}
	mustBe(t, "AddUsage", h.usage().AddUsage(ctx, &b), gatehouse.ErrUnavailable)
	_, err := h.usage().Usage(ctx, gatehouse.UsageQuery{Tenant: h.tenant, Grain: gatehouse.GrainDay, From: noon.Add(-usageDay), To: noon})
	mustBe(t, "Usage", err, gatehouse.ErrUnavailable)
	_, err = h.usage().Sources(ctx, h.tenant, "k")
	mustBe(t, "Sources", err, gatehouse.ErrUnavailable)
	_, err = h.usage().Hygiene(ctx, gatehouse.HygieneQuery{Tenant: h.tenant, Now: noon, Unused: time.Hour, Limit: 1})
	mustBe(t, "Hygiene", err, gatehouse.ErrUnavailable)
	mustBe(t, "PurgeUsage", h.usage().PurgeUsage(ctx, noon, gatehouse.UsageRetention{Minutes: 100 * 365 * usageDay}), gatehouse.ErrUnavailable)
	h.mustSeries(t, "k", gatehouse.GrainDay, noon.Add(-usageDay), noon.Add(usageDay))
}

func usageNoChange(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	events := len(h.events(t, ""))
	h.addUsage(t, gatehouse.UsageBatch{
		Counts:  []gatehouse.UsageCount{h.counted(k.ID, "granted", noon, 1), h.counted("nobody", "granted", noon, 1)},
		Sources: []gatehouse.Source{{Tenant: h.tenant, KeyID: k.ID, Scheme: "barong", Total: true, First: noon, Last: noon, Uses: 1}},
		Scopes:  []gatehouse.ScopeUse{{Tenant: h.tenant, KeyID: k.ID, Scope: "a", Last: noon}},
	})
	mustReadKey(t, h, k)
	if n := len(h.events(t, "")); n != events {
		t.Errorf("usage left %d events", n-events)
	}
}

func usageInvalid(t *testing.T, h *house) {
	q := gatehouse.UsageQuery{Tenant: h.tenant, Grain: gatehouse.GrainMinute, From: noon.AddDate(-10, 0, 0), To: noon}
	for _, keyID := range []string{"", "k"} {
		q.KeyID = keyID
		_, err := h.usage().Usage(t.Context(), q)
		mustInvalid(t, "ten years of minutes", err)
	}
	for _, g := range []gatehouse.Grain{gatehouse.GrainInvalid, gatehouse.GrainDay + 1} {
		q.Grain = g
		_, err := h.usage().Usage(t.Context(), q)
		mustInvalid(t, "a grain that is none", err)
	}
}

// purgeUsage purges until nothing more is to be expected of it.
func (h *house) purgeUsage(t *testing.T, now time.Time, keep gatehouse.UsageRetention) {
	t.Helper()
	for range 10 {
		must(t, h.usage().PurgeUsage(t.Context(), now, keep))
	}
}

// The times of this test are long before those of all others, which share the store.
func usagePurge(t *testing.T, h *house) {
	begin := time.Date(1959, 1, 1, 0, 0, 0, 0, time.UTC)
	last := begin.Add(time.Hour)
	h.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{h.counted("k", "granted", begin, 1), h.counted("k", "granted", last, 1)}})
	point := func(at time.Time, n int64) gatehouse.UsagePoint {
		return gatehouse.UsagePoint{Start: at, Outcome: "granted", Count: n}
	}
	both := func(g gatehouse.Grain, want ...gatehouse.UsagePoint) {
		t.Helper()
		h.mustSeries(t, "k", g, begin, begin.Add(4*usageDay), want...)
		h.mustSeries(t, "", g, begin, begin.Add(4*usageDay), want...)
	}
	keep := gatehouse.UsageRetention{Minutes: time.Hour}
	h.purgeUsage(t, last, keep) // the first minute is not over an hour ago
	both(gatehouse.GrainMinute, point(begin, 1), point(last, 1))
	h.purgeUsage(t, last.Add(time.Minute), keep)
	both(gatehouse.GrainMinute, point(last, 1))
	both(gatehouse.GrainHour, point(begin, 1), point(last, 1))
	h.purgeUsage(t, last.Add(time.Hour), gatehouse.UsageRetention{Hours: time.Hour})
	both(gatehouse.GrainHour, point(last, 1))
	both(gatehouse.GrainDay, point(begin, 2))
	h.purgeUsage(t, begin.Add(3*usageDay), gatehouse.UsageRetention{Minutes: time.Hour, Hours: time.Hour, Days: 2 * usageDay})
	both(gatehouse.GrainMinute)
	both(gatehouse.GrainHour)
	both(gatehouse.GrainDay)
	h.addUsage(t, gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{h.counted("k", "granted", begin, 1)}})
	h.purgeUsage(t, noon, gatehouse.UsageRetention{}) // keeps all
	both(gatehouse.GrainDay, point(begin, 1))

	// A long past is purged in parts. A store may take the keys in any order; most leave the last.
	many := gatehouse.UsageBatch{}
	for i := range 5200 {
		many.Counts = append(many.Counts, h.counted(label("key-%04d", i), "granted", begin.Add(time.Duration(i*2/5200)*time.Minute), 1))
	}
	h.addUsage(t, many)
	must(t, h.usage().PurgeUsage(t.Context(), last.Add(2*time.Minute), keep))
	h.mustSeries(t, "", gatehouse.GrainMinute, begin, begin.Add(time.Minute))
	slices.Reverse(many.Counts)
	left := slices.ContainsFunc(many.Counts, func(c gatehouse.UsageCount) bool {
		p, err := h.usage().Usage(t.Context(), gatehouse.UsageQuery{Tenant: h.tenant, KeyID: c.KeyID, Grain: gatehouse.GrainMinute, From: begin, To: begin.Add(time.Hour)})
		must(t, err)
		return len(p) > 0
	})
	if !left {
		t.Error("one call took all of 5,200 rows")
	}
}
