// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// facts are where a dialect's method, scheme, host and target stand, read a second time.
var facts = map[string]func(r *http.Request) (method, scheme, host, target []string){
	"nginx": originalFacts, "haproxy": originalFacts, "caddy": forwardedFacts, "traefik": forwardedFacts, "traefik/body": forwardedFacts,
	"ingress-nginx": func(r *http.Request) (_, _, _, _ []string) {
		u := r.Header["X-Original-Url"]
		if len(u) != 1 {
			return nil, nil, nil, nil
		}
		scheme, rest, _ := strings.Cut(u[0], "://")
		host, target, _ := strings.Cut(rest, "/")
		return r.Header["X-Original-Method"], []string{scheme}, []string{host}, []string{"/" + target}
	},
	"envoy": func(r *http.Request) (_, _, _, _ []string) {
		return []string{r.Method}, r.Header["X-Forwarded-Proto"], []string{r.Host}, []string{strings.TrimPrefix(r.RequestURI, "/v1/authz/envoy")}
	},
}

func originalFacts(r *http.Request) (_, _, _, _ []string) {
	h := r.Header
	return h["X-Original-Method"], h["X-Original-Proto"], h["X-Original-Host"], h["X-Original-Uri"]
}

func forwardedFacts(r *http.Request) (_, _, _, _ []string) {
	h := r.Header
	return h["X-Forwarded-Method"], h["X-Forwarded-Proto"], h["X-Forwarded-Host"], h["X-Forwarded-Uri"]
}

// FuzzDialects sends checks of any form. None is granted but by the verifier, and it is asked
// what the facts say: each once, and a path that can be read in one way.
func FuzzDialects(f *testing.F) {
	for _, describe := range dialects {
		r := describe(plain())
		var lines []string
		for name, values := range r.Header {
			lines = append(lines, name+": "+values[0])
		}
		slices.Sort(lines)
		f.Add(r.Method, r.RequestURI, r.Host, strings.Join(lines, "\n"))
		f.Add(r.Method, r.RequestURI, r.Host, strings.Join(append(lines, lines...), "\n"))
	}
	f.Fuzz(func(t *testing.T, method, uri, host, fields string) {
		r := &http.Request{Method: method, RequestURI: uri, Host: host, URL: &url.URL{}, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:1"}
		for line := range strings.SplitSeq(fields, "\n") {
			name, value, _ := strings.Cut(line, ":")
			r.Header.Add(name, strings.TrimSpace(value))
		}
		sent := r.Clone(t.Context())
		for _, say := range []gatehouse.Decision{granted, {Reason: gatehouse.ReasonInvalidCredential}} {
			j := &judge{say: say}
			door, _ := doorOf(t, j, nil, forwardauth.Options{})
			answer, code := ask(door, sent.Clone(t.Context()))
			passes := answer.StatusCode == http.StatusOK
			if passes != (j.asked == 1 && say.Granted) || passes != (code == "") || j.asked > 1 {
				t.Fatalf("%d %s, asked %d times", answer.StatusCode, code, j.asked)
			}
			if j.asked == 1 {
				checkQuestion(t, sent, &j.last)
			}
		}
	})
}

func checkQuestion(t *testing.T, r *http.Request, q *gatehouse.Request) {
	t.Helper()
	dialect, _, _ := strings.Cut(strings.TrimPrefix(r.RequestURI, forwardauth.Root), "?")
	if strings.HasPrefix(dialect, "envoy") {
		dialect = "envoy"
	}
	read := facts[dialect]
	if read == nil {
		t.Fatalf("asked at %q", r.RequestURI)
	}
	method, scheme, host, target := read(r)
	for i, want := range [][]string{method, scheme, host} {
		if got := []string{q.Method, q.Scheme, q.Authority}[i]; len(want) != 1 || want[0] != got || got == "" {
			t.Fatalf("asked about %q, the facts say %q", got, want)
		}
	}
	if len(target) != 1 || target[0] != q.Target && !strings.HasSuffix(target[0], strings.TrimPrefix(q.Target, "/")) {
		t.Fatalf("asked about %q, the facts say %q", q.Target, target)
	}
	if _, ok := gate.CanonicalPath(q.Target); !ok && q.Target != "*" || !q.Peer.IsValid() || strings.ContainsAny(q.Target, " \t\r\n\x00") || strings.ContainsAny(q.Authority, " @/#?,") {
		t.Fatalf("asked about %+v", q)
	}
}
