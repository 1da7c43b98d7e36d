// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
)

// accountIn is the account in an answer.
func (r *reply) account(t *testing.T, status int) (a api.Account) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &a); err != nil || r.status != status {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return a
}

func TestPatchAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	at := "PATCH /v1/accounts/" + a.UID
	r := h.send(at, `{"role":"auditor","level":2,"limits":[{"name":"l","count":5,"period_ms":1000}]}`)
	got := r.account(t, 200)
	want := a
	want.Role, want.Level, want.Limits, want.Updated = "auditor", 2, []api.Limit{{Name: "l", Count: 5, Period: 1000}}, got.Updated
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	r = h.send(at, `{"limits":[]}`)
	if got := r.account(t, 200); got.Limits != nil || got.Role != "auditor" {
		t.Errorf("without limits %+v", got)
	}
	before := h.snapshot(gatehouse.DefaultTenant)
	for body, field := range map[string]string{
		`{"role":"` + marker + ` x"}`: "role", `{"role":"Admin"}`: "role", `{"role":""}`: "role", `{"password":"abc"}`: "password", `{"password":"Correct-hXq7-battery","level":1}`: "password", `{"level":-1}`: "level", `{"level":1,"limits":[{"name":"l","count":0,"period_ms":1}]}`: "limits",
		`{"level":1,"limits":[{"name":"l","count":1,"refill":"year"}]}`: "limits[0].refill", `{"state":"active"}`: "body",
	} {
		if p := h.refused(at, body, 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q", body, p.Field)
		}
	}
	h.refused("PATCH /v1/accounts/"+marker, `{"level":1}`, 404, "not_found")
	h.send(at, `{}`)
	if diff := cmp.Diff(before, h.snapshot(gatehouse.DefaultTenant)); diff != "" {
		t.Errorf("refusals, or a change of nothing, changed (-before +after):\n%s", diff)
	}
}

func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	made := h.sendWith("POST /v1/service-accounts", `{"name":"robot1","owner":"`+owner+`","limits":[{"name":"l","count":5,"refill":"day"}]}`, onceKey)
	robot := made.account(t, 201)
	want := api.Account{
		UID: robot.UID, Tenant: "default", Kind: "service", Email: robot.Email, Username: "robot1", Role: "member", State: "active", Owner: a.UID,
		Limits: []api.Limit{{Name: "l", Count: 5, Refill: "day"}}, Created: robot.Created, Updated: robot.Updated,
	}
	if diff := cmp.Diff(want, robot); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if again := h.sendWith("POST /v1/service-accounts", `{"name":"robot1","owner":"`+owner+`","limits":[{"name":"l","count":5,"refill":"day"}]}`, onceKey); again.body != made.body {
		t.Errorf("again: %s", again.body)
	}
	free := h.send("POST /v1/service-accounts", `{"name":"robot2"}`)
	if got := free.account(t, 201); got.Owner != "" || got.State != "active" || got.Role != "member" {
		t.Errorf("without an owner %+v", got)
	}
	k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: robot.UID, Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := h.client.Verify(t.Context(), bearerCheck(k)); err != nil || !d.Granted || d.Limit == nil || d.Key.Owner != robot.UID {
		t.Errorf("its key: %+v, %v", d, err)
	}
	for _, row := range []struct{ body, code, field string }{
		{`{"name":"robot1"}`, "exists", "name"}, {`{"name":"r"}`, "invalid", "name"}, {`{"name":"` + marker + ` "}`, "invalid", "name"},
		{`{"name":"robot3","owner":"` + marker + `"}`, "not_found", ""}, {`{"name":"robot3","owner":"` + robot.UID + `"}`, "invalid", "owner"},
		{`{"name":"robot3","limits":[{"name":"","count":1,"refill":"day"}]}`, "invalid", "limits"},
	} {
		status := map[string]int{"exists": 409, "invalid": 422, "not_found": 404}[row.code]
		if p := h.refused("POST /v1/service-accounts", row.body, status, row.code); p.Field != row.field {
			t.Errorf("%s: field %q", row.body, p.Field)
		}
	}
	if r := h.send("POST /v1/accounts/"+owner+"/state", `{"state":"banned"}`); r.status != 200 {
		t.Errorf("banned: %d %s", r.status, r.body)
	}
	if d, err := h.client.Verify(t.Context(), bearerCheck(k)); err != nil || d.Granted {
		t.Errorf("its key, when the owner is banned: %+v, %v", d, err)
	}
}

func TestAccountFilters(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	for line, body := range map[string]string{
		"POST /v1/accounts?": `{"email":"boss@example.com","role":"admin"}`, "POST /v1/service-accounts": `{"name":"robot1","owner":"` + owner + `"}`,
		"POST /v1/accounts": `{"email":"gone@example.com","state":"banned"}`,
	} {
		if r := h.send(line, body); r.status != 201 {
			t.Fatalf("%s: %d %s", line, r.status, r.body)
		}
	}
	if r := h.send("POST /v1/service-accounts", `{"name":"robot2","limits":[{"name":"day","count":9,"refill":"day"}]}`); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for query, want := range map[string]int{
		"accounts": 5, "accounts?kind=account": 3, "accounts?kind=service": 2, "accounts?state=banned": 1, "accounts?role=admin": 1,
		"accounts?text=Boss%40ex": 1, "accounts?text=bo": 1, "accounts?text=oss": 0, "accounts?text=si": 2, "accounts?text=gone&state=active": 0, "accounts?text=": 5,
		"accounts?limited=true": 1, "accounts?limited=true&kind=account": 0, "accounts?limited=false": 5,
		"accounts?owner=" + owner: 1, "accounts?kind=service&state=banned": 0, "service-accounts": 2, "service-accounts?owner=" + owner: 1,
	} {
		var page api.Accounts
		if r := h.send("GET /v1/"+query, ""); json.Unmarshal([]byte(r.body), &page) != nil || r.status != 200 || len(page.Accounts) != want || page.Next != "" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	for query, field := range map[string]string{"?kind=" + marker: "kind", "?state=" + marker: "state"} {
		if p := h.refused("GET /v1/accounts"+query, "", 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q", query, p.Field)
		}
	}
	h.refused("GET /v1/service-accounts?owner="+marker, "", 404, "not_found")
}

// An administrator neither makes itself nor another a superadministrator, and changes
// nothing that is a superadministrator's. No key gives a role that manages: the operator does.
func TestNoRoleGrows(t *testing.T) {
	t.Parallel()
	h := open(t)
	member, _ := h.keyOf("", "bob@example.com", "member")
	boss, bosses := h.keyOf("", "boss@example.com", "superadmin", manageAll()...)
	if r := h.send("PATCH /v1/accounts/boss@example.com", `{"password":"`+password+`"}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	admin, key := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	for _, row := range []struct {
		line, body   string
		admin, super int
	}{
		{"POST /v1/accounts", `{"email":"x@example.com","role":"superadmin"}`, 403, 403},
		{"POST /v1/accounts", `{"email":"y@example.com","role":"admin"}`, 403, 403},
		{"POST /v1/accounts", `{"email":"z@example.com","role":"Admin"}`, 422, 422},
		{"POST /v1/service-accounts", `{"name":"robot0","role":"SuperAdmin"}`, 422, 422},
		{"POST /v1/service-accounts", `{"name":"robot1","role":"superadmin"}`, 403, 403},
		{"POST /v1/service-accounts", `{"name":"robot2","owner":"boss@example.com"}`, 403, 201},
		{"PATCH /v1/accounts/bob@example.com", `{"role":"superadmin"}`, 403, 403},
		{"PATCH /v1/accounts/bob@example.com", `{"role":"auditor"}`, 200, 200},
		{"PATCH /v1/accounts/bob@example.com", `{"password":"Correct-hXq7-battery"}`, 403, 403},
		{"PATCH /v1/accounts/admin@example.com", `{"role":"superadmin"}`, 403, 0},
		{"PATCH /v1/accounts/admin@example.com", `{"role":"admin"}`, 200, 200}, // as it is
		{"PATCH /v1/accounts/boss@example.com", `{"role":"member"}`, 403, 0},
		{"PATCH /v1/accounts/boss@example.com", `{"limits":[]}`, 403, 200},
		{"POST /v1/accounts/boss@example.com/state", `{"state":"banned"}`, 403, 409}, // it is the last
		{"POST /v1/accounts/boss@example.com/reset-otp", ``, 403, 409},
		{"POST /v1/accounts/bob@example.com/state", `{"state":"locked"}`, 200, 200},
	} {
		before := h.snapshotOf(t, member.UID, boss.UID, admin.UID)
		got := h.call(key.Token, row.line, row.body)
		if got.status != row.admin {
			t.Errorf("%s %s by an administrator: %d %s", row.line, row.body, got.status, got.body)
		}
		if row.admin == 403 && h.snapshotOf(t, member.UID, boss.UID, admin.UID) != before {
			t.Errorf("%s %s changed something", row.line, row.body)
		}
		if row.super == 0 { // it would end the table
			continue
		}
		if got := h.call(bosses.Token, row.line, row.body); got.status != row.super {
			t.Errorf("%s %s by a superadministrator: %d %s", row.line, row.body, got.status, got.body)
		}
	}
	if got := h.call(bosses.Token, "POST /v1/accounts/boss@example.com/state", `{"state":"locked"}`); !strings.Contains(got.body, "the last superadmin that may act") {
		t.Errorf("the last superadministrator is locked: %d %s", got.status, got.body)
	}
	if got := h.send("POST /v1/accounts", `{"email":"x@example.com","role":"superadmin"}`); got.status != 201 {
		t.Errorf("by the operator: %d %s", got.status, got.body)
	}
}

// Who steps down and changes limits in one request does both, though the role is another in between.
func TestStepDownWithLimits(t *testing.T) {
	t.Parallel()
	h := open(t)
	boss, k := h.keyOf("", "boss@example.com", "superadmin", append(manageAll(), "*")...)
	got := h.holders(boss.UID, k.Token)["in person"]("PATCH /v1/accounts/"+boss.UID, `{"role":"admin","limits":[{"name":"a","count":5,"period_ms":60000}]}`)
	if got.status != 200 || !strings.Contains(got.body, `"role":"admin"`) || !strings.Contains(got.body, `"limits":[{"name":"a"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// snapshotOf is how some accounts are.
func (h *house) snapshotOf(t *testing.T, uids ...string) string {
	t.Helper()
	var out []string
	for _, uid := range uids {
		a, err := h.store.Account(t.Context(), gatehouse.DefaultTenant, account.ByUID, uid)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(a)
		out = append(out, string(text))
	}
	return strings.Join(out, "\n")
}
