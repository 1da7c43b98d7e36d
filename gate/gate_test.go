// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/":                "/",
		"/a/b":             "/a/b",
		"/a/b/":            "/a/b",
		"/a/b?x=/../y":     "/a/b",
		"/a%20b":           "/a b",
		"/a b":             "-",
		"/a%20/%2e%2e/b":   "-",
		"/a\tb":            "-",
		"/a%09b":           "-",
		"/a%1fb":           "-",
		"/a%7Fb":           "-",
		"/caf%C3%A9":       "/caf\u00e9",
		"/a%2Db":           "/a-b",
		"":                 "-",
		"a/b":              "-",
		"*":                "-",
		"http://h.test/a":  "-",
		"//a":              "-",
		"/a//b":            "-",
		"/a/../b":          "-",
		"/a/./b":           "-",
		"/a/..":            "-",
		"/a/%2e%2e/b":      "-",
		"/a/%2E./b":        "-",
		"/a%2fb":           "-",
		"/a%2Fb":           "-",
		"/a%5cb":           "-",
		"/a\\b":            "-",
		"/a%00":            "-",
		"/a%252e":          "-",
		"/a;x=1":           "-",
		"/a%3bx=1":         "-",
		"/a#b":             "-",
		"/a%23b":           "-",
		"/a%zz":            "-",
		"/a%2":             "-",
		"/x%c0%ae%c0%ae/y": "-",
		"/%ff":             "-",
		"/a%":              "-",
		"/a%0d%0aX:1":      "-",
		"/a...b/..c":       "/a...b/..c",
	} {
		got, ok := CanonicalPath(target)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("CanonicalPath(%q) = %q, want %q", target, got, want)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	f.Add("/a/b?c")
	f.Add("/%2e%2e/")
	f.Fuzz(func(t *testing.T, target string) {
		p, ok := CanonicalPath(target)
		if !ok {
			return
		}
		if p == "" || p[0] != '/' || strings.Contains(p, "//") || strings.Contains(p, "/../") || strings.HasSuffix(p, "/..") {
			t.Errorf("CanonicalPath(%q) = %q", target, p)
		}
		if strings.ContainsAny(p, "%") {
			t.Errorf("CanonicalPath(%q) = %q: still escaped", target, p)
		}
	})
}

func TestUnderPrefix(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		path, prefix string
		want         bool
	}{
		{"/a/b", "/a", true}, {"/a", "/a", true}, {"/a", "/a/", true}, {"/ab", "/a", false}, {"/", "/a", false}, {"/a", "/", true}, {"/a", "", true},
	} {
		if got := UnderPrefix(row.path, row.prefix); got != row.want {
			t.Errorf("UnderPrefix(%q, %q) = %v", row.path, row.prefix, got)
		}
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	trust := TrustProxies(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	for _, row := range []struct {
		name, conn string
		xff        []string
		want       string
	}{
		{"no proxy, header ignored", "203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"},
		{"mapped connection", "[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		{"one hop", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"client wrote the left part", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"two header lines", "10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1, 10.2.2.2"}, "198.51.100.1"},
		{"all trusted", "10.0.0.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"none sent", "10.0.0.1:1", nil, "10.0.0.1"},
		{"with port", "10.0.0.1:1", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"v6 with port", "[::1]:1", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"mapped hop", "10.0.0.1:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "invalid IP"},
		{"junk", "10.0.0.1:1", []string{"unknown"}, "invalid IP"},
		{"empty hop", "10.0.0.1:1", []string{"198.51.100.1,"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: row.conn, Header: http.Header{"X-Forwarded-For": row.xff}}
		if got := trust.Peer(r).String(); got != row.want {
			t.Errorf("%s: Peer = %s, want %s", row.name, got, row.want)
		}
	}
}

func TestSecure(t *testing.T) {
	t.Parallel()
	trust := TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))
	for _, row := range []struct {
		conn  string
		proto []string
		want  bool
	}{
		{"10.0.0.1:1", []string{"https"}, true}, {"10.0.0.1:1", []string{"http"}, false}, {"10.0.0.1:1", []string{"https", "http"}, false},
		{"203.0.113.9:1", []string{"https"}, false}, {"10.0.0.1:1", nil, false},
	} {
		r := &http.Request{RemoteAddr: row.conn, Header: http.Header{"X-Forwarded-Proto": row.proto}}
		if got := trust.Secure(r); got != row.want {
			t.Errorf("Secure(%s, %v) = %v", row.conn, row.proto, got)
		}
	}
}
