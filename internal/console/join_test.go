// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/console"
	"github.com/seed14544106/gatehouse/state/memory"
)

const (
	newcomer = "new@example.com"
	another  = "Sandcastle-9311-queens"
)

func (h *house) find(email string) account.Account {
	h.t.Helper()
	a, err := h.directory.Account(h.t.Context(), account.ByEmail, email)
	h.must(err)
	return a
}

func (h *house) sessions(a account.Account) []account.Session {
	h.t.Helper()
	all, err := h.directory.Sessions(h.t.Context(), system, a.ID)
	h.must(err)
	return all
}

func TestRegisterConfirmSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.stranger()
	b.get("/register").expect(t, 200, "8 to 80 characters", `type="password"`)
	b.post("/register", "email", newcomer, "password", password).leads(t, "/register/sent")
	b.follow().expect(t, 200, "a mail with a link is on its way")
	if a := h.find(newcomer); a.State != gatehouse.PrincipalPending || len(h.sessions(a)) != 0 || len(b.cookies) != 0 {
		t.Errorf("state %s, %d sessions, cookies %v", a.State, len(h.sessions(a)), b.cookies)
	}
	link := h.letter(newcomer).link(t)
	if !strings.HasPrefix(link, "/accounts/confirmation?confirmation_token=") {
		t.Fatalf("the mail leads to %s", link)
	}
	for range 2 { // mail scanners follow links, too
		b.get(link).expect(t, 200, "Confirm my address")
	}
	if h.find(newcomer).State != gatehouse.PrincipalPending {
		t.Error("reading the link used it")
	}
	token := b.page.input("token")
	b.post("/accounts/confirmation", "token", token, "password", "Another-Password-7").expect(t, 422, "not that of this account", "Forgotten password")
	b.post("/accounts/confirmation", "token", token, "password", password).leads(t, "/sign-in?done=confirmed")
	b.follow().expect(t, 200, "The e-mail address is confirmed.")
	if a := h.find(newcomer); a.State != gatehouse.PrincipalActive || len(h.sessions(a)) != 0 {
		t.Errorf("state %s, %d sessions", a.State, len(h.sessions(a)))
	}
	b.post("/accounts/confirmation", "token", token, "password", password).expect(t, 422, "was used before", "you are done", "Send another link")
	b.signIn(newcomer, password, "")
	b.get("/account").expect(t, 200, newcomer)
	b.get("/register").leads(t, "/")
	for _, secret := range []string{token, password} {
		if strings.Contains(h.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// Who may sign in before the address is confirmed is reminded of it, and comes back there.
func TestConfirmWhileSignedIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.stranger()
	b.post("/register", "email", newcomer, "password", password)
	link := h.letter(newcomer).link(t)
	b.signIn(newcomer, password, "")
	b.get("/account").expect(t, 200, "is not confirmed yet")
	b.get("/accounts/confirmation").expect(t, 200, `value="`+newcomer+`"`)
	b.post("/accounts/confirmation/again", "email", newcomer).leads(t, "/register/sent")
	h.letter(newcomer)
	b.get(link)
	b.post("/accounts/confirmation", "token", b.page.input("token"), "password", password).leads(t, "/account?done=confirmed")
	if p := b.follow(); strings.Contains(p.text, "is not confirmed yet") {
		t.Errorf("still not confirmed: %v", p)
	}
}

func TestJoinTellsNotWhoIsHere(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("there@example.com", "")
	h.stranger().post("/register", "email", "waiting@example.com", "password", password)
	first := h.letter("waiting@example.com").link(t)
	for _, form := range []string{"/register", "/forgot", "/accounts/confirmation/again"} {
		var seen []string
		for _, who := range []string{"there@example.com", "nobody-" + form[1:4] + "@example.com", "waiting@example.com"} {
			b := h.stranger()
			p := b.post(form, "email", who, "password", password)
			p.header.Del("Date")
			seen = append(seen, fmt.Sprint(p.status, p.header, p.text, b.cookies))
		}
		if seen[0] != seen[1] || seen[1] != seen[2] {
			t.Errorf("%s: the answers differ: %q", form, seen)
		}
	}
	h.door.Close()
	close(h.mailbox.letters)
	got := map[string]int{}
	for l := range h.mailbox.letters {
		got[l.to]++
		if l.to == "waiting@example.com" && l.link(t) == first {
			t.Error("the same link was sent again")
		}
	}
	// A mail for a new address, one for who waits by each form, one for who has forgotten.
	if want := map[string]int{"nobody-reg@example.com": 1, "there@example.com": 1, "waiting@example.com": 3}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("mails %v, want %v", got, want)
	}
}

func TestJoinProblems(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.stranger()
	const hostile = `"><img src=x onerror=alert(1)>@example.com`
	for _, row := range []struct {
		form, email, password string
		want                  []string
	}{
		{"/register", "nobody", password, []string{"This is no e-mail address.", `value="nobody" autofocus`}},
		{"/register", newcomer, "weakling", []string{"The password still needs a capital letter (A to Z) and a digit.", "8 to 80 characters", `aria-describedby="policy" autofocus`}},
		{"/register", newcomer, "Password1", []string{"The password is too easy to guess.", `aria-describedby="policy" autofocus`}},
		{"/register", newcomer, "Aa1" + strings.Repeat("ä", 38), []string{"72 bytes are the most"}},
		{"/register", "", password, []string{"Enter your e-mail address."}},
		{"/register", newcomer, "", []string{"Enter a password."}},
		{"/register", hostile, password, []string{"This is no e-mail address.", "&#34;&gt;&lt;img src=x"}},
		{"/forgot", hostile, "", []string{"This is no e-mail address.", "&#34;&gt;&lt;img src=x"}},
		{"/forgot", "", "", []string{"This is no e-mail address."}},
		{"/accounts/confirmation/again", "", "", []string{"Enter your e-mail address."}},
		{"/accounts/confirmation", "", "", []string{"is not whole"}},
		{"/accounts/password_reset", "", password, []string{"is not whole", "Ask for a new link"}},
	} {
		p := b.post(row.form, "email", row.email, "password", row.password)
		p.expect(t, 422, row.want...)
		if strings.Contains(p.text, "<img src=x") || row.password != "" && strings.Contains(p.text, row.password) {
			t.Errorf("%s %q: what was typed is in the page: %v", row.form, row.email, p)
		}
	}
	if all := h.accounts(); len(all) != 0 {
		t.Errorf("accounts %+v", all)
	}
	b.get("/accounts/confirmation?confirmation_token=%22%3E%3Cimg%20src=x").expect(t, 200, `value="&#34;&gt;&lt;img src=x"`)
	b.get("/accounts/password_reset?reset_token=%22%3E%3Cimg%20src=x").expect(t, 200, `value="&#34;&gt;&lt;img src=x"`)
	b.get("/accounts/password_reset").expect(t, 200, "is not whole")
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, signedIn := h.member("holder@example.com")
	b := h.stranger()
	b.get("/forgot").expect(t, 200, "Send the link")
	b.post("/forgot", "email", a.Email).leads(t, "/forgot/sent")
	b.follow().expect(t, 200, "If the address has an account")
	link := h.letter(a.Email).link(t)
	b.get(link).expect(t, 200, "Set the password", "8 to 80 characters")
	token := b.page.input("token")
	b.post("/accounts/password_reset", "token", token, "password", "weakling").expect(t, 422, "still needs a capital letter", `value="`+token+`"`)
	b.post("/accounts/password_reset", "token", token, "password", "").expect(t, 422, "Enter a password.", `value="`+token+`"`)
	signedIn.get("/account").expect(t, 200)
	b.post("/accounts/password_reset", "token", token, "password", another).leads(t, "/sign-in?done=password-set")
	b.follow().expect(t, 200, "The new password is set")
	signedIn.get("/account").leads(t, "/sign-in?next=%2Faccount")
	b.post("/accounts/password_reset", "token", token, "password", password).expect(t, 422, "was used before", "you are done")
	b.post("/sign-in", "email", a.Email, "password", password).expect(t, 401, "is wrong")
	b.signIn(a.Email, another, "")

	b.post("/forgot", "email", a.Email)
	old := h.letter(a.Email).link(t)
	b.post("/forgot", "email", a.Email)
	newer := h.letter(a.Email).link(t)
	b.get(old)
	b.post("/accounts/password_reset", "token", b.page.input("token"), "password", password).expect(t, 422, "is too old")
	b.get(newer)
	b.post("/accounts/password_reset", "token", b.page.input("token"), "password", password).leads(t, "/sign-in?done=password-set")
}

func TestJoinIsThrottled(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.stranger()
	for i := range 30 {
		b.post("/register", "email", fmt.Sprintf("a%d@example.com", i), "password", password).leads(t, "/register/sent")
	}
	p := b.post("/register", "email", newcomer, "password", password)
	p.expect(t, 429, "Too many attempts from your network", `value="`+newcomer+`"`)
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.address = "198.51.100.7"
	b.post("/register", "email", newcomer, "password", password).leads(t, "/register/sent")
}

func TestJoinWithoutMail(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.door.Close()
	p := h.stranger().post("/forgot", "email", newcomer)
	p.expect(t, 503, "does not answer")
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// What the door says otherwise than usual.
func TestJoinAtAnotherDoor(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, row := range []struct {
		name         string
		status       int
		body, target string
		want         int
		words        string
	}{
		{"policy", 200, `{"password_regexp":"(?-mix:<b>.{12,}$)"}`, "GET /register", 200, "must match the pattern (?-mix:&lt;b&gt;.{12,}$)"},
		{"no policy", 200, `[]`, "GET /register", 500, "log says what"},
		{"broken", 500, `{"errors":["server.internal_error"]}`, "POST /forgot", 500, "log says what"},
		{"no JSON", 422, `<html>`, "POST /forgot", 500, "log says what"},
		{"kept away", 401, `{"errors":["authz.restrict.blocklogin"]}`, "POST /forgot", 403, "may not"},
		{"unknown code", 422, `{"errors":["identity.user.new"]}`, "POST /forgot", 422, "The server did not accept this."},
	} {
		c := h.console
		c.Door = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body))
		})
		pages, err := console.New(c)
		h.must(err)
		mux := http.NewServeMux()
		gate.Mount(mux, pages.Routes())
		h.handler = mux
		method, target, _ := strings.Cut(row.target, " ")
		t.Log(row.name)
		h.stranger().send(method, target, "email=a%40example.com").expect(t, row.want, row.words)
	}
}

// Who registers somebody else's address keeps nothing of it: not the session, the password nor
// the second factor.
func TestRegisteredByAnother(t *testing.T) {
	t.Parallel()
	h := open(t)
	other := h.stranger()
	other.post("/register", "email", newcomer, "password", "Of-The-Other-8472")
	link := h.letter(newcomer).link(t)
	other.signIn(newcomer, "Of-The-Other-8472", "")
	f := h.protect(h.find(newcomer))
	b := h.stranger()
	b.get(link)
	token := b.page.input("token")
	b.post("/accounts/confirmation", "token", token, "password", password).expect(t, 422, "not that of this account")
	b.post("/forgot", "email", newcomer)
	b.get(h.letter(newcomer).link(t))
	b.post("/accounts/password_reset", "token", b.page.input("token"), "password", password)
	b.post("/accounts/confirmation", "token", token, "password", password).leads(t, "/sign-in?done=confirmed")
	b.signIn(newcomer, password, "")
	other.get("/account").leads(t, "/sign-in?next=%2Faccount")
	h.stranger().post("/sign-in", "email", newcomer, "password", "Of-The-Other-8472", "code", f.code()).expect(t, 401)
}

// closed is the house where nobody can register, nor has a second factor: it seals nothing.
func closed(t *testing.T) *house {
	t.Helper()
	h, limiter := open(t), memory.NewLimiter(0, nil)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	h.must(err)
	h.directory, err = account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Limiter: limiter, Now: h.now, NoRegistration: true,
		Sealer: struct{ gatehouse.Sealer }{}, Pepper: make([]byte, 32), Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy,
	})
	h.must(err)
	h.mount(limiter)
	return h
}

func TestRegistrationClosed(t *testing.T) {
	t.Parallel()
	h := closed(t)
	for _, h := range []*house{h, open(t)} {
		for _, p := range []page{h.stranger().get("/sign-in"), h.stranger().post("/sign-in", "email", newcomer, "password", password)} {
			if offers := strings.Contains(p.text, `href="/register"`); offers != h.directory.Registers() {
				t.Errorf("registers: %v, the sign-in offers it: %v", h.directory.Registers(), offers)
			}
		}
	}
	b := h.stranger()
	for status, p := range map[int]page{200: b.get("/register"), 403: b.post("/register", "email", newcomer, "password", password)} {
		p.expect(t, status, "the operator of this server makes the accounts", `href="/sign-in"`)
		if strings.Contains(p.text, "<form") {
			t.Errorf("a form: %v", p)
		}
	}
	if all := h.accounts(); len(all) != 0 {
		t.Errorf("accounts %+v", all)
	}
	if r := h.sendSetup(h.token(), email, password); r.StatusCode != 201 {
		t.Errorf("the first administrator: %d", r.StatusCode)
	}
	b.signIn(email, password, "")
}
