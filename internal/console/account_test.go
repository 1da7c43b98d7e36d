// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestAccountPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	const hostile = `"><img/src=x/onerror=alert(1)>`
	a := h.person("holder@example.com", hostile)
	b := h.stranger()
	b.agent = "\u202egpj.exe " + hostile + strings.Repeat("x", 300)
	b.signIn(a.Email, password, "")
	p := b.get("/account")
	p.expect(t, 200, a.Email, a.UID, "&#34;&gt;&lt;img/src=x", "Turn it on", "this session", "203.0.113.9", "8 to 80 characters", "<bdi>\u202e")
	if strings.Contains(p.text, "<img/") {
		t.Errorf("not escaped: %v", p)
	}
	b.get("/account/factor").expect(t, 200, "Turn it on")
	for _, target := range []string{"/account", "/account/factor"} {
		h.stranger().get(target).leads(t, "/sign-in?next="+strings.ReplaceAll(target, "/", "%2F"))
	}
}

// Every form of the pages takes the session's proof, and nothing of a session that has ended.
func TestAccountForms(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.member("holder@example.com")
	before := h.find(a.Email)
	forms := []string{
		"/account/password", "/account/sessions/end", "/account/sessions/end-all", "/account/factor/begin", "/account/factor/enable",
		"/account/factor/recovery", "/account/factor/replace", "/account/factor/disable",
	}
	for _, target := range forms {
		b.post(target, "csrf", "").expect(t, 403, "This form is out of date")
		h.stranger().post(target, "csrf", "").leads(t, "/sign-in?done=session-over")
	}
	b.get("/account")
	h.pass(31 * time.Minute)
	csrf := b.page.input("csrf")
	for _, target := range forms {
		b.post(target, "csrf", csrf).leads(t, "/sign-in?done=session-over")
	}
	if after := h.find(a.Email); after.Version != before.Version {
		t.Error("something was changed")
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.member("holder@example.com")
	other := h.signIn(a.Email, password)
	for _, row := range []struct{ old, fresh, want string }{
		{"Wrong-8472-kings", another, "The present password is wrong."},
		{password, password, "The new password is the present one."},
		{password, "weakling", "The password still needs a capital letter (A to Z) and a digit."},
		{password, "Password1", `aria-describedby="policy" autofocus`},
		{"", "", "The present password is wrong."},
	} {
		b.get("/account")
		p := b.post("/account/password", "old", row.old, "password", row.fresh, "others", "yes")
		p.expect(t, 422, row.want, "My account")
		for _, typed := range []string{row.old, row.fresh} {
			if typed != "" && strings.Contains(p.text, typed) {
				t.Errorf("%q is in the page", typed)
			}
		}
	}
	other.get("/account").expect(t, 200)
	b.get("/account")
	b.post("/account/password", "old", password, "password", another).leads(t, "/account?done=password-changed")
	other.get("/account").expect(t, 200) // it was not asked to end the others
	b.post("/account/password", "old", password, "password", another).expect(t, 422, "The present password is wrong.")
	b.post("/account/password", "old", another, "password", password, "others", "yes").leads(t, "/account?done=password-changed")
	b.follow().expect(t, 200, "Your password is changed.")
	other.get("/account").leads(t, "/sign-in?next=%2Faccount")

	for range 10 { // those above were at passwords that are no more
		b.post("/account/password", "old", "Wrong-8472-kings", "password", another).expect(t, 422)
	}
	p := b.post("/account/password", "old", password, "password", another)
	p.expect(t, 429, "Too many attempts. Try again in ")
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.member("holder@example.com")
	eve, hers := h.member("eve@example.com")
	one, two, three := h.signIn(a.Email, password), h.signIn(a.Email, password), h.stranger()
	three.agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36"
	three.signIn(a.Email, password, "")
	b.get("/account").expect(t, 200, "<bdi>Chrome on Linux</bdi>", "<bdi>seed-test/1.0</bdi>")
	if n := strings.Count(b.get("/account").text, `name="session"`); n != 4 {
		t.Errorf("%d sessions are listed, want 4", n)
	}
	hash := func(b *browser) string {
		t.Helper()
		s, _, err := h.directory.FindSession(t.Context(), gatehouse.NewSecret(b.cookies["gatehouse"]))
		h.must(err)
		return hex.EncodeToString(s.Hash)
	}
	at := hash(one)
	for range 2 { // who presses twice has done no harm
		b.post("/account/sessions/end", "session", at).leads(t, "/account?done=session-ended")
	}
	one.get("/account").leads(t, "/sign-in?next=%2Faccount")
	b.post("/account/sessions/end", "session", hash(hers)).leads(t, "/account?done=session-ended")
	hers.get("/account").expect(t, 200, eve.Email)
	b.get("/account")
	csrf := b.page.input("csrf")
	b.post("/account/sessions/end", "session", "no hash").expect(t, 404, "Not found")

	b.post("/account/sessions/end-all", "csrf", csrf).leads(t, "/account?done=sessions-ended")
	b.follow().expect(t, 200, "All other sessions have ended.")
	two.get("/account").leads(t, "/sign-in?next=%2Faccount")
	three.get("/account").leads(t, "/sign-in?next=%2Faccount")

	two.signIn(a.Email, password, "")
	two.get("/account")
	two.post("/account/sessions/end", "session", hash(two)).leads(t, "/sign-in?done=signed-out")
	if len(two.cookies) != 0 {
		t.Errorf("cookies %v", two.cookies)
	}
	b.post("/account/sessions/end-all", "here", "yes").leads(t, "/sign-in?done=signed-out-all")
	b.follow().expect(t, 200, "You are signed out everywhere.")
	if len(h.sessions(a)) != 0 || len(h.sessions(eve)) != 1 {
		t.Errorf("%d and %d sessions", len(h.sessions(a)), len(h.sessions(eve)))
	}
	for _, e := range h.events(a.ID) {
		if (e.Verb == account.VerbSessionDelete || e.Verb == account.VerbSessionEndAll) && (e.Actor.Kind != gatehouse.ActorAccount || e.Actor.ID != a.ID) {
			t.Errorf("%s by %+v", e.Verb, e.Actor)
		}
	}
}
