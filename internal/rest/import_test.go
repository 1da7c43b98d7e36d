// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
)

// imported imports one Shield key for each owner and returns what became of them.
func (h *house) imported(existing bool, ids string, owners ...api.ImportOwner) []string {
	h.t.Helper()
	in := api.Import{Scheme: "shield", Owners: owners, ExistingOwners: existing}
	for i, o := range owners {
		in.Keys = append(in.Keys, api.ImportKey{ID: strings.Repeat(ids[i:i+1], 32), Owner: o.Email, Secret: strings.Repeat("s", 44)})
	}
	out, err := h.client.Import(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for _, k := range out.Keys {
		got = append(got, strings.TrimSpace(k.Outcome+" "+k.Problem))
	}
	return got
}

// Whose keys a row's become hangs on nothing that a stranger can choose.
func TestImportOwners(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	if _, err := h.client.CreateAccount(t.Context(), api.NewAccount{Email: "root@example.com", Role: "admin"}); err != nil {
		t.Fatal(err)
	}
	alice := api.ImportOwner{Email: "alice@example.com", Origin: "shield:1", State: "active"}
	mallory := api.ImportOwner{Email: "Alice@Example.com", Origin: "shield:2", State: "active"}
	banned := alice
	banned.State = "banned"
	for _, row := range []struct {
		name     string
		existing bool
		ids      string
		owners   []api.ImportOwner
		want     string
	}{
		{"two owners with one address", false, "ab", []api.ImportOwner{alice, {Email: alice.Email, Origin: "shield:2"}}, "refused owner: another has the same address; refused owner: another has the same address"},
		{"the same in capitals", false, "ab", []api.ImportOwner{alice, mallory}, "new; refused owner: another has the same address"},
		{"the first alone", false, "a", []api.ImportOwner{alice}, "new"},
		{"a second key of hers", false, "c", []api.ImportOwner{alice}, "new"},
		{"hers again", false, "a", []api.ImportOwner{alice}, "same"},
		{"the second alone", true, "d", []api.ImportOwner{mallory}, "refused owner: account: the account was made for another owner's import"},
		{"hers, banned since", false, "e", []api.ImportOwner{banned}, "refused owner: account: may act here, and the owner was banned since"},
		{"somebody who is here", false, "f", []api.ImportOwner{{Email: owner, Origin: "shield:3"}}, "refused owner: account: there is one already, and existing owners are not allowed"},
		{"somebody who is here, banned there", true, "f", []api.ImportOwner{{Email: owner, Origin: "shield:3", State: "banned"}}, "refused owner: account: there is one that may act, and the owner may not"},
		{"somebody who is here, allowed", true, "f", []api.ImportOwner{{Email: owner, Origin: "shield:3"}}, "new"},
		{"an administrator", true, "0", []api.ImportOwner{{Email: "root@example.com", Origin: "shield:4"}}, "refused owner: account: there is one with a role of its own"},
		{"no address", false, "1", []api.ImportOwner{{Email: "alice", Origin: "shield:5"}}, "refused owner: email: invalid"},
	} {
		if got := strings.Join(h.imported(row.existing, row.ids, row.owners...), "; "); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// What a refused import names is input, perhaps a secret in the wrong place: it is not kept.
func TestRefusedImportIsNotKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, k := h.keyOf("", "root@example.com", "admin", manageAll()...)
	const line = "POST /v1/keys/import"
	for body, kept := range map[string]bool{
		`{"scheme":"shield","owners":[],"keys":[{"kid":"` + marker + `","owner":"x","scopes":[]}]}`: false,
		`{"scheme":"shield","dry_run":true,"owners":[],"keys":[]}`:                                  false,
		`{"scheme":"shield","owners":[{"email":"o@example.com"}],"keys":[{"kid":"` + strings.Repeat("a", 32) + `","owner":"o@example.com","secret":"` + strings.Repeat("s", 44) + `","scopes":[]}]}`: true,
	} {
		for range 2 {
			if got := h.call(k.Token, line, body, "Idempotency-Key: "+body[len(body)-50:]); got.status != 200 {
				t.Fatalf("%s: %d %s", body, got.status, got.body)
			}
		}
		if got := h.call(k.Token, line, body, "Idempotency-Key: "+body[len(body)-50:]); (got.header.Get("Idempotency-Replayed") != "") != kept {
			t.Errorf("%s: kept is not %v", body, kept)
		}
	}
}
