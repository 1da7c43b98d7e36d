// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/proxy"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

func TestParseUpstreams(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]proxy.Upstream{
		"http://127.0.0.1:3000":             {URL: &url.URL{Scheme: "http", Host: "127.0.0.1:3000"}},
		"https://files.test/":               {URL: &url.URL{Scheme: "https", Host: "files.test", Path: "/"}},
		"/v1=http://[::1]:3000":             {Path: "/v1", URL: &url.URL{Scheme: "http", Host: "[::1]:3000"}},
		"api.test=http://a:1":               {Host: "api.test", URL: &url.URL{Scheme: "http", Host: "a:1"}},
		"api.test/v1/x/=http://a:1":         {Host: "api.test", Path: "/v1/x/", URL: &url.URL{Scheme: "http", Host: "a:1"}},
		"[2001:db8::1]/=http://a:1":         {Host: "[2001:db8::1]", Path: "/", URL: &url.URL{Scheme: "http", Host: "a:1"}},
		"xn--bcher-kva.test/a~b=http://a:1": {Host: "xn--bcher-kva.test", Path: "/a~b", URL: &url.URL{Scheme: "http", Host: "a:1"}},
	} {
		got, err := proxy.ParseUpstreams([]string{text})
		if err != nil || got[0].Host != want.Host || got[0].Path != want.Path || *got[0].URL != *want.URL {
			t.Errorf("%s: %v %+v", text, err, got)
		}
	}
	for _, text := range []string{
		"", "=", "localhost:3000", "ftp://a", "http://", "http://:80", "http://a/base", "http://a?x", "http://a?", "http://a#x", "http://user:pass-word@a", "http://a:pass-word",
		"/v1=", "/v1=a", "a b=http://a", "API.test=http://a", "api.test:80=http://a", "api.test.=http://a", "u@api.test=http://a",
		"/a/../b=http://a", "//a=http://a", "/a%2fb=http://a", "/%61=http://a", "/a?b=http://a", "/a;b=http://a", "x=http://%zz:pass-word@a",
	} {
		got, err := proxy.ParseUpstreams([]string{"http://good", text})
		if err == nil {
			t.Errorf("%q: %+v", text, got)
		} else if !strings.HasPrefix(err.Error(), "upstream 2: ") || strings.Contains(err.Error(), "pass-word") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What parses makes a proxy, and an error holds no password.
func FuzzParseUpstreams(f *testing.F) {
	for _, text := range []string{"http://a", "a.test/v1=https://b:1/", "/=http://[::1]", "http://user:pass-word@a", "x=http://%zz"} {
		f.Add(text)
	}
	g, err := gate.New(struct{ gate.Verifier }{}, gate.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := proxy.ParseUpstreams([]string{text})
		if err != nil {
			if strings.Contains(err.Error(), "pass-word") {
				t.Error(err)
			}
			return
		}
		if _, err := proxy.New(g, proxy.Options{Upstreams: list}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestUpstreamsThatConflict(t *testing.T) {
	t.Parallel()
	g, err := gate.New(struct{ gate.Verifier }{}, gate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		upstreams, want string
	}{
		{"", "there is no upstream"},
		{"http://a http://b", "two upstreams are for all requests"},
		{"/=http://a http://b", "two upstreams are for all requests"},
		{"/v1=http://a /v1/=http://b", "two upstreams are for /v1"},
		{"a.test/v1=http://a a.test/v1=http://b", "two upstreams are for a.test/v1"},
		{"a.test=http://a /v1=http://b", "the upstreams for a.test and for /v1 overlap, and neither is more specific: say what a.test/v1 is"},
		{"/v1/x=http://b a.test/v1=http://a", "the upstreams for a.test/v1 and for /v1/x overlap, and neither is more specific: say what a.test/v1/x is"},
		{"a.test=http://a /v1=http://b a.test/v1=http://c", ""},
		{"a.test/v1=http://a /v1=http://b /v2=http://c http://d", ""},
	} {
		list, err := proxy.ParseUpstreams(strings.Fields(row.upstreams))
		if err != nil {
			t.Fatal(row, err)
		}
		_, err = proxy.New(g, proxy.Options{Upstreams: list})
		if row.want == "" && err != nil || row.want != "" && (err == nil || err.Error() != "new proxy: "+row.want) {
			t.Errorf("%s: %v", row.upstreams, err)
		}
	}
	for name, o := range map[string]proxy.Options{
		"no url":   {Upstreams: []proxy.Upstream{{}}},
		"negative": {Upstreams: []proxy.Upstream{{URL: &url.URL{Scheme: "http", Host: "a"}}}, Timeouts: proxy.Timeouts{Stall: -1}},
	} {
		if _, err := proxy.New(g, o); err == nil {
			t.Error(name)
		}
	}
}

// The most specific upstream gets the request, by whole segments.
func TestChoice(t *testing.T) {
	t.Parallel()
	var list []string
	for where := range strings.FieldsSeq("/ /v1 /v1/files a.test a.test/v1 a.test/v1/files") {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, where) }))
		t.Cleanup(server.Close)
		list = append(list, where+"="+server.URL)
	}
	parse := func(list []string) proxy.Options {
		upstreams, err := proxy.ParseUpstreams(list)
		if err != nil {
			t.Fatal(err)
		}
		return proxy.Options{Upstreams: upstreams}
	}
	all, some := newSite(t, setting{proxy: parse(list)}), newSite(t, setting{proxy: parse(list[4:])})
	allKey, _ := all.bearer()
	someKey, _ := some.bearer()
	for _, row := range []struct{ host, target, all, some string }{
		{"b.test", "/", "/", "no_upstream"}, {"b.test", "/v1", "/v1", "no_upstream"}, {"b.test", "/v1/", "/v1", "no_upstream"}, {"b.test", "/v1x", "/", "no_upstream"},
		{"b.test", "/v1/files/a?b=/v2", "/v1/files", "no_upstream"}, {"b.test", "/V1", "/", "no_upstream"}, {"b.test", "/%761", "/v1", "no_upstream"},
		{"a.test", "/", "a.test", "no_upstream"}, {"A.test.:80", "/v1/x", "a.test/v1", "a.test/v1"}, {"a.test", "/v1/files", "a.test/v1/files", "a.test/v1/files"},
		{"a.test", "/v1/filesx", "a.test/v1", "a.test/v1"}, {"a.test.evil", "/v1", "/v1", "no_upstream"},
		{"a.test", "/x/../v1", "ambiguous_path", "ambiguous_path"}, {"a.test", "/v1%2ffiles", "ambiguous_path", "ambiguous_path"}, {"a.test", "/v1/..;/files", "ambiguous_path", "ambiguous_path"},
	} {
		for s, field := range map[*site]string{all: allKey, some: someKey} {
			want := row.all
			if s == some {
				want = row.some
			}
			a := s.raw("GET " + row.target + " HTTP/1.1\r\nHost: " + row.host + "\r\n" + field + "\r\n")
			got := code(t, a)
			if got == "" {
				b, _ := io.ReadAll(a.Body)
				got = string(b)
			}
			if got != want {
				t.Errorf("%s%s: %s, want %s", row.host, row.target, got, want)
			}
			if a := s.raw("GET " + row.target + " HTTP/1.1\r\nHost: " + row.host + "\r\n\r\n"); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s%s without a key: %d", row.host, row.target, a.StatusCode)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// listen serves every connection by hand.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	return l.Addr().String()
}

// What a service does wrong is a 502 or a 504, in the log with its cause, and the next
// request is served.
func TestServicesThatFail(t *testing.T) {
	t.Parallel()
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, text)
			}
		}
	}
	for name, row := range map[string]struct {
		serve  func(net.Conn)
		status int
		code   string
		log    string
	}{
		"closes at once":   {func(net.Conn) {}, 502, "bad_gateway", "level=WARN"},
		"says nothing":     {says(""), 502, "bad_gateway", "level=WARN"},
		"half a header":    {says("HTTP/1.1 200 OK\r\nContent-Le"), 502, "bad_gateway", "level=WARN"},
		"another protocol": {says("SSH-2.0-query-secret\r\n"), 502, "bad_gateway", "error=\"net/http: HTTP/1.x transport connection broken: malformed HTTP response \""},
		"long header":      {says("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 70<<10) + "\r\n\r\n"), 502, "bad_gateway", "level=WARN"},
		"two lengths":      {says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), 502, "bad_gateway", "level=WARN"},
		"waits":            {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, 504, "gateway_timeout", "timeout awaiting response headers"},
		"half a body":      {says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), 200, "", "status=200 bytes=5"},
		"half a chunk":     {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhello"), 200, "", "cut=true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setting{address: listen(t, row.serve), proxy: proxy.Options{Timeouts: proxy.Timeouts{Answer: 300 * time.Millisecond}}})
			field, _ := s.bearer()
			c := s.dial()
			if _, err := io.WriteString(c, "GET /?query-secret HTTP/1.1\r\nHost: a\r\n"+field+"\r\n"); err != nil {
				t.Fatal(err)
			}
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			switch {
			case row.status == http.StatusOK && err != nil: // nothing had been written yet
			case err != nil || a.StatusCode != row.status:
				t.Fatal(err, a)
			case row.status == http.StatusOK:
				if b, err := io.ReadAll(a.Body); err == nil {
					t.Errorf("the client takes %q for the whole", b)
				}
			default:
				if got := code(t, a); got != row.code || a.Header.Get("Cache-Control") != "no-store" {
					t.Error(got, a.Header)
				}
			}
			s.log.wait(t, row.log)
			if text := s.log.String(); strings.Contains(text, "query-secret") || strings.Contains(text, "level=ERROR") {
				t.Error(text)
			}
		})
	}
	deaf := newSite(t, setting{
		address: listen(t, func(net.Conn) { <-t.Context().Done() }), proxy: proxy.Options{Timeouts: proxy.Timeouts{Stall: 200 * time.Millisecond}},
	})
	r := deaf.request(http.MethodPost, "/", nil, deaf.signers()["bearer"])
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 1<<30)), 1<<30 // more than all buffers hold
	if a, err := deaf.client.RoundTrip(r); err == nil {                           // the answer comes before the client has sent all
		if a.StatusCode != http.StatusGatewayTimeout {
			t.Error(a.Status)
		}
		_ = a.Body.Close()
	}
	deaf.log.wait(t, "status=504")
	s := newSite(t, setting{address: testenv.Nobody})
	field, _ := s.bearer()
	if a := s.raw("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n"); a.StatusCode != http.StatusBadGateway || code(t, a) != "bad_gateway" {
		t.Error(a.Status)
	}
	s.log.wait(t, "connection refused")
}

// On a kept connection that breaks, nothing is sent a second time but a GET, HEAD or OPTIONS
// without a body that nobody signed.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	const marks = "Idempotency-Key: a\r\nX-Idempotency-Key: b\r\n"
	for _, row := range []struct {
		method, scheme, more, body string
		times                      int
	}{
		{"GET", "bearer", "", "", 2}, {"HEAD", "bearer", "", "", 2}, {"OPTIONS", "bearer", "", "", 2}, {"GET", "bearer", marks, "", 2}, {"GET", "bearer", "", "body", 1},
		{"GET", "barong", "", "", 1}, {"HEAD", "barong", "", "", 1}, {"OPTIONS", "barong", "", "", 1}, {"GET", "barong", marks, "", 1}, {"GET", "shield", "", "", 1},
		{"GET", "shield", "", "body", 1}, {"GET", "httpsig", "", "", 1}, {"POST", "bearer", "", "", 1}, {"POST", "bearer", marks, "", 1}, {"POST", "bearer", marks, "body", 1},
		{"POST", "shield", marks, "body", 1}, {"POST", "httpsig", marks, "body", 1}, {"PUT", "bearer", marks, "", 1}, {"DELETE", "bearer", marks, "", 1},
		{"DELETE", "barong", "", "", 1}, {"PATCH", "bearer", "", "", 1}, {"PROPFIND", "bearer", marks, "", 1},
	} {
		t.Run(row.method+" "+row.scheme+" "+row.body+row.more, func(t *testing.T) {
			t.Parallel()
			got := make(chan *http.Request, 8)
			s := newSite(t, setting{address: listen(t, func(c net.Conn) {
				in := bufio.NewReader(c)
				for n := 0; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, err := io.ReadAll(r.Body); err != nil {
						t.Error(err)
					}
					if r.URL.Path == "/first" {
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						continue
					}
					if got <- r; n > 0 {
						return // kept, and now broken
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})})
			signers := s.signers()
			send := func(method, target, body, more string) int {
				r := s.request(method, target, []byte(body), signers[row.scheme])
				r.URL.Path = target
				if strings.HasPrefix(row.scheme, "httpsig") {
					r.URL.Path = "/x-y/a" // as signed
				}
				for line := range strings.SplitSeq(strings.TrimSuffix(more, "\r\n"), "\r\n") {
					if name, value, ok := strings.Cut(line, ": "); ok {
						r.Header.Set(name, value)
					}
				}
				a, err := s.client.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = a.Body.Close()
				return a.StatusCode
			}
			field, _ := s.bearer()
			if a := s.raw("GET /first HTTP/1.1\r\nHost: a\r\n" + field + "\r\n"); a.StatusCode != http.StatusOK {
				t.Fatal("no connection to keep: ", a.Status)
			}
			want := http.StatusBadGateway
			if row.times > 1 {
				want = http.StatusOK
			}
			if status := send(row.method, "/second", row.body, row.more); status != want {
				t.Errorf("status %d, want %d", status, want)
			}
			if len(got) != row.times {
				t.Errorf("sent %d times, want %d", len(got), row.times)
			}
			for range len(got) {
				r := <-got
				if r.Method != row.method || row.more != "" && (r.Header.Get("Idempotency-Key") != "a" || r.Header.Get("X-Idempotency-Key") != "b") {
					t.Errorf("the service reads %s %v", r.Method, r.Header)
				}
				if row.body == "" && (len(r.TransferEncoding) > 0 || r.ContentLength > 0) {
					t.Errorf("an empty body came as %v %d", r.TransferEncoding, r.ContentLength)
				}
			}
		})
	}
}
