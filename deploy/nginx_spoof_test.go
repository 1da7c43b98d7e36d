// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spoofs are what clients say of a request that is not theirs to say. Each value is one that
// no honest request has.
var spoofs = []string{
	"X-Original-Method", "X-Original-URI", "X-Original-URL", "X-Original-Host", "X-Original-Proto", "X-Original-Addr", "X-Original-Body",
	"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Forwarded-Client-Cert", "X-Real-IP", "X-Rewrite-URL", "X-Envoy-Original-Path", "Forwarded",
	"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method", "X-Method-Override", "Proxy", "X-Body-B64", "X-Gatehouse-Gateway",
	"X-Auth-Key-Id", "X-Auth-Subject", "X-Auth-Role", "X-Auth-Tenant", "X-Auth-Scopes", "X-Auth-Scheme", "X-Auth-Body",
	"X-Auth-User", "X-Auth-Uid", "X-Auth-Email", "X-Auth-Groups", "X-Auth-Status", "X-Auth-Error", "X-Auth-Token", "X-Auth-Request-User",
	"X-Authenticated-User", "X-Authenticated-Userid", "X-Remote-User", "Remote-User", "Remote-Groups", "X-Webauth-User",
	"X-Consumer-Username", "X-Credential-Identifier", "X-Amzn-Oidc-Identity", "SSL-Client-Verify", "SSL-Client-Cert",
}

// The values of spoofs: what would be of use to who forges, where there is such a thing.
var forged = map[string]string{
	"X-Original-Uri": "/public/victim", "X-Original-Url": "http://" + publicHost + "/public/victim", "X-Forwarded-Uri": "/public/victim",
	"X-Rewrite-Url": "/public/victim", "X-Envoy-Original-Path": "/public/victim", "X-Original-Body": "victim", "X-Original-Addr": "10.9.8.7",
	"X-Forwarded-For": "10.9.8.7", "X-Real-Ip": "10.9.8.7", "Forwarded": "for=10.9.8.7",
}

func forgedValue(name string) string {
	if v := forged[http.CanonicalHeaderKey(name)]; v != "" {
		return v
	}
	return "victim"
}

// spellings are those under which other servers take a field for the same.
func spellings(name string) []string {
	return []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.ToLower(name)}
}

// What a client says of itself changes no decision and reaches no service.
func TestNginxSpoofedFields(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		for i := range 4 {
			var fields []string
			for _, name := range spoofs {
				fields = append(fields, spellings(name)[i], forgedValue(name))
			}
			checkSpoof(t, s, fields)
		}
		for _, name := range spoofs { // one that hides behind another
			checkSpoof(t, s, []string{name, forgedValue(name), name, forgedValue(name) + "2"})
			checkSpoof(t, s, []string{"Connection", "close, " + name, name, forgedValue(name)})
		}
	})
}

// checkSpoof sends requests with fields that lie.
func checkSpoof(t *testing.T, s *site, fields []string) {
	t.Helper()
	if r := s.send(t, ask{target: "/admin/users", header: fields}); r.status < 400 || r.status >= 500 || len(r.seen) != 0 {
		t.Fatalf("%q: nobody got %d %s", fields, r.status, r.body)
	}
	if r := s.send(t, ask{way: "bearer", target: "/admin/users", header: fields}); r.status < 400 || r.status >= 500 || len(r.seen) != 0 {
		t.Fatalf("%q: a key without the scope got %d %s", fields, r.status, r.body)
	}
	got := s.granted(t, s.send(t, ask{way: "bearer", header: fields}), "bearer", "unavailable")
	if got.Method != http.MethodGet || got.Target != usualTarget || got.Host != publicHost {
		t.Errorf("%q: the service was sent %s %s of %s", fields, got.Method, got.Target, got.Host)
	}
	for name, values := range got.Header {
		if text := strings.Join(values, " "); strings.Contains(text, "victim") || strings.Contains(text, "10.9.8.7") {
			t.Errorf("the service was sent %s: %s", name, text)
		}
	}
}

// Requests of two readings are refused or read in one way.
func TestNginxTwoReadings(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		bearer := s.request(t, ask{way: "bearer"})
		key := s.house.keys["bearer"].Token
		const host = "Host: " + publicHost
		const origin = "GET " + usualTarget + " HTTP/1.1"
		for name, row := range map[string]struct {
			line  string
			more  []string
			body  string
			grant bool // else an error of the client, or 501
		}{
			"plain":                         {line: origin, more: []string{host}, grant: true},
			"absolute form":                 {line: "GET http://" + publicHost + usualTarget + " HTTP/1.1", more: []string{host}, grant: true},
			"absolute form, two hosts":      {line: "GET http://other.test" + usualTarget + " HTTP/1.1", more: []string{host}},
			"absolute form, the other":      {line: "GET http://" + publicHost + usualTarget + " HTTP/1.1", more: []string{"Host: other.test"}},
			"host twice":                    {line: origin, more: []string{host, "Host: other.test"}},
			"no host":                       {line: "GET " + usualTarget + " HTTP/1.0"},
			"another host":                  {line: origin, more: []string{"Host: other.test"}},
			"a user before the host":        {line: origin, more: []string{"Host: x@" + publicHost}},
			"host in capitals":              {line: origin, more: []string{"Host: " + strings.ToUpper(publicHost)}, grant: true},
			"fragment":                      {line: "GET /orders#/public/ HTTP/1.1", more: []string{host}},
			"dot segments":                  {line: "GET /public/../admin/users HTTP/1.1", more: []string{host}},
			"encoded dots":                  {line: "GET /public/%2e%2e/admin/users HTTP/1.1", more: []string{host}},
			"encoded slash":                 {line: "GET /public%2f..%2fadmin/users HTTP/1.1", more: []string{host}},
			"encoded twice":                 {line: "GET /public/%252e%252e/admin HTTP/1.1", more: []string{host}},
			"two slashes":                   {line: "GET //admin/users HTTP/1.1", more: []string{host}},
			"backslash":                     {line: `GET /public\..\admin/users HTTP/1.1`, more: []string{host}},
			"parameter":                     {line: "GET /public;/../admin/users HTTP/1.1", more: []string{host}},
			"NUL":                           {line: "GET /admin%00/public HTTP/1.1", more: []string{host}},
			"a query like a path":           {line: "GET /admin/users?x=/public/ HTTP/1.1", more: []string{host}},
			"the check's own path":          {line: "GET /_gatehouse HTTP/1.1", more: []string{host}},
			"asterisk":                      {line: "OPTIONS * HTTP/1.1", more: []string{host}},
			"another credential":            {line: origin, more: []string{host, "X-Api-Key: " + key}},
			"the credential twice":          {line: origin, more: []string{host, "Authorization: Bearer " + key}},
			"length and chunks":             {line: "POST " + usualTarget + " HTTP/1.1", more: []string{host, "Content-Length: 4", "Transfer-Encoding: chunked"}, body: "0\r\n\r\n"},
			"two lengths":                   {line: "POST " + usualTarget + " HTTP/1.1", more: []string{host, "Content-Length: 1", "Content-Length: 2"}, body: "xy"},
			"chunks of another kind":        {line: "POST " + usualTarget + " HTTP/1.1", more: []string{host, "Transfer-Encoding: xchunked"}, body: "0\r\n\r\n"},
			"space before the colon":        {line: origin, more: []string{host, "X-Original-URI : /public/"}},
			"a method that is not like one": {line: "get " + usualTarget + " HTTP/1.1", more: []string{host}},
		} {
			r := s.raw(t, row.line, bearer, row.more, row.body)
			switch {
			case row.grant:
				if got := s.granted(t, r, "bearer", "unavailable"); got.Target != usualTarget {
					t.Errorf("%s: the service was sent %s", name, got.Target)
				}
			case r.status < 400 || r.status > 499 && r.status != http.StatusNotImplemented || len(r.seen) != 0:
				t.Errorf("%s: got %d, the service was asked %d times", name, r.status, len(r.seen))
			}
		}
	})
}

// Credentials that are there twice, or in another spelling, are no credential.
func TestNginxTwoCredentials(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		for _, name := range []string{"X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature"} {
			r := s.request(t, ask{way: "barong"})
			r.Header[name] = append(r.Header[name], r.Header[name][0])
			if got := s.do(t, s.client, r); got.status != http.StatusUnauthorized || len(got.seen) != 0 {
				t.Errorf("%s twice: %d %s", name, got.status, got.body)
			}
			r = s.request(t, ask{way: "barong"})
			r.Header[strings.ReplaceAll(name, "-", "_")] = slices.Clone(r.Header[name])
			delete(r.Header, name)
			if got := s.do(t, s.client, r); got.status != http.StatusUnauthorized || len(got.seen) != 0 {
				t.Errorf("%s with underscores: %d %s", name, got.status, got.body)
			}
		}
		for _, name := range []string{"Signature", "Signature-Input"} {
			r := s.request(t, ask{way: "httpsig"})
			r.Header[name] = append(r.Header[name], r.Header[name][0])
			if got := s.do(t, s.client, r); got.status != http.StatusUnauthorized || len(got.seen) != 0 {
				t.Errorf("%s twice: %d %s", name, got.status, got.body)
			}
		}
	})
}

// From outside nobody asks as a gateway does: the paths of checks are paths of the service.
func TestNginxChecksFromOutside(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		facts := []string{"X-Original-Method", "GET", "X-Original-URI", "/public/", "X-Original-Host", publicHost, "X-Original-Proto", "http",
			"X-Original-Addr", "127.0.0.1", "X-Original-Body", "none"}
		for _, dialect := range []string{"nginx", "caddy", "envoy/public/"} {
			denied(t, s.send(t, ask{target: "/v1/authz/" + dialect, header: facts}), 401, "no_credential")
			s.granted(t, s.send(t, ask{way: "bearer", target: "/v1/authz/" + dialect, header: facts}), "bearer", "unavailable")
		}
		if r := s.send(t, ask{way: "bearer", target: "/_gatehouse"}); r.status != http.StatusNotFound || len(r.seen) != 0 {
			t.Errorf("/_gatehouse from outside: %d", r.status)
		}
	})
}
