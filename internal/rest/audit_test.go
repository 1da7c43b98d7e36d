// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
)

// events reads a page of the audit log.
func (h *house) events(query string) (page api.Events) {
	h.t.Helper()
	r := h.send("GET /v1/audit?"+query, "")
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 {
		h.t.Fatalf("%s: %d %s", query, r.status, r.body)
	}
	return page
}

func TestAudit(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	k := h.key("bearer")
	if _, err := h.client.RevokeKey(t.Context(), k.ID, "leaked"); err != nil {
		t.Fatal(err)
	}
	denied, token := h.keyOf("", "bob@example.com", "member", "keys:verify")
	h.call(token.Token, "GET /v1/keys", "")
	stored, total, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	all := h.events("limit=1000")
	if len(all.Events) != total || all.Next != "" {
		t.Fatalf("%d of %d events", len(all.Events), total)
	}
	for i := range stored {
		if all.Events[i].Seq != stored[i].Seq || all.Events[i].Hash != fmt.Sprintf("%x", stored[i].Hash) || all.Events[i].Prev != fmt.Sprintf("%x", stored[i].Prev) {
			t.Errorf("event %d is %+v, stored %+v", i, all.Events[i], stored[i])
		}
	}
	for _, limit := range []int{1, 2, total} {
		for _, order := range []string{"asc", "desc"} {
			var got []api.Event
			for next := ""; ; {
				page := h.events(fmt.Sprintf("limit=%d&order=%s&cursor=%s", limit, order, next))
				got, next = append(got, page.Events...), page.Next
				if next == "" || len(got) > total {
					break
				}
			}
			if order == "asc" {
				slices.Reverse(got)
			}
			if diff := cmp.Diff(all.Events, got); diff != "" {
				t.Errorf("%s in pages of %d (-want +got):\n%s", order, limit, diff)
			}
		}
	}
	middle := url.QueryEscape(all.Events[2].Time.Format(time.RFC3339Nano))
	for query, want := range map[string]int{
		"subject=" + k.ID: 2, "subject=" + owner: 1, "subject=" + a.UID: 1, "subject=" + marker: 0,
		"verb=key.create": 2, "verb=key.create&verb=key.revoke": 3, "verb=" + marker: 0,
		"outcome=denied": 1, "outcome=denied&verb=key.create": 0, "actor=" + token.ID: 1, "actor=" + denied.UID: 0,
		"to=" + middle: total - 3, "from=" + middle: 3,
	} {
		if page := h.events(query); len(page.Events) != want {
			t.Errorf("%s: %+v", query, page.Events)
		}
	}
	desc := h.events("limit=1").Next
	for query, field := range map[string]string{
		"order=asc&cursor=" + desc: "cursor", "cursor=" + marker: "cursor", "order=" + marker: "order", "outcome=" + marker: "outcome", "from=" + marker: "from", "limit=0": "limit",
	} {
		if p := h.refused("GET /v1/audit?"+query, "", 422, "invalid"); p.Field != field {
			t.Errorf("%s: field %q", query, p.Field)
		}
	}
}

// Events speak of accounts by ids that nobody has ever seen: a page tells what they are called.
func TestAuditNamesAccounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person()
	_, token := h.keyOf("", "bob@example.com", "superadmin", "audit:read", "accounts:read")
	_, ids := h.keyOf("", "eve@example.com", "superadmin", "audit:read", "*")
	robot, err := h.client.CreateServiceAccount(t.Context(), api.NewServiceAccount{Name: "nightshift", Owner: a.UID})
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.client.CreateKey(t.Context(), api.NewKey{Name: "of a robot", Schemes: []string{"bearer"}, Owner: robot.UID})
	if err != nil {
		t.Fatal(err)
	}
	var page api.Events
	r := h.call(token.Token, "GET /v1/audit?verb=key.create&subject="+k.ID, "")
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || len(page.Events) != 1 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	principal := page.Events[0].Changes[slices.IndexFunc(page.Events[0].Changes, func(c api.Change) bool { return c.Field == "principal" })].After
	if diff := cmp.Diff(map[string]string{principal: "nightshift"}, page.Names); diff != "" {
		t.Errorf("of a key's event (-want +got):\n%s", diff)
	}
	if r := h.call(ids.Token, "GET /v1/audit", ""); r.status != 200 || !strings.Contains(r.body, principal) || strings.Contains(r.body, "names") || strings.Contains(r.body, "@") {
		t.Errorf("without accounts:read: %d %s", r.status, r.body)
	}
	made := h.events("verb=account.create&subject=" + a.UID)
	if got := made.Names[made.Events[0].Subject]; got != a.Email {
		t.Errorf("an account is called %q, want %q", got, a.Email)
	}
	if got := h.events("verb=system.start").Names; len(got) != 0 {
		t.Errorf("no event names %v", got)
	}
}

// edit changes the database behind the server's back.
func (h *house) edit(statement string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if r, err := db.ExecContext(h.t.Context(), statement); err != nil {
		h.t.Fatal(err)
	} else if n, _ := r.RowsAffected(); n != 1 {
		h.t.Fatalf("%s: %d rows", statement, n)
	}
}

func TestVerifyChain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	h.tenant("shop")
	h.keyOf("shop", "alice@example.com", "member")
	chain := func(tenant, body string) (out api.Chain) {
		t.Helper()
		r := h.sendWith("POST /v1/audit/verify", body, "Gatehouse-Tenant: "+tenant)
		if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return out
	}
	last := h.events("limit=1").Events[0]
	want := api.Chain{Sound: true, Events: last.Seq, Seq: last.Seq, Hash: last.Hash}
	if diff := cmp.Diff(want, chain("default", "")); diff != "" {
		t.Errorf("untouched (-want +got):\n%s", diff)
	}
	noted, _ := json.Marshal(api.VerifyChain{Seq: last.Seq, Hash: last.Hash})
	h.other()
	if got := chain("default", string(noted)); !got.Sound || got.Seq != last.Seq+1 {
		t.Errorf("through the head that was noted: %+v", got)
	}
	wrong, _ := json.Marshal(api.VerifyChain{Seq: last.Seq, Hash: "00ff"})
	if got := chain("default", string(wrong)); got.Sound || len(got.Faults) != 1 || got.Faults[0].Seq != last.Seq {
		t.Errorf("through another one: %+v", got)
	}
	for _, body := range []string{`{"seq":1}`, `{"hash":"00"}`, `{"seq":1,"hash":"` + marker + `"}`, `{"seq":-1,"hash":"00"}`} {
		if p := h.refused("POST /v1/audit/verify", body, 422, "invalid"); p.Field != "hash" {
			t.Errorf("%s: %+v", body, p)
		}
	}
	h.edit(fmt.Sprintf("UPDATE events SET verb = 'key.create' WHERE tenant = 'default' AND seq = %d", last.Seq))
	got := chain("default", "")
	if diff := cmp.Diff([]api.ChainFault{{Seq: last.Seq, To: last.Seq, Problem: gatehouse.FaultChanged}}, got.Faults); diff != "" || got.Sound {
		t.Errorf("with an edited row (-want +got):\n%s", diff)
	}
	if other := chain("shop", ""); !other.Sound || other.Events == 0 {
		t.Errorf("another tenant's: %+v", other)
	}
}

// A key that comes to a database that is there, as an update brings it, vouches for what is
// written from then on: the events before must go through what was noted.
func TestVerifySignedChain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	_, k := h.keyOf("", "auditor@example.com", "superadmin", "audit:read")
	before := h.events("limit=1").Events[0]
	key := []byte("a key of thirty-two bytes, say..")
	h.store.SignChain(key)
	h.serve(rest.Config{ChainKey: key})
	h.other()
	last := h.events("limit=1").Events[0]
	for what, row := range map[string]struct {
		noted  api.VerifyChain
		faults []api.ChainFault
	}{
		"nothing":          {api.VerifyChain{}, []api.ChainFault{{Seq: 1, To: before.Seq, Problem: gatehouse.FaultUnvouched}}},
		"the last of them": {api.VerifyChain{Seq: before.Seq, Hash: before.Hash}, nil},
		"the last":         {api.VerifyChain{Seq: last.Seq, Hash: last.Hash}, nil},
	} {
		body, err := json.Marshal(row.noted)
		if err != nil {
			t.Fatal(err)
		}
		r := h.call(k.Token, "POST /v1/audit/verify", string(body))
		var got api.Chain
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != 200 {
			t.Fatalf("%s: %d %s", what, r.status, r.body)
		}
		want := api.Chain{Sound: row.faults == nil, Events: last.Seq, Seq: last.Seq, Hash: last.Hash, Since: last.Seq, Faults: row.faults}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s was noted (-want +got):\n%s", what, diff)
		}
	}
}
