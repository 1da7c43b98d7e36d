// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestHAProxy(t *testing.T) {
	t.Parallel()
	s := open(t, patient...)
	t.Run("schemes", func(t *testing.T) { checkSchemes(t, s) })
	t.Run("denials", func(t *testing.T) { checkDenials(t, s) })
	t.Run("identity", func(t *testing.T) { checkIdentity(t, s) })
	t.Run("bodies", func(t *testing.T) { checkBodies(t, s) })
	t.Run("targets", func(t *testing.T) { checkTargets(t, s) })
	t.Run("many", func(t *testing.T) { checkMany(t, s) })
}

func checkSchemes(t *testing.T, s *site) {
	const body = `{"amount":1}`
	for _, key := range []string{"bearer", "barong", "shield", "httpsig"} {
		for _, q := range [][3]string{{"GET", "/a?x=%20b&y", ""}, {"POST", "/signed/7", body}} {
			want := "200"
			if key == "bearer" && q[0] == "POST" {
				want = "403 scheme_not_allowed"
			}
			s.check(t, s.signed(t, key, q[0], q[1], q[2]), want)
		}
	}
	for _, key := range []string{"shield", "httpsig"} {
		s.check(t, s.render(t, key, "POST", "/", body, `{"amount":9}`), "401 invalid_credential")
	}
	for _, key := range []string{"barong", "httpsig"} {
		request := s.signed(t, key, "GET", "/", "")
		s.check(t, request, "200")
		s.check(t, request, "401 replayed")
	}
}

func checkDenials(t *testing.T, s *site) {
	answer := s.check(t, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "401 no_credential")
	if got := answer.Header.Get("WWW-Authenticate"); !strings.Contains(got, "Bearer") || !strings.Contains(got, "HMAC-SHA256") {
		t.Errorf("WWW-Authenticate: %q", got)
	}
	if len(answer.Header["Accept-Signature"]) != 1 || answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Error(answer.Header)
	}
	s.check(t, s.signed(t, "bearer", "GET", "/orders/1", ""), "403 insufficient_scope")
	twice := s.signed(t, "bearer", "GET", "/", "")
	credential := "Authorization: Bearer " + s.keys["bearer"].Token.Reveal() + "\r\n"
	s.check(t, with(twice, credential), "401 malformed_credential")
	s.check(t, strings.Replace(twice, "Authorization", "Authorization_", 1), "401 no_credential")

	answer = s.check(t, s.signed(t, "limited", "GET", "/", ""), "200")
	if !strings.HasPrefix(answer.Header.Get("RateLimit"), `"minute";r=0;`) || answer.Header.Get("RateLimit-Policy") == "" {
		t.Error(answer.Header)
	}
	answer = s.check(t, s.signed(t, "limited", "GET", "/", ""), "429 rate_limited")
	if answer.Header.Get("Retry-After") == "" || answer.Header.Get("RateLimit") == "" {
		t.Error(answer.Header)
	}
}

func checkIdentity(t *testing.T, s *site) {
	const lies = "X-Auth-Role: admin\r\nX_Auth_Subject: root\r\nX-Auth_Tenant: other\r\nX.Auth.Role: admin\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-User: root\r\n" +
		"Remote-User: root\r\nSSL-Client-Verify: SUCCESS\r\nX-Original-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\nForwarded: for=9.9.9.9\r\n" +
		"X-Real-IP: 9.9.9.9\r\nConnection: X-Auth-Role, Authorization, close\r\n"
	get := func(request string) http.Header {
		t.Helper()
		s.take()
		s.send(t, request)
		seen := s.take()
		if len(seen) != 1 {
			t.Fatalf("the service got %d requests", len(seen))
		}
		return seen[0].header
	}
	h := get(with(s.signed(t, "httpsig", "GET", "/", ""), lies))
	key := s.keys["httpsig"].Key
	for name, want := range map[string]string{
		"Authorization": "Bearer jwt-of-" + key.ID, "X-Auth-Key-Id": key.ID, "X-Auth-Role": "member", "X-Auth-Tenant": key.Tenant,
		"X-Auth-Scopes": "", "X-Auth-Scheme": "httpsig", "X-Auth-Body": "verified", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
	} {
		if got := h[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		delete(h, name)
	}
	if h.Get("X-Auth-Subject") == "" || h.Get("X-Auth-Subject") == "root" {
		t.Error(h["X-Auth-Subject"])
	}
	for _, name := range []string{"X-Auth-Subject", "X-Forwarded-Host", "User-Agent", "Content-Length", "Accept-Encoding", "Connection"} {
		delete(h, name)
	}
	if len(h) != 0 {
		t.Errorf("the service sees what the client claims: %v", h)
	}
	for protocol, want := range map[string]string{"websocket": "upgrade", "h2c": ""} {
		h := get(with(s.signed(t, "bearer", "GET", "/", ""), "Connection: Upgrade, X-Auth-Role, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUpgrade: "+protocol+"\r\n"))
		if h.Get("Connection") != want || (h.Get("Upgrade") == "") != (want == "") || h["Http2-Settings"] != nil {
			t.Errorf("%s: %v", protocol, h)
		}
	}
	h = get(with(s.signed(t, "bearer", "GET", "/open/x", ""), lies))
	if len(h["Authorization"]) != 0 || h.Get("X-Auth-Role") != "" || len(h["X-Auth-Role"]) != 1 {
		t.Errorf("on an open route: %v", h)
	}
}

func checkBodies(t *testing.T, s *site) {
	chunked := func(key, signs, sends string) string {
		head, _, _ := strings.Cut(s.render(t, key, "POST", "/", signs, signs), "\r\n\r\n")
		var fields []string
		for line := range strings.SplitSeq(head, "\r\n") {
			if !strings.HasPrefix(line, "Content-Length:") && !strings.HasPrefix(line, "Transfer-Encoding:") {
				fields = append(fields, line)
			}
		}
		return strings.Join(fields, "\r\n") + fmt.Sprintf("\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(sends), sends)
	}
	small, fits, large := strings.Repeat("s", 20<<10), strings.Repeat("f", 54<<10), strings.Repeat("l", 200<<10)
	for _, key := range []string{"shield", "httpsig"} {
		s.check(t, s.signed(t, key, "POST", "/", fits), "200")
		s.check(t, chunked(key, small, small), "200")
		s.check(t, chunked(key, small, small+"x"), "401 invalid_credential")
		// Whether it is whole cannot be known.
		want := "413 body_too_large"
		if key == "httpsig" {
			want = "200" // the digest is proven, and the service compares
		}
		s.check(t, chunked(key, fits, fits), want)
		s.check(t, s.signed(t, key, "POST", "/", large), want)
	}
	// Of a body that is not covered nothing need be known.
	s.check(t, s.signed(t, "bearer", "POST", "/", large), "200")
	// A proof of the empty body is none of a body that did not fit beside the header.
	padding := "X-Padding: " + strings.Repeat("p", 50<<10) + "\r\n"
	s.check(t, with(chunked("shield", "", large), padding), "413 body_too_large")
	s.check(t, with(s.signed(t, "shield", "GET", "/", ""), padding), "413 body_too_large")
	s.check(t, with(s.signed(t, "bearer", "GET", "/", ""), padding), "200")
}

func checkTargets(t *testing.T, s *site) {
	bearer := "Authorization: Bearer " + s.keys["bearer"].Token.Reveal() + "\r\n\r\n"
	for _, row := range []struct{ line, host, want string }{
		{"GET /orders/%2e%2e/x HTTP/1.1", "a.test", "403 ambiguous_path"},
		{"GET //orders/1 HTTP/1.1", "a.test", "403 ambiguous_path"},
		{"GET /x/../orders/1 HTTP/1.1", "a.test", "403 ambiguous_path"},
		{"GET /open/..%2forders HTTP/1.1", "a.test", "403 ambiguous_path"},
		{"GET /a#/open/ HTTP/1.1", "a.test", "400"},
		{"GET http://a.test/a?b HTTP/1.1", "a.test", "200"},
		{"GET http://a.test/orders/1 HTTP/1.1", "a.test", "403 insufficient_scope"},
		{"GET http://b.test/open/ HTTP/1.1", "a.test", "400"},
		{"GET http://u@a.test/ HTTP/1.1", "a.test", "200"},
		{"OPTIONS * HTTP/1.1", "a.test", "400"},
		{"CONNECT a.test:80 HTTP/1.1", "a.test:80", "405"},
		{"TRACE / HTTP/1.1", "a.test", "405"},
		{"GET / HTTP/1.1", "a.test\r\nHost: b.test", "400"},
		{"GET / HTTP/1.1", "a@b.test", "403 adapter_headers"},
		{"GET / HTTP/1.1", "", "400"},
	} {
		t.Run(row.line, func(t *testing.T) { s.check(t, row.line+"\r\nHost: "+row.host+"\r\n"+bearer, row.want) })
	}
	s.take()
	s.send(t, "GET http://a.test/A/%7e?%20 HTTP/1.1\r\nHost: a.test\r\n"+bearer)
	if seen := s.take(); len(seen) != 1 || seen[0].target != "/A/%7e?%20" || seen[0].host != "a.test" {
		t.Errorf("%+v", seen)
	}
}

// TestHTTP2 asks in HTTP/2, where a body need not say how long it is.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := open(t, append(patient, "bind {{.Listen}}", "bind {{.Listen}} proto h2")...)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	small, fits := strings.Repeat("s", 20<<10), strings.Repeat("f", 54<<10)
	for _, row := range []struct {
		key, method, target, signs, sends string
		length                            bool
		want                              int
	}{
		{"bearer", "GET", "/a?x=%20b", "", "", true, 200},
		{"barong", "GET", "/a", "", "", true, 200},
		{"shield", "GET", "/a", "", "", true, 200},
		{"httpsig", "GET", "/a?x=%20b", "", "", true, 200},
		{"httpsig", "POST", "/a", small, small, true, 200},
		{"shield", "POST", "/a", small, small, false, 200},
		{"shield", "POST", "/a", "", small, false, 401},
		{"shield", "POST", "/a", fits, fits, true, 200},
		{"shield", "POST", "/a", fits, fits, false, 413},
		{"bearer", "GET", "/orders/1", "", "", true, 403},
		{"bearer", "GET", "//orders/1", "", "", true, 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), row.method, "http://"+s.addr+row.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.sign(t, row.key, r, row.signs)
		if row.sends != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(row.sends)), -1
			if row.length {
				r.ContentLength = int64(len(row.sends))
			}
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // the status is all
		seen := s.take()
		if answer.StatusCode != row.want || (len(seen) == 1) != (row.want == 200) || len(seen) == 1 && (seen[0].target != row.target || seen[0].body != row.sends) {
			t.Errorf("%s %s %s: %d, want %d; the service got %.200v", row.key, row.method, row.target, answer.StatusCode, row.want, seen)
		}
	}
}

// TestSmallFrames has a HAProxy whose frames hold less than its buffer.
func TestSmallFrames(t *testing.T) {
	t.Parallel()
	s := open(t, append(patient, "max-frame-size 65532", "max-frame-size 16384")...)
	s.check(t, s.signed(t, "bearer", "POST", "/", strings.Repeat("b", 10<<10)), "200")
	s.check(t, s.signed(t, "bearer", "POST", "/", strings.Repeat("b", 20<<10)), "413 body_too_large")
}

// TestNotWaited has a HAProxy that does not wait for bodies, and says so.
func TestNotWaited(t *testing.T) {
	t.Parallel()
	s := open(t, append(patient, "    option http-buffer-request\n", "", "waited=bool(true) body=req.body body_size=req.body_size", "waited=bool(false)")...)
	s.check(t, s.signed(t, "bearer", "POST", "/", "body"), "200")
	s.check(t, s.signed(t, "httpsig", "POST", "/", "body"), "200")
	s.check(t, s.signed(t, "shield", "POST", "/", "body"), "403 body_unavailable")
	s.check(t, s.signed(t, "shield", "GET", "/", ""), "403 body_unavailable")
}

// checkMany has many requests on their way at once, of which HAProxy sends several on one
// connection.
func checkMany(t *testing.T, s *site) {
	requests := make([]string, 200)
	for i := range requests {
		requests[i] = s.signed(t, "bearer", "GET", fmt.Sprintf("/open%d", i), "")
	}
	answers := make(chan int)
	for _, request := range requests {
		go func() {
			answer, _ := s.send(t, request)
			answers <- answer.StatusCode
		}()
	}
	for range requests {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("got %d", got)
		}
	}
	if got := len(s.take()); got != len(requests) {
		t.Errorf("the service got %d requests of %d", got, len(requests))
	}
}

// TestDead asks where no agent answers any more.
func TestDead(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.agent.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	answer := s.check(t, s.signed(t, "bearer", "GET", "/", ""), "503 unavailable")
	if answer.Header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
	s.check(t, "GET /open/x HTTP/1.1\r\nHost: a.test\r\n\r\n", "503 unavailable")
}
