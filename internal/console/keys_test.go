// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// key makes a key behind the console's back.
func (h *house) key(of account.Account, name string, schemes ...string) gatehouse.Created {
	h.t.Helper()
	k, err := h.authority.Create(h.t.Context(), system, gatehouse.NewKey{Principal: of.ID, Name: name, Schemes: schemes, Scopes: gatehouse.Scopes{"orders:read"}})
	h.must(err)
	return k
}

// adopt takes over a key with this id.
func (h *house) adopt(of account.Account, kid string) {
	h.t.Helper()
	operator := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	_, _, err := h.authority.Adopt(h.t.Context(), operator, []gatehouse.Foreign{{ID: kid, Principal: of.ID, Scheme: "shield", Secret: gatehouse.NewSecret("s'ecret")}}, false)
	h.must(err)
}

// stored is a key as the authority has it.
func (h *house) stored(kid string) gatehouse.Key {
	h.t.Helper()
	k, err := h.authority.Get(h.t.Context(), system, kid)
	h.must(err)
	return k
}

// code is the text of an element with the id, as a reader copies it; empty: there is none.
func (p page) code(id string) string {
	found := regexp.MustCompile(`(?s)<code id="` + id + `">(.*?)</code>`).FindStringSubmatch(p.text)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func TestKeyPagesAreTheHoldersOwn(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	_, other := h.member("other@example.com")
	_, admin := h.administrator(email)
	k := h.key(holder, "billing", "bearer")
	path := "/keys/" + k.Key.ID
	for _, rest := range []string{"", "/edit", "/rotate", "/rotation", "/disable", "/enable", "/revoke"} {
		b.get(path+rest).expect(t, 200, "billing")
		admin.get(path+rest).expect(t, 200, "billing")
		other.get(path+rest).expect(t, 404, "There is no such thing here")
		h.stranger().get(path+rest).leads(t, "/sign-in?next="+url.QueryEscape(path+rest))
	}
	b.get(path+"/sell").expect(t, 404)
	b.get("/keys/none").expect(t, 404)
	admin.get(path).expect(t, 200, "Belongs to", "holder@example.com", "Edit")
	if p := b.get(path); strings.Contains(p.text, "Belongs to") {
		t.Errorf("the holder's own key: %v", p)
	}
	other.get("/keys") // for its csrf token
	for rest, pairs := range map[string][]string{
		"/edit": {"version", "1", "name", "mine", "expiry", "never"}, "/rotate": {"grace", "0"}, "/rotation": {"do", "finish"}, "/disable": nil,
		"/revoke": {"confirm", k.Key.ID[len(k.Key.ID)-4:]},
	} {
		if p := other.post(path+rest, pairs...); p.status != 404 {
			t.Errorf("%s: %v", rest, p)
		}
		other.get("/keys")
	}
	if now := h.stored(k.Key.ID); now.Version != k.Key.Version || now.State != gatehouse.StateActive {
		t.Errorf("changed by another: %+v", now)
	}
	admin.get("/keys").expect(t, 200, "No keys yet") // those of others are on another page
}

func TestListOfKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	b.get("/keys").expect(t, 200, "No keys yet", `href="/keys/new"`)
	for i := range 51 {
		h.key(holder, fmt.Sprintf("job number%02d", i), "bearer")
	}
	gone := h.key(holder, "gone", "barong")
	_, err := h.authority.Revoke(t.Context(), system, gone.Key.ID, "")
	h.must(err)

	first := b.get("/keys")
	first.expect(t, 200, "job number50", "orders:read", `<span class="badge good">active</span>`, `<span class="badge bad">revoked</span>`, "never")
	next := regexp.MustCompile(`href="(/keys\?after=[^"]+)" rel="next"`).FindStringSubmatch(first.text)
	if next == nil || strings.Contains(first.text, "number00") || strings.Contains(first.text, `rel="first"`) {
		t.Fatalf("the first page: %v", first)
	}
	second := b.get(html.UnescapeString(next[1]))
	second.expect(t, 200, "job number00", `href="/keys" rel="first"`)
	if strings.Contains(second.text, "number50") || strings.Contains(second.text, `rel="next"`) {
		t.Errorf("the second page: %v", second)
	}
	for query, want := range map[string]string{
		"?text=number07": "job number07", "?state=revoked": "gone", "?text=go&state=revoked": "gone", "?text=nothing": "No key is like that", "?text=number07&state=disabled": "No key is like that",
		"?text=" + gone.Key.ID: "gone",
	} {
		p := b.get("/keys" + query)
		p.expect(t, 200, want)
		if strings.Contains(p.text, "number08") {
			t.Errorf("%s: %v", query, p)
		}
	}
	b.get("/keys?state=active").expect(t, 200, `&amp;state=active"`, `<option selected>active</option>`)
	b.get("/keys?state=sold").expect(t, 200, "number50")
	b.get("/keys?after=nonsense").expect(t, 422, "take next of the page before")
	b.get("/keys?text="+strings.Repeat("x", 256)).expect(t, 422, `role="alert"`)
}

const hostile = `"><img src=x onerror=alert(1)>{{.}}` + "\u202egnp.exe"

// What people call things never becomes a part of a page.
func TestHostileNamesOfKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, b := h.member("holder@example.com")
	_, admin := h.administrator(email)
	long := strings.Repeat("ä", 255)
	made := h.key(holder, hostile, "bearer")
	h.key(holder, long, "bearer")
	scope := gatehouse.Scopes{`'><script>alert(1)</script>`}
	metadata := gatehouse.Metadata{"note": hostile}
	_, err := h.authority.Update(t.Context(), system, made.Key.ID, gatehouse.Patch{Scopes: &scope, Metadata: &metadata})
	h.must(err)
	_, err = h.authority.Rotate(t.Context(), system, made.Key.ID, time.Hour, "")
	h.must(err)
	b.get("/keys").expect(t, 200, long)
	path := "/keys/" + made.Key.ID
	for _, target := range []string{
		"/keys", "/keys?text=" + url.QueryEscape(hostile), "/keys/new", "/keys/new?owner=" + url.QueryEscape(holder.UID), path, path + "/edit", path + "/rotate", path + "/rotation",
		path + "/disable", path + "/revoke",
	} {
		for _, who := range []*browser{b, admin} {
			p := who.get(target)
			if p.status != 200 || strings.Contains(p.text, "<img src=x") || strings.Contains(p.text, "<script>") || !strings.Contains(p.text, "{{.}}") && who == b && strings.HasPrefix(target, path) {
				t.Errorf("%s: %v", target, p)
			}
		}
	}
	b.get("/keys/new")
	for _, p := range []page{
		b.post("/keys", "name", hostile, "scheme", hostile, "public_key", hostile, "scopes", hostile, "networks", hostile, "metadata", hostile, "expiry", hostile, "date", hostile),
		b.post("/keys", "name", strings.Repeat("x", 300), "scheme", "bearer", "expiry", "never"),
	} {
		if p.status != 422 || strings.Contains(p.text, "<img src=x") || !strings.Contains(p.text, `role="alert"`) {
			t.Errorf("form: %v", p)
		}
	}
	// The answer that shows a secret, too.
	b.get("/keys/new")
	p := b.post("/keys", "name", hostile, "scheme", "bearer", "expiry", "never")
	if p.status != 201 || strings.Contains(p.text, "<img src=x") {
		t.Errorf("made: %v", p)
	}
	// Ids that come from other systems may hold anything printable.
	const odd = `a/b?"><img`
	h.adopt(holder, odd)
	b.get("/keys").expect(t, 200, `href="/keys/a%2Fb%3F%22%3E%3Cimg"`)
	b.get("/keys/a%2Fb%3F%22%3E%3Cimg").expect(t, 200, html.EscapeString(odd), `href="/keys/a%2Fb%3F%22%3E%3Cimg/edit"`)
}
