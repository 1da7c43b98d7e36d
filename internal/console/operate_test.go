// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// hostileNames are some that would do harm where they are not shown as text.
var hostileNames = []string{
	`"><img src=x onerror=alert(1)>`, "\u202egnp.exe", "' onmouseover='alert(1)", "</textarea><script>alert(1)</script>", "{{.CSRF}}", strings.Repeat("W", 255),
}

// keyOf makes a key that n describes besides.
func (h *house) keyOf(a account.Account, n gatehouse.NewKey) *gatehouse.Key {
	h.t.Helper()
	if n.Principal = a.ID; n.Schemes == nil {
		n.Schemes = []string{"bearer"}
	}
	k, err := h.authority.Create(h.t.Context(), system, n)
	h.must(err)
	return &k.Key
}

func TestOperatorsPagesAreForOperators(t *testing.T) {
	t.Parallel()
	h := open(t)
	holder, member := h.member("holder@example.com")
	_, super := h.administrator("super@example.com")
	h.person("admin@example.com", "admin")
	admin := h.signIn("admin@example.com", password)
	stranger := h.stranger()
	for _, row := range []struct {
		target, title string
		admin         int
	}{
		{"/operate", "Overview", 200},
		{"/operate?span=hour", "Overview", 200},
		{"/operate/keys", "All keys", 200},
		{"/operate/hygiene", "Hygiene", 200},
		{"/operate/accounts", "Accounts", 200},
		{"/operate/accounts/" + holder.UID, "holder@example.com", 200},
		{"/operate/rules", "Rules", 200},
		{"/operate/limits", "Limits", 200},
		{"/operate/tenants", "Tenants", 403},
		{"/operate/tenants/default", "Tenant default", 403},
		{"/operate/audit", "Audit log", 200},
		{"/operate/system", "System", 200},
	} {
		super.get(row.target).expect(t, 200, row.title+"</", `aria-label="Operate"`, "<h1>")
		if p := admin.get(row.target); p.status != row.admin {
			t.Errorf("%s: an admin gets %v", row.target, p)
		}
		if p := member.get(row.target); p.status != http.StatusForbidden || strings.Contains(p.text, row.title+"</h1>") {
			t.Errorf("%s: a holder gets %v", row.target, p)
		}
		p := stranger.get(row.target)
		if to := p.header.Get("Location"); p.status != http.StatusSeeOther || !strings.HasPrefix(to, "/sign-in?next=%2Foperate") {
			t.Errorf("%s: a stranger gets %v", row.target, p)
		}
	}
	member.get("/account")
	for _, target := range []string{
		"/operate/rules", "/operate/rules/explain", "/operate/audit/verify", "/operate/system/rotate", "/operate/tenants", "/operate/tenants/default/text",
		"/operate/accounts/" + holder.UID + "/role", "/operate/accounts/" + holder.UID + "/sign-out",
	} {
		if p := member.post(target, "role", "superadmin", "level", "9", "version", "1"); p.status != http.StatusForbidden {
			t.Errorf("%s: a holder gets %v", target, p)
		}
		super.get("/operate")
		if p := super.post(target, "csrf", "0"); p.status != http.StatusForbidden {
			t.Errorf("%s: a form of another session gets %v", target, p)
		}
	}
}

func TestOverviewCounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	b.get("/operate").expect(t, 200, "Nothing was verified", "No request was denied", "No active key expires soon", "none was refused")
	now := time.Now().UTC()
	soon := h.keyOf(a, gatehouse.NewKey{Name: "soon", Expires: now.Add(48 * time.Hour)})
	h.keyOf(a, gatehouse.NewKey{Name: "later", Expires: now.Add(60 * 24 * time.Hour)})
	h.must(h.store.AddUsage(t.Context(), &gatehouse.UsageBatch{Counts: []gatehouse.UsageCount{
		{Tenant: gatehouse.DefaultTenant, KeyID: soon.ID, Minute: now.Add(-2 * time.Minute).Truncate(time.Minute), Outcome: "granted", Count: 600},
		{Tenant: gatehouse.DefaultTenant, KeyID: soon.ID, Minute: now.Add(-3 * time.Hour).Truncate(time.Minute), Outcome: "key_expired", Count: 30},
		{Tenant: gatehouse.DefaultTenant, KeyID: soon.ID, Minute: now.Add(-3 * time.Hour).Truncate(time.Minute), Outcome: "replayed", Count: 10},
	}}))
	h.must(h.store.InsertAttempts(t.Context(), []gatehouse.Attempt{
		{Time: now, Tenant: gatehouse.DefaultTenant, KeyID: soon.ID, Outcome: "granted", UserAgent: "good-agent"},
		{Time: now, Tenant: gatehouse.DefaultTenant, KeyID: soon.ID, Outcome: "replayed", Peer: netip.MustParseAddr("198.51.100.7"), UserAgent: hostileNames[0]},
	}))
	p := b.get("/operate")
	p.expect(t, 200, "<dd>2.00</dd>", "<dd>600</dd>", "<dd>40</dd>", "75.0 %", "25.0 %", "&#34;label&#34;:&#34;Denied: key_expired&#34;", "&#34;label&#34;:&#34;Denied: replayed&#34;", "<bdi>soon</bdi>", "198.51.100.7", "&lt;img src=x")
	if strings.Contains(p.text, ">later<") || strings.Contains(p.text, "good-agent") || strings.Contains(p.text, "<img src=x") {
		t.Errorf("too much: %v", p)
	}
	p = b.get("/operate?span=hour")
	p.expect(t, 200, "<dd>600</dd>", "<dd>0</dd>", "No request was denied")
}

func TestKeysAreFound(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	other := h.person("other@example.com", "")
	mine := h.keyOf(a, gatehouse.NewKey{Name: "alpha", Scopes: gatehouse.Scopes{"orders:read"}})
	theirs := h.keyOf(other, gatehouse.NewKey{Name: "beta", Schemes: []string{"barong"}, Expires: time.Now().Add(48 * time.Hour)})
	for _, row := range []struct {
		query       string
		alpha, beta bool
	}{
		{"", true, true},
		{"text=alp", true, false},
		{"text=" + theirs.ID, false, true},
		{"owner=other@example.com", false, true},
		{"owner=" + a.UID, true, false},
		{"scheme=barong", false, true},
		{"scope=orders:read", true, false},
		{"expires=7", false, true},
		{"expires=0", false, false},
		{"state=active", true, true},
		{"state=revoked", false, false},
		{"unused=7", false, false}, // they are new
	} {
		p := b.get("/operate/keys?" + row.query)
		p.expect(t, 200)
		if alpha, beta := strings.Contains(p.text, mine.ID), strings.Contains(p.text, "/keys/"+theirs.ID); alpha != row.alpha || beta != row.beta {
			t.Errorf("%s: alpha %v, beta %v", row.query, alpha, beta)
		}
	}
	b.get("/operate/keys?owner=nobody@example.com").expect(t, 422, "There is no account of this name.", `value="nobody@example.com"`)
	b.get("/operate/keys?state=odd").expect(t, 422, `role="alert"`)
	b.get("/operate/keys?cursor=odd").expect(t, 422, `role="alert"`)
}

func TestKeysComeInPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for range 51 {
		h.keyOf(a, gatehouse.NewKey{Name: "many"})
	}
	p := b.get("/operate/keys?text=many&done=rules-saved")
	if n := strings.Count(p.text, "<bdi>many</bdi>"); n != 50 || strings.Contains(p.text, "First page") {
		t.Fatalf("%d keys: %v", n, p)
	}
	p = b.get(p.link(t, "next"))
	if n := strings.Count(p.text, "<bdi>many</bdi>"); n != 1 || strings.Contains(p.text, "Next page") {
		t.Errorf("%d keys: %v", n, p)
	}
	if to := p.link(t, "first"); to != "/operate/keys?text=many" {
		t.Errorf("the first page is %s", to)
	}
}

func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for _, name := range hostileNames {
		h.keyOf(a, gatehouse.NewKey{Name: name, Expires: time.Now().Add(24 * time.Hour)})
		h.keyOf(a, gatehouse.NewKey{Name: name}) // which hygiene finds
	}
	b.agent = hostileNames[0]
	b.signIn("super@example.com", password, "")
	for _, target := range []string{"/operate", "/operate/hygiene", "/operate/keys", "/operate/accounts/" + a.UID, "/operate/audit"} {
		p := b.get(target)
		p.expect(t, 200, "<bdi>")
		p.harmless(t)
	}
	for _, name := range hostileNames {
		for _, target := range []string{
			"/operate/keys?text=", "/operate/keys?owner=", "/operate/keys?state=", "/operate/accounts?find=", "/operate/accounts?role=", "/operate/audit?verb=",
			"/operate/audit?subject=", "/operate/audit?since=", "/operate/accounts/", "/operate?span=", "/operate?done=",
		} {
			b.get(target + escaped(name)).harmless(t)
		}
	}
}

// Who moves from one landmark of a page to the next tells them apart by their names.
func TestLandmarksDiffer(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rotatable()
	a, b := h.administrator("super@example.com")
	h.keyOf(a, gatehouse.NewKey{Name: "endless"})
	for target, section := range map[string]string{"/operate": "hygiene", "/operate/system": "signing"} {
		p, seen := b.get(target), map[string]bool{}
		p.expect(t, 200, `<section class="card" aria-labelledby="`+section+`"`, `role="group"`)
		for _, mark := range regexp.MustCompile(`<section[^>]* aria-labelledby="([^"]+)"|role="region" aria-label="([^"]+)"`).FindAllStringSubmatch(p.text, -1) {
			name := mark[2]
			if mark[1] != "" {
				name = regexp.MustCompile(` id="` + mark[1] + `">([^<]+)<`).FindStringSubmatch(p.text)[1]
			}
			if seen[name] {
				t.Errorf("%s: two landmarks are called %q", target, name)
			}
			seen[name] = true
		}
	}
}
