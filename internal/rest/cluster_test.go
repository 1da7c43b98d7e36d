// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// place is where something is kept; who is not on the machine need not know.
const place = "db.internal:5432 as gatehouse, /etc/gatehouse/kek"

// ill is a process with which everything is wrong.
func ill(context.Context) api.Cluster {
	bad := api.Part{Kind: "postgresql", Problem: "dial " + place}
	return api.Cluster{
		Node: "n1", Store: bad, Nonces: bad, Limits: bad, Keyring: bad, Rules: &api.Part{Kind: "file", Problem: place},
		Feed: api.Part{Kind: "poll", Problem: "not read for 3s; every request reads the database"}, FeedAge: 3000,
		Nodes: []api.Node{{ID: "n1", Name: "east", Version: "1.0", Lease: 1000, Shares: "postgresql"}},
	}
}

// placed is a keyring whose keys are kept in several places, and whose rewrap is stuck.
type placed struct{ calls }

// List implements [rest.Keyring].
func (*placed) List(context.Context) ([]api.KeyringKey, int, error) {
	var out []api.KeyringKey
	for _, source := range []string{"inline", "file:" + place, "env:" + place + "#KEK", "vault:transit/gatehouse"} {
		out = append(out, api.KeyringKey{ID: "k", Kind: "kek", Source: source, Rank: "active", DataKeys: 3, Records: 7})
	}
	return out, 2, nil
}

// Progress implements [rest.Keyring].
func (*placed) Progress() api.Rewrap {
	return api.Rewrap{State: "failed", KEK: "k", Problem: "keyring " + place}
}

// Superadministrators of the default tenant read how the server stands, without what is for
// who is on the machine: that is in the log.
func TestSystemIsRead(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.serve(rest.Config{Cluster: ill, Keyring: &placed{}})
	_, boss := h.keyOf("", "boss@example.com", "superadmin", "system:read")
	var c api.Cluster
	got := h.call(boss.Token, "GET /v1/cluster", "")
	if err := json.Unmarshal([]byte(got.body), &c); err != nil || got.status != 200 || strings.Contains(got.body, place) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	want := ill(t.Context())
	for _, p := range []*api.Part{&want.Store, &want.Nonces, &want.Limits, &want.Keyring, want.Rules} {
		p.Problem = "something is wrong here; the server's log says what"
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	var ring api.Keyring
	got = h.call(boss.Token, "GET /v1/keyring", "")
	if err := json.Unmarshal([]byte(got.body), &ring); err != nil || got.status != 200 || strings.Contains(got.body, place) || strings.Contains(got.body, "transit") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var sources []string
	for _, k := range ring.Keys {
		sources = append(sources, k.Source)
	}
	if diff := cmp.Diff([]string{"inline", "file", "env", "vault"}, sources); diff != "" || ring.Keys[0].Records != 7 || ring.Unreadable != 2 || ring.Rewrap.State != "failed" {
		t.Errorf("%+v (-want +got):\n%s", ring, diff)
	}
	if n := strings.Count(h.log.String(), place); n != 6 {
		t.Errorf("the log has it %d times:\n%s", n, h.log)
	}
}

// Nobody else reads it, the operator reads all of it, and what changes the keyring stays at the
// socket.
func TestSystemIsReadByWhom(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.serve(rest.Config{Cluster: ill, Keyring: &placed{}})
	h.tenant("b")
	_, boss := h.keyOf("", "boss@example.com", "superadmin", manageAll()...)
	_, admin := h.keyOf("", "admin@example.com", "admin", manageAll()...)
	_, member := h.keyOf("", "bob@example.com", "member", manageAll()...)
	_, theirs := h.keyOf("b", "boss@b.example.com", "superadmin", manageAll()...)
	for _, target := range []string{"/v1/cluster", "/v1/keyring"} {
		for token, want := range map[string]int{boss.Token: 200, admin.Token: 403, member.Token: 403, theirs.Token: 403} {
			if got := h.call(token, "GET "+target, ""); got.status != want || want == 403 && got.code(t) != "forbidden" {
				t.Errorf("%s: %d %s, want %d", target, got.status, got.body, want)
			}
		}
		w := httptest.NewRecorder()
		h.api.Socket().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), place) {
			t.Errorf("the operator reads %s: %d %s", target, w.Code, w.Body)
		}
	}
	for _, line := range []string{"POST /v1/keyring/keys", "POST /v1/keyring/keys/k/primary", "POST /v1/keyring/keys/k/retire", "POST /v1/keyring/rewrap", "GET /v1/keyring/rewrap"} {
		if got := h.call(boss.Token, line, ""); got.status != 404 || got.code(t) != "no_route" {
			t.Errorf("%s: %d %s", line, got.status, got.body)
		}
	}
}
