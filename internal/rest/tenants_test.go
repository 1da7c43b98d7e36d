// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// A tenant is used as soon as it is made, and nothing is left of it once it is not active.
func TestTenantLife(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.send("POST /v1/tenants", `{"name":"shop","text":"Shop","limits":[{"name":"all","count":100,"refill":"day"}]}`)
	var made api.Tenant
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || r.status != 201 || r.header.Get("Etag") != `"1"` {
		t.Fatalf("made: %d %v %s", r.status, r.header, r.body)
	}
	want := api.Tenant{
		Name: "shop", Text: "Shop", State: "active", Limits: []api.Limit{{Name: "all", Count: 100, Refill: "day"}},
		Created: made.Created, Updated: made.Created, Version: 1,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	_, key := h.keyOf("shop", "alice@shop.example.com", "admin", "keys:verify", "read")
	check, _ := json.Marshal(bearerCheck(key))
	decides := func(after, want string) {
		t.Helper()
		d, err := h.client.InTenant("shop").Verify(t.Context(), bearerCheck(key))
		if err != nil || d.Granted != (want == "") || d.Reason != want || d.Granted && (d.Key.Tenant != "shop" || d.Limit == nil) {
			t.Errorf("%s: %+v, %v", after, d, err)
		}
		status := 200
		if want != "" {
			status = 401
		}
		if got := h.call(key.Token, "POST /v1/verify", string(check)); got.status != status {
			t.Errorf("%s: the key itself: %d %s", after, got.status, got.body)
		}
	}
	decides("made", "")
	version := int64(1)
	patch := func(body string) {
		t.Helper()
		version++
		if r := h.send("PATCH /v1/tenants/shop", body); r.status != 200 || r.header.Get("Etag") != fmt.Sprintf("%q", fmt.Sprint(version)) {
			t.Errorf("%s: %d %v %s", body, r.status, r.header, r.body)
		}
	}
	patch(`{"state":"disabled"}`)
	decides("disabled", "principal_inactive")
	patch(`{"state":"active"}`)
	decides("enabled", "")
	for range 2 {
		if err := h.client.RemoveTenant(t.Context(), "shop"); err != nil {
			t.Errorf("removed: %v", err)
		}
	}
	if got := h.call(key.Token, "POST /v1/verify", string(check)); got.status != 401 {
		t.Errorf("removed: %d %s", got.status, got.body)
	}
	h.refused("PATCH /v1/tenants/shop", `{"state":"active"}`, 409, "conflict")
	h.refused("POST /v1/tenants", `{"name":"shop"}`, 409, "exists")
	if r := h.sendWith("GET /v1/accounts", "", "Gatehouse-Tenant: shop"); r.status != 404 {
		t.Errorf("the operator acts in a removed tenant: %d %s", r.status, r.body)
	}
	if got, err := h.client.Tenants(t.Context()); err != nil || len(got.Tenants) != 2 || got.Tenants[1].State != "removed" {
		t.Errorf("listed %+v, %v", got, err)
	}
}

func TestTenantRefusals(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("shop")
	for _, row := range []struct {
		line, body string
		status     int
		code       string
		field      string
	}{
		{"POST /v1/tenants", `{"name":"Shop"}`, 422, "invalid", "name"},
		{"POST /v1/tenants", `{"name":"x","text":"` + marker + `\n"}`, 422, "invalid", "text"},
		{"POST /v1/tenants", `{"name":"x","limits":[{"name":"l","count":0,"period_ms":1000}]}`, 422, "invalid", "limits"},
		{"POST /v1/tenants", `{"name":"default"}`, 409, "exists", ""},
		{"PATCH /v1/tenants/shop", `{"state":"removed"}`, 422, "invalid", "state"},
		{"PATCH /v1/tenants/default", `{"state":"disabled"}`, 422, "invalid", "state"},
		{"DELETE /v1/tenants/default", ``, 422, "invalid", "state"},
		{"PATCH /v1/tenants/" + marker, `{}`, 404, "not_found", ""},
		{"GET /v1/tenants/" + marker, ``, 404, "not_found", ""},
		{"DELETE /v1/tenants/" + marker, ``, 404, "not_found", ""},
	} {
		if p := h.refused(row.line, row.body, row.status, row.code); p.Field != row.field {
			t.Errorf("%s %s: field %q", row.line, row.body, p.Field)
		}
	}
	for tag, want := range map[string]int{`"2"`: 412, `"x"`: 412, `W/"1"`: 412, `"1"`: 200, `*`: 200} {
		if r := h.sendWith("PATCH /v1/tenants/shop", `{"text":""}`, "If-Match: "+tag); r.status != want {
			t.Errorf("If-Match %s: %d %s", tag, r.status, r.body)
		}
	}
	first := h.sendWith("POST /v1/tenants", `{"name":"twice"}`, onceKey)
	if again := h.sendWith("POST /v1/tenants", `{"name":"twice"}`, onceKey); first.status != 201 || again.status != 201 || again.body != first.body {
		t.Errorf("made twice: %d, %d %s", first.status, again.status, again.body)
	}
}

// Tenants are for superadministrators of the default tenant and nobody else.
func TestWhoMakesTenants(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("shop")
	_, admin := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	_, boss := h.keyOf("", "boss@example.com", "superadmin", manageAll()...)
	_, theirs := h.keyOf("shop", "boss@shop.example.com", "superadmin", manageAll()...)
	for line, want := range map[string]int{"GET /v1/tenants": 200, "GET /v1/tenants/shop": 200, "POST /v1/tenants": 422, "PATCH /v1/tenants/shop": 200, "DELETE /v1/tenants/none": 404} {
		body := ""
		if !strings.HasPrefix(line, "GET") && !strings.HasPrefix(line, "DELETE") {
			body = `{}`
		}
		if r := h.call(boss.Token, line, body); r.status != want {
			t.Errorf("%s: %d %s", line, r.status, r.body)
		}
		for _, token := range []string{admin.Token, theirs.Token} {
			if r := h.call(token, line, body); r.status != 403 || r.code(t) != "forbidden" {
				t.Errorf("%s by others: %d %s", line, r.status, r.body)
			}
		}
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: "shop", Verbs: []string{"api.denied"}})
	if err != nil || len(events) != 5 || events[0].Actor.ID != theirs.ID {
		t.Errorf("their attempts: %+v, %v", events, err)
	}
}
