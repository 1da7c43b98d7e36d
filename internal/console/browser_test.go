// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/base32"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// browser is somebody at the console. It keeps cookies and the page it saw last, and follows
// no redirection by itself.
type browser struct {
	h       *house
	agent   string
	address string // of the client
	site    string // what Sec-Fetch-Site says; empty: nothing
	cookies map[string]string
	page    page                                          // what was seen last
	line    func(http.ResponseWriter) http.ResponseWriter // answers pass through it; nil: as they are
}

// page is an answer.
type page struct {
	status int
	header http.Header
	text   string
}

// stranger is a browser where nobody is signed in.
func (h *house) stranger() *browser {
	return &browser{h: h, agent: "seed-test/1.0", address: "203.0.113.9", cookies: map[string]string{}}
}

// signIn is a browser in which the person is signed in, who has no second factor.
func (h *house) signIn(email, password string) *browser {
	h.t.Helper()
	b := h.stranger()
	b.signIn(email, password, "")
	return b
}

// member makes an account without a role and signs it in.
func (h *house) member(email string) (account.Account, *browser) {
	h.t.Helper()
	a := h.person(email, "")
	return a, h.signIn(email, password)
}

// administrator makes an account that operates, and signs it in.
func (h *house) administrator(email string) (account.Account, *browser) {
	h.t.Helper()
	a := h.person(email, "superadmin")
	return a, h.signIn(email, password)
}

func (b *browser) signIn(email, password, code string) {
	b.h.t.Helper()
	p := b.post("/sign-in", "email", email, "password", password, "code", code)
	if p.status != http.StatusSeeOther {
		b.h.t.Fatalf("sign in: %v", p)
	}
}

// get opens a page.
func (b *browser) get(target string) page {
	b.h.t.Helper()
	return b.send(http.MethodGet, target, "")
}

// post sends a form: pairs of names and values, and what the page seen last hides in its
// forms (csrf, once), unless the pairs name it.
func (b *browser) post(target string, pairs ...string) page {
	b.h.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	for _, name := range []string{"csrf", "once"} {
		if hidden := b.page.input(name); hidden != "" && !values.Has(name) {
			values.Set(name, hidden)
		}
	}
	return b.send(http.MethodPost, target, values.Encode())
}

// follow opens the page that the last answer leads to.
func (b *browser) follow() page {
	b.h.t.Helper()
	to := b.page.header.Get("Location")
	if b.page.status != http.StatusSeeOther || !strings.HasPrefix(to, "/") {
		b.h.t.Fatalf("leads nowhere: %v", b.page)
	}
	return b.get(to)
}

func (b *browser) send(method, target, body string) page {
	b.h.t.Helper()
	r := httptest.NewRequestWithContext(b.h.t.Context(), method, target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", form)
	}
	r.Header.Set("X-Forwarded-For", b.address)
	r.Header.Set("User-Agent", b.agent)
	if b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	if b.line == nil {
		b.h.handler.ServeHTTP(w, r)
	} else {
		b.h.handler.ServeHTTP(b.line(w), r)
	}
	resp := w.Result()
	b.h.hygienic(method+" "+target, resp.Header)
	for _, c := range resp.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			b.h.t.Errorf("%s %s: cookie %s", method, target, c.Name)
		}
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	p := page{resp.StatusCode, resp.Header, w.Body.String()}
	if p.status != http.StatusSeeOther || b.page.text == "" {
		b.page = p
		return p
	}
	// The form stays in sight, so that a test can send it again.
	b.page.status, b.page.header = p.status, p.header
	return p
}

// String is what a failed test shows of the page.
func (p page) String() string {
	text := p.text
	if _, main, found := strings.Cut(text, "<main"); found {
		text = main
	}
	return http.StatusText(p.status) + " " + p.header.Get("Location") + "\n" + text
}

// expect fails the test unless the page has the status and all of the words, as a reader
// sees them in its source.
func (p page) expect(t *testing.T, status int, words ...string) {
	t.Helper()
	if p.status != status {
		t.Errorf("status %d, want %d: %v", p.status, status, p)
		return
	}
	for _, w := range words {
		if !strings.Contains(p.text, w) {
			t.Errorf("no %q in %v", w, p)
		}
	}
}

// leads fails the test unless the answer leads to the path, query included.
func (p page) leads(t *testing.T, to string) {
	t.Helper()
	if got := p.header.Get("Location"); p.status != http.StatusSeeOther || got != to {
		t.Errorf("status %d to %q, want %q: %v", p.status, got, to, p)
	}
}

// input is the value of a field of the first form that has it; empty: there is none.
func (p page) input(name string) string {
	found := regexp.MustCompile(`<input[^>]* name="` + name + `"[^>]* value="([^"]*)"`).FindStringSubmatch(p.text)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// factor is a second factor that is on.
type factor struct {
	h        *house
	secret   []byte
	recovery []gatehouse.Secret
}

// protect turns an account's second factor on behind the console's back. Its sessions end.
func (h *house) protect(a account.Account) *factor {
	h.t.Helper()
	uri, err := h.directory.BeginOTP(h.t.Context(), system, a.ID)
	h.must(err)
	f := h.scan(uri)
	f.recovery, err = h.directory.EnableOTP(h.t.Context(), system, a.ID, f.code(), gatehouse.Secret{})
	h.must(err)
	return f
}

// scan reads the secret out of the text of a QR code.
func (h *house) scan(uri string) *factor {
	h.t.Helper()
	u, err := url.Parse(uri)
	h.must(err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	h.must(err)
	return &factor{h: h, secret: secret}
}

// code is a fresh code: it waits for the next step.
func (f *factor) code() string {
	f.h.pass(30 * time.Second)
	return account.TOTPCode(f.secret, account.TOTPStep(f.h.now()))
}

func TestPagesNeedASession(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, b := h.member("holder@example.com")
	b.get("/account").expect(t, 200, "holder@example.com")
	h.stranger().get("/account").leads(t, "/sign-in?next=%2Faccount")
	if p := b.post("/sign-out", "csrf", "0123"); p.status != 403 {
		t.Errorf("a form of another session: %v", p)
	}
	b.get("/account")
	b.site = "cross-site"
	if p := b.post("/sign-out"); p.status != 403 {
		t.Errorf("a form of another site: %v", p)
	}
	b.site = "same-origin"
	b.get("/account")
	b.post("/sign-out").leads(t, "/sign-in?done=signed-out")
	b.get("/account").leads(t, "/sign-in?next=%2Faccount")
}
