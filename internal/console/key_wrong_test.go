// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// What is wrong stands beside each field, all at once, and the first has the focus.
func TestWrongFieldsOfKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	b.get("/keys/new").expect(t, 200, `aria-describedby="name-hint"`)
	if strings.Contains(b.page.text, `min="`) || strings.Contains(b.page.text, "aria-invalid") {
		t.Errorf("a day that is not asked for blocks the form, or a field is wrong: %v", b.page)
	}
	p := b.post("/keys", "scheme", "bearer", "expiry", "date", "limits", "often", "metadata", "gold")
	p.expect(t, 422, `id="date" name="date" type="date" value="" aria-invalid="true" aria-describedby="date-wrong expiry-hint" autofocus`, `id="date-wrong" role="alert">Expiry: the day is missing`,
		`id="limits-wrong" role="alert">Limits: line 1`, `id="metadata-wrong" role="alert">Notes: each line`)
	if n := strings.Count(p.text, "autofocus"); n != 1 {
		t.Errorf("%d fields have the focus: %v", n, p)
	}
	// A day of the past is wrong even where another end was chosen by nobody.
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "90", "date", "2020-01-01").expect(t, 422, `id="date-wrong" role="alert">Expires: is not in the future`)
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "never", "networks", "here").expect(t, 422, `id="networks-wrong" role="alert">Networks`, `aria-describedby="networks-wrong networks-hint" autofocus`)
	path := "/keys/" + h.key(holder, "billing", "bearer").Key.ID
	b.get(path + "/edit")
	b.post(path+"/edit", "version", "1", "expiry", "keep", "signed", "yes", "metadata", "gold").expect(t, 422, `id="metadata-wrong"`)
	b.post(path+"/edit", "version", "1", "expiry", "keep", "signed", "yes").expect(t, 422, `id="signed-wrong" role="alert">Signed only`)
	b.get(path + "/revoke")
	b.post(path+"/revoke", "confirm", "no").expect(t, 422, `aria-describedby="confirm-wrong" autofocus`, `id="confirm-wrong" role="alert">Type the last`)
	signed := "/keys/" + h.key(holder, "signed", "httpsig").Key.ID
	b.get(signed + "/rotate")
	b.post(signed+"/rotate", "grace", "60", "public_key", "PRIVATE").expect(t, 422, `aria-describedby="public_key-wrong" autofocus`, `id="public_key-wrong" role="alert">Public key: this is the private key`)
}

// A Shield key says what it may do before it is made and on the page that shows its secret.
func TestScopesOfShieldKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member("holder@example.com")
	b.get("/keys/new").expect(t, 200, "a key of Shield must name some")
	b.post("/keys", "scheme", "shield", "expiry", "90", "scopes", "*").expect(t, 201, "What it may do: <code><bdi>*</bdi></code> (everything but management)")
	kid := b.page.code("kid")
	if k := h.stored(kid); len(k.Scopes) != 1 || k.Scopes[0] != gatehouse.AnyScope {
		t.Errorf("scopes %v", k.Scopes)
	}
	b.get("/keys/new")
	b.post("/keys", "scheme", "bearer", "expiry", "90").expect(t, 201, "What it may do: no scopes")
}

// A key that does not work says nothing of secrets that do, and the two secrets of one that rotates
// are told apart.
func TestRotationOfKeysThatRest(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	next, err := h.authority.Rotate(t.Context(), system, k.Key.ID, time.Hour, "")
	h.must(err)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, m := range next.Key.Materials {
		h.must(h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Sources: []gatehouse.Source{
			{Tenant: "default", KeyID: k.Key.ID, Material: m.Version, Scheme: "bearer", First: now, Last: now, Uses: 1, Peer: netip.MustParseAddr("198.51.100.77"), Agent: "other"},
		}}))
	}
	b.get(path).expect(t, 200, "Both secrets work until", "<h3>The old secret</h3>", "<h3>The new secret</h3>", "<bdi>another program</bdi>")
	_, err = h.authority.Disable(t.Context(), system, k.Key.ID)
	h.must(err)
	p := b.get(path)
	p.expect(t, 200, "The key is disabled: neither secret works now.")
	if strings.Contains(p.text, "Both secrets work") {
		t.Errorf("of a disabled key: %v", p)
	}
	b.get(path+"/rotation").expect(t, 200, "The key is disabled: neither secret works now.")
	_, err = h.authority.Revoke(t.Context(), system, k.Key.ID, "")
	h.must(err)
	p = b.get(path)
	p.expect(t, 200, "ended for good", "<bdi>another program</bdi>")
	if strings.Contains(p.text, "Rotation under way") || strings.Contains(p.text, path+"/rotation") || strings.Contains(p.text, "The old secret") {
		t.Errorf("of a revoked key: %v", p)
	}
	b.get(path+"/rotation").expect(t, 200, "No rotation is under way")
	if strings.Contains(b.page.text, path+"/rotate") {
		t.Errorf("a revoked key can be rotated: %v", b.page)
	}
}

// An operator is with the keys of all while the key is another's.
func TestPlaceOfKeyPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	boss, admin := h.administrator(email)
	path, own := "/keys/"+h.key(holder, "billing", "bearer").Key.ID, "/keys/"+h.key(boss, "own", "bearer").Key.ID
	const mine, all, tab = `<a href="/keys" aria-current="true">`, `<a href="/operate" aria-current="true">`, `<a href="/operate/keys" aria-current="true">`
	for _, rest := range []string{"", "/edit", "/rotate", "/rotation", "/revoke"} {
		admin.get(path+rest).expect(t, 200, all, tab)
		if strings.Contains(admin.page.text, mine) {
			t.Errorf("%s: in two places: %v", rest, admin.page)
		}
		admin.get(own+rest).expect(t, 200, mine)
		b.get(path+rest).expect(t, 200, mine)
	}
	admin.get("/keys/new?owner="+holder.UID).expect(t, 200, all, tab)
	admin.get("/keys/new").expect(t, 200, mine)
}
