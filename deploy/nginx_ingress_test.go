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
func startIngress(t *testing.T, replace ...string) *site {
	t.Helper()
	h, service := openHouse(t), startService(t)
	conf := strings.NewReplacer(append(replace, // the first of two for the same text wins
		"listen 127.0.0.1:8000", "listen {{.Listen}}",
		"server 127.0.0.1:8082;", "server "+h.gate+";",
		"server 127.0.0.1:9000;", "server "+service.addr+";",
		"access_log /var/log/nginx/ingress.log;", "{{.Files}}",
	)...).Replace(readFile(t, "ingress-nginx/nginx.conf"))
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
		lies := []string{"X-Original-URL", "http://victim/public/", "X-Forwarded-Uri", "/public/victim"}
		for _, name := range []string{"Proxy", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method", "X-Method-Override"} {
			lies = append(lies, name, "victim")
		}
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

// The controller goes by the host of the absolute form, its check and the service by the field Host: a
// client does not choose whose rules it is judged by.
func TestIngressTwoHosts(t *testing.T) {
	t.Parallel()
	s := startIngress(t)
	for row, status := range map[[2]string]int{
		{publicHost, publicHost}:                            200,
		{publicHost, strings.ToUpper(publicHost) + ":8000"}: 200,
		{publicHost, "open.example.com"}:                    400,
		{"open.example.com", publicHost}:                    400,
		{publicHost, publicHost + ".example.com"}:           400,
	} {
		r := s.raw(t, "GET http://"+row[0]+usualTarget+" HTTP/1.1", s.request(t, ask{way: "bearer"}), []string{"Host: " + row[1]}, "")
		if passed := len(r.seen) == 1; r.status != status || passed != (status == 200) {
			t.Errorf("a target of %s with Host %s: got %d, the service was asked %d times", row[0], row[1], r.status, len(r.seen))
		}
	}
}

// What was judged once is sent once, also where a service hangs up.
func TestIngressSendsOnce(t *testing.T) {
	t.Parallel()
	sendsOnce(t, func(services []string) *site {
		return startIngress(t, "server 127.0.0.1:9000;", strings.Join(services, ""))
	})
}

// sendsOnce has a gateway of nginx send a request, by a method that nginx repeats, to services that
// read it and hang up. start gets them as lines of an upstream.
func sendsOnce(t *testing.T, start func(services []string) *site) {
	t.Helper()
	one, askedOne := standIn(t, hangsUp)
	two, askedTwo := standIn(t, hangsUp)
	r := start([]string{"server " + one + ";", "server " + two + ";"}).send(t, ask{way: "bearer"})
	if n := askedOne.Load() + askedTwo.Load(); r.status != http.StatusBadGateway || n != 1 {
		t.Errorf("got %d, the services were asked %d times", r.status, n)
	}
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
	snippet := regexp.MustCompile(`(?m)^  server-snippet: \|\n((?:    .+\n)+)`).FindStringSubmatch(yaml)
	if snippet == nil {
		t.Fatal("no server-snippet")
	}
	if in := strings.ReplaceAll(snippet[1], "\n    ", "\n        "); !strings.Contains(conf, "    "+in) {
		t.Errorf("nginx.conf does not have the snippet\n%s", in)
	}
	if !strings.Contains(yaml, `/proxy-next-upstream: "off"`) || !strings.Contains(conf, "proxy_next_upstream off;") {
		t.Error("a request may be sent twice")
	}
}
