// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// lies are fields in which services, gateways and Gatehouse look for who asks or what is asked.
var lies = []string{
	"X-Auth-Key-Id", "X-Auth-Subject", "X-Auth-Role", "X-Auth-Tenant", "X-Auth-Scopes", "X-Auth-Scheme", "X-Auth-Body",
	"X-Auth-User", "X-Auth-Email", "X-Auth-Request-User", "X-Auth-Status", "X-Auth-Error",
	"X-Authenticated-Userid", "X-Remote-User", "Remote-User", "X-Consumer-Username", "X-Credential-Identifier",
	"X-Amzn-Oidc-Data", "X-Webauth-User", "Ssl-Client-Verify",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Client-Cert", "X-Forwarded-Access-Token",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Real-Ip",
	"X-Original-Uri", "X-Original-Url", "X-Original-Method", "X-Original-Host", "X-Original-Proto", "X-Original-Addr", "X-Original-Body",
	"X-Rewrite-Url", "X-Envoy-Original-Path", "X-Gatehouse-Gateway",
	"X-Http-Method", "X-Http-Method-Override", "X-Method", "X-Method-Override", "X-Body-B64", "Proxy",
}

// Nothing that a client says of itself reaches the service, in no spelling.
func suiteSpoofs(t *testing.T, _ *gateway, s *site) {
	spellings := map[string]func(string) string{
		"as it is":    func(n string) string { return n },
		"upper":       strings.ToUpper,
		"lower":       strings.ToLower,
		"underscores": func(n string) string { return strings.ReplaceAll(n, "-", "_") },
		"one":         func(n string) string { return strings.Replace(n, "-", "_", 1) },
		"dots":        func(n string) string { return strings.ReplaceAll(n, "-", ".") },
	}
	for name, spell := range spellings {
		for _, batch := range [][]string{lies[:12], lies[12:24], lies[24:34], lies[34:]} {
			var header []string
			for _, lie := range batch {
				header = append(header, spell(lie), "victim")
			}
			r := s.send(t, ask{way: "bearer", header: header})
			if r.status == http.StatusBadRequest && len(r.seen) == 0 {
				continue // refused: as safe
			}
			got := s.granted(t, r, "bearer", "unavailable")
			for field, values := range got.Header {
				if strings.Contains(strings.Join(values, ","), "victim") {
					t.Errorf("%s: the service was sent %s %q", name, field, values)
				}
			}
		}
	}
}

// What a client says of its request is not believed.
func suiteLies(t *testing.T, g *gateway, s *site) {
	for name, row := range map[string]struct {
		ask    ask
		status int
		code   string
	}{
		"another target": {ask{header: []string{
			"X-Forwarded-Uri", "/public/x", "X-Original-Uri", "/public/x", "X-Original-Url", "http://" + publicHost + "/public/x", "X-Rewrite-Url", "/public/x",
		}}, 401, "no_credential"},
		"another method": {ask{method: "POST", target: "/public/x", header: []string{
			"X-Forwarded-Method", "GET", "X-Original-Method", "GET", "X-Http-Method-Override", "GET",
		}}, 401, "no_credential"},
		"another address": {ask{way: "elsewhere", header: []string{
			"X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1", "X-Original-Addr", "192.0.2.1", "Forwarded", "for=192.0.2.1", "X-Envoy-External-Address", "192.0.2.1",
		}}, 403, "network_not_allowed"},
		"two keys":    {ask{way: "x-api-key", header: []string{"X-Api-Key", "another"}}, 401, ""},
		"a status":    {ask{header: []string{"X-Auth-Status", "200", "X-Auth-Error", ""}}, 401, "no_credential"},
		"another key": {ask{header: []string{"X_Api_Key", s.house.keys["bearer"].Token}}, 401, "no_credential"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.send(t, row.ask)
			if row.code == "" {
				row.code = r.problem().Code
			}
			denied(t, r, row.status, row.code)
		})
	}
	// The proof is over no body. A client that says there is none does not make it so.
	r := s.request(t, ask{way: "shield", method: "POST", header: []string{"X-Original-Body", "none", "X-Envoy-Auth-Partial-Body", "false"}})
	r.Body, r.ContentLength = http.NoBody, 0
	forged := r.Clone(t.Context())
	forged.Body, forged.ContentLength = io.NopCloser(strings.NewReader("another")), int64(len("another"))
	if got := s.do(t, s.client, forged); got.status == http.StatusOK || len(got.seen) != 0 {
		t.Errorf("a proof over no body passes with one: %d", got.status)
	}
}

// A client cannot have the gateway drop what it says to the service.
func suiteConnection(t *testing.T, _ *gateway, s *site) {
	for _, option := range []string{"Authorization", "X-Auth-Subject, X-Auth-Role", "close, X-Auth-Key-Id", "X-Forwarded-For"} {
		r := s.request(t, ask{way: "x-api-key"})
		r.Host = publicHost
		got := s.raw(t, "GET "+usualTarget+" HTTP/1.1", r, []string{"Host: " + publicHost, "Connection: " + option}, "")
		if got.status == http.StatusBadRequest || got.status == http.StatusUnauthorized {
			continue
		}
		sent := s.granted(t, got, "x-api-key", "unavailable")
		if strings.Contains(strings.ToLower(strings.Join(sent.Header["Connection"], ",")), "x-") {
			t.Errorf("the service was sent Connection %q", sent.Header["Connection"])
		}
	}
	for name, upgrades := range map[string][]string{
		"in a list": {"Upgrade: h2c, websocket"}, "one after the other": {"Upgrade: h2c", "Upgrade: websocket"}, "the other first": {"Upgrade: websocket", "Upgrade: h2c"},
	} {
		r := s.request(t, ask{way: "x-api-key"})
		more := append(upgrades, "Host: "+publicHost, "Connection: upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
		got := s.raw(t, "GET "+usualTarget+" HTTP/1.1", r, more, "")
		if got.status == http.StatusNotFound && len(got.seen) == 0 {
			continue // no route is for it: as safe
		}
		if sent := s.granted(t, got, "x-api-key", "unavailable"); strings.Contains(strings.Join(sent.Header["Upgrade"], ","), "h2c") {
			t.Errorf("two upgrades, %s: the service was sent Upgrade %q", name, sent.Header["Upgrade"])
		}
	}
}

// A trailer that is announced does not say who asks.
func suiteTrailers(t *testing.T, g *gateway, s *site) {
	more := []string{"Host: " + publicHost, "Trailer: X-Auth-Role", "Te: trailers", "Transfer-Encoding: chunked"}
	r := s.raw(t, "POST "+usualTarget+" HTTP/1.1", s.request(t, ask{way: "x-api-key"}), more, "1\r\nx\r\n0\r\nX-Auth-Role: victim\r\n\r\n")
	if r.status == http.StatusBadRequest && len(r.seen) == 0 {
		return // refused: as safe
	}
	// Where a gateway hands trailers on, as deploy/README.md says, the fields still say who asks.
	if sent := s.granted(t, r, "x-api-key", "unavailable"); sent.Trailer.Get("X-Auth-Role") != "" && !g.trailers {
		t.Errorf("the service was sent the trailers %q", sent.Trailer)
	}
}

// A request that can be read in two ways goes nowhere, and others are judged as they are sent on.
func suiteLines(t *testing.T, g *gateway, s *site) {
	for line, hosts := range map[string][]string{
		"GET /orders%2F7 HTTP/1.1":                       {publicHost},
		"GET /public/../admin/users HTTP/1.1":            {publicHost},
		"GET /public/%2e%2e/admin/users HTTP/1.1":        {publicHost},
		"GET //admin/users HTTP/1.1":                     {publicHost},
		"GET /public/..%5cadmin HTTP/1.1":                {publicHost},
		"GET /public/x HTTP/1.1":                         {publicHost, "other.example.com"},
		"GET http://other.example.com/orders/7 HTTP/1.1": {publicHost},
		"GET /orders/7#/public/x HTTP/1.1":               {publicHost},
		"GET /orders/7 HTTP/1.1 ":                        {publicHost},
		"CONNECT /orders/7 HTTP/1.1":                     {publicHost},
		"TRACE /orders/7 HTTP/1.1":                       {publicHost},
	} {
		t.Run(line, func(t *testing.T) {
			r := s.request(t, ask{way: "bearer"})
			var more []string
			for _, host := range hosts {
				more = append(more, "Host: "+host)
			}
			got := s.raw(t, line, r, append(more, "Connection: close"), "")
			if got.status == http.StatusOK && !g.lines && len(got.seen) == 1 && !strings.Contains(got.seen[0].Target, "admin") {
				return
			}
			if got.status < 400 || len(got.seen) != 0 {
				t.Errorf("got %d, the service was sent %+v", got.status, got.seen)
			}
		})
	}
	got := s.raw(t, "GET http://"+publicHost+usualTarget+" HTTP/1.1", s.request(t, ask{way: "bearer"}), []string{"Host: " + publicHost, "Connection: close"}, "")
	if sent := s.granted(t, got, "bearer", "unavailable"); sent.Target != usualTarget || sent.Host != publicHost {
		t.Errorf("the absolute form: the service was sent %s %s", sent.Host, sent.Target)
	}
}
