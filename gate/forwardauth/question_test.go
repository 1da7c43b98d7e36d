// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

var sameQuestion = []cmp.Option{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()}

// Every dialect makes the same question of a request.
func TestSameQuestion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]client{
		"plain":    plain(),
		"body":     func() client { c := plain(); c.method, c.body = "POST", "{}"; return c }(),
		"twice":    plain().with("X-Api-Key", "other", "Authorization", "Bearer x"),
		"v6":       func() client { c := plain(); c.addr, c.host = "2001:db8::1", "[2001:db8::2]:8443"; return c }(),
		"method":   func() client { c := plain(); c.method = "M-SEARCH"; return c }(),
		"hop":      plain().with("Connection", "close", "Upgrade", "websocket", "Te", "trailers", "X_original_method", "PUT"),
		"asterisk": func() client { c := plain(); c.method, c.target = "OPTIONS", "*"; return c }(),
	} {
		want := gatehouse.Request{
			Method: c.method, Scheme: c.scheme, Authority: c.host, Target: c.target, Peer: netip.MustParseAddr(c.addr), Header: gatehouse.Header(c.header.Clone()), Cost: 1,
			Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte(c.body)},
		}
		for _, field := range []string{"Connection", "Upgrade", "Te"} {
			delete(want.Header, field)
		}
		for dialect, describe := range dialects {
			want := want
			if keeps(dialect) {
				want.Body = gatehouse.Body{}
				if name == "asterisk" && dialect == "ingress-nginx" { // is no part of a URL
					continue
				}
			}
			j := &judge{say: granted, body: true}
			door, log := doorOf(t, j, nil, forwardauth.Options{})
			if answer, code := ask(door, describe(c)); answer.StatusCode != http.StatusOK || j.asked != 1 {
				t.Errorf("%s %s: %d %s, asked %d times; %s", name, dialect, answer.StatusCode, code, j.asked, log)
				continue
			}
			if diff := cmp.Diff(want, j.last, sameQuestion...); diff != "" {
				t.Errorf("%s %s: %s", name, dialect, diff)
			}
		}
	}
}

// A fact that is none is refused; the log names its field, and the client does not learn it.
func TestMalformedFacts(t *testing.T) {
	t.Parallel()
	for field, values := range map[string][]string{
		"X-Original-Method":         {"", "GET POST", "GET,POST", "GET\t", "GÉT"},
		"X-Forwarded-Method":        {"", "GET, POST"},
		"X-Original-Proto":          {"", "HTTPS", "https,http", "ws", "https "},
		"X-Forwarded-Proto":         {"", "wss", "https, https"},
		"X-Original-Host":           {"", "a b", "a@b", "a/b", "a#b", "a?b", "a,b", "a\\b", "a\tb", "ä"},
		"X-Forwarded-Host":          {"", "evil.test, api.example.com"},
		"X-Original-Uri":            {"", "orders", "*", "?x", "http:/a", "ftp://api.example.com/", "/a b", "/a?x y", "/a?x\x7f", "/a, /b", "http://evil.test/orders", "http://u@api.example.com/orders"},
		"X-Forwarded-Uri":           {"", "orders", "https://evil.test/orders"},
		"X-Original-Url":            {"", "/orders", "https://", "https://api.example.com", "https:///orders", "//api.example.com/", "wss://api.example.com/", "https://a@api.example.com/", "https://api.example.com?x", "https://a#/b"},
		"X-Original-Addr":           {"", "unknown", "unix:", "203.0.113.7, 203.0.113.8", "fe80::1%eth0", "203.0.113.7 "},
		"X-Real-Ip":                 {"", "203.0.113"},
		"X-Forwarded-For":           {"", ",", "203.0.113.7,", "unknown", "203.0.113.7, junk"},
		"X-Original-Body":           {"", "empty", "None", "none, sent"},
		"X-Envoy-Auth-Partial-Body": {"no", "false, true"},
	} {
		for dialect, describe := range dialects {
			if describe(plain()).Header[field] == nil {
				continue
			}
			for _, value := range values {
				j := &judge{say: granted}
				door, log := doorOf(t, j, nil, forwardauth.Options{})
				r := describe(plain())
				r.Header[field] = []string{value}
				if _, code := ask(door, r); code != "adapter_headers" || j.asked != 0 || !strings.Contains(log.String(), "header="+field+" ") {
					t.Errorf("%s %s %q: code %q, asked %d times; %s", dialect, field, value, code, j.asked, log)
				}
			}
		}
	}
}

// The request line of Envoy's checks is a fact too.
func TestEnvoyRequestLine(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"/v1/authz/envoy/a%20b/?x": "/a%20b/?x", "/v1/authz/envoy/": "/", "/v1/authz/envoy/v1/authz/nginx": "/v1/authz/nginx",
		"/v1/authz/envoy": "not_found", "/v1/authz/envoy?x": "not_found", "/v1/authz/envoyx": "not_found", "/v1/authz/envoy%2Fx": "not_found",
		"/v1/authz/envoy*": "adapter_headers", "/v1/authz/envoy/../nginx": "ambiguous_path", "/v1/authz/envoy//a": "ambiguous_path", "/v1/authz/envoy/a%2fb": "ambiguous_path",
	} {
		j := &judge{say: granted}
		door, _ := doorOf(t, j, nil, forwardauth.Options{})
		r := envoy(plain())
		r.RequestURI = uri
		if _, code := ask(door, r); code != want && j.last.Target != want {
			t.Errorf("%s: code %q, target %q, want %q", uri, code, j.last.Target, want)
		}
	}
}

// A dialect has one path.
func TestPaths(t *testing.T) {
	t.Parallel()
	for dialect, describe := range dialects {
		for _, uri := range []string{
			"/", "/v1/authz", "/v1/authz/", "/v1/authz/x", "/v1/authz/" + dialect + "/", "/v1/authz/" + dialect + "//", "/v1/authz//" + dialect, "/V1/authz/" + dialect, "/v1/authz/./" + dialect,
			"/v1/authz/%6E" + dialect[1:], "/v1/authz/" + strings.ToUpper(dialect), "http://gatehouse.test/v1/authz/" + dialect, "/v1/authz/" + dialect + "#", "/v1/authz/" + dialect + "x", "/v2/authz/" + dialect,
		} {
			j := &judge{say: granted}
			door, _ := doorOf(t, j, nil, forwardauth.Options{})
			r := describe(plain())
			r.RequestURI = uri
			answer, code := ask(door, r)
			if below := dialect == "envoy" && strings.HasPrefix(uri, "/v1/authz/envoy/"); below {
				continue
			}
			if answer.StatusCode != http.StatusNotFound || code != "not_found" || j.asked != 0 {
				t.Errorf("%s: %d %s", uri, answer.StatusCode, code)
			}
		}
	}
}

// The address in a list is that of the last hop that is no trusted proxy.
func TestHops(t *testing.T) {
	t.Parallel()
	proxies := gate.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))
	for list, want := range map[string]string{
		"203.0.113.7":                                  "203.0.113.7",
		"203.0.113.7:443":                              "203.0.113.7",
		"::ffff:203.0.113.7":                           "203.0.113.7",
		"[2001:db8::1]:443":                            "2001:db8::1",
		"198.51.100.1, 203.0.113.7":                    "203.0.113.7",
		"198.51.100.1,203.0.113.7 ,10.1.1.1, 10.2.2.2": "203.0.113.7",
		"10.3.3.3, 10.2.2.2":                           "10.3.3.3",
		"junk, 203.0.113.7, 10.2.2.2":                  "203.0.113.7",
		"junk, 10.2.2.2":                               "adapter_headers",
		", 10.2.2.2":                                   "adapter_headers",
	} {
		for _, dialect := range []string{"caddy", "traefik", "envoy"} {
			c := plain()
			c.addr = list
			j := &judge{say: granted}
			door, _ := doorOf(t, j, nil, forwardauth.Options{Proxies: proxies})
			if _, code := ask(door, dialects[dialect](c)); code != want && j.last.Peer.String() != want {
				t.Errorf("%s %q: code %q, peer %v, want %s", dialect, list, code, j.last.Peer, want)
			}
		}
	}
}

// A check of a stranger is refused before anything is looked at.
func TestGateways(t *testing.T) {
	t.Parallel()
	private := forwardauth.Options{Peers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	token := forwardauth.Options{Token: gatehouse.NewSecret("a token of the gateway, as long as they should be")}
	for _, row := range []struct {
		name, conn string
		o          forwardauth.Options
		token      []string
		known      bool
	}{
		{"loopback", "127.0.0.1:1", forwardauth.Options{}, nil, true},
		{"loopback 6", "[::1]:1", forwardauth.Options{}, nil, true},
		{"mapped", "[::ffff:127.0.0.2]:1", forwardauth.Options{}, nil, true},
		{"other", "10.0.0.1:1", forwardauth.Options{}, nil, false},
		{"listed", "10.0.0.1:1", private, nil, true},
		{"loopback is not listed", "127.0.0.1:1", private, nil, false},
		{"nobody", "127.0.0.1:1", forwardauth.Options{Peers: []netip.Prefix{}}, nil, false},
		{"no address", "@", forwardauth.Options{}, nil, false},
		{"token", "127.0.0.1:1", token, []string{"a token of the gateway, as long as they should be"}, true},
		{"no token", "127.0.0.1:1", token, nil, false},
		{"empty token", "127.0.0.1:1", token, []string{""}, false},
		{"wrong token", "127.0.0.1:1", token, []string{"a token of the gateway, as long as they should bE"}, false},
		{"token twice", "127.0.0.1:1", token, []string{token.Token.Reveal(), token.Token.Reveal()}, false},
		{"token of a stranger", "10.0.0.1:1", token, []string{token.Token.Reveal()}, false},
		{"a token that nobody asks for", "127.0.0.1:1", forwardauth.Options{}, []string{"x", "y"}, true},
	} {
		for dialect, describe := range dialects {
			j := &judge{say: granted}
			door, log := doorOf(t, j, nil, row.o)
			r := describe(plain())
			r.RemoteAddr, r.Header[forwardauth.HeaderGateway] = row.conn, row.token
			answer, code := ask(door, r)
			if known := answer.StatusCode == http.StatusOK; known != row.known || !known && (answer.StatusCode != http.StatusForbidden || code != "gateway_unknown" || j.asked != 0) {
				t.Errorf("%s %s: %d %s", dialect, row.name, answer.StatusCode, code)
			}
			if j.last.Header[forwardauth.HeaderGateway] != nil || strings.Contains(log.String(), "a token") {
				t.Errorf("%s %s: the token goes on: %v %s", dialect, row.name, j.last.Header, log)
			}
			r = describe(plain())
			r.RemoteAddr, r.Header[forwardauth.HeaderGateway], r.RequestURI = row.conn, row.token, "/"
			if answer, _ := ask(door, r); answer.StatusCode == http.StatusNotFound != row.known {
				t.Errorf("%s: %d for a path that is none", row.name, answer.StatusCode)
			}
		}
	}
}
