// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// lastFour is what has to be typed before an account is stopped.
func lastFour(a account.Account) string { return a.UID[len(a.UID)-4:] }

func TestStoppingAnAccountIsConfirmed(t *testing.T) {
	t.Parallel()
	for state, button := range map[string]string{"locked": "Lock the account", "banned": "Ban the account", "deleted": "Delete the account", "disabled": "Disable the account"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a, holder := h.member("holder@example.com")
			_, b := h.administrator(email)
			at := "/operate/accounts/" + a.UID
			b.get(at).expect(t, 200, `<form method="get" action="`+at+`/state">`)
			b.get(at+"/state?state="+state).expect(t, 200, `class="danger" type="submit">`+button, `data-confirm="`+lastFour(a)+`"`, a.UID, a.Email)
			for _, typed := range []string{"", "none", a.UID} {
				b.post(at+"/state", "state", state, "confirm", typed).expect(t, 422, `role="alert"`, "Nothing was done.", button)
			}
			holder.get("/account").expect(t, 200)
			b.post(at+"/state", "state", state, "confirm", " "+lastFour(a)+" ").leads(t, at+"?done=account-state")
			b.follow().expect(t, 200, "The state is changed.", ">"+state+"<")
			if now := h.find(a.Email); string(now.State) != state {
				t.Errorf("it is %s", now.State)
			}
			s := h.stranger()
			s.get("/sign-in")
			s.post("/sign-in", "email", a.Email, "password", password).expect(t, 401, "This account is "+state+", and cannot be used.")
			if strings.Contains(s.page.text, "registered") {
				t.Errorf("speaks of registration: %v", s.page)
			}
		})
	}
}

func TestStatesOfAnAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	_, b := h.administrator(email)
	at := "/operate/accounts/" + a.UID + "/state"
	b.get(at+"?state=active").leads(t, "/operate/accounts/"+a.UID) // it is
	b.get(at+"?state=odd").expect(t, 422)
	b.get(at+"?state=pending").expect(t, 200, "Make the account pending")
	if strings.Contains(b.page.text, "data-confirm") {
		t.Errorf("asks too much: %v", b.page)
	}
	b.post(at, "state", "odd").expect(t, 422)
	b.get(at + "?state=pending")
	b.post(at, "state", "pending").expect(t, 303)
	if now := h.find(a.Email); now.State != gatehouse.PrincipalPending {
		t.Errorf("it is %s", now.State)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.administrator(email)
	at := "/operate/accounts/" + a.UID
	const refused = "It is the last superadmin that may act; make another one first."
	b.get(at+"/state?state=banned").expect(t, 200, "This is your own account. You cannot sign in any more")
	b.post(at+"/state", "state", "banned", "confirm", lastFour(a)).expect(t, 409, refused, `role="alert"`)
	b.get(at)
	b.post(at+"/role", "role", "member", "level", "0").expect(t, 409, refused)
	if now := h.find(email); now.State != gatehouse.PrincipalActive || now.Role != "superadmin" {
		t.Errorf("it is %+v", now)
	}
	h.person("second@example.com", "superadmin")
	b.get(at)
	b.post(at+"/state", "state", "banned", "confirm", lastFour(a)).leads(t, "/sign-in")
	b.follow().expect(t, 200, "Sign in")
}

func TestServiceAccountsStayBehind(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("holder@example.com", "")
	s := h.robot("nightly", a.ID, "")
	h.keyOf(a, gatehouse.NewKey{Name: "alpha"})
	_, b := h.administrator(email)
	at := "/operate/accounts/" + a.UID
	const left = "do not come back with it"
	b.get(at).expect(t, 200, `<a href="/service-accounts/`+s.UID+`"><bdi>nightly</bdi></a>`, "/service-accounts/new?owner="+a.UID)
	if strings.Contains(b.page.text, left) || strings.Contains(b.page.text, "with the account") {
		t.Errorf("nothing has left: %v", b.page)
	}
	b.get(at+"/state?state=banned").expect(t, 200, "its service accounts go with it", "<bdi>nightly</bdi>")
	b.post(at+"/state", "state", "banned", "confirm", lastFour(a)).leads(t, at+"?done=account-state")
	b.follow().expect(t, 200, "with the account", "its second factor was turned off", "/operate/audit?subject="+a.UID)
	b.get(at+"/state?state=active").expect(t, 200, "Its service accounts stay as they are", "<bdi>nightly</bdi>")
	b.post(at+"/state", "state", "active").leads(t, at+"?done=account-state-left")
	b.follow().expect(t, 200, "Some of its service accounts are not", left, "/service-accounts/"+s.UID)
	b.get("/service-accounts/" + s.UID)
	b.post("/service-accounts/"+s.UID+"/state", "do", "enable").expect(t, 303)
	if p := b.get(at); strings.Contains(p.text, left) {
		t.Errorf("all are back: %v", p)
	}
}

func TestNewAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("clerk@example.com", "clerk")
	_, b := h.administrator(email)
	b.get("/operate/accounts").expect(t, 200, `href="/operate/accounts/new"`)
	b.get("/operate/accounts/new").expect(t, 200, `<option value="superadmin">`, `<option value="clerk">`, `value="member"`, "Forgotten password")
	for _, row := range []struct {
		fields []string
		status int
		words  string
	}{
		{[]string{"email", "nobody"}, 422, "Email:"},
		{[]string{"email", "new@example.com", "password", "x"}, 422, "Password:"},
		{[]string{"email", "new@example.com", "role", "SuperAdmin"}, 422, "Role: is written superadmin."},
		{[]string{"email", "new@example.com", "role", "two words"}, 422, "Role:"},
		{[]string{"email", "clerk@example.com"}, 409, "Email:"},
	} {
		b.get("/operate/accounts/new")
		b.post("/operate/accounts", row.fields...).expect(t, row.status, row.words, `value="`+row.fields[1]+`"`)
	}
	b.get("/operate/accounts/new")
	once := b.page.input("once")
	b.post("/operate/accounts", "email", " new@example.com ", "role", "clerk", "password", password, "once", once).expect(t, 303)
	b.follow().expect(t, 200, "The account is made.", "new@example.com", "clerk, level 0")
	b.post("/operate/accounts", "email", "new@example.com", "role", "clerk", "password", password, "once", once).expect(t, 303) // the same one
	if made := h.find("new@example.com"); made.State != gatehouse.PrincipalActive {
		t.Errorf("made %+v", made)
	}
	h.signIn("new@example.com", password)
	b.get("/operate/accounts/new")
	b.post("/operate/accounts", "email", "later@example.com", "pending", "yes").expect(t, 303)
	if made := h.find("later@example.com"); made.State != gatehouse.PrincipalPending || made.PasswordHash != "" || made.Role != "member" {
		t.Errorf("made %+v", made)
	}
	h.person("lesser@example.com", "admin")
	admin := h.signIn("lesser@example.com", password)
	admin.get("/operate/accounts/new")
	admin.post("/operate/accounts", "email", "more@example.com", "role", "superadmin").expect(t, 403, "may not do this")
	_, member := h.member("holder@example.com")
	member.get("/operate/accounts/new").expect(t, 403)
	member.get("/account")
	member.post("/operate/accounts", "email", "more@example.com").expect(t, 403)
}

func TestRolesAreNotMistaken(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("clerk@example.com", "clerk")
	_, b := h.administrator(email)
	at := "/operate/accounts/" + a.UID
	b.get(at).expect(t, 200, `<option value="clerk">`, `<option value="admin">`)
	b.post(at+"/role", "role", "Admin", "level", "0").expect(t, 422, "Role: is written admin.", `value="Admin"`)
	if now := h.find(a.Email); now.Role != "clerk" {
		t.Errorf("the role is %s", now.Role)
	}
}
