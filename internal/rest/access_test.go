// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// The scope of a route is held by name, or not at all: every other one and the wildcard
// together do not stand for it.
func TestScopesAreHeldByName(t *testing.T) {
	t.Parallel()
	h := open(t)
	rows := map[gatehouse.Scope]string{} // token that lacks it
	for i, m := range gatehouse.ManagementScopes() {
		others := slices.DeleteFunc(manageAll(), func(s string) bool { return s == string(m.Scope) })
		_, k := h.keyOf("", fmt.Sprintf("a%d@example.com", i), "superadmin", append(others, "*")...)
		rows[m.Scope] = k.Token
	}
	for _, r := range h.api.Table() {
		if r.Scope == "" || r.SocketOnly {
			continue
		}
		line := strings.NewReplacer("{kid}", "x", "{ref}", "x", "{name}", "x", "{id}", "x").Replace(r.Method + " " + r.Path)
		if got := h.call(rows[r.Scope], line, ""); got.status != 403 || got.code(t) != "insufficient_scope" || !strings.Contains(got.body, "it takes the scope "+string(r.Scope)) {
			t.Errorf("%s without %s: %d %s", line, r.Scope, got.status, got.body)
		}
	}
	_, plain := h.keyOf("", "plain@example.com", "superadmin", "orders")
	if got := h.call(plain.Token, "GET /v1/keys", ""); got.status != 403 || !strings.Contains(got.body, `"title":"insufficient scope: it takes keys:read"`) {
		t.Errorf("keys without keys:read and the wildcard: %d %s", got.status, got.body)
	}
}

// Who manages no others has no way to what is another's, and cannot tell it from nothing: not
// to service accounts of others or of nobody, nor has a service account to its owner or a
// sibling.
func TestMembersManageTheirOwn(t *testing.T) {
	t.Parallel()
	h := open(t)
	alice, hers := h.keyOf("", "alice@example.com", "member", "read")
	bob, his := h.keyOf("", "bob@example.com", "member", append(manageAll(), "read")...)
	robotA, keyA := h.robotOf(alice.UID, "robota", "", "read")
	robotB, keyB := h.robotOf(bob.UID, "robotb", "", manageAll()...)
	sibling, keyS := h.robotOf(bob.UID, "robotc", "", "read")
	nobodys, keyN := h.robotOf("", "robotn", "", manageAll()...)
	before := h.snapshot(gatehouse.DefaultTenant)
	for _, row := range []struct {
		name, token string
		of          api.Account
		key         api.CreatedKey
	}{
		{"another's", his.Token, alice, hers},
		{"another's service account", his.Token, robotA, keyA},
		{"nobody's service account", his.Token, nobodys, keyN},
		{"by a service account its owner's", keyB.Token, bob, his},
		{"by a service account its sibling's", keyB.Token, sibling, keyS},
		{"by a service account of nobody", keyN.Token, robotB, keyB},
	} {
		h.blind(t, row.name, row.token, &row.of, &row.key)
	}
	var was, is struct{ Keys, Accounts json.RawMessage }
	if json.Unmarshal([]byte(before), &was) != nil || json.Unmarshal([]byte(h.snapshot(gatehouse.DefaultTenant)), &is) != nil {
		t.Fatal("snapshots cannot be read")
	}
	if diff := cmp.Diff(string(was.Keys)+string(was.Accounts), string(is.Keys)+string(is.Accounts)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// robotOf makes a service account of an owner (empty: nobody), and a key of it.
func (h *house) robotOf(owner, name, role string, scopes ...string) (api.Account, api.CreatedKey) {
	h.t.Helper()
	a, err := h.client.CreateServiceAccount(h.t.Context(), api.NewServiceAccount{Name: name, Owner: owner, Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	k, err := h.client.CreateKey(h.t.Context(), api.NewKey{Owner: a.UID, Schemes: []string{"bearer"}, Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return a, k
}

// blind tries every route on an account and its key, which are none of the token's.
func (h *house) blind(t *testing.T, name, token string, of *api.Account, key *api.CreatedKey) {
	t.Helper()
	for _, r := range h.api.Table() {
		if r.Scope == "" || r.SocketOnly {
			continue
		}
		row, ok := foreign[r.ID]
		if !ok {
			row.line = r.Method + " " + r.Path
		}
		fill := strings.NewReplacer("KID", key.ID, "UID", of.UID, "MAIL", of.Email, "TOKEN", "x")
		got := h.call(token, fill.Replace(row.line), fill.Replace(row.body))
		switch only := r.Everyone && r.ID != "listRevocations" || r.DefaultTenantOnly; {
		case only && (got.status != 403 || got.code(t) != "forbidden"),
			!only && row.status == 404 && (got.status != 404 || got.code(t) != "not_found"):
			t.Errorf("%s: %s: %d %s", name, row.line, got.status, got.body)
		}
		if got.status < 400 && (strings.Contains(got.body, key.ID) || strings.Contains(got.body, of.UID)) {
			t.Errorf("%s: %s tells of it: %s", name, row.line, got.body)
		}
	}
}

func TestDenialsAreWrittenDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, k := h.keyOf("", "bob@example.com", "member", "keys:create")
	for range 30 {
		h.call(k.Token, "GET /v1/keys", "")
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{rest.VerbDenied}})
	if err != nil || len(events) == 0 || len(events) > 11 {
		t.Fatalf("%d events of 30 denials, %v", len(events), err)
	}
	e := events[0]
	if e.Subject != "listKeys" || e.Outcome != gatehouse.OutcomeDenied || len(e.Changes) != 1 || e.Changes[0].After != "insufficient_scope" ||
		e.Actor.ID != k.ID || e.Actor.Kind != gatehouse.ActorKey || !e.Actor.Address.IsValid() {
		t.Errorf("event %+v", e)
	}
	for range 3 {
		h.call("", "GET /v1/keys", "")
	}
	if again, _, _ := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Verbs: []string{rest.VerbDenied}}); len(again) != len(events) {
		t.Error("who is nobody leaves events")
	}
}

// A key makes keys that can no more than it can.
func TestNoGrowth(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, _ := h.keyOf("", "bob@example.com", "member")
	boss, _ := h.keyOf("", "boss@example.com", "superadmin")
	admin, _ := h.keyOf("", "admin@example.com", "admin")
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	key := func(owner api.Account, expires *time.Time, scopes ...string) api.CreatedKey {
		k, err := h.client.CreateKey(t.Context(), api.NewKey{Owner: owner.UID, Schemes: []string{"bearer"}, Scopes: scopes, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	own := key(bob, &end, "keys:create", "keys:update", "keys:rotate", "read", "*")
	wide := key(bob, nil, "keys:revoke", "write")
	root := key(admin, nil, append(manageAll(), "*")...)
	bosses := key(boss, nil, manageAll()...)
	soon, late := end.Format(time.RFC3339), end.Add(time.Second).Format(time.RFC3339)
	for _, row := range []struct {
		name, token, line, body string
		status                  int
	}{
		{"the same", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["read"],"expires":"` + soon + `"}`, 201},
		{"what the wildcard covers", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["write"],"expires":"` + soon + `"}`, 201},
		{"a management scope by the wildcard", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["keys:revoke"],"expires":"` + soon + `"}`, 403},
		{"a longer life", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"expires":"` + late + `"}`, 403},
		{"no end", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"]}`, 403},
		{"another scheme", own.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["barong"],"expires":"` + soon + `"}`, 403},
		{"for another", own.Token, "POST /v1/keys", `{"owner":"boss@example.com","schemes":["bearer"],"expires":"` + soon + `"}`, 404},
		{"itself wider", own.Token, "PATCH /v1/keys/" + own.ID, `{"scopes":["keys:create","keys:revoke"]}`, 403},
		{"itself longer", own.Token, "PATCH /v1/keys/" + own.ID, `{"expires":"never"}`, 403},
		{"a wider one of its owner renamed", own.Token, "PATCH /v1/keys/" + wide.ID, `{"name":"x"}`, 403},
		{"a wider one's new secret", own.Token, "POST /v1/keys/" + wide.ID + "/rotate", `{"grace_s":60}`, 403},
		{"a superadministrator's key by an administrator", root.Token, "POST /v1/keys", `{"owner":"boss@example.com","schemes":["bearer"]}`, 403},
		{"its new secret", root.Token, "POST /v1/keys/" + bosses.ID + "/rotate", `{"grace_s":60}`, 403},
		{"its change", root.Token, "PATCH /v1/keys/" + bosses.ID, `{"name":"x"}`, 403},
		{"its end", root.Token, "POST /v1/keys/" + bosses.ID + "/revoke", ``, 403},
		{"all of their ends", root.Token, "POST /v1/keys/revoke", `{"owner":"boss@example.com"}`, 403},
		{"a member's key by an administrator", root.Token, "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["x"]}`, 201},
		{"an administrator made by an administrator", root.Token, "POST /v1/accounts", `{"email":"x@example.com","role":"admin"}`, 403},
		{"one made by a superadministrator's key", bosses.Token, "POST /v1/accounts", `{"email":"x@example.com","role":"admin"}`, 403},
	} {
		if got := h.call(row.token, row.line, row.body); got.status != row.status {
			t.Errorf("%s: %d %s, want %d", row.name, got.status, got.body, row.status)
		}
	}
}

// A key that is imported by a key can no more than that either.
func TestNoGrowthByImport(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, k := h.keyOf("", "root@example.com", "admin", "keys:import", "read", "*")
	for scope, want := range map[string]string{"read": "new", "anything": "new", "tenants:write": "refused"} {
		id := strings.Repeat(scope[:1], 32)
		body := `{"scheme":"shield","owners":[{"email":"o@example.com","origin":"x:1"}],"keys":[{"kid":"` + id + `","owner":"o@example.com","secret":"` + strings.Repeat("s", 44) + `","scopes":["` + scope + `"]}]}`
		got := h.call(k.Token, "POST /v1/keys/import", body)
		var out api.Imported
		if err := json.Unmarshal([]byte(got.body), &out); err != nil || len(out.Keys) != 1 || out.Keys[0].Outcome != want {
			t.Errorf("%s: %d %s, want %s", scope, got.status, got.body, want)
		}
	}
}

func TestSelf(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, k := h.keyOf("", "bob@example.com", "member", "read")
	var self api.Self
	if r := h.call(k.Token, "GET /v1/self", ""); json.Unmarshal([]byte(r.body), &self) != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	want := api.Self{Key: &k.Key, Account: &bob, Tenant: "default", Scopes: []string{"read"}}
	if diff := cmp.Diff(want, self); diff != "" {
		t.Errorf("self (-want +got):\n%s", diff)
	}
	if r := h.send("POST /v1/self/revoke", ""); r.status != 403 {
		t.Errorf("the operator ends itself: %d %s", r.status, r.body)
	}
	if r := h.call(k.Token, "POST /v1/self/revoke", `{"reason":"found in a log"}`); r.status != 200 || !strings.Contains(r.body, `"state":"revoked"`) {
		t.Errorf("revoked: %d %s", r.status, r.body)
	}
	if r := h.call(k.Token, "GET /v1/self", ""); r.code(t) != "key_revoked" {
		t.Errorf("after it: %d %s", r.status, r.body)
	}
}

// A session is asked for where the request shows no credential of a key, and a request that
// shows one is not let in by a session.
func TestSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, _ := h.keyOf("", "bob@example.com", "member")
	_, mine := h.keyOf("", "carol@example.com", "member", "read")
	a, err := h.store.Account(t.Context(), gatehouse.DefaultTenant, account.ByUID, bob.UID)
	if err != nil {
		t.Fatal(err)
	}
	h.serve(rest.Config{Sessions: func(r *http.Request) (account.Account, error) {
		switch c, err := r.Cookie("s"); {
		case err != nil:
			return account.Account{}, account.ErrNoSession
		case c.Value == "old":
			return account.Account{}, account.ErrSessionMismatch
		case r.Method != http.MethodGet && r.Header.Get("X-Csrf-Token") == "":
			return account.Account{}, gatehouse.ErrForbidden
		}
		return a, nil
	}})
	for _, row := range []struct {
		token, line, body, cookie, csrf string
		status                          int
		has                             string
	}{
		{"", "GET /v1/self", "", "new", "", 200, `"email":"bob@example.com"`},
		{"", "GET /v1/self", "", "old", "", 401, "no_credential"},
		{mine.Token, "GET /v1/self", "", "new", "", 200, `"email":"carol@example.com"`},
		{"x", "GET /v1/self", "", "new", "", 401, "malformed_credential"},
		{"", "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["a"]}`, "new", "", 403, "forbidden"},
		{"", "POST /v1/keys", `{"owner":"bob@example.com","schemes":["bearer"],"scopes":["a"]}`, "new", "t", 201, `"secret":`},
		{"", "POST /v1/keys", `{"owner":"carol@example.com","schemes":["bearer"]}`, "new", "t", 404, "not_found"},
		{"", "GET /v1/accounts", "", "new", "", 403, "forbidden"},
	} {
		got := h.call(row.token, row.line, row.body, "Cookie: s="+row.cookie, "X-Csrf-Token: "+row.csrf)
		if got.status != row.status || !strings.Contains(got.body, row.has) {
			t.Errorf("%+v: %d %s", row, got.status, got.body)
		}
	}
}
