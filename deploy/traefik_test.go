// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"strings"
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
