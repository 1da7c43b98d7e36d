// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// asked is a way to call: with a key, or with a session.
type asked func(line, body string, fields ...string) reply

// holders are the ways in which the holder of an account calls: by a key of it that holds
// every management scope, and in person. Its factor is off.
func (h *house) holders(uid, token string) map[string]asked {
	h.t.Helper()
	a, err := h.store.Account(h.t.Context(), gatehouse.DefaultTenant, account.ByUID, uid)
	if err != nil {
		h.t.Fatal(err)
	}
	h.serve(rest.Config{Sessions: func(r *http.Request) (account.Account, error) {
		if _, err := r.Cookie("s"); err != nil {
			return account.Account{}, account.ErrNoSession
		}
		return a, nil
	}})
	return map[string]asked{
		"by a key": func(line, body string, fields ...string) reply { return h.call(token, line, body, fields...) },
		"in person": func(line, body string, fields ...string) reply {
			return h.call("", line, body, append(fields, "Cookie: s=x")...)
		},
	}
}

// Who owns a service account sees it, and does to its keys what it does to its own. The audit
// log names who did.
func TestHoldersKeepTheirServiceAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, key := h.keyOf("", "bob@example.com", "member", append(manageAll(), "*")...)
	robot, first := h.robotOf(bob.UID, "robot1", "", "read")
	h.robotOf("", "robot2", "", "read")
	for name, call := range h.holders(bob.UID, key.Token) {
		for _, line := range []string{"GET /v1/service-accounts", "GET /v1/service-accounts?owner=" + bob.UID, "GET /v1/service-accounts?owner=bob@example.com"} {
			var list api.Accounts
			if r := call(line, ""); json.Unmarshal([]byte(r.body), &list) != nil || len(list.Accounts) != 1 || list.Accounts[0].UID != robot.UID {
				t.Errorf("%s: %s: %d %s", name, line, r.status, r.body)
			}
		}
		if r := call("GET /v1/service-accounts?owner="+robot.UID, ""); r.status != 200 || !strings.Contains(r.body, `"accounts":[]`) {
			t.Errorf("%s: a service account's: %d %s", name, r.status, r.body)
		}
		if r := call("GET /v1/accounts/"+robot.UID, ""); r.account(t, 200).Username != "robot1" {
			t.Errorf("%s: read %s", name, r.body)
		}
		h.keeps(t, name, call, &robot, first.ID)
		if r := call("POST /v1/keys/revoke", `{"owner":"`+robot.UID+`","scheme":"barong"}`); r.status != 200 || !strings.Contains(r.body, `"revoked":0`) {
			t.Errorf("%s: all of one scheme: %d %s", name, r.status, r.body)
		}
	}
	if r := h.call(key.Token, "POST /v1/keys/revoke", `{"owner":"`+robot.UID+`"}`); r.status != 200 || !strings.Contains(r.body, `"revoked":1`) {
		t.Errorf("all: %d %s", r.status, r.body)
	}
}

// keeps takes a key of a service account through its life, from making to deleting.
func (h *house) keeps(t *testing.T, name string, call asked, robot *api.Account, other string) {
	t.Helper()
	const body = `","schemes":["bearer"],"scopes":["read"]}`
	made := call("POST /v1/keys", `{"owner":"`+robot.UID+body, "Idempotency-Key: "+name)
	var k api.CreatedKey
	if err := json.Unmarshal([]byte(made.body), &k); err != nil || made.status != 201 || k.Owner != robot.UID || k.Token == "" {
		t.Fatalf("%s: made: %d %s", name, made.status, made.body)
	}
	if r := call("POST /v1/keys", `{"owner":"`+robot.UID+body, "Idempotency-Key: "+name); r.status != 201 || !strings.Contains(r.body, k.ID) || strings.Contains(r.body, k.Token) {
		t.Errorf("%s: made again: %d %s", name, r.status, r.body)
	}
	at := "/v1/keys/" + k.ID
	for _, step := range []struct {
		line, body string
		status     int
		has        string
	}{
		{"GET /v1/keys?owner=" + robot.UID, "", 200, other},
		{"GET " + at, "", 200, `"owner":"` + robot.UID},
		{"GET " + at + "/usage", "", 200, k.ID},
		{"PATCH " + at, `{"name":"nightly","scopes":["read","more"]}`, 200, `"name":"nightly"`},
		{"POST " + at + "/rotate", `{"grace_s":60}`, 200, `"token":"gh`},
		{"POST " + at + "/rotate", `{"grace_s":60}`, 409, "a rotation is under way"},
		{"GET " + at + "/rotation", "", 200, `"state":"running"`},
		{"POST " + at + "/rotation/extend", `{"grace_s":90}`, 200, k.ID},
		{"POST " + at + "/rotation/finish", "", 200, k.ID},
		{"POST " + at + "/rotation/finish", "", 409, "no rotation is under way"},
		{"POST " + at + "/rotation/extend", `{"grace_s":90}`, 409, "no rotation is under way"},
		{"POST " + at + "/disable", "", 200, `"state":"disabled"`},
		{"POST " + at + "/enable", "", 200, `"state":"active"`},
		{"DELETE " + at, "", 409, "only a revoked key"},
		{"POST " + at + "/revoke", "", 200, `"state":"revoked"`},
		{"POST " + at + "/enable", "", 409, "the key is revoked, for good"},
		{"PATCH " + at, `{"name":"n"}`, 409, "the key is revoked, for good"},
		{"POST " + at + "/rotation/cancel", "", 409, "the key is revoked, for good"},
		{"DELETE " + at, "", 204, ""},
		{"GET " + at, "", 404, ""},
	} {
		if r := call(step.line, step.body); r.status != step.status || !strings.Contains(r.body, step.has) {
			t.Errorf("%s: %s: %d %s", name, step.line, r.status, r.body)
		}
	}
	self := call("GET /v1/self", "")
	var who api.Self
	if err := json.Unmarshal([]byte(self.body), &who); err != nil {
		t.Fatal(err)
	}
	actor := h.idOf(who.Account.UID)
	if who.Key != nil {
		actor = who.Key.ID
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: k.ID})
	if err != nil || len(events) != 9 {
		t.Errorf("%s: %d events, %v", name, len(events), err)
	}
	for i := range events {
		if events[i].Actor.ID != actor {
			t.Errorf("%s: %s by %s %s", name, events[i].Verb, events[i].Actor.Kind, events[i].Actor.ID)
		}
	}
}

// idOf is the id of an account.
func (h *house) idOf(uid string) string {
	h.t.Helper()
	a, err := h.store.Account(h.t.Context(), gatehouse.DefaultTenant, account.ByUID, uid)
	if err != nil {
		h.t.Fatal(err)
	}
	return a.ID
}

// Through a service account nobody gets more than it has: a key is bound as for keys of its
// owner, and what manages, or is for service accounts alone, is given by who manages.
func TestNoGrowthThroughServiceAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, _ := h.keyOf("", "bob@example.com", "member")
	robot, theirs := h.robotOf(bob.UID, "robot1", "", "read", follows)
	mighty, root := h.robotOf(bob.UID, "robot2", "admin", "read")
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	bound, err := h.client.CreateKey(t.Context(), api.NewKey{
		Owner: bob.UID, Schemes: []string{"bearer"}, Scopes: []string{"keys:create", "keys:update", "keys:rotate", "keys:revoke", follows, "read"},
		Expires: &end, Networks: []string{"192.0.2.0/24"}, // where httptest calls from
	})
	if err != nil {
		t.Fatal(err)
	}
	within := `"expires":"` + end.Format(time.RFC3339) + `","networks":["192.0.2.1"]`
	callers := h.holders(bob.UID, bound.Token)
	for _, row := range []struct {
		name, line, body string
		key, person      int
	}{
		{"within", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["bearer"],"scopes":["read"],` + within + `}`, 201, 201},
		{"from anywhere", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["bearer"],"expires":"` + end.Format(time.RFC3339) + `"}`, 403, 201},
		{"no end", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["bearer"],"networks":["192.0.2.1"]}`, 403, 201},
		{"another scheme", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["barong"],` + within + `}`, 403, 201},
		{"another scope", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["bearer"],"scopes":["write"],` + within + `}`, 403, 201},
		{"the list of revocations", "POST /v1/keys", `{"owner":"` + robot.UID + `","schemes":["bearer"],"scopes":["` + follows + `"],` + within + `}`, 403, 403},
		{"the same for a key of its own", "POST /v1/keys", `{"owner":"` + bob.UID + `","schemes":["bearer"],"scopes":["` + follows + `"],` + within + `}`, 201, 201},
		{"the same by a change", "PATCH /v1/keys/" + theirs.ID, `{"scopes":["` + follows + `"],` + within + `}`, 403, 403},
		{"the networks of a wider one", "PATCH /v1/keys/" + theirs.ID, `{"networks":[]}`, 403, 403},
		{"the secret of a wider one", "POST /v1/keys/" + theirs.ID + "/rotate", `{"grace_s":60}`, 403, 403},
		{"the rest of a wider one", "POST /v1/keys/" + theirs.ID + "/disable", ``, 200, 200},
		{"the return of a wider one", "POST /v1/keys/" + theirs.ID + "/enable", ``, 403, 403},
		{"a key of one that manages", "POST /v1/keys", `{"owner":"` + mighty.UID + `","schemes":["bearer"],` + within + `}`, 403, 403},
		{"its secret", "POST /v1/keys/" + root.ID + "/rotate", `{"grace_s":60}`, 403, 403},
		{"its end", "POST /v1/keys/" + root.ID + "/revoke", ``, 403, 403},
		{"all of its ends", "POST /v1/keys/revoke", `{"owner":"` + mighty.UID + `"}`, 403, 403},
		{"a service account", "POST /v1/service-accounts", `{"name":"robot3","owner":"` + bob.UID + `"}`, 403, 403},
		{"its state", "POST /v1/accounts/" + robot.UID + "/state", `{"state":"disabled"}`, 403, 403},
		{"its limits", "PATCH /v1/accounts/" + robot.UID, `{"limits":[]}`, 403, 403},
	} {
		for name, want := range map[string]int{"by a key": row.key, "in person": row.person} {
			if got := callers[name](row.line, row.body); got.status != want {
				t.Errorf("%s %s: %d %s, want %d", row.name, name, got.status, got.body, want)
			}
		}
	}
}

// A secret of a service account that nobody heard of is told to the owner who asks again.
func TestSecretOfAServiceAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, k := h.keyOf("", "bob@example.com", "member", "keys:create", "read")
	robot, _ := h.robotOf(bob.UID, "robot1", "", "read")
	body := `{"owner":"` + robot.UID + `","schemes":["bearer"],"scopes":["read"]}`
	gone := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/keys", strings.NewReader(body))
	gone.Header.Set("Authorization", "Bearer "+k.Token)
	gone.Header.Set("Content-Type", "application/json")
	gone.Header.Set("Idempotency-Key", "one")
	h.public.ServeHTTP(&deaf{header: http.Header{}}, gone)
	if r := h.call(k.Token, "POST /v1/keys", body, onceKey); r.status != 201 || !strings.Contains(r.body, `"token":"gh`) {
		t.Errorf("not told: %d %s", r.status, r.body)
	}
}
