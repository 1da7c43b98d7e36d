// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/console"
)

// changed mounts a console that is made with another configuration.
func (h *house) changed(change func(*console.Config)) {
	h.t.Helper()
	change(&h.console)
	pages, err := console.New(h.console)
	h.must(err)
	mux := http.NewServeMux()
	gate.Mount(mux, pages.Routes())
	h.handler = mux
}

// No page says that mail is on its way where mail only goes to files, and each says who has the link.
func TestNoMailServer(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.changed(func(c *console.Config) { c.MailServer = "" })
	const ask = "This server does not send mail yet."
	b := h.stranger()
	b.post("/register", "email", newcomer, "password", password).leads(t, "/register/sent")
	for _, target := range []string{"/register/sent", "/forgot/sent", "/forgot", "/accounts/confirmation"} {
		p := b.get(target)
		p.expect(t, 200, ask)
		for _, lie := range []string{"on its way", "unwanted mail", "Look into your mail"} {
			if strings.Contains(p.text, lie) {
				t.Errorf("%s says %q", target, lie)
			}
		}
	}
	b.signIn(newcomer, password, "")
	b.get("/account").expect(t, 200, "is not confirmed yet", ask)
	b.get("/keys").expect(t, 200, "Confirm your address first", ask)
	_, admin := h.administrator(email)
	admin.get("/operate/system").expect(t, 200, "not sent", "<code>outbox</code>", "smtp.address")
}

// Who may know how the whole stands reads which server sends mail; other operators read that one
// does.
func TestMailServer(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, whole := h.administrator(email)
	whole.get("/operate/system").expect(t, 200, "is sent by <code>mail.example.com:587</code>")
	h.person("other@example.com", "admin")
	p := h.signIn("other@example.com", password).get("/operate/system")
	p.expect(t, 200, "<dd>is sent</dd>")
	if strings.Contains(p.text, "mail.example.com") {
		t.Error("an admin reads the server's address")
	}
	if p := h.stranger().get("/forgot"); strings.Contains(p.text, "does not send mail") {
		t.Errorf("%v", p)
	}
}

// Who has not confirmed the address is not led to a form that will be refused.
func TestPendingMakesNoKeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.stranger()
	b.post("/register", "email", newcomer, "password", password)
	link := h.letter(newcomer).link(t)
	b.signIn(newcomer, password, "")
	p := b.get("/keys")
	p.expect(t, 200, "Confirm your address first", `href="/accounts/confirmation"`)
	if strings.Contains(p.text, "/keys/new") {
		t.Errorf("there is a way to the form: %v", p)
	}
	b.get(link)
	b.post("/accounts/confirmation", "token", b.page.input("token"), "password", password)
	b.get("/keys").expect(t, 200, "Make the first key", "New key")
}

// Each recovery code that lets somebody in is counted before their eyes.
func TestRecoveryCodesAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	f := h.protect(a)
	b := h.stranger()
	b.signIn(a.Email, password, f.code())
	b.get("/account").expect(t, 200, "10 recovery codes left")
	b.get("/account/factor").expect(t, 200, "10 codes left.")
	for left, code := range f.recovery {
		left = len(f.recovery) - 1 - left
		b = h.stranger()
		b.post("/sign-in", "email", a.Email, "password", password, "code", code.Reveal(), "next", "/account")
		want := map[int][]string{1: {"One is left.", "Make new ones", "1 recovery code left"}, 0: {"It was the last.", "Make new ones", "0 recovery codes left"}, 9: {"9 are left.", "9 recovery codes left"}}
		b.follow().expect(t, 200, append(want[left], "You signed in with a recovery code, which is spent now.")...)
	}
	b.post("/sign-in", "email", a.Email, "password", password, "code", f.code()).leads(t, "/")
}

// Without a page to return to the notice is on the first that is shown.
func TestRecoveryNoticeOnTheFirstPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	f := h.protect(a)
	b := h.stranger()
	b.post("/sign-in", "email", a.Email, "password", password, "code", f.recovery[0].Reveal()).leads(t, "/?done=recovery-9")
	b.follow().leads(t, "/keys?done=recovery-9")
	b.follow().expect(t, 200, "9 are left.", "My keys")
}
