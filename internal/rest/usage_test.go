// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	_, own := h.keyOf("", "bob@example.com", "member", "usage:read")
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	count := func(kid, outcome string, at time.Time, n int64) gatehouse.UsageCount {
		return gatehouse.UsageCount{Tenant: gatehouse.DefaultTenant, KeyID: kid, Outcome: outcome, Minute: at, Count: n}
	}
	err := h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
		count(k.ID, "granted", noon, 3), count(k.ID, "rate_limited", noon.Add(time.Minute), 1), count(k.ID, "granted", noon.Add(time.Hour), 2),
		count(own.ID, "granted", noon, 10), count("", "no_credential", noon, 7), count(k.ID, "granted", time.Now().Truncate(time.Minute), 1),
	}})
	if err != nil {
		t.Fatal(err)
	}
	usage := func(r reply) (out api.Usage) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return out
	}
	const span = "from=2026-03-04T12:00:59Z&to=2026-03-04T14:00:00Z"
	want := api.Usage{
		Key: k.ID, Grain: "hour", From: noon, To: noon.Add(2 * time.Hour),
		Points: []api.UsagePoint{
			{Start: noon, Counts: map[string]int64{"granted": 3, "rate_limited": 1}}, {Start: noon.Add(time.Hour), Counts: map[string]int64{"granted": 2}},
		},
		Totals: map[string]int64{"granted": 5, "rate_limited": 1},
	}
	if diff := cmp.Diff(want, usage(h.send("GET /v1/keys/"+k.ID+"/usage?"+span, ""))); diff != "" {
		t.Errorf("of the key (-want +got):\n%s", diff)
	}
	want = api.Usage{
		Grain: "day", From: noon.Add(-12 * time.Hour), To: noon.Add(2 * time.Hour),
		Points: []api.UsagePoint{{Start: noon.Add(-12 * time.Hour), Counts: map[string]int64{"granted": 15, "rate_limited": 1, "no_credential": 7}}},
		Totals: map[string]int64{"granted": 15, "rate_limited": 1, "no_credential": 7},
	}
	if diff := cmp.Diff(want, usage(h.send("GET /v1/usage?grain=day&"+span, ""))); diff != "" {
		t.Errorf("of the tenant (-want +got):\n%s", diff)
	}
	if got := usage(h.send("GET /v1/usage", "")); got.Totals["granted"] != 1 || got.Grain != "hour" || got.To.Sub(got.From) < 24*time.Hour || got.To.Sub(got.From) > 25*time.Hour {
		t.Errorf("by default %+v", got)
	}
	if got := usage(h.call(own.Token, "GET /v1/keys/"+own.ID+"/usage?"+span, "")); got.Totals["granted"] != 10 {
		t.Errorf("a member's of its own key %+v", got)
	}
	for line, status := range map[string]int{"GET /v1/keys/" + k.ID + "/usage": 404, "GET /v1/usage": 403, "GET /v1/hygiene": 403} {
		if r := h.call(own.Token, line, ""); r.status != status {
			t.Errorf("a member's %s: %d %s", line, r.status, r.body)
		}
	}
	for query, field := range map[string]string{
		"grain=" + marker: "grain", "from=" + marker: "from", "from=2026-03-04T12:00:00Z&to=2026-03-04T12:00:00Z": "to", "from=2990-01-01T00:00:00Z": "to",
		"grain=minute&from=2026-03-01T00:00:00Z&to=2026-03-09T00:00:00Z": "from", "from=0001-01-02T00:00:00Z": "from", "grain=day&from=1900-01-01T00:00:00Z": "from",
	} {
		if p := h.refused("GET /v1/usage?"+query, "", 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q, %s", query, p.Field, p.Detail)
		}
	}
	h.refused("GET /v1/keys/"+marker+"/usage", "", 404, "not_found")
}

func TestHygiene(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	unused, used := h.key("bearer"), h.key("barong")
	for _, k := range []api.CreatedKey{unused, used} {
		h.edit("UPDATE keys SET created = 1000000 WHERE id = '" + k.ID + "'")
	}
	h.key("bearer") // it is young, and has no end
	now := time.Now().UTC().Truncate(time.Microsecond)
	if err := h.store.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: used.ID, Time: now}}); err != nil {
		t.Fatal(err)
	}
	err := h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Sources: []gatehouse.Source{
		{Tenant: gatehouse.DefaultTenant, KeyID: used.ID, Material: 1, Scheme: "barong", Total: true, First: now, Last: now, Uses: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	report := func(query string) (out api.Hygiene) {
		t.Helper()
		if r := h.send("GET /v1/hygiene"+query, ""); json.Unmarshal([]byte(r.body), &out) != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return out
	}
	got := report("")
	if len(got.Findings) != 3 || got.Days != 90 || got.More {
		t.Fatalf("%+v", got)
	}
	rows := map[string]api.HygieneRow{}
	for _, r := range got.Findings {
		rows[r.Key] = r
	}
	epoch := time.UnixMicro(1000000).UTC()
	if diff := cmp.Diff(api.HygieneRow{Key: unused.ID, Owner: a.UID, Created: epoch, Never: true, Endless: true}, rows[unused.ID]); diff != "" {
		t.Errorf("never used (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(api.HygieneRow{Key: used.ID, Owner: a.UID, Created: epoch, LastUsed: &now, Endless: true, Legacy: []string{"barong"}}, rows[used.ID]); diff != "" {
		t.Errorf("of an older scheme (-want +got):\n%s", diff)
	}
	if got := report("?limit=2&days=1"); len(got.Findings) != 2 || !got.More || got.Days != 1 {
		t.Errorf("two of three: %+v", got)
	}
	for query, field := range map[string]string{"?days=0": "days", "?days=" + marker: "days", "?limit=1001": "limit"} {
		if p := h.refused("GET /v1/hygiene"+query, "", 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q", query, p.Field)
		}
	}
}
