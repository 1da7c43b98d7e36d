// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// A client reads the status and the code that Gatehouse says, although nginx knows two refusals.
func TestNginxDenials(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		large := make([]byte, 1<<20+1)
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
			"an encoded slash":   {ask{way: "bearer", target: "/orders%2F7"}, 403, "ambiguous_path"},
			"dot segments":       {ask{way: "bearer", target: "/public/../admin/users"}, 403, "ambiguous_path"},
			"a large body":       {ask{way: "bearer", body: large}, 413, "body_too_large"},
			"a large, in chunks": {ask{way: "bearer", body: large, chunked: true}, 413, "body_too_large"},
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
		if r := s.send(t, ask{way: "counted"}); r.status != http.StatusOK || len(r.header["Ratelimit"]) != 1 || len(r.header["Ratelimit-Policy"]) != 1 {
			t.Errorf("%d with RateLimit %q and its policy %q", r.status, r.header["Ratelimit"], r.header["Ratelimit-Policy"])
		}
		s.send(t, ask{way: "limited"})
		r := s.send(t, ask{way: "limited"})
		denied(t, r, 429, "rate_limited")
		if len(r.header["Ratelimit"]) != 1 || len(r.header["Ratelimit-Policy"]) != 1 {
			t.Errorf("429 with RateLimit %q and its policy %q", r.header["Ratelimit"], r.header["Ratelimit-Policy"])
		}
	})
}

// An open route passes without a key and without what the client says of itself.
func TestNginxOpenRoute(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		r := s.send(t, ask{target: "/public/x", header: []string{"Authorization", "Bearer forged", "X-Auth-Subject", "victim"}})
		if r.status != http.StatusOK || len(r.seen) != 1 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		for _, name := range append([]string{"Authorization"}, identityFields...) {
			if v, there := r.seen[0].Header[name]; there {
				t.Errorf("the service was sent %s %q", name, v)
			}
		}
	})
}

// What the service answers is the service's, whatever its status.
func TestNginxServiceAnswers(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
		for _, status := range []string{"401", "403", "404", "413", "429", "500", "503"} {
			r := s.send(t, ask{way: "bearer", header: []string{"X-Answer", status}})
			if fmt.Sprint(r.status) != status || string(r.body) != "of the service" || len(r.seen) != 1 {
				t.Errorf("%s of the service became %d %s", status, r.status, r.body)
			}
		}
	})
}

// standIn answers checks as no Gatehouse does, and counts them.
func standIn(t *testing.T, answer http.HandlerFunc) (addr string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(func() { end(server) })
	return server.Listener.Addr().String(), asked
}

// hangsUp reads a whole question and closes the connection without an answer.
func hangsUp(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// says answers with a status and a header.
func says(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// Where Gatehouse does not answer, or says what it never says, nobody passes: 503.
func TestNginxAuthorityFails(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	for name, f := range flavours {
		for what, answer := range map[string]http.HandlerFunc{
			"down":                 nil,
			"slow":                 func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
			"hangs up":             hangsUp,
			"302":                  says(302, "Location", "/"),
			"400":                  says(400),
			"404":                  says(404),
			"429":                  says(429),
			"500":                  says(500),
			"503":                  says(503),
			"403 of somebody else": says(403),
			"204":                  says(204),
			"200 of somebody else": says(200),
		} {
			if name == "auth_request" && what[:2] == "20" {
				continue // auth_request takes each for a yes
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				addr, asked, want := testenv.Nobody, new(atomic.Int32), int32(0)
				if answer != nil {
					addr, asked = standIn(t, answer)
					want = 1
				}
				service := startService(t)
				s := newSite(t, h, service, startNginx(t, f, service, []string{addr}))
				begun := time.Now()
				r := s.send(t, ask{way: "barong", body: []byte("x")})
				denied(t, r, 503, "unavailable")
				if took := time.Since(begun); took > soon {
					t.Errorf("it took %v", took)
				}
				if got := asked.Load(); got != want {
					t.Errorf("it was asked %d times, want %d", got, want)
				}
			})
		}
	}
}

// A node that takes no connection is passed over. One that was asked is the last that is.
func TestNginxAsksOnce(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	for name, f := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := startService(t)
			t.Run("one is down", func(t *testing.T) {
				s := newSite(t, h, service, startNginx(t, f, service, []string{testenv.Nobody, h.gate, testenv.Nobody}))
				for range 10 {
					s.granted(t, s.send(t, ask{way: "barong", body: []byte("x")}), "barong", "unavailable")
				}
			})
			t.Run("both hang up", func(t *testing.T) {
				one, askedOne := standIn(t, hangsUp)
				two, askedTwo := standIn(t, hangsUp)
				s := newSite(t, h, service, startNginx(t, f, service, []string{one, two}))
				denied(t, s.send(t, ask{way: "barong", body: []byte("x")}), 503, "unavailable")
				if n := askedOne.Load() + askedTwo.Load(); n != 1 {
					t.Errorf("a question was asked %d times", n)
				}
			})
			t.Run("a kept connection breaks", func(t *testing.T) {
				addr, asked := breaksSecond(t)
				s := newSite(t, h, service, startNginx(t, f, service, []string{addr, addr}))
				if r := s.send(t, ask{way: "bearer"}); r.status != http.StatusOK {
					t.Fatalf("the first: %d %s", r.status, r.body)
				}
				denied(t, s.send(t, ask{way: "bearer"}), 503, "unavailable")
				if n := asked.Load(); n != 2 {
					t.Errorf("two questions were asked %d times", n)
				}
			})
		})
	}
}

// What was judged once is sent once, also where a service hangs up.
func TestNginxSendsOnce(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	for name, f := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sendsOnce(t, func(services []string) *site {
				s := startService(t)
				return newSite(t, h, s, startNginx(t, f, s, []string{h.gate}, "server 127.0.0.1:9000;", strings.Join(services, "")))
			})
		})
	}
}

// breaksSecond answers the first question on each connection and hangs up after the second.
func breaksSecond(t *testing.T) (addr string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	asked = new(atomic.Int32)
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i := range 2 {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			asked.Add(1)
			if i == 0 {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Auth-Status: 200\r\nContent-Length: 0\r\n\r\n")
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String(), asked
}

// A credential that was used once is used up, where the scheme says so.
func TestNginxReplay(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, _ flavour, s *site) {
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
	})
}

// Each line of the lists is written once: the later of two would win in silence.
func TestNginxListsAreSets(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"service.conf", "check.conf", "auth_request.conf"} {
		seen := map[string]bool{}
		for line := range strings.Lines(readFile(t, "nginx/gatehouse/"+file)) {
			words := strings.Fields(line)
			if len(words) < 3 || words[0] != "proxy_set_header" && words[0] != "auth_request_set" {
				continue
			}
			if name := strings.ToLower(words[1]); seen[name] {
				t.Errorf("%s has %s twice", file, words[1])
			} else {
				seen[name] = true
			}
		}
	}
}
