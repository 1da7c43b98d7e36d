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

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// link is where a link with this relation leads.
func (p page) link(t *testing.T, rel string) string {
	t.Helper()
	found := regexp.MustCompile(`href="([^"]*)" rel="` + rel + `"`).FindStringSubmatch(p.text)
	if found == nil {
		t.Fatalf("no link to the %s page: %v", rel, p)
	}
	return html.UnescapeString(found[1])
}

// harmless fails the test where a page took text of others for markup.
func (p page) harmless(t *testing.T) {
	t.Helper()
	for _, bad := range []string{"<img src=x", "<script>alert", "' onmouseover='", "</textarea><script"} {
		if strings.Contains(p.text, bad) {
			t.Errorf("%q stands in %v", bad, p)
		}
	}
}

func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func TestAccountsAreListed(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator("super@example.com")
	for i := range 52 {
		h.person(fmt.Sprintf("person%d@example.com", i), "")
	}
	p := b.get("/operate/accounts?kind=account&role=member")
	if n := strings.Count(p.text, `<th scope="row">`); n != 50 {
		t.Fatalf("%d accounts: %v", n, p)
	}
	p = b.get(p.link(t, "next"))
	p.expect(t, 200, "First page")
	if n := strings.Count(p.text, `<th scope="row">`); n != 2 {
		t.Errorf("%d accounts: %v", n, p)
	}
	b.get("/operate/accounts?find=super@example.com").leads(t, "/operate/accounts/"+a.UID)
	b.get("/operate/accounts?find="+strings.ToLower(a.UID)).leads(t, "/operate/accounts/"+a.UID)
	for find, want := range map[string]int{"Person1": 11, "+person51@+": 1, "person51&role=clerk": 0, a.UID[:10]: 1, "erson1": 0, "none@example.com": 0} {
		p = b.get("/operate/accounts?find=" + find)
		p.expect(t, 200, `role="search"`)
		if n := strings.Count(p.text, `<th scope="row">`); n != want {
			t.Errorf("%s finds %d accounts, want %d", find, n, want)
		}
	}
	b.get("/operate/accounts?find=none").expect(t, 200, "No account fits", `value="none"`)
	b.get("/operate/accounts?state=banned").expect(t, 200, "No account fits")
	b.get("/operate/accounts/ID0000000000").expect(t, 404, "Not found")
}

func TestAccountIsChanged(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, holder := h.member("holder@example.com")
	h.keyOf(a, gatehouse.NewKey{Name: "alpha"})
	_, b := h.administrator("super@example.com")
	at := "/operate/accounts/" + a.UID
	b.get(at).expect(t, 200, "<bdi>alpha</bdi>", "holder@example.com")

	b.post(at+"/role", "role", "clerk", "level", "3").leads(t, at+"?done=account-role")
	b.follow().expect(t, 200, "Role and level are changed.", "clerk, level 3")
	b.post(at+"/role", "role", "clerk", "level", "high").expect(t, 422, "Level: it is a number.", `value="high"`)
	b.get(at)
	b.post(at+"/limits", "limits", "calls=100/1m+20\r\n\r\nplan=1000/day\r\n").leads(t, at+"?done=account-limits")
	b.follow().expect(t, 200, ">calls=100/1m&#43;20\nplan=1000/day\n<")
	b.get("/operate/limits").expect(t, 200, "holder@example.com", "calls=100/1m&#43;20")
	b.get(at)
	b.post(at+"/limits", "limits", "calls=100/1m\ncalls=often</textarea><script>alert(1)").expect(t, 422, "Limits: line 2 is not such as", "often&lt;/textarea&gt;")
	b.page.harmless(t)
	b.post(at+"/limits", "limits", "calls=1/1m\ncalls=2/1m").expect(t, 422, "Limits: two have one name.")

	holder.get("/account").expect(t, 200)
	b.get(at)
	b.post(at+"/sign-out").leads(t, at+"?done=account-sign-out")
	holder.get("/account").leads(t, "/sign-in?next=%2Faccount")
	b.follow().expect(t, 200, "The account is signed out everywhere else.")

	b.post(at+"/reset-otp").expect(t, 409, "The second factor is off.")
	b.get(at)
	b.post(at+"/odd").expect(t, 404)
}

func TestAdminLeavesSuperadminAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, super := h.administrator("super@example.com")
	h.person("admin@example.com", "admin")
	admin := h.signIn("admin@example.com", password)
	at := "/operate/accounts/" + a.UID
	for what, field := range map[string][2]string{
		"state": {"state", "banned"}, "limits": {"limits", "calls=1/1h"}, "sign-out": {}, "reset-otp": {}, "role": {"role", "member"},
	} {
		admin.get(at)
		admin.post(at+"/"+what, field[0], field[1], "level", "0", "confirm", lastFour(a)).expect(t, 403, "may not do this")
	}
	super.get("/account").expect(t, 200)
	own := h.accounts()
	for _, one := range own {
		if one.ID == a.ID && (one.Role != "superadmin" || one.State != gatehouse.PrincipalActive || len(one.Limits) > 0) {
			t.Errorf("changed: %+v", one)
		}
	}
	member := h.person("member@example.com", "")
	admin.get("/operate/accounts/" + member.UID)
	admin.post("/operate/accounts/"+member.UID+"/role", "role", "superadmin", "level", "0").expect(t, 403, "may not do this")
}

func TestChangesTakeACode(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("super@example.com", "superadmin")
	f := h.protect(a)
	b := h.stranger()
	b.signIn("super@example.com", password, f.code())
	holder, seen := h.member("holder@example.com")
	at := "/operate/accounts/" + holder.UID
	b.get(at).expect(t, 200, `name="code"`)
	b.post(at+"/sign-out").expect(t, 403, "A code of the second factor is needed.")
	b.post(at+"/sign-out", "code", "000000").expect(t, 403, "The code is wrong.")
	seen.get("/account").expect(t, 200)
	b.get(at)
	b.post(at+"/sign-out", "code", f.code()).leads(t, at+"?done=account-sign-out")
	seen.get("/account").leads(t, "/sign-in?next=%2Faccount")
	b.get("/operate/rules")
	b.post("/operate/rules", "version", "0", "rules", `{"/": {"key": true}}`).expect(t, 403, "A code of the second factor is needed.")
	b.post("/operate/rules", "version", "0", "rules", `{"/": {"key": true}}`, "code", f.code()).leads(t, "/operate/rules?done=rules-saved")

	other := h.person("other@example.com", "")
	h.protect(other)
	b.get("/operate/accounts/" + other.UID)
	b.post("/operate/accounts/"+other.UID+"/reset-otp", "code", f.code()).leads(t, "/operate/accounts/"+other.UID+"?done=account-reset-otp")
	if now, err := h.directory.Account(t.Context(), account.ByUID, other.UID); err != nil || now.OTP {
		t.Errorf("the second factor is %v, %v", now.OTP, err)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.administrator("super@example.com")
	b.get("/operate/tenants").expect(t, 200, "default")
	b.post("/operate/tenants", "name", "Acme!", "text", `<b>"`, "limits", "").expect(t, 422, `role="alert"`, `value="Acme!"`, "&lt;b&gt;&#34;")
	b.post("/operate/tenants", "name", "acme", "limits", "odd").expect(t, 422, "Limits: line 1 is not such as")
	once := b.page.input("once")
	b.post("/operate/tenants", "name", "acme", "text", hostileNames[0], "limits", "all=5/1s").leads(t, "/operate/tenants/acme?done=tenant-created")
	b.post("/operate/tenants", "once", once, "name", "acme", "text", hostileNames[0], "limits", "all=5/1s").leads(t, "/operate/tenants/acme?done=tenant-created") // sent twice
	p := b.follow()
	p.expect(t, 200, "The tenant is made.", "all=5/1s", `data-confirm="acme"`)
	p.harmless(t)

	at := "/operate/tenants/acme"
	old := p.input("version")
	b.post(at+"/text", "version", old, "text", "Acme Inc", "limits", "").leads(t, at+"?done=tenant-text")
	b.follow().expect(t, 200, "Acme Inc")
	b.post(at+"/text", "version", old, "text", "Other", "limits", "").expect(t, 412, "Somebody else changed the tenant meanwhile")
	b.post(at+"/disable", "version", old).expect(t, 412, "Somebody else changed the tenant meanwhile")
	b.get(at)
	b.post(at+"/disable", "version", b.page.input("version")).leads(t, at+"?done=tenant-disable")
	b.follow().expect(t, 200, ">disabled<", ">Enable<")
	b.post(at+"/enable", "version", b.page.input("version")).leads(t, at+"?done=tenant-enable")
	b.follow().expect(t, 200, ">active<", ">Disable<")

	for _, typed := range []string{"", "acm", "default"} {
		b.post(at+"/remove", "version", b.page.input("version"), "confirm", typed).expect(t, 422, "Type the name of the tenant", ">active<")
	}
	b.post(at+"/remove", "version", b.page.input("version"), "confirm", " Acme ").leads(t, at+"?done=tenant-remove")
	b.follow().expect(t, 200, ">removed<")
	if strings.Contains(b.page.text, "<textarea") {
		t.Error("a removed tenant has forms")
	}
	b.get("/operate/tenants/default")
	if strings.Contains(b.page.text, "data-confirm") {
		t.Error("the default tenant can be removed")
	}
	b.post("/operate/tenants/default/remove", "version", "1", "confirm", "default")
	b.get("/operate/tenants/default").expect(t, 200, ">active<")
	b.post("/operate/tenants/none/enable", "version", "1").expect(t, 404)
	b.get("/operate/tenants/default")
	b.post("/operate/tenants/default/enable", "version", "x").expect(t, 422)
}
