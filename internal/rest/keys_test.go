// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func TestUpdateKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k := h.key("bearer")
	path := "/v1/keys/" + k.ID
	for _, row := range []struct {
		name, body, match string
		status            int
		tag               string
	}{
		{"whichever", `{"name":"a"}`, "", 200, `"2"`},
		{"the right one", `{"name":"b"}`, `"2"`, 200, `"3"`},
		{"an old one", `{"name":"c"}`, `"2"`, 412, ""},
		{"one to come", `{"name":"c"}`, `"4"`, 412, ""},
		{"a weak one", `{"name":"c"}`, `W/"3"`, 412, ""},
		{"no tag", `{"name":"c"}`, `3`, 412, ""},
		{"zero", `{"name":"c"}`, `"0"`, 412, ""},
		{"any", `{"name":"c"}`, `*`, 200, `"4"`},
		{"nothing new", `{"name":"c"}`, `"4"`, 200, `"4"`},
		{"everything", `{"name":"d","scopes":["x"],"networks":["10.0.0.0/8","192.0.2.1"],"methods":["GET"],"paths":["/a/"],"signed_only":false,
			"limits":[{"name":"n","count":5,"period_ms":1000},{"name":"q","count":9,"refill":"month"}],"metadata":{"plan":"gold"},"replay":"window",
			"not_before":"2026-01-02T03:04:05Z","expires":"2036-01-02T03:04:05Z","unused_s":7200}`, "", 200, `"5"`},
		{"nothing of it", `{"scopes":[],"networks":[],"methods":[],"paths":[],"limits":[],"metadata":{},"not_before":"never","expires":"never","unused_s":0}`, "", 200, `"6"`},
		{"no time", `{"expires":"soon"}`, "", 422, ""},
		{"no network", `{"networks":["here"]}`, "", 422, ""},
		{"a limit of nothing", `{"limits":[{"name":"n","count":0,"period_ms":1}]}`, "", 422, ""},
		{"an unknown refill", `{"limits":[{"name":"n","count":1,"refill":"year"}]}`, "", 422, ""},
	} {
		got := h.sendWith("PATCH "+path, row.body, "If-Match: "+row.match)
		if got.status != row.status || got.header.Get("Etag") != row.tag {
			t.Errorf("%s: %d, tag %s: %s", row.name, got.status, got.header.Get("Etag"), got.body)
		}
		if row.name == "everything" {
			var k api.Key
			if err := json.Unmarshal([]byte(got.body), &k); err != nil || !slices.Equal(k.Networks, []string{"10.0.0.0/8", "192.0.2.1/32"}) || len(k.Limits) != 2 ||
				k.Limits[1].Refill != "month" || k.Metadata["plan"] != "gold" || k.Replay != "window" || k.Unused != 7200 || k.NotBefore == nil || k.Paths[0] != "/a/" {
				t.Errorf("everything: %s", got.body)
			}
		}
	}
	got := h.send("GET "+path, "")
	if got.header.Get("Etag") != `"6"` || !strings.Contains(got.body, `"version":6`) || strings.Contains(got.body, "networks") {
		t.Errorf("shown %v %s", got.header, got.body)
	}
	if _, err := h.client.RevokeKey(t.Context(), k.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if got := h.sendWith("PATCH "+path, `{"name":"z"}`, `If-Match: "7"`); got.status != 409 {
		t.Errorf("a revoked one: %d %s", got.status, got.body)
	}
	if got := h.send("DELETE "+path, ""); got.status != 204 || got.body != "" {
		t.Errorf("deleted: %d %s", got.status, got.body)
	}
	h.refused("GET "+path, "", 404, "not_found")
	h.refused("DELETE "+path, "", 404, "not_found")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	at := func(d time.Duration) *time.Time { end := time.Now().Add(d).UTC(); return &end }
	for _, n := range []api.NewKey{
		{Name: "alpha one", Schemes: []string{"bearer"}, Scopes: []string{"read"}, Metadata: map[string]string{"team": "a", "plan": "gold"}, Expires: at(time.Hour)},
		{Name: "beta", Schemes: []string{"barong"}, Scopes: []string{"write"}, Metadata: map[string]string{"team": "a"}, Limits: []api.Limit{{Name: "day", Count: 9, Refill: "day"}}},
		{Name: "gamma", Schemes: []string{"bearer", "barong"}, Metadata: map[string]string{"team": "b"}, Expires: at(48 * time.Hour)},
	} {
		n.Owner = owner
		if _, err := h.client.CreateKey(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	h.other()
	for _, row := range []struct {
		f    client.KeyQuery
		want string
	}{
		{client.KeyQuery{}, "gamma, beta, alpha one"},
		{client.KeyQuery{Owner: owner, Scheme: "bearer"}, "gamma, alpha one"},
		{client.KeyQuery{Scope: "write"}, "beta"},
		{client.KeyQuery{Metadata: map[string]string{"team": "a"}}, "beta, alpha one"},
		{client.KeyQuery{Metadata: map[string]string{"team": "a", "plan": "gold"}}, "alpha one"},
		{client.KeyQuery{Text: "ALP on"}, "alpha one"},
		{client.KeyQuery{Limited: true}, "beta"},
		{client.KeyQuery{ExpiresBefore: time.Now().Add(24 * time.Hour)}, "alpha one"},
		{client.KeyQuery{ExpiresBefore: time.Now().Add(72 * time.Hour)}, "alpha one, gamma"},
		{client.KeyQuery{UnusedSince: time.Now().Add(time.Hour)}, "alpha one, beta, gamma"},
		{client.KeyQuery{States: []string{"disabled", "revoked"}}, ""},
		{client.KeyQuery{States: []string{"active"}, Owner: "other@example.com"}, ""},
	} {
		for _, limit := range []int{1, 100} {
			var names []string
			cursor := ""
			for {
				page, err := h.client.KeyPage(t.Context(), row.f, client.Page{Cursor: cursor, Limit: limit})
				if err != nil {
					t.Fatalf("%+v: %v", row.f, err)
				}
				for _, k := range page.Keys {
					names = append(names, k.Name)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			got := strings.Join(names, ", ")
			if row.f.UnusedSince.IsZero() && got != row.want || len(got) != len(row.want) {
				t.Errorf("%+v by %d: %s, want %s", row.f, limit, got, row.want)
			}
		}
	}
	first, err := h.client.KeyPage(t.Context(), client.KeyQuery{}, client.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.KeyPage(t.Context(), client.KeyQuery{UnusedSince: time.Now()}, client.Page{Cursor: first.Next}); code(err) != "invalid cursor" {
		t.Errorf("a cursor of another order: %v", err)
	}
	for query, field := range map[string]string{
		"state=" + marker: "state[0]", "metadata=" + marker: "metadata", "metadata=a=1&metadata=a=2": "metadata", "expires_before=" + marker: "expires_before", "text=" + strings.Repeat("x", 256): "text",
	} {
		if p := h.refused("GET /v1/keys?"+query, "", 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q", query, p.Field)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	c, ctx, k := h.client, t.Context(), h.key("bearer")
	if r, err := c.Rotation(ctx, k.ID, 0); err != nil || r.State != "none" || r.Safe {
		t.Errorf("before: %+v, %v", r, err)
	}
	next, err := c.RotateKey(ctx, k.ID, api.Rotate{Grace: 3600})
	if err != nil || next.ID != k.ID || next.Secret == k.Secret || next.Rotating == nil || next.Version != 2 {
		t.Fatalf("rotated %+v, %v", next, err)
	}
	for name, token := range map[string]string{"old": k.Token, "new": next.Token} {
		d, err := c.Verify(ctx, bearerCheck(api.CreatedKey{Token: token}))
		if err != nil || !d.Granted || (d.Deprecated != nil) != (name == "old") || (d.Sunset != nil) != (name == "old") {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	stand := func(safe bool, why string) {
		t.Helper()
		if r, err := c.Rotation(ctx, k.ID, 0); err != nil || r.State != "running" || r.Safe != safe || !strings.Contains(r.Why, why) {
			t.Errorf("stands %+v, %v; want %v, %s", r, err, safe, why)
		}
	}
	stand(false, "the new secret was not used yet")
	now := time.Now().UTC()
	used := func(material int64, last time.Time, agent string) {
		t.Helper()
		s := gatehouse.Source{Tenant: "default", KeyID: k.ID, Material: material, Scheme: "bearer", First: last, Last: last, Uses: 1}
		all := s
		all.Total, s.Peer, s.Agent = true, netip.MustParseAddr("192.0.2.7"), agent
		if err := h.store.AddUsage(ctx, &gatehouse.UsageBatch{Sources: []gatehouse.Source{s, all}}); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := h.authority.Get(ctx, operator, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	used(1, now.Add(-time.Hour), "curl")
	used(stored.Materials[0].Version, now, "python")
	stand(true, "not used since the rotation began")
	used(1, now.Add(time.Second), "curl")
	stand(false, "from 192.0.2.7 by curl")
	used(1, now.Add(2*time.Second), "other")
	stand(false, now.Add(2*time.Second).Format("was used 2006-01-02 15:04:05 UTC")+" from 192.0.2.7 by another program")
	u, err := c.Usage(ctx, k.ID, client.UsageQuery{})
	if err != nil || len(u.By) != 3 || u.By[0].Agent != "other" {
		t.Errorf("used from %+v, %v", u.By, err)
	}
	used(1, now.Add(time.Second), "python") // a place that has both secrets is one
	if u, err = c.Usage(ctx, k.ID, client.UsageQuery{}); err != nil || len(u.By) != 3 || !slices.ContainsFunc(u.By, func(by api.UsedBy) bool { return by.Agent == "python" && by.Uses == 2 }) {
		t.Errorf("used from %+v, %v", u.By, err)
	}
	if got := h.send("GET /v1/keys/"+k.ID+"/rotation?quiet=0", ""); got.status != 422 {
		t.Errorf("quiet for nothing: %s", got.body)
	}
	if _, err := c.RotateKey(ctx, k.ID, api.Rotate{Grace: 3600}); code(err) != "conflict " {
		t.Errorf("rotated while it rotates: %v", err)
	}
	if e, err := c.ExtendRotation(ctx, k.ID, api.Extend{Grace: 7200}); err != nil || !e.Rotating.After(*next.Rotating) {
		t.Errorf("extended %+v, %v", e, err)
	}
	if _, err := c.FinishRotation(ctx, k.ID); err != nil {
		t.Error(err)
	}
	if d, err := c.Verify(ctx, bearerCheck(k)); err != nil || d.Granted {
		t.Errorf("the old secret after the end: %+v, %v", d, err)
	}
	if _, err := c.CancelRotation(ctx, k.ID); code(err) != "conflict " {
		t.Errorf("nothing to cancel: %v", err)
	}
	again, err := c.RotateKey(ctx, k.ID, api.Rotate{Grace: 60})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CancelRotation(ctx, k.ID); err != nil {
		t.Error(err)
	}
	for token, want := range map[string]bool{next.Token: true, again.Token: false} {
		if d, err := c.Verify(ctx, bearerCheck(api.CreatedKey{Token: token})); err != nil || d.Granted != want {
			t.Errorf("after the cancel: %+v, %v", d, err)
		}
	}
}

func TestImportOfAThousand(t *testing.T) {
	t.Parallel()
	h := open(t)
	in := api.Import{Scheme: "shield", Owners: []api.ImportOwner{{Email: "o@example.com", Origin: "x:1"}}}
	for i := range 1000 {
		in.Keys = append(in.Keys, api.ImportKey{ID: fmt.Sprintf("%032x", i), Owner: "o@example.com", Secret: strings.Repeat("s", 44), Scopes: []string{"*"}})
	}
	for _, want := range []string{"new", "same"} {
		out, err := h.client.Import(t.Context(), in)
		if err != nil || len(out.Keys) != 1000 || out.Keys[999].Outcome != want {
			t.Fatalf("%+v, %v", out.Keys[:min(1, len(out.Keys))], err)
		}
	}
	in.Keys = append(in.Keys, in.Keys[0])
	if _, err := h.client.Import(t.Context(), in); code(err) != "invalid keys" {
		t.Errorf("a thousand and one: %v", err)
	}
	if _, total, err := h.store.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: "default", Limit: 1}); err != nil || total != 1000 {
		t.Errorf("%d keys, %v", total, err)
	}
}

func TestVerifyBatch(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner, Schemes: []string{"bearer"}, Limits: []api.Limit{{Name: "day", Count: 10, Refill: "day"}}})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := bearerCheck(k), bearerCheck(k)
	good.Cost, bad.Peer = 4, marker
	ds, err := h.client.VerifyBatch(t.Context(), []api.Check{good, {}, bad, good, good})
	if err != nil {
		t.Fatal(err)
	}
	if !ds[0].Granted || ds[0].Limit == nil || ds[0].Limit.Remaining != 6 || ds[0].Limit.Name != "day" || ds[0].Limit.Count != 10 || ds[0].Limit.Reset < 1 {
		t.Errorf("first %+v", ds[0])
	}
	if ds[1].Granted || ds[1].Reason != "no_credential" {
		t.Errorf("second %+v", ds[1])
	}
	if diff := cmp.Diff(&api.Problem{Status: 422, Code: "invalid", Title: "The input is not usable", Field: "peer", Detail: "is no address"}, ds[2].Problem); diff != "" || ds[2].Granted {
		t.Errorf("third (-want +got):\n%s", diff)
	}
	if !ds[3].Granted || ds[4].Granted || ds[4].Reason != "rate_limited" || ds[4].RetryAfter < 1 {
		t.Errorf("the rest %+v %+v", ds[3], ds[4])
	}
	if _, err := h.client.VerifyBatch(t.Context(), slices.Repeat([]api.Check{{}}, 101)); code(err) != "invalid checks" {
		t.Errorf("101 checks: %v", err)
	}
}

func TestBodyOfACheck(t *testing.T) {
	t.Parallel()
	h := open(t)
	for body, want := range map[string]int{`""`: 200, `"aGk="`: 200, `null`: 200, `"` + marker + `*"`: 422, `1`: 422} {
		if got := h.send("POST /v1/verify", `{"body":`+body+`}`); got.status != want || strings.Contains(got.body, marker) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}

// At the socket the operator names the tenant; one that is not there is 404.
func TestTenantOfTheSocket(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("b")
	h.tenant("gone")
	removed := gatehouse.TenantRemoved
	if _, err := gatehouse.NewTenants(h.store, nil).Update(t.Context(), operator, "gone", gatehouse.TenantPatch{State: &removed}); err != nil {
		t.Fatal(err)
	}
	_, k := h.keyOf("b", "alice@example.com", "member")
	for tenant, want := range map[string]int{"": 404, "default": 404, "b": 200, "gone": 404, "none": 404, "B!": 404} {
		if got := h.sendWith("GET /v1/keys/"+k.ID, "", "Gatehouse-Tenant: "+tenant); got.status != want {
			t.Errorf("%q: %d %s", tenant, got.status, got.body)
		}
	}
	if got := h.sendWith("GET /v1/keys", "", "Gatehouse-Tenant: none"); !strings.Contains(got.body, `"field":"tenant"`) || got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}
