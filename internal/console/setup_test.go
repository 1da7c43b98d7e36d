// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
		if r.StatusCode != 409 || !strings.Contains(text(t, r), "has been used or is too old") {
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
		if page := text(t, r); strings.Contains(page, "<form") || !strings.Contains(page, "This server is set up") || !strings.Contains(page, `href="/sign-in"`) {
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
		{email, "weakling", "The password is too weak: it needs at least 8 characters"},
		{email, "", "The password is too weak"},
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
	for name, page := range map[string]string{
		"email": text(t, h.sendSetup(h.token(), hostile, password)),
		"token": text(t, h.sendSetup(hostile, email, password)),
		"link":  text(t, h.send("GET", "/setup?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%7B%7B.Token%7D%7D", form, "")),
	} {
		if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
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
