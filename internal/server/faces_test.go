// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
)

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	ops := p.ops()
	check := func(status int, body string) {
		t.Helper()
		w := get(ops, "/readyz")
		if w.Code != status || w.Body.String() != body+"\n" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("readyz: %d %q, want %d %q", w.Code, w.Body, status, body)
		}
		if w := get(ops, "/livez"); w.Code != 200 {
			t.Errorf("livez: %d", w.Code)
		}
	}
	check(503, "draining")
	p.ready.Store(true)
	check(200, "ready\nstore: ok\nkeyring: ok\nfeed: ok\nnonces: ok\nlimits: ok")
	p.ready.Store(false)
	check(503, "draining")
	p.ready.Store(true)
	if err := p.store.Close(); err != nil {
		t.Fatal(err)
	}
	check(503, "not ready\nstore: unavailable\nkeyring: ok\nfeed: ok\nnonces: ok\nlimits: ok")
	if w := get(ops, "/metrics"); w.Code != 200 || !strings.Contains(w.Body.String(), `gatehouse_build_info{version="test"} 1`) {
		t.Errorf("metrics: %d", w.Code)
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	// The RSA key is made in the background, and changes the set when it is there.
	if _, _, err := p.keys.SignPurpose(t.Context(), "test", assertion.PurposeClaims{Email: "a@example.com"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	h := p.public()
	const path = "/.well-known/jwks.json"
	first := get(h, path)
	etag := first.Header().Get("ETag")
	if first.Code != 200 || len(etag) < 3 || first.Header().Get("Content-Type") != "application/jwk-set+json" || first.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("%d %v", first.Code, first.Header())
	}
	if body := first.Body.String(); !strings.Contains(body, `"keys"`) || strings.Contains(body, `"d"`) {
		t.Errorf("the set is %s", body)
	}
	if again := get(h, path, "If-None-Match", etag); again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != etag || again.Header().Get("Content-Type") != "" {
		t.Errorf("again: %d %v %s", again.Code, again.Header(), again.Body)
	}
	if other := get(h, path, "If-None-Match", `"other"`); other.Code != 200 || other.Body.String() != first.Body.String() {
		t.Errorf("with another tag: %d", other.Code)
	}
}

// A mux would redirect these to clean paths; the door must see and refuse them as they
// were sent.
func TestAmbiguousPathsReachTheDoor(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(wire(t, settings(t, nil)).public())
	t.Cleanup(s.Close)
	for _, target := range []string{
		"/api/v2/auth/a/../b", "/api/v2/auth/./b", "/api/v2/auth//b", "/api/v2/auth/a/..", "/api/v2//barong/identity/ping", "/api/v2/../v2/barong/identity/ping",
		"/api/v2/auth/a%2f..%2fb", "/api/v2/auth/%2e%2e/b", "/api/v2/auth/a%5cb", "/api/v2/auth/a%00b", "/api/v2/auth/a;b",
	} {
		c := dial(t, s.Listener.Addr().String())
		c.send(target)
		resp, body := c.read()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 || resp.Header.Get("Location") != "" || !strings.Contains(body, `{"error`) {
			t.Errorf("%s: %d %v %q", target, resp.StatusCode, resp.Header, body)
		}
	}
	c := dial(t, s.Listener.Addr().String())
	c.send("/api/v2/barong/identity/ping")
	if resp, body := c.read(); resp.StatusCode != 200 {
		t.Errorf("ping: %d %s", resp.StatusCode, body)
	}
}

// Every mux is filled by gate.Mount, which takes no route without limits.
func TestRoutesHaveLimits(t *testing.T) {
	t.Parallel()
	good := gate.Route{Pattern: "GET /x", MaxBody: 1, Timeout: time.Second, Handler: func(http.ResponseWriter, *http.Request) {}}
	for name, spoil := range map[string]func(*gate.Route){
		"no body limit":      func(r *gate.Route) { r.MaxBody = 0 },
		"no timeout":         func(r *gate.Route) { r.Timeout = 0 },
		"no handler":         func(r *gate.Route) { r.Handler = nil },
		"less than no limit": func(r *gate.Route) { r.MaxBody = -1 },
	} {
		r := good
		spoil(&r)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: mounted", name)
				}
			}()
			gate.Mount(http.NewServeMux(), []gate.Route{r})
		}()
	}
	p := wire(t, settings(t, nil))
	for name, h := range map[string]http.Handler{"public": p.public(), "admin": p.admin(), "ops": p.ops()} {
		if w := get(h, "/no-such-path"); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	// The faces do not mix: what the socket offers is not public, and so on.
	for target, h := range map[string]http.Handler{"/v1/keyring/rewrap": p.public(), "/metrics": p.public(), "/v1/accounts": p.ops(), "/setup": p.admin()} {
		if w := get(h, target); w.Code != 404 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}
