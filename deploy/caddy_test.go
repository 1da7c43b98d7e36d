// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

var caddy = gateway{
	house: openHouse,
	asks:  func(n *node) string { return n.gate },
	start: startCaddy,
	lines: true,
	// Debian's 2.6.2 drops the values of trailers, newer ones hand them on.
	trailers: os.Getenv("GATEWAYS") != "",
}

// startCaddy starts Caddy with its configuration, in front of the service.
func startCaddy(t *testing.T, s *service, asks []string, replace ...string) string {
	t.Helper()
	return testenv.Caddy(t, strings.NewReplacer(append(replace,
		"http://:8000", "http://:{{.Port}}",
		"http://api.example.com:8000", "http://api.example.com:{{.Port}}",
		"to 127.0.0.1:8082", "to "+strings.Join(asks, " "),
		"127.0.0.1:9000", s.addr,
	)...).Replace(readFile(t, "caddy/Caddyfile")))
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	caddy.run(t)
}

// Where Gatehouse does not answer, or says what it never says, nobody passes: 503.
func TestCaddyAuthorityFails(t *testing.T) {
	t.Parallel()
	caddy.fails(t, map[string]func(*testing.T) (string, func() int32){
		"down": nil, "slow": slow, "hangs up": answers(hangsUp),
		"204": answers(says(204, "X-Auth-Status", "200")), "200 of somebody else": answers(says(200)), "200 but no": answers(says(200, "X-Auth-Status", "403")),
		"302": answers(says(302, "Location", "/")), "403 of somebody else": answers(says(403)), "404": answers(says(404)), "500": answers(says(500)),
		"500 with a code": answers(says(500, "X-Auth-Status", "500", "X-Auth-Error", "internal")),
	})
}

// A node that takes no connection is passed over. One that was asked is the last that is.
func TestCaddyAsksOnce(t *testing.T) {
	t.Parallel()
	t.Run("one is down", func(t *testing.T) {
		s := caddy.asking(t, testenv.Nobody, openHouse(t).gate, testenv.Nobody)
		for range 10 {
			s.granted(t, s.send(t, ask{way: "barong"}), "barong", "unavailable")
		}
	})
	t.Run("both hang up", func(t *testing.T) {
		one, askedOne := standIn(t, hangsUp)
		two, askedTwo := standIn(t, hangsUp)
		denied(t, caddy.asking(t, one, two).send(t, ask{way: "barong"}), 503, "unavailable")
		if n := askedOne.Load() + askedTwo.Load(); n != 1 {
			t.Errorf("a question was asked %d times", n)
		}
	})
	t.Run("connections are not kept", func(t *testing.T) {
		addr, asked := breaksSecond(t)
		s := caddy.asking(t, addr)
		for range 2 {
			if r := s.send(t, ask{way: "bearer"}); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("two questions were asked %d times", n)
		}
	})
}

// Caddy limits a body while it hands it on.
func TestCaddyLargeBody(t *testing.T) {
	t.Parallel()
	s := caddy.open(t)
	for _, chunked := range []bool{false, true} {
		denied(t, s.send(t, ask{way: "bearer", body: make([]byte, 1<<20+1), chunked: chunked}), 413, "body_too_large")
		r := s.send(t, ask{way: "bearer", body: make([]byte, 1<<20), chunked: chunked})
		if got := s.granted(t, r, "bearer", "unavailable"); len(got.Body) != 1<<20 {
			t.Errorf("the service was sent %d bytes", len(got.Body))
		}
	}
}

// Another name is nobody's.
func TestCaddyOtherHost(t *testing.T) {
	t.Parallel()
	s := caddy.open(t)
	r := s.request(t, ask{way: "bearer"})
	r.Host = "other.example.com"
	if got := s.do(t, s.client, r); got.status != 421 || len(got.seen) != 0 {
		t.Errorf("got %d", got.status)
	}
}

// With gate.token_file the line in the comment takes the place of the one below it, and Gatehouse is told
// that word and no other.
func TestCaddyTellsItsToken(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile(`in place of the next line.*\n\s+# (header_up X-Gatehouse-Gateway) \S+\n\s+(header_up -X-Gatehouse-Gateway)\n`).FindStringSubmatch(readFile(t, "caddy/Caddyfile"))
	if lines == nil {
		t.Fatal("the Caddyfile has no line for a token")
	}
	var told atomic.Value
	addr, _ := standIn(t, func(w http.ResponseWriter, r *http.Request) {
		told.Store(r.Header["X-Gatehouse-Gateway"])
		says(200, "X-Auth-Status", "200")(w, r)
	})
	service := startService(t)
	s := newSite(t, openHouse(t), service, startCaddy(t, service, []string{addr}, lines[2], lines[1]+" of-caddy"))
	r := s.send(t, ask{way: "bearer", header: []string{"X-Gatehouse-Gateway", "of-the-client"}})
	if got, _ := told.Load().([]string); r.status != http.StatusOK || !slices.Equal(got, []string{"of-caddy"}) {
		t.Errorf("got %d, Gatehouse was told %q", r.status, got)
	}
}

func TestCaddyFrozen(t *testing.T) {
	t.Parallel()
	caddy.freezes(t)
}

func TestCaddyRollingRestart(t *testing.T) {
	t.Parallel()
	caddy.rolls(t, 0)
}

func TestCaddyOtherSigners(t *testing.T) {
	t.Parallel()
	caddy.signers(t, "http://api.example.com:8000", "http://127.0.0.1:{{.Port}}")
}
