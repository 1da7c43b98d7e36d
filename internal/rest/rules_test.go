// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

const shopRules = `{"rules":{"GET /orders":"orders:read","/admin/":{"any":["admin","root"]},"/me":{"key":true},"/health":{"open":true},"POST /reports":{"all":"orders:read","cost":10}}}`

// rules stores rules, whichever there are.
func (h *house) rules(body string) reply {
	h.t.Helper()
	r := h.sendWith("PUT /v1/rules", body, "If-Match: *")
	if r.status != 200 {
		h.t.Fatalf("%d %s", r.status, r.body)
	}
	return r
}

func TestRules(t *testing.T) {
	t.Parallel()
	h := open(t)
	if r := h.send("GET /v1/rules", ""); r.body != `{"rules":{}}`+"\n" || r.header.Get("Etag") != `"0"` {
		t.Errorf("none: %v %s", r.header, r.body)
	}
	put := func(match, body string, status int, code, tag string) {
		t.Helper()
		r := h.sendWith("PUT /v1/rules", body, "If-Match: "+match)
		if r.status != status || r.code(t) != code || r.header.Get("Etag") != tag {
			t.Errorf("If-Match %s: %d %v %s", match, r.status, r.header, r.body)
		}
	}
	put(`"1"`, shopRules, 412, "precondition_failed", "")
	put(``, shopRules, 200, "", `"1"`)
	put(``, shopRules, 428, "precondition_required", "")
	put(`"2"`, shopRules, 412, "precondition_failed", "")
	put(`"1"`, shopRules, 200, "", `"1"`) // nothing changes
	put(`"1"`, `{"rules":{"/":{"key":true}}}`, 200, "", `"2"`)
	put(`"1"`, shopRules, 412, "precondition_failed", "")
	put(`*`, shopRules, 200, "", `"3"`)
	var got, want api.Rules
	if err := json.Unmarshal([]byte(h.send("GET /v1/rules", "").body), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(shopRules), &want)
	want.Version = 3
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{rest.VerbRules}, Oldest: true})
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	first, second := events[0].Changes[0], events[1].Changes[0]
	if first.Before != "" || !strings.HasPrefix(first.After, "5, sha-256 ") || second.Before != first.After || !strings.HasPrefix(second.After, "1, sha-256 ") {
		t.Errorf("events %+v", events)
	}
}

// Rules can be removed, as they can be replaced: none are another thing than an empty set,
// which is refused.
func TestRulesAreRemoved(t *testing.T) {
	t.Parallel()
	h := open(t)
	remove := func(match string, status int, code string) {
		t.Helper()
		r := h.sendWith("DELETE /v1/rules", "", "If-Match: "+match)
		if r.status != status || status != 204 && r.code(t) != code {
			t.Errorf("If-Match %s: %d %s", match, r.status, r.body)
		}
	}
	h.tenant("b")
	if r := h.sendWith("PUT /v1/rules", shopRules, "Gatehouse-Tenant: b"); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	remove("", 204, "") // there are none
	h.rules(shopRules)
	if p := h.refused("PUT /v1/rules", `{"rules":{}}`, 422, "invalid"); p.Field != "rules" || !strings.Contains(p.Detail, "no rules at all deny everything") {
		t.Errorf("%+v", p)
	}
	remove("", 428, "precondition_required")
	remove(`"2"`, 412, "precondition_failed")
	remove("odd", 412, "precondition_failed")
	if r := h.send("POST /v1/rules/explain", `{"method":"GET","target":"/nowhere"}`); !strings.Contains(r.body, `"no_rule"`) {
		t.Errorf("with rules: %s", r.body)
	}
	remove(`"1"`, 204, "")
	remove(`"1"`, 204, "") // again, as the answer was lost
	if r := h.send("GET /v1/rules", ""); r.body != `{"rules":{}}`+"\n" || r.header.Get("Etag") != `"2"` {
		t.Errorf("removed: %v %s", r.header, r.body)
	}
	if r := h.send("POST /v1/rules/explain", `{"method":"GET","target":"/nowhere"}`); r.body != `{"outcome":"key"}`+"\n" {
		t.Errorf("without rules: %s", r.body)
	}
	if r := h.sendWith("PUT /v1/rules", shopRules, "If-Match: "); r.status != 200 || r.header.Get("Etag") != `"3"` {
		t.Errorf("the first again: %d %v %s", r.status, r.header, r.body)
	}
	if r := h.sendWith("GET /v1/rules", "", "Gatehouse-Tenant: b"); r.header.Get("Etag") != `"1"` || !strings.Contains(r.body, "/orders") {
		t.Errorf("those of another tenant: %v %s", r.header, r.body)
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{rest.VerbRules}, Oldest: true})
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if put, gone := events[0].Changes[0], events[1].Changes[0]; gone.Before != put.After || gone.After != "" {
		t.Errorf("removal is told as %+v", gone)
	}
}

// Where the gates of a tenant go by a file, nobody is told that other rules are in force.
func TestRulesByFile(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("b")
	h.serve(rest.Config{ByFile: gatehouse.DefaultTenant})
	send := func(route, body, tenant string) reply {
		method, path, _ := strings.Cut(route, " ")
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if method != "POST" {
			r.Header.Set("If-Match", "*")
		}
		r.Header.Set("Gatehouse-Tenant", tenant)
		w := httptest.NewRecorder()
		h.api.Socket().ServeHTTP(w, r)
		return reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	}
	for route, body := range map[string]string{"DELETE /v1/rules": "", "PUT /v1/rules": shopRules, "POST /v1/rules/explain": `{"method":"GET","target":"/orders"}`} {
		if r := send(route, body, gatehouse.DefaultTenant); r.status != 409 || r.code(t) != "rules_file" || !strings.Contains(r.body, "gate.rules_file") {
			t.Errorf("%s: %d %s", route, r.status, r.body)
		}
		if r := send(route, body, "b"); r.status != 200 && r.status != 204 {
			t.Errorf("%s of another tenant: %d %s", route, r.status, r.body)
		}
	}
	if r := send("GET /v1/rules", "", gatehouse.DefaultTenant); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestBadRules(t *testing.T) {
	t.Parallel()
	h := open(t)
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf(`"/p%d":"a"`, i)
	}
	for name, row := range map[string]struct{ rules, detail string }{
		"none":             {"{}", "there are none in it, and no rules at all deny everything"},
		"too many":         {"{" + strings.Join(many, ",") + "}", "more than 1000"},
		"no demand":        {`{"/a":"x","/` + marker + `":[]}`, "number 2 by pattern: is no word"},
		"no scope":         {`{"/` + marker + `":["` + marker + `\""]}`, "number 1 by pattern: a scope is"},
		"unknown member":   {`{"/` + marker + `":{"` + marker + `":1}}`, "number 1 by pattern: is none of all, any"},
		"empty table":      {`{"/` + marker + `":{}}`, "number 1 by pattern: demands nothing"},
		"cost":             {`{"/` + marker + `":{"all":"x","cost":1.5}}`, "number 1 by pattern: is no number"},
		"no pattern":       {`{"` + marker + `":"x"}`, "number 1 by pattern: the pattern is no method and path"},
		"a host and port":  {`{"GET ` + marker + `:80/a":"x"}`, "number 1 by pattern: the pattern is no method and path"},
		"an odd scheme":    {`{"/a":"x","/b":{"schemes":["bearer","` + marker + `"]}}`, "number 2 by pattern: holds a word that is none of barong, bearer"},
		"an odd role":      {`{"/a":{"roles":["` + marker + ` x"]}}`, "number 1 by pattern: a role or a scheme is a word"},
		"block and more":   {`{"/a":{"block":true,"signed":true}}`, "number 1 by pattern: roles, schemes and signed are of no open"},
		"a conflict":       {`{"/a":"x","/{x}/b":"x","/z":"x","/a/{` + marker + `}":"x"}`, "numbers 2 and 4 by pattern both match"},
		"a number as rule": {`{"/a":1}`, "number 1 by pattern"},
	} {
		p := h.refused("PUT /v1/rules", `{"rules":`+row.rules+`}`, 422, "invalid")
		if p.Field != "rules" || !strings.HasPrefix(p.Detail, row.detail) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := h.refused("PUT /v1/rules", `{"rules":null}`, 422, "invalid"); p.Field != "rules" {
		t.Errorf("null: %+v", p)
	}
	if r, err := h.store.Rules(t.Context(), gatehouse.DefaultTenant); err != nil || r.Version != 0 {
		t.Errorf("stored %+v, %v", r, err)
	}
}

// What the rules say counts for the checks that ask for them, from the answer on, in their
// tenant only.
func TestRulesDecide(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, key := h.keyOf("", "alice@example.com", "member", "orders:read", "root")
	check := func(method, target, token string) api.Decision {
		t.Helper()
		in := api.Check{Method: method, Scheme: "https", Authority: "shop", Target: target, Rules: true, Headers: map[string][]string{}}
		if token != "" {
			in.Headers["Authorization"] = []string{"Bearer " + token}
		}
		d, err := h.client.Verify(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := check("GET", "/orders", key.Token); d.Granted || d.Reason != "no_rule" || d.Status != 403 {
		t.Errorf("without rules: %+v", d)
	}
	h.rules(shopRules)
	for _, row := range []struct {
		method, target, token string
		granted               bool
		reason, outcome       string
	}{
		{"GET", "/orders?x=1", key.Token, true, "", "scopes GET /orders [orders:read] []"},
		{"GET", "/orders", "", false, "no_credential", "scopes GET /orders [orders:read] []"},
		{"GET", "/admin/x", key.Token, true, "", "scopes /admin/ [] [admin root]"},
		{"DELETE", "/me", key.Token, true, "", "key /me [] []"},
		{"GET", "/health", "", true, "", "open /health [] []"},
		{"POST", "/orders", key.Token, false, "no_rule", "no_rule  [] []"},
		{"get", "/orders", key.Token, false, "ambiguous_path", "ambiguous_path  [] []"},
		{"GET", "/admin/../orders", key.Token, false, "ambiguous_path", "ambiguous_path  [] []"},
		{"GET", "//orders", key.Token, false, "ambiguous_path", "ambiguous_path  [] []"},
		{"", "", key.Token, false, "ambiguous_path", "ambiguous_path  [] []"},
	} {
		d := check(row.method, row.target, row.token)
		if d.Granted != row.granted || d.Reason != row.reason || row.granted && (d.Status != 200 || (d.Key == nil) != (row.token == "")) {
			t.Errorf("%s %s: %+v", row.method, row.target, d)
		}
		if told := h.watched.last(); row.reason == "no_rule" && told != "no_rule "+key.ID {
			t.Errorf("%s %s: recorded as %q", row.method, row.target, told)
		}
		body, _ := json.Marshal(api.Explain{Method: row.method, Target: row.target})
		var e api.Explained
		if r := h.send("POST /v1/rules/explain", string(body)); json.Unmarshal([]byte(r.body), &e) != nil || fmt.Sprintln(e.Outcome, e.Pattern, e.All, e.Any) != row.outcome+"\n" {
			t.Errorf("%s %s: explained %s", row.method, row.target, r.body)
		}
	}
	h.demands()
	capped, err := h.client.CreateKey(t.Context(), api.NewKey{
		Owner: "alice@example.com", Schemes: []string{"bearer"}, Scopes: []string{"orders:read"}, Limits: []api.Limit{{Name: "l", Count: 15, Refill: "month"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := check("POST", "/reports", capped.Token); !d.Granted || d.Limit == nil || d.Limit.Remaining != 5 {
		t.Errorf("what a report costs: %+v", d)
	}
	h.rules(`{"rules":{"GET /orders":"orders:all"}}`)
	if d := check("GET", "/orders", key.Token); d.Granted || d.Reason != "insufficient_scope" {
		t.Errorf("narrowed: %+v", d)
	}
	h.tenant("b")
	if r := h.sendWith("POST /v1/rules/explain", `{"method":"GET","target":"/orders"}`, "Gatehouse-Tenant: b"); r.body != `{"outcome":"key"}`+"\n" {
		t.Errorf("in another tenant: %s", r.body)
	}
}

// demands checks what a rule and a check demand besides scopes. It leaves shopRules behind.
func (h *house) demands() {
	h.t.Helper()
	h.rules(`{"rules":{"/":{"key":true},"/block/":{"block":true},"/role/":{"roles":["member","clerk"]},"/clerk/":{"roles":"clerk"},"/signed/":{"signed":true},` +
		`"/sig/":{"schemes":["httpsig"]},"/bearer/":{"schemes":"bearer barong"},"admin.test/":{"block":true},"/open/":{"open":true}}}`)
	_, key := h.keyOf("", "bob@example.com", "member")
	for _, row := range []struct {
		authority, target string
		also              api.Check
		status            int
		reason            string
	}{
		{"", "/block/x", api.Check{}, 403, "route_not_allowed"}, {"Admin.Test:8443", "/x", api.Check{}, 403, "route_not_allowed"}, {"other.test", "/x", api.Check{}, 200, ""},
		{"", "/role/x", api.Check{}, 200, ""}, {"", "/clerk/x", api.Check{}, 403, "route_not_allowed"}, {"", "/x", api.Check{Roles: []string{"member"}}, 200, ""}, {"", "/x", api.Check{Roles: []string{"clerk"}}, 403, "route_not_allowed"},
		{"", "/signed/x", api.Check{}, 403, "scheme_not_allowed"}, {"", "/x", api.Check{Signed: true}, 403, "scheme_not_allowed"},
		{"", "/sig/x", api.Check{}, 403, "scheme_not_allowed"}, {"", "/bearer/x", api.Check{}, 200, ""}, {"", "/x", api.Check{Schemes: []string{"httpsig"}}, 403, "scheme_not_allowed"}, {"", "/x", api.Check{Schemes: []string{"bearer"}}, 200, ""},
		// An open route of which a check demands something is not open.
		{"", "/open/x", api.Check{Signed: true}, 403, "scheme_not_allowed"}, {"", "/open/x", api.Check{Roles: []string{"clerk"}}, 403, "route_not_allowed"}, {"", "/open/x", api.Check{Schemes: []string{"barong"}}, 403, "scheme_not_allowed"},
	} {
		q := row.also
		q.Method, q.Scheme, q.Authority, q.Target, q.Rules, q.Headers = "GET", "https", row.authority, row.target, true, map[string][]string{"Authorization": {"Bearer " + key.Token}}
		d, err := h.client.Verify(h.t.Context(), q)
		if err != nil || d.Granted != (row.status == 200) || d.Status != row.status || d.Reason != row.reason || d.Signed {
			h.t.Errorf("%s%s %+v: %+v, %v", row.authority, row.target, row.also, d, err)
		}
	}
	for field, body := range map[string]string{
		"roles":   `{"target":"/clerk/","method":"GET","rules":true,"roles":["a"]}`,
		"schemes": `{"target":"/sig/","method":"GET","rules":true,"schemes":["bearer"]}`,
	} {
		if p := h.refused("POST /v1/verify", body, 422, "invalid"); p.Field != field {
			h.t.Errorf("%+v", p)
		}
	}
	if p := h.refused("POST /v1/verify", `{"roles":["member",""]}`, 422, "invalid"); p.Field != "roles" {
		h.t.Errorf("%+v", p)
	}
	var e api.Explained
	r := h.send("POST /v1/rules/explain", `{"method":"GET","authority":"admin.test:80","target":"/clerk/"}`)
	if json.Unmarshal([]byte(r.body), &e) != nil || e.Outcome != "blocked" || e.Pattern != "admin.test/" || !strings.Contains(r.body, `{"pattern":"/clerk/","why":"names no host"}`) {
		h.t.Errorf("explained %s", r.body)
	}
	h.rules(shopRules)
}
