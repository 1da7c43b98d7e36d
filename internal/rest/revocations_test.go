// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bufio"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// follower makes a service account and a key that follows the list of a tenant.
func (h *house) follower(tenant string, scopes ...string) api.CreatedKey {
	h.t.Helper()
	c := h.client
	if tenant != "" {
		c = c.InTenant(tenant)
	}
	a, err := c.CreateServiceAccount(h.t.Context(), api.NewServiceAccount{Name: "follower"})
	if err != nil {
		h.t.Fatal(err)
	}
	k, err := c.CreateKey(h.t.Context(), api.NewKey{Owner: a.UID, Schemes: []string{"bearer"}, Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

const follows = "revocations:read"

// listed reads an answer.
func listed(t *testing.T, r reply) (list api.Revocations) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || r.status != 200 || r.header.Get("ETag") != `W/"`+list.Cursor+`"` {
		t.Fatalf("%d %v %s", r.status, r.header, r.body)
	}
	return list
}

// The list tells what ended, and of nothing that did not.
func TestRevocations(t *testing.T) {
	t.Parallel()
	h := open(t)
	token, ctx := h.follower("", follows).Token, t.Context()
	begin := time.Now()
	alice, one := h.keyOf("", "alice@example.com", "member", "read", "write")
	_, two := h.keyOf("", "bob@example.com", "member", "read")
	name := "renamed"
	if _, err := h.client.UpdateKey(ctx, one.ID, 0, api.PatchKey{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if l := listed(t, h.call(token, "GET /v1/revocations", "")); len(l.Revocations) != 0 || l.Tenant != "default" || begin.Sub(l.Floor) < time.Hour {
		t.Errorf("at first %+v", l)
	}
	narrow := []string{"read"}
	if _, err := h.client.UpdateKey(ctx, one.ID, 0, api.PatchKey{Scopes: &narrow}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.RevokeKey(ctx, two.ID, "lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.SetAccountState(ctx, alice.UID, "banned"); err != nil {
		t.Fatal(err)
	}
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	want := []api.Revocation{{Kind: "key", ID: one.ID}, {Kind: "key", ID: two.ID}, {Kind: "principal", ID: alice.UID}}
	if diff := cmp.Diff(want, l.Revocations, cmpopts.IgnoreFields(api.Revocation{}, "Time")); diff != "" {
		t.Errorf("revocations (-want +got):\n%s", diff)
	}
	for _, r := range l.Revocations {
		if r.Time.Before(begin.Truncate(time.Microsecond)) || r.Time.After(time.Now()) {
			t.Errorf("%+v", r)
		}
	}
	if again := listed(t, h.call(token, "GET /v1/revocations?since="+l.Cursor, "")); len(again.Revocations) != 0 {
		t.Errorf("nothing is new, and it tells %+v", again.Revocations)
	}
	// Another process continues where this one ended.
	h.serve(rest.Config{})
	if again := listed(t, h.call(token, "GET /v1/revocations?since="+l.Cursor, "")); len(again.Revocations) != 0 {
		t.Errorf("after a restart it tells %+v", again.Revocations)
	}
	if got := h.call(token, "GET /v1/revocations?since=x", ""); got.status != 422 || !strings.Contains(got.body, `"field":"since"`) {
		t.Errorf("a strange cursor: %d %s", got.status, got.body)
	}
}

// The tag of an answer tells whether there is more.
func TestRevocationsTag(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.follower("", follows).Token
	_, k := h.keyOf("", "alice@example.com", "member")
	tag := h.call(token, "GET /v1/revocations", "").header.Get("ETag")
	for range 2 {
		if got := h.call(token, "GET /v1/revocations", "", "If-None-Match: "+tag); got.status != 304 || got.body != "" || got.header.Get("ETag") != tag {
			t.Errorf("nothing is new: %d %v %s", got.status, got.header, got.body)
		}
	}
	for _, other := range []string{"*", `"x"`, "x", `W/"x", ` + tag} {
		listed(t, h.call(token, "GET /v1/revocations", "", "If-None-Match: "+other))
	}
	if _, err := h.client.RevokeKey(t.Context(), k.ID, ""); err != nil {
		t.Fatal(err)
	}
	if l := listed(t, h.call(token, "GET /v1/revocations", "", "If-None-Match: "+tag)); len(l.Revocations) != 1 {
		t.Errorf("%+v", l)
	}
}

// Who may: a key with the scope, of a service account or of who manages others. The list is
// that of its tenant.
func TestRevocationsCallers(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("b")
	_, member := h.keyOf("", "m@example.com", "member", follows)
	_, admin := h.keyOf("", "a@example.com", "admin", follows)
	_, lost := h.keyOf("b", "m@b.example.com", "member")
	theirs := h.follower("b", follows)
	if _, err := h.client.InTenant("b").RevokeKey(t.Context(), lost.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, token string
		status, n   int
	}{
		{"without the scope", h.follower("", "read", "*").Token, 403, 0},
		{"a member's", member.Token, 403, 0},
		{"an administrator's", admin.Token, 200, 0},
		{"the other tenant's", theirs.Token, 200, 1},
	} {
		got := h.call(row.token, "GET /v1/revocations", "")
		if got.status != row.status || strings.Count(got.body, `"kind"`) != row.n {
			t.Errorf("%s: %d %s", row.name, got.status, got.body)
		}
	}
}

// waiting asks and tells the answer when it comes.
func (h *house) waiting(token, line string) <-chan reply {
	out := make(chan reply, 1)
	go func() { out <- h.call(token, line, "") }()
	return out
}

// Who waits is answered when something ends, and not for another tenant or a new name.
func TestRevocationsWait(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.tenant("b")
	token := h.follower("", follows).Token
	_, k := h.keyOf("", "alice@example.com", "member")
	_, other := h.keyOf("b", "bob@b.example.com", "member")
	var took time.Duration
	const rounds = 20
	for range rounds {
		l := listed(t, h.call(token, "GET /v1/revocations", ""))
		answered := h.waiting(token, "GET /v1/revocations?wait_s=25&since="+l.Cursor)
		h.awaitWaiters(1)
		name := "renamed"
		if _, err := h.client.UpdateKey(t.Context(), k.ID, 0, api.PatchKey{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.client.InTenant("b").DisableKey(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		if h.api.Waiters() != 1 {
			t.Fatal("it was answered for nothing")
		}
		if _, err := h.client.DisableKey(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got := listed(t, <-answered)
		took += time.Since(begin)
		if n := len(got.Revocations); n != len(l.Revocations)+1 || got.Revocations[n-1].ID != k.ID {
			t.Fatalf("%+v", got.Revocations)
		}
		for _, c := range []struct {
			c  *client.Client
			id string
		}{{h.client, k.ID}, {h.client.InTenant("b"), other.ID}} {
			if _, err := c.c.EnableKey(t.Context(), c.id); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("answered %v after the change was acknowledged, on average", took/rounds)
	if took/rounds > time.Second {
		t.Errorf("answered after %v", took/rounds)
	}
}

// awaitWaiters returns when so many requests wait.
func (h *house) awaitWaiters(n int) {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); h.api.Waiters() != n; {
		if time.Now().After(end) {
			h.t.Fatalf("%d requests wait, want %d", h.api.Waiters(), n)
		}
	}
}

// Waiting ends with its time, and with the process.
func TestRevocationsWaitEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.follower("", follows).Token
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	if got := listed(t, h.call(token, "GET /v1/revocations?wait_s=1&since="+l.Cursor, "")); len(got.Revocations) != 0 {
		t.Errorf("%+v", got)
	}
	answered := h.waiting(token, "GET /v1/revocations?wait_s=25&since="+l.Cursor)
	h.awaitWaiters(1)
	begin := time.Now()
	h.api.Drain()
	if got := listed(t, <-answered); len(got.Revocations) != 0 || time.Since(begin) > 5*time.Second {
		t.Errorf("%+v after %v", got, time.Since(begin))
	}
	if got := h.call(token, "GET /v1/revocations?wait_s=25&since="+l.Cursor, ""); got.status != 200 || h.api.Waiters() != 0 {
		t.Errorf("%d, and %d wait", got.status, h.api.Waiters())
	}
}

// Only so many wait. Who asks without waiting is answered still.
func TestRevocationsManyWait(t *testing.T) {
	t.Parallel()
	h := open(t)
	token, other := h.follower("", follows).Token, h.follower2()
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	const most = 256
	var all []<-chan reply
	for range most {
		all = append(all, h.waiting(token, "GET /v1/revocations?wait_s=25&since="+l.Cursor))
	}
	h.awaitWaiters(most)
	if got := h.call(token, "GET /v1/revocations?wait_s=25&since="+l.Cursor, ""); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := h.call(token, "GET /v1/revocations", "", "Accept: text/event-stream"); got.status != 503 {
		t.Errorf("a stream: %d %s", got.status, got.body)
	}
	listed(t, h.call(token, "GET /v1/revocations", ""))
	beside := h.waiting(other, "GET /v1/revocations?wait_s=25&since="+l.Cursor)
	h.awaitWaiters(most + 1)
	_, k := h.keyOf("", "alice@example.com", "member")
	if _, err := h.client.RevokeKey(t.Context(), k.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, a := range append(all, beside) {
		if got := listed(t, <-a); len(got.Revocations) != 1 {
			t.Errorf("%+v", got)
		}
	}
	h.awaitWaiters(0)
}

// follower2 is the token of a second key that follows.
func (h *house) follower2() string {
	h.t.Helper()
	_, k := h.keyOf("", "second@example.com", "admin", follows)
	return k.Token
}

// A stream tells what ends as it comes, goes on where another ended, and ends with its
// caller.
func TestRevocationsStream(t *testing.T) {
	t.Parallel()
	h := open(t)
	key := h.follower("", follows)
	_, one := h.keyOf("", "alice@example.com", "member")
	_, two := h.keyOf("", "bob@example.com", "member")
	s := httptest.NewServer(h.public)
	t.Cleanup(s.Close)
	stream := func(last string) *bufio.Scanner {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/revocations", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + key.Token}}
		if last != "" {
			r.Header.Set("Last-Event-Id", last)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || kind != "text/event-stream" {
			t.Fatalf("%d %s", resp.StatusCode, kind)
		}
		return bufio.NewScanner(resp.Body)
	}
	next := func(in *bufio.Scanner) (list api.Revocations) {
		t.Helper()
		in.Scan()
		id, found := strings.CutPrefix(in.Text(), "id: ")
		in.Scan()
		data, told := strings.CutPrefix(in.Text(), "data: ")
		if err := json.Unmarshal([]byte(data), &list); !found || !told || err != nil || list.Cursor != id || !in.Scan() || in.Text() != "" {
			t.Fatalf("event %q %q, %v", id, data, err)
		}
		return list
	}
	revoke := func(id string) {
		if _, err := h.client.RevokeKey(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
	}
	in := stream("")
	first := next(in)
	revoke(one.ID)
	if l := next(in); len(first.Revocations) != 0 || len(l.Revocations) != 1 || l.Revocations[0].ID != one.ID {
		t.Errorf("%+v, then %+v", first, l)
	}
	again := stream(first.Cursor)
	if l := next(again); len(l.Revocations) != 1 {
		t.Errorf("again %+v", l)
	}
	revoke(two.ID)
	if l := next(again); len(l.Revocations) != 2 { // the first is told once more
		t.Errorf("then %+v", l)
	}
	revoke(key.ID)
	if l := next(again); len(l.Revocations) != 3 || again.Scan() {
		t.Errorf("of itself %+v, and the stream goes on with %q", l, again.Text())
	}
	h.awaitWaiters(0)
}

// noticed writes notices as a node does whose clock, or commit, is late.
func (h *house) noticed(rows ...gatehouse.Notice) {
	h.t.Helper()
	var text []string
	for _, n := range rows {
		text = append(text, fmt.Sprintf("('%s', %d, '%s', '%s', '%s', 1, 0)", rand.Text(), n.Time.UnixMicro(), n.Tenant, n.Kind, n.Subject))
	}
	db, err := sql.Open("sqlite", "file:"+h.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const insert = "INSERT INTO notices (id, at, tenant, kind, subject, ends, fresh) VALUES "
	if _, err := db.ExecContext(h.t.Context(), insert+strings.Join(text, ", ")); err != nil {
		h.t.Fatal(err)
	}
}

// What appears late is told all the same, by whoever is asked.
func TestRevocationsLate(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.follower("", follows).Token
	_, k := h.keyOf("", "alice@example.com", "member")
	if _, err := h.client.RevokeKey(t.Context(), k.ID, ""); err != nil {
		t.Fatal(err)
	}
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	now := time.Now()
	h.noticed(
		gatehouse.Notice{Time: now.Add(-50 * time.Second), Tenant: "default", Kind: gatehouse.NoticeKey, Subject: "slow"},
		gatehouse.Notice{Time: now.Add(time.Hour), Tenant: "default", Kind: gatehouse.NoticePrincipal, Subject: "nobody"},
		gatehouse.Notice{Time: now, Kind: gatehouse.NoticeAll},
		gatehouse.Notice{Time: now.Add(time.Second), Tenant: "default", Kind: gatehouse.NoticeTenant},
		gatehouse.Notice{Time: now.Add(-3 * time.Hour), Tenant: "default", Kind: gatehouse.NoticeKey, Subject: "long ago"},
	)
	for _, process := range []string{"this", "another"} {
		got := listed(t, h.call(token, "GET /v1/revocations?since="+l.Cursor, ""))
		want := []api.Revocation{{Kind: "key", ID: "slow"}, {Kind: "key", ID: k.ID}, {Kind: "all"}, {Kind: "tenant"}, {Kind: "tenant"}}
		if diff := cmp.Diff(want, got.Revocations, cmpopts.IgnoreFields(api.Revocation{}, "Time")); diff != "" {
			t.Errorf("%s process (-want +got):\n%s", process, diff)
		}
		if again := listed(t, h.call(token, "GET /v1/revocations?since="+got.Cursor, "")); len(again.Revocations) != 0 {
			t.Errorf("%s process tells again %+v", process, again.Revocations)
		}
		h.serve(rest.Config{})
	}
}

// A restore from a backup takes away what was told, and what comes then is told.
func TestRevocationsAfterARestore(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.follower("", follows).Token
	h.noticed(gatehouse.Notice{Time: time.Now(), Tenant: "default", Kind: gatehouse.NoticeKey, Subject: "lost"})
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	h.edit("DELETE FROM notices WHERE subject = 'lost'")
	h.serve(rest.Config{})
	h.noticed(gatehouse.Notice{Time: time.Now(), Tenant: "default", Kind: gatehouse.NoticeKey, Subject: "next"})
	if got := listed(t, h.call(token, "GET /v1/revocations?since="+l.Cursor, "")); len(got.Revocations) != 1 || got.Revocations[0].ID != "next" {
		t.Errorf("%+v", got)
	}
}

// A list that is too long says from when on it is whole.
func TestRevocationsTooMany(t *testing.T) {
	t.Parallel()
	h := open(t)
	token, begin := h.follower("", follows).Token, time.Now().Add(-time.Second).Truncate(time.Microsecond)
	l := listed(t, h.call(token, "GET /v1/revocations", ""))
	var rows []gatehouse.Notice
	for i := range 10_003 {
		rows = append(rows, gatehouse.Notice{Time: begin.Add(time.Duration(i) * time.Microsecond), Tenant: "default", Kind: gatehouse.NoticeKey, Subject: "k"})
	}
	h.noticed(rows...)
	for _, line := range []string{"GET /v1/revocations", "GET /v1/revocations?since=" + l.Cursor} {
		got := listed(t, h.call(token, line, ""))
		if again := listed(t, h.call(token, "GET /v1/revocations?since="+got.Cursor, "")); len(again.Revocations) != 0 {
			t.Errorf("nothing is new, and it tells %d", len(again.Revocations))
		}
		if n := len(got.Revocations); n != 10_000 || !got.Floor.Equal(rows[2].Time) || !got.Revocations[0].Time.Equal(rows[3].Time) {
			t.Errorf("%d from %v on, floor %v", n, got.Revocations[0].Time, got.Floor)
		}
	}
}
