// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// gateway is a gateway that hands on every refusal, and what the suites must know of it.
type gateway struct {
	house   func(t *testing.T) *house
	asks    func(n *node) string // the address that it asks there
	start   func(t *testing.T, s *service, asks []string, replace ...string) (addr string)
	environ func(t *testing.T) []string // of a node that the gateway can ask for all its life; nil: any
	bodies  bool                        // the question has the client's body
	// trailers: it hands on what a client says in trailers, and no configuration can change it.
	trailers bool
	lines    bool // a target is handed on as it was sent; else it comes in one spelling
}

// open starts the gateway in front of the shared house.
func (g *gateway) open(t *testing.T, replace ...string) *site {
	t.Helper()
	h, s := g.house(t), startService(t)
	return newSite(t, h, s, g.start(t, s, []string{g.asks(h.node)}, replace...))
}

// asking starts the gateway in front of other addresses than the house's.
func (g *gateway) asking(t *testing.T, asks ...string) *site {
	t.Helper()
	s := startService(t)
	return newSite(t, g.house(t), s, g.start(t, s, asks))
}

// proof is what X-Auth-Body says of a request with a body.
func (g *gateway) proof(s *site, way string) string {
	switch scheme := s.house.keys[way].Schemes[0]; {
	case scheme != "shield" && scheme != "httpsig":
		return "unavailable"
	case g.bodies:
		return "verified"
	}
	return "deferred"
}

// run runs every suite.
func (g *gateway) run(t *testing.T) {
	s := g.open(t)
	for name, suite := range map[string]func(*testing.T, *gateway, *site){
		"schemes": suiteSchemes, "bodies": suiteBodies, "refusals": suiteRefusals, "replays": suiteReplays, "spoofs": suiteSpoofs,
		"lies": suiteLies, "connection": suiteConnection, "trailers": suiteTrailers, "lines": suiteLines, "service": suiteService, "open route": suiteOpenRoute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t, g, s)
		})
	}
}

// Every scheme passes, and the service knows who asks.
func suiteSchemes(t *testing.T, g *gateway, s *site) {
	for _, way := range ways {
		if r := s.send(t, ask{way: way}); way == "shield" && !g.bodies {
			denied(t, r, 403, "body_unavailable")
		} else {
			proof := g.proof(s, way)
			if way != "shield" && proof == "deferred" {
				proof = r.seen[0].Header.Get("X-Auth-Body") // nothing is signed of no body
			}
			if got := s.granted(t, r, way, proof); got.Method != "GET" || got.Target != usualTarget || got.Host != publicHost || len(got.Body) != 0 {
				t.Errorf("%s: the service was sent %+v", way, got)
			}
		}
	}
}

// The service gets the bytes of the client, and a proof covers them as far as it is told.
func suiteBodies(t *testing.T, g *gateway, s *site) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for name, body := range map[string][]byte{"empty": {}, "small": []byte(`{"amount":1}`), "binary": binary, "30 KiB": bytes.Repeat(binary, 120)} {
		for _, chunked := range []bool{false, true} {
			for _, way := range []string{"bearer", "shield", "httpsig", "ed25519"} {
				t.Run(fmt.Sprint(name, chunked, way), func(t *testing.T) {
					t.Parallel()
					r := s.send(t, ask{way: way, body: body, chunked: chunked})
					if way == "shield" && !g.bodies {
						denied(t, r, 403, "body_unavailable")
						return
					}
					proof := g.proof(s, way)
					got := s.granted(t, r, way, proof)
					if got.Method != "POST" || !bytes.Equal(got.Body, body) {
						t.Errorf("the service was sent %s with %d bytes, want %d", got.Method, len(got.Body), len(body))
					}
					if _, told := claims(t, got.Header.Get("Authorization"))["cdig"]; told != (way != "bearer" && way != "shield") {
						t.Errorf("%s: the claim cdig is there: %v", way, told)
					}
				})
			}
		}
	}
	if g.bodies {
		for _, way := range []string{"shield", "httpsig", "ed25519"} {
			r := s.request(t, ask{way: way, body: []byte(`{"amount":1}`)})
			r.Body = io.NopCloser(strings.NewReader(`{"amount":2}`))
			denied(t, s.do(t, s.client, r), 401, "invalid_credential")
		}
	}
}

// A client reads the status, the code and the fields that Gatehouse says.
func suiteRefusals(t *testing.T, g *gateway, s *site) {
	for name, row := range map[string]struct {
		ask    ask
		status int
		code   string
	}{
		"nothing":            {ask{}, 401, "no_credential"},
		"a wrong secret":     {ask{header: []string{"Authorization", "Bearer gh_000000000000_00000000000000000000000000000000"}}, 401, "invalid_credential"},
		"two kinds at once":  {ask{way: "barong", header: []string{"X-Api-Key", s.house.keys["x-api-key"].Token}}, 401, "ambiguous_credential"},
		"from elsewhere":     {ask{way: "elsewhere"}, 403, "network_not_allowed"},
		"a scope is missing": {ask{way: "bearer", target: "/admin/users"}, 403, "insufficient_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.send(t, row.ask)
			denied(t, r, row.status, row.code)
			if invites := r.header.Get("Accept-Signature") != ""; invites != (row.status == http.StatusUnauthorized) {
				t.Errorf("%d with Accept-Signature %q", row.status, r.header["Accept-Signature"])
			}
			if want := `Bearer realm="gatehouse", error="insufficient_scope", scope="admin"`; row.code == "insufficient_scope" && r.header.Get("Www-Authenticate") != want {
				t.Errorf("WWW-Authenticate %q, want %s", r.header["Www-Authenticate"], want)
			}
		})
	}
	s.send(t, ask{way: "limited"})
	r := s.send(t, ask{way: "limited"})
	denied(t, r, 429, "rate_limited")
	if len(r.header["Ratelimit"]) != 1 || len(r.header["Ratelimit-Policy"]) != 1 {
		t.Errorf("429 with RateLimit %q and its policy %q", r.header["Ratelimit"], r.header["Ratelimit-Policy"])
	}
}

// A credential that was used once is used up, where the scheme says so.
func suiteReplays(t *testing.T, _ *gateway, s *site) {
	for _, way := range []string{"barong", "httpsig", "ed25519"} {
		body := []byte(`{"amount":1}`)
		r := s.request(t, ask{way: way, body: body})
		again := r.Clone(t.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		if got := s.do(t, s.client, r); got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", way, got.status, got.body)
		}
		denied(t, s.do(t, s.client, again), 401, "replayed")
	}
}

// What the service answers is the service's, whatever its status.
func suiteService(t *testing.T, _ *gateway, s *site) {
	for _, status := range []string{"204", "302", "401", "403", "404", "413", "429", "500", "503"} {
		r := s.send(t, ask{way: "bearer", header: []string{"X-Answer", status}})
		if fmt.Sprint(r.status) != status || status != "204" && string(r.body) != "of the service" || len(r.seen) != 1 {
			t.Errorf("%s of the service became %d %s", status, r.status, r.body)
		}
	}
}

// An open route passes without a key and without what the client says of itself.
func suiteOpenRoute(t *testing.T, _ *gateway, s *site) {
	r := s.send(t, ask{target: "/public/x", header: []string{"Authorization", "Bearer forged", "X-Auth-Subject", "victim"}})
	if r.status != http.StatusOK || len(r.seen) != 1 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	for _, name := range append([]string{"Authorization"}, identityFields...) {
		if v := r.seen[0].Header.Get(name); v != "" {
			t.Errorf("the service was sent %s %q", name, v)
		}
	}
}

// fails tries what does not answer as Gatehouse does: nobody passes, and a question is asked once.
// answers are what stands in for Gatehouse, nil where nobody listens; counts says how often each
// was asked.
func (g *gateway) fails(t *testing.T, answers map[string]func(t *testing.T) (addr string, asked func() int32)) {
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, asked := testenv.Nobody, func() int32 { return 0 }
			want := int32(0)
			if answer != nil {
				addr, asked = answer(t)
				want = 1
			}
			s := g.asking(t, addr)
			begun := time.Now()
			denied(t, s.send(t, ask{way: "barong", body: []byte("x")}), 503, "unavailable")
			if took := time.Since(begun); took > soon {
				t.Errorf("it took %v", took)
			}
			if got := asked(); got != want {
				t.Errorf("it was asked %d times, want %d", got, want)
			}
		})
	}
}

// answers is a stand-in for Gatehouse.
func answers(h http.HandlerFunc) func(*testing.T) (string, func() int32) {
	return func(t *testing.T) (string, func() int32) {
		addr, asked := standIn(t, h)
		return addr, asked.Load
	}
}

// slow never answers.
func slow(t *testing.T) (string, func() int32) {
	never := make(chan struct{})
	addr, asked := standIn(t, func(http.ResponseWriter, *http.Request) { <-never })
	t.Cleanup(func() { close(never) })
	return addr, asked.Load
}
