// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is no field for handlers is no trailer for them, announced or not.
func TestTrailersAreStripped(t *testing.T) {
	t.Parallel()
	for _, wants := range []bool{true, false} {
		for _, version := range []int{1, 2} {
			var before, after http.Header
			next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				before = r.Trailer.Clone()
				_, _ = io.Copy(io.Discard, r.Body)
				after = r.Trailer
			})
			g := newGate(t, &judge{say: granted, body: wants}, Options{Strip: []string{"X-Token"}})
			s := httptest.NewUnstartedServer(g.Protect(next))
			s.EnableHTTP2 = version == 2
			s.StartTLS()
			t.Cleanup(s.Close)
			r, _ := http.NewRequest(http.MethodPost, s.URL, unsized{strings.NewReader("hello")})
			r.Trailer = http.Header{"X-Sum": {"7"}, "X-Auth-User": {"root"}, "X-Auth-Signature": {"s"}, "X-Token": {"t"}}
			fetch(t, s.Client(), r)
			announced := http.Header{"X-Sum": nil}
			if wants {
				announced = http.Header{"X-Sum": {"7"}}
			}
			if diff := cmp.Diff(announced, before); diff != "" {
				t.Errorf("wanted %v, HTTP/%d: before the end (-want +got):\n%s", wants, version, diff)
			}
			if diff := cmp.Diff(http.Header{"X-Sum": {"7"}}, after); diff != "" {
				t.Errorf("wanted %v, HTTP/%d: (-want +got):\n%s", wants, version, diff)
			}
		}
		var seen http.Header
		talk(t, newGate(t, &judge{say: granted, body: wants}, Options{}).Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			seen = r.Trailer
		})), "POST / HTTP/1.1\r\nHost: h.test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\nX-Auth-User: root\r\n\r\n")
		if diff := cmp.Diff(http.Header{"X-Sum": {"7"}}, seen); diff != "" {
			t.Errorf("wanted %v, not announced (-want +got):\n%s", wants, diff)
		}
	}
}

// A client cannot make a proxy behind the gate drop a field that was set between them.
func TestConnectionOptions(t *testing.T) {
	t.Parallel()
	var seen http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	t.Cleanup(upstream.Close)
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	for sent, want := range map[string][]string{
		"X-User": nil, "keep-alive, X-User": {"keep-alive"}, "Upgrade ,x-user,": {"Upgrade"}, "close": {"close"}, "X User": nil,
	} {
		var got []string
		between := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header["Connection"]
			r.Header.Set("X-User", "alice")
			proxy.ServeHTTP(w, r)
		})
		w := get(newGate(t, &judge{say: granted}, Options{}).Protect(between), "/", "Connection", sent, "Connection", "X-User")
		if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusOK || seen.Get("X-User") != "alice" {
			t.Errorf("%q: %d, the proxy's upstream sees %q\n%s", sent, w.Code, seen.Get("X-User"), diff)
		}
	}
}

// Cookies of a console beside the service do not reach it; others do.
func TestCookiesAreKeptBack(t *testing.T) {
	t.Parallel()
	g := newGate(t, &judge{say: granted}, Options{Cookies: []string{"session", "__Host-session"}})
	for _, row := range []struct {
		sent []string
		want string
	}{
		{[]string{"session=a"}, ""}, {[]string{"a=1; session=a; b=2"}, "a=1; b=2"}, {[]string{"__Host-session=x", "c=3"}, "c=3"}, {[]string{"sessions=a"}, "sessions=a"},
		{[]string{"a=1;session=a"}, "a=1"}, {[]string{" session =a; a=\"x y\""}, "a=\"x y\""}, {[]string{"session"}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = row.sent
		got := "?"
		g.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = strings.Join(r.Header["Cookie"], "|") })).ServeHTTP(httptest.NewRecorder(), r)
		if got != row.want {
			t.Errorf("%q: %q, want %q", row.sent, got, row.want)
		}
	}
}
