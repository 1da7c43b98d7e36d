// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// lies are what a client may write in the hope that somebody believes it.
var lies = map[string]string{
	"X-Forwarded-Method": "OPTIONS", "X-Forwarded-Uri": "/public", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1",
	"X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/public", "X-Forwarded-Server": "evil.test", "X-Original-Method": "OPTIONS", "X-Original-Uri": "/public", "X-Original-Url": "http://evil.test/public",
	"X-Original-Host": "evil.test", "X-Original-Proto": "http", "X-Original-Addr": "127.0.0.1", "X-Original-Body": "sent", "X-Rewrite-Url": "/public", "X-Real-Ip": "127.0.0.1",
	"X-Client-Ip": "127.0.0.1", "True-Client-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1;host=evil.test;proto=http", "X-Envoy-Auth-Partial-Body": "true", "X-Envoy-Original-Path": "/public",
	"X-Envoy-External-Address": "127.0.0.1", "X-Http-Method-Override": "OPTIONS", "X-Auth-Subject": "root", "X-Auth-Status": "200", "X-Gatehouse-Gateway": "x",
	"X_forwarded_uri": "/public", "X_original_uri": "/public", "X_original_method": "OPTIONS", "X_auth_subject": "root", "X_gatehouse_gateway": "x",
	"User-Agent": "kube-probe/1.30", "Connection": "X-Original-Method, X-Forwarded-Method, X-Api-Key",
}

// No field of the client's own changes what is asked. The gateway writes those of its
// dialect; all others reach the check as they came.
func TestSpoofedFields(t *testing.T) {
	t.Parallel()
	for dialect, describe := range dialects {
		question := func(c client) gatehouse.Request {
			j := &judge{say: granted}
			door, log := doorOf(t, j, nil, forwardauth.Options{})
			if answer, code := ask(door, describe(c)); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s %s", dialect, answer.StatusCode, code, log)
			}
			j.last.Header = nil
			return j.last
		}
		want := question(plain())
		all := plain()
		for name, value := range lies {
			if diff := cmp.Diff(want, question(plain().with(name, value)), sameQuestion...); diff != "" {
				t.Errorf("%s %s: %s", dialect, name, diff)
			}
			all = all.with(name, value)
		}
		if diff := cmp.Diff(want, question(all), sameQuestion...); diff != "" {
			t.Errorf("%s, all: %s", dialect, diff)
		}
	}
}

// A gateway that adds its field to the client's, or joins them, is refused.
func TestSpoofedBesideFacts(t *testing.T) {
	t.Parallel()
	for dialect, describe := range dialects {
		facts := describe(client{method: "GET", scheme: "https", host: "h", target: "/", addr: "203.0.113.7", header: http.Header{}}).Header
		for name, values := range facts {
			for _, both := range [][]string{{lies[name], values[0]}, {values[0], lies[name]}, {values[0], values[0]}, {lies[name] + ", " + values[0]}, {values[0] + ", " + lies[name]}} {
				if name == "X-Forwarded-For" && len(both) == 1 {
					continue // a list by its nature
				}
				j := &judge{say: granted}
				door, _ := doorOf(t, j, nil, forwardauth.Options{})
				r := describe(plain())
				r.Header[name] = both
				if answer, code := ask(door, r); answer.StatusCode != http.StatusForbidden || code != "adapter_headers" || j.asked != 0 {
					t.Errorf("%s %s %q: %d %s", dialect, name, both, answer.StatusCode, code)
				}
			}
		}
	}
}

// A target in absolute form is that of the origin form, or refused.
func TestAbsoluteForm(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"https://api.example.com/orders?x=1": "/orders?x=1", "HTTP://API.example.com/": "/", "https://api.example.com": "/", "https://api.example.com?x": "/?x",
		"https://evil.test/orders": "adapter_headers", "https://api.example.com.evil.test/": "adapter_headers", "https://api.example.com@evil.test/": "adapter_headers",
		"https://evil.test#@api.example.com/": "adapter_headers", "https://api.example.com/../x": "ambiguous_path", "https://api.example.com/#/x": "ambiguous_path", "/x?https://evil.test/": "/x?https://evil.test/",
	} {
		for _, dialect := range []string{"nginx", "haproxy", "caddy", "traefik"} {
			j := &judge{say: granted}
			door, _ := doorOf(t, j, nil, forwardauth.Options{})
			c := plain()
			c.target = target
			if _, code := ask(door, dialects[dialect](c)); code != want && j.last.Target != want {
				t.Errorf("%s %s: code %q, target %q, want %q", dialect, target, code, j.last.Target, want)
			}
		}
	}
}

// Checks in the words of another gateway, in full, say nothing to this one.
func TestOtherDialects(t *testing.T) {
	t.Parallel()
	family := map[string]string{"nginx": "original", "haproxy": "original", "caddy": "forwarded", "traefik": "forwarded", "traefik/body": "forwarded", "ingress-nginx": "ingress", "envoy": "envoy"}
	for spoken, describe := range dialects {
		for heard, own := range dialects {
			if family[spoken] == family[heard] {
				continue
			}
			r := describe(plain())
			r.RequestURI = own(plain()).RequestURI
			j := &judge{say: granted}
			door, _ := doorOf(t, j, nil, forwardauth.Options{})
			_, code := ask(door, r)
			if heard == "envoy" && family[spoken] == "forwarded" { // shares two of its fields; the host is its own
				if j.last.Authority != r.Host {
					t.Errorf("%s, heard as %s: host %s", spoken, heard, j.last.Authority)
				}
			} else if code != "adapter_headers" || j.asked != 0 {
				t.Errorf("%s, heard as %s: %q", spoken, heard, code)
			}
		}
	}
}
