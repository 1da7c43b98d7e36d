// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// startIngress is the location that ingress-nginx makes, in front of the house.
func startIngress(t *testing.T) *site {
	h, service := openHouse(t), startService(t)
	conf := strings.NewReplacer(
		"listen 127.0.0.1:8000", "listen {{.Listen}}",
		"server 127.0.0.1:8082;", "server "+h.gate+";",
		"server 127.0.0.1:9000;", "server "+service.addr+";",
		"access_log /var/log/nginx/ingress.log;", "{{.Files}}",
	).Replace(readFile(t, "ingress-nginx/nginx.conf"))
	return newSite(t, h, service, testenv.Nginx(t, conf))
}

func TestIngress(t *testing.T) {
	t.Parallel()
	s := startIngress(t)
	t.Run("schemes", func(t *testing.T) {
		for _, way := range ways {
			if way == "shield" { // nobody says whether there is a body
				continue
			}
			got := s.granted(t, s.send(t, ask{way: way}), way, "unavailable")
			if got.Method != http.MethodGet || got.Target != usualTarget || got.Host != publicHost {
				t.Errorf("%s: the service was sent %+v", way, got)
			}
		}
		for _, way := range []string{"httpsig", "ed25519"} {
			got := s.granted(t, s.send(t, ask{way: way, body: []byte(`{"amount":1}`)}), way, "deferred")
			if string(got.Body) != `{"amount":1}` || claims(t, got.Header.Get("Authorization"))["cdig"] == nil {
				t.Errorf("%s: the service was sent %q and a JWT with %v", way, got.Body, claims(t, got.Header.Get("Authorization")))
			}
		}
	})
	t.Run("denials", func(t *testing.T) {
		for name, row := range map[string]struct {
			ask    ask
			status int
		}{
			"nothing":               {ask{}, 401},
			"a scope is missing":    {ask{way: "bearer", target: "/admin/users"}, 403},
			"from elsewhere":        {ask{way: "elsewhere"}, 403},
			"shield":                {ask{way: "shield"}, 403},
			"shield with a body":    {ask{way: "shield", body: []byte("x")}, 403},
			"dot segments":          {ask{way: "bearer", target: "/public/../admin/users"}, 403},
			"the check, by its URL": {ask{way: "bearer", target: "/_external-auth-Lw-Prefix"}, 404},
		} {
			r := s.send(t, row.ask)
			if r.status != row.status || len(r.seen) != 0 {
				t.Errorf("%s: got %d, want %d", name, r.status, row.status)
			}
			if r.status == http.StatusUnauthorized && r.header.Get("Www-Authenticate") == "" {
				t.Errorf("%s: a 401 without WWW-Authenticate", name)
			}
		}
		s.send(t, ask{way: "limited"})
		if r := s.send(t, ask{way: "limited"}); r.status != http.StatusForbidden || len(r.seen) != 0 {
			t.Errorf("over the limit: %d", r.status)
		}
	})
	t.Run("spoofs", func(t *testing.T) {
		// The controller lets the client's X-Forwarded-Uri and its like through to the check.
		for _, name := range spoofs {
			for _, a := range []ask{{target: "/admin/users"}, {way: "bearer", target: "/admin/users"}} {
				a.header = []string{name, forgedValue(name), name, forgedValue(name)}
				if r := s.send(t, a); r.status < 401 || r.status > 403 || len(r.seen) != 0 {
					t.Errorf("%s: got %d", name, r.status)
				}
			}
		}
		lies := []string{"X-Original-URL", "http://victim/public/", "X-Forwarded-Uri", "/public/victim", "X-HTTP-Method-Override", "victim"}
		for _, name := range append(identityFields, credentialFields[1:]...) {
			if !slices.Contains(credentialFields, name) {
				lies = append(lies, name, "victim")
			}
		}
		got := s.granted(t, s.send(t, ask{way: "bearer", header: lies}), "bearer", "unavailable")
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, " "), "victim") {
				t.Errorf("the service was sent %s %q", name, values)
			}
		}
	})
}

// The rendered location says what the annotations say.
func TestIngressRendered(t *testing.T) {
	t.Parallel()
	conf, yaml := readFile(t, "ingress-nginx/nginx.conf"), readFile(t, "ingress-nginx/ingress.yaml")
	list := regexp.MustCompile(`auth-response-headers: (\S+)`).FindStringSubmatch(yaml)
	if list == nil {
		t.Fatal("no auth-response-headers")
	}
	names := strings.Split(list[1], ",")
	if want := append([]string{"Authorization"}, identityFields...); !slices.Equal(names, want) {
		t.Errorf("auth-response-headers are %q, want %q", names, want)
	}
	for _, name := range names {
		if !regexp.MustCompile(`proxy_set_header ` + name + ` \$authHeader\d;`).MatchString(conf) {
			t.Errorf("nginx.conf does not set %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z][A-Za-z-]+): ""$`).FindAllStringSubmatch(yaml, -1) {
		if !strings.Contains(conf, "proxy_set_header "+m[1]+` "";`) {
			t.Errorf("nginx.conf does not strip %s", m[1])
		}
	}
}
