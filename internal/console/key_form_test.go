// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// A day that is given is the key's last, and never passed over in silence.
func TestDayThatIsGiven(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	last := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 9)
	day, end := last.Format(time.DateOnly), last.AddDate(0, 0, 1)
	const refused = `id="date-wrong" role="alert">Expiry: a day is given`

	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "name", "given", "expiry", "90", "date", day).expect(t, 201, "It ends ", end.Format(time.RFC3339))
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "90").expect(t, 201, "It ends ")
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "never").expect(t, 201, "It never ends by itself.")
	all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{Principal: holder.ID})
	h.must(err)
	if i := slices.IndexFunc(all, func(k gatehouse.Key) bool { return k.Name == "given" }); !all[i].Expires.Equal(end) {
		t.Errorf("ends %v, want %v", all[i].Expires, end)
	}
	for _, preset := range []string{"30", "365", "never"} {
		b.get("/keys/new")
		b.post("/keys", "scheme", "bearer", "expiry", preset, "date", day).expect(t, 422, refused, `value="`+day+`"`, `value="`+preset+`" selected`)
	}

	k := h.key(holder, "billing", "bearer").Key
	at := "/keys/" + k.ID
	b.get(at + "/edit")
	b.post(at+"/edit", "version", "1", "expiry", "90", "date", day).expect(t, 422, refused)
	b.post(at+"/edit", "version", "1", "expiry", "keep", "date", day).leads(t, at+"?done=key-changed")
	if now := h.stored(k.ID); !now.Expires.Equal(end) {
		t.Errorf("ends %v, want %v", now.Expires, end)
	}
}

// Blanks and commas part scopes, as people write lists.
func TestScopesArePartedByCommas(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	b.get("/keys/new").expect(t, 200, "with blanks or commas between them")
	b.post("/keys", "scheme", "bearer", "expiry", "90", "scopes", "orders:read,orders:write, a ,,b\tc").expect(t, 201)
	all, _, err := h.authority.List(t.Context(), system, gatehouse.KeyQuery{Principal: holder.ID})
	h.must(err)
	if got := strings.Join(all[0].Scopes.Strings(), " "); got != "orders:read orders:write a b c" {
		t.Errorf("scopes %s", got)
	}
}

// A scope with a comma that a key has from elsewhere stays one.
func TestScopesWithCommasStay(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	k := h.key(holder, "billing", "bearer").Key
	scopes := gatehouse.Scopes{"a,b"}
	_, err := h.authority.Update(t.Context(), system, k.ID, gatehouse.Patch{Scopes: &scopes})
	h.must(err)
	for i := range 50 { // so that the scope is none of those that other keys have
		h.key(holder, fmt.Sprint("later ", i), "bearer")
	}
	at := "/keys/" + k.ID
	b.get(at+"/edit").expect(t, 200, `name="scope" value="a,b" checked`)
	b.post(at+"/edit", "version", "2", "expiry", "keep", "scope", "a,b").leads(t, at+"?done=key-changed")
	if now := h.stored(k.ID); !slices.Equal(now.Scopes, scopes) {
		t.Errorf("scopes %v", now.Scopes)
	}
}

// A key is in one state, as its holder sees it.
func TestKeysHaveOneBadge(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator(email)
	over := h.keyOf(a, gatehouse.NewKey{Name: "over"})
	ended := time.Now().Add(-time.Hour)
	_, err := h.authority.Update(t.Context(), system, over.ID, gatehouse.Patch{Expires: &ended})
	h.must(err)
	for _, at := range []string{"/operate/keys", "/operate/accounts/" + a.UID, "/keys"} {
		p := b.get(at)
		p.expect(t, 200, `<span class="badge bad">expired</span>`)
		if strings.Contains(p.text, `">active</span></td>`) {
			t.Errorf("%s: another state, too: %v", at, p)
		}
	}
	_, err = h.authority.Revoke(t.Context(), system, over.ID, "")
	h.must(err)
	b.get("/operate/keys").expect(t, 200, `<span class="badge bad">revoked</span>`)
	if strings.Contains(b.page.text, "expired</span>") {
		t.Errorf("revoked and expired: %v", b.page)
	}
}

// The default tenant was made with the server.
func TestDefaultTenantIsAsOldAsTheServer(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator(email)
	b.get("/operate/tenants").expect(t, 200, `data-th="Created">from the start<`)
	b.get("/operate/tenants/default").expect(t, 200, "<dd>from the start</dd>")
}
