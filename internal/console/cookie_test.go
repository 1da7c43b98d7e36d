// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/console"
)

// knock sends a request of somebody who says how he came: from a proxy's address or not.
func (h *house) knock(method, target, from string, protos, cookies []string, pairs url.Values) *http.Response {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(pairs.Encode()))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", form)
	r.Header["X-Forwarded-Proto"] = protos
	r.Header["Cookie"] = cookies
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w.Result()
}

// Who comes encrypted gets a cookie that browsers send encrypted only, to this host alone, and that
// nobody else can set. Only a trusted proxy says that the client's connection was encrypted.
func TestSessionCookie(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person(email, "superadmin")
	const (
		proxy, stranger = "192.0.2.1:1234", "203.0.113.9:1234"
		secure, plain   = "__Host-gatehouse", "gatehouse"
	)
	if got := console.Cookies(); !slices.Equal(got, []string{secure, plain}) {
		t.Errorf("cookies that gates keep back: %q", got)
	}
	for _, row := range []struct {
		what, target, from string
		protos             []string
		name               string
	}{
		{"a proxy that says https", "/sign-in", proxy, []string{"https"}, secure},
		{"TLS", "https://keys.example/sign-in", stranger, nil, secure},
		{"a proxy that says http", "/sign-in", proxy, []string{"http"}, plain},
		{"a proxy that says nothing", "/sign-in", proxy, nil, plain},
		{"a proxy that says both", "/sign-in", proxy, []string{"https", "http"}, plain},
		{"a client that says https", "/sign-in", stranger, []string{"https"}, plain},
		{"a client", "/sign-in", stranger, nil, plain},
	} {
		resp := h.knock("POST", row.target, row.from, row.protos, nil, url.Values{"email": {email}, "password": {password}})
		cookies := resp.Cookies()
		if resp.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
			t.Fatalf("%s: status %d, cookies %v", row.what, resp.StatusCode, cookies)
		}
		want := row.name + "=" + cookies[0].Value + "; Path=/; HttpOnly; "
		if row.name == secure {
			want += "Secure; "
		}
		// To the letter: it has no Domain, and no time that it ends at.
		if got := resp.Header.Get("Set-Cookie"); got != want+"SameSite=Lax" {
			t.Errorf("%s: %s", row.what, got)
		}
		for _, name := range []string{secure, plain} {
			page := h.knock("GET", strings.Replace(row.target, "/sign-in", "/account", 1), row.from, row.protos, []string{name + "=" + cookies[0].Value}, nil)
			if in := page.StatusCode == http.StatusOK; in != (name == row.name) {
				t.Errorf("%s: with the session in %s the status is %d", row.what, name, page.StatusCode)
			}
		}
	}
}

// Signing out takes away the cookie that signing in gave: browsers keep one of another name, and
// refuse to change a __Host- cookie without Secure.
func TestSignOutTakesTheCookie(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person(email, "superadmin")
	for proto, want := range map[string]string{
		"https": "__Host-gatehouse=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"http":  "gatehouse=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
	} {
		send := func(method, target string, cookies []string, pairs url.Values) *http.Response {
			return h.knock(method, target, "192.0.2.1:1234", []string{proto}, cookies, pairs)
		}
		set := send("POST", "/sign-in", nil, url.Values{"email": {email}, "password": {password}}).Header.Get("Set-Cookie")
		cookie, _, _ := strings.Cut(set, ";")
		account := page{text: text(t, send("GET", "/account", []string{cookie}, nil))}
		if got := send("POST", "/sign-out", []string{cookie}, url.Values{"csrf": {account.input("csrf")}}).Header.Get("Set-Cookie"); got != want {
			t.Errorf("%s: %s", proto, got)
		}
	}
}
