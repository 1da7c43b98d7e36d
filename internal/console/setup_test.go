// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

func TestFormMakesTheAdministrator(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	if r := h.sendSetup(token, email, password); r.StatusCode != 201 || !strings.Contains(text(t, r), email) {
		t.Fatalf("status %d", r.StatusCode)
	}
	as := h.accounts()
	if len(as) != 1 || as[0].Email != email || as[0].Role != "superadmin" || as[0].State != gatehouse.PrincipalActive {
		t.Fatalf("accounts %+v", as)
	}
	events, _, err := h.store.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Limit: 1})
	if err != nil || len(events) != 1 || events[0].Verb != "account.create" || events[0].Actor.Kind != gatehouse.ActorOperator || events[0].Actor.Address.String() != "203.0.113.9" {
		t.Errorf("the audit log ends with %+v, %v", events, err)
	}
	for name, body := range map[string]string{"used": token, "wrong": strings.Repeat("0", 32), "empty": ""} {
		r := h.sendSetup(body, "second@example.com", password)
		if r.StatusCode != 409 || !strings.Contains(text(t, r), "This server is set up") {
			t.Errorf("%s token: status %d", name, r.StatusCode)
		}
	}
	if len(h.accounts()) != 1 {
		t.Error("a second administrator was made")
	}
	// The page has no form any more.
	for name, r := range map[string]*http.Response{
		"the link": h.send("GET", "/setup?token="+token, form, ""), "without": h.send("GET", "/setup", form, ""), "the form": h.sendSetup(token, email, password),
	} {
		if page := text(t, r); strings.Contains(page, "<form") || !strings.Contains(page, "This server is set up") || !strings.Contains(page, `href="/sign-in"`) || strings.Contains(page, "problem") != (name == "the form") {
			t.Errorf("%s: %d %s", name, r.StatusCode, page)
		}
	}
	if r := h.send("GET", "/setup", form, ""); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
	for _, secret := range []string{token, password} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds a secret: %s", h.log.String())
		}
	}
}

func TestJSONMakesTheAdministrator(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	send := func(body string) (int, map[string]string) {
		t.Helper()
		r := h.send("POST", "/setup", "application/json; charset=utf-8", body)
		var out map[string]string
		if err := json.Unmarshal([]byte(text(t, r)), &out); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %v", r.Header.Get("Content-Type"), err)
		}
		return r.StatusCode, out
	}
	body := func(token, password string) string {
		return `{"token":"` + token + `","email":"` + email + `","password":"` + password + `"}`
	}
	for name, row := range map[string]struct {
		body   string
		status int
	}{
		"no JSON":       {"token=" + token, 422},
		"a list":        {"[]", 422},
		"too large":     {`{"email":"` + strings.Repeat("x", 16<<10) + `"}`, 422},
		"weak password": {body(token, "password"), 422},
		"wrong token":   {body("0", password), 409},
	} {
		status, out := send(row.body)
		if status != row.status || !strings.HasSuffix(out["problem"], ".") || len(out) != 1 {
			t.Errorf("%s: %d %v", name, status, out)
		}
		if strings.Contains(out["problem"], token) {
			t.Errorf("%s: the token is in the answer", name)
		}
	}
	if status, out := send(body(token, password)); status != 201 || out["email"] != email || len(out) != 1 {
		t.Errorf("%d %v", status, out)
	}
	if status, _ := send(body(token, password)); status != 409 {
		t.Errorf("the token was good twice: %d", status)
	}
	if len(h.accounts()) != 1 {
		t.Errorf("accounts %+v", h.accounts())
	}
}

// What is wrong with the input is said in a sentence, and the token stays good.
func TestFormProblems(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	for _, row := range []struct{ email, password, want string }{
		{email, "weakling", "The password still needs a capital letter (A to Z) and a digit."},
		{email, "", "The password still needs at least 8 characters, a capital letter (A to Z), a small letter (a to z) and a digit."},
		{email, "Password1", "The password is too easy to guess."},
		{"nobody", password, "Email: invalid."},
		{"", password, "Email: invalid."},
	} {
		r := h.sendSetup(token, row.email, row.password)
		page := text(t, r)
		if r.StatusCode != 422 || !strings.Contains(page, row.want) || !strings.Contains(page, `value="`+token+`"`) {
			t.Errorf("%q: %d %s", row.email, r.StatusCode, page)
		}
		if row.password != "" && strings.Contains(page, row.password+`"`) {
			t.Errorf("%q: the password is in the page", row.email)
		}
	}
	if r := h.send("POST", "/setup", form, "token="+token+"&email="+strings.Repeat("x", 16<<10)); r.StatusCode != 422 || !strings.Contains(text(t, r), "too large") {
		t.Errorf("too large a form: %d", r.StatusCode)
	}
	if r := h.sendSetup(token, email, password); r.StatusCode != 201 {
		t.Errorf("status %d", r.StatusCode)
	}
}

func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	h := open(t)
	const hostile = `"><script>alert(1)</script>{{.Token}}`
	if page := text(t, h.sendSetup(h.token(), hostile, password)); strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("email: %s", page)
	}
	for name, page := range map[string]string{
		"token": text(t, h.sendSetup(hostile, email, password)),
		"link":  text(t, h.send("GET", "/setup?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%7B%7B.Token%7D%7D", form, "")),
	} {
		if strings.Contains(page, "alert(1)") {
			t.Errorf("%s: %s", name, page)
		}
	}
}

// Reading the link is not using it: browsers and mail scanners read links on their own.
func TestGetChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	for _, method := range []string{"GET", "HEAD"} {
		r := h.send(method, "/setup?token="+token+"&email="+email+"&password="+password, form, "")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: status %d", method, r.StatusCode)
		}
	}
	// What stands in the address is no form either.
	if r := h.send("POST", "/setup?token="+token+"&email="+email+"&password="+password, form, ""); r.StatusCode != 409 {
		t.Errorf("POST with the members in the address: status %d", r.StatusCode)
	}
	if len(h.accounts()) != 0 {
		t.Error("an account was made")
	}
	if log := h.log.String(); log != "" {
		t.Errorf("something was logged: %s", log)
	}
	if r := h.sendSetup(token, email, password); r.StatusCode != 201 {
		t.Errorf("the token was spent: status %d", r.StatusCode)
	}
}

func TestFailureIsLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	r := h.sendSetup(token, email, password)
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(text(t, r), "The server is busy. Try again.") {
		t.Errorf("status %d, header %v", r.StatusCode, r.Header)
	}
	if r := h.send("GET", "/setup", form, ""); r.StatusCode != 503 {
		t.Errorf("the page: %d", r.StatusCode)
	}
	log := h.log.String()
	if !strings.Contains(log, "closed") || strings.Contains(log, token) || strings.Contains(log, password) {
		t.Errorf("log: %s", log)
	}
}

func TestStyle(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	open(t).handler.ServeHTTP(w, httptest.NewRequest("GET", "/assets/style.css", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Body.Len() == 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Who has no good link is told how to get one, and fills no form in vain.
func TestDeadSetupLink(t *testing.T) {
	t.Parallel()
	h := open(t)
	old := h.token()
	token := h.token()
	for name, row := range map[string]struct {
		target string
		told   bool // that the link is no good
	}{
		"none": {"/setup", false}, "of an earlier start": {"/setup?token=" + old, true}, "half": {"/setup?token=" + token[:9], true},
	} {
		page := text(t, h.send("GET", row.target, form, ""))
		if strings.Contains(page, "<form") || !strings.Contains(page, "Start the server again") || strings.Contains(page, deadLink) != row.told {
			t.Errorf("%s: %s", name, page)
		}
	}
	if r := h.sendSetup(old, email, password); r.StatusCode != 409 {
		t.Errorf("sent: %d", r.StatusCode)
	} else if page := text(t, r); strings.Contains(page, "<form") || !strings.Contains(page, deadLink) {
		t.Errorf("sent: %s", page)
	}
	if page := text(t, h.send("GET", "/setup?token="+token, form, "")); !strings.Contains(page, "<form") || !strings.Contains(page, "8 to 80 characters") {
		t.Errorf("the good one: %s", page)
	}
	h.pass(25 * time.Hour)
	if page := text(t, h.send("GET", "/setup?token="+token, form, "")); !strings.Contains(page, deadLink) {
		t.Errorf("too old: %s", page)
	}
}

const deadLink = "This link has been used or is too old, is not whole"

// An address that somebody has registered is no reason to throw the link away.
func TestSetupWithARegisteredAddress(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.token()
	h.person(email, "")
	r := h.sendSetup(token, email, password)
	if page := text(t, r); r.StatusCode != 409 || !strings.Contains(page, "Somebody has registered with this address.") || !strings.Contains(page, `value="`+token+`"`) {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	if r := h.sendSetup(token, "second@example.com", password); r.StatusCode != 201 {
		t.Errorf("status %d", r.StatusCode)
	}
}

// Who comes to sign in where nobody can is led to the link of the start.
func TestSignInBeforeTheSetup(t *testing.T) {
	t.Parallel()
	h := open(t)
	const hint = "This server has no administrator yet."
	h.person("holder@example.com", "")
	h.stranger().get("/sign-in").expect(t, 200, hint)
	h.sendSetup(h.token(), email, password)
	if p := h.stranger().get("/sign-in"); p.status != 200 || strings.Contains(p.text, hint) {
		t.Errorf("after the setup: %v", p)
	}
}
