// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// traefik is Traefik with one of its two questions.
func traefik(bodies bool) *gateway {
	return &gateway{
		trailers: true,
		house:    openHouse,
		asks:     func(n *node) string { return n.gate },
		bodies:   bodies,
		start: func(t *testing.T, s *service, asks []string, replace ...string) string {
			t.Helper()
			r := strings.NewReplacer(append(replace,
				"address: 127.0.0.1:8000", "address: {{.Listen}}",
				"filename: /etc/traefik/", "filename: {{.Dir}}/",
				"127.0.0.1:8082", asks[0],
				"127.0.0.1:9000", s.addr,
			)...)
			dynamic := r.Replace(readFile(t, "traefik/dynamic.yaml"))
			if bodies {
				dynamic = strings.Replace(dynamic, "middlewares: [gatehouse] #", "middlewares: [gatehouse-body] #", 1)
			}
			return testenv.Traefik(t, r.Replace(readFile(t, "traefik/traefik.yaml")), dynamic, publicHost)
		},
	}
}

func TestTraefik(t *testing.T) {
	t.Parallel()
	for name, bodies := range map[string]bool{"withheld": false, "body": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traefik(bodies).run(t)
		})
	}
}

// Where Gatehouse does not answer nobody passes, and Traefik has words of its own for it.
func TestTraefikAuthorityFails(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer http.HandlerFunc // nil: nobody is there
		status int
	}{
		"down":               {nil, 500},
		"slow":               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 500},
		"hangs up":           {hangsUp, 500},
		"403 of somebody":    {says(403), 403},
		"302":                {says(302, "Location", "/"), 302},
		"500 with a code":    {says(500, "X-Auth-Status", "500", "X-Auth-Error", "internal"), 500},
		"503 of a Gatehouse": {says(503, "X-Auth-Status", "503", "X-Auth-Error", "unavailable"), 503},
		"204 of somebody":    {says(204), 200}, // README says it: Traefik takes any 2xx for a yes
		"200 that is no yes": {says(200, "X-Auth-Status", "403"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := testenv.Nobody
			var begun atomic.Bool
			if row.answer != nil {
				addr, _ = standIn(t, func(w http.ResponseWriter, r *http.Request) {
					if begun.Load() {
						row.answer(w, r)
						return
					}
					w.WriteHeader(http.StatusUnauthorized) // whoever starts Traefik asks until there is a route
				})
			}
			s := traefik(false).asking(t, addr)
			begun.Store(true)
			passes := 0
			if row.status == http.StatusOK {
				passes = 1
			}
			if r := s.send(t, ask{way: "bearer"}); r.status != row.status || len(r.seen) != passes {
				t.Errorf("%d %s, and the service was asked %d times; want %d", r.status, r.body, len(r.seen), row.status)
			}
		})
	}
}

// A body that the question has no room for is refused, with less than Gatehouse would say; without
// bodies in its questions Traefik has no limit.
func TestTraefikLargeBody(t *testing.T) {
	t.Parallel()
	with, without := traefik(true).open(t), traefik(false).open(t)
	for _, chunked := range []bool{false, true} {
		a := ask{way: "bearer", body: make([]byte, 1<<20+1), chunked: chunked}
		if r := with.send(t, a); r.status != http.StatusUnauthorized || len(r.seen) != 0 {
			t.Errorf("%d %s, and the service was asked %d times", r.status, r.body, len(r.seen))
		}
		if got := without.granted(t, without.send(t, a), "bearer", "unavailable"); len(got.Body) != len(a.body) {
			t.Errorf("the service was sent %d bytes", len(got.Body))
		}
		a.body = a.body[1:]
		if got := with.granted(t, with.send(t, a), "bearer", "unavailable"); len(got.Body) != len(a.body) {
			t.Errorf("the service was sent %d bytes of as many as there is room for", len(got.Body))
		}
	}
}

func TestTraefikOtherSigners(t *testing.T) {
	t.Parallel()
	for name, bodies := range map[string]bool{"withheld": false, "body": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traefik(bodies).signers(t, "Host(`api.example.com`)", "(Host(`api.example.com`) || Host(`127.0.0.1`))")
		})
	}
}
