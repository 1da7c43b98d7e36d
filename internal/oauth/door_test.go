// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/oauth"
)

// What all three forms refuse before anything is looked at, valid credentials or not.
func TestForms(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.with(gatehouse.ScopeKeysVerify, gatehouse.ScopeKeysRevoke)
	secret, victim := c.Secret.Reveal(), h.with()
	with := func(more ...string) header { return append(basic(c.Key.ID, secret), more...) }
	good := grant + "&" + form("token", victim.Token.Reveal())
	for _, path := range []string{tokens, look, end} {
		for _, row := range []struct {
			name   string
			query  string
			with   header
			body   string
			status int
		}{
			{"parameter twice", "", with(), good + "&grant_type=client_credentials", 400},
			{"unknown parameter twice", "", with(), good + "&x=1&x=2", 400},
			{"empty parameter twice", "", with(), good + "&scope=&scope=", 400},
			{"JSON", "", with("Content-Type", "application/json"), `{"grant_type":"client_credentials"}`, 400},
			{"multipart", "", with("Content-Type", "multipart/form-data; boundary=x"), good, 400},
			{"two content types", "", with("Content-Type", "application/x-www-form-urlencoded", "Content-Type", "text/plain"), good, 400},
			{"other charset", "", with("Content-Type", "application/x-www-form-urlencoded; charset=utf-16"), good, 400},
			{"semicolon", "", with(), good + ";a=b", 400},
			{"escape cut short", "", with(), good + "&a=%2", 400},
			{"not UTF-8", "", with(), good + "&a=%ff", 400},
			{"name not UTF-8", "", with(), good + "&%ff=a", 400},
			{"credentials in the query", "?" + form("client_id", c.Key.ID, "client_secret", secret), nil, good, 400},
			{"token in the query", "?token=x", with(), grant, 400},
			{"any query", "?x", with(), good, 400},
			{"empty query", "?", with(), good, 400},
			{"16 KiB and one", "", with(), good + "&x=" + strings.Repeat("x", 16<<10+1-len(good)-3), 413},
		} {
			r := h.post(path+row.query, row.with, row.body)
			h.refused(path+" "+row.name, r, row.status, "invalid_request")
			if strings.Contains(r.body, secret) {
				t.Errorf("%s %s: the answer holds the secret", path, row.name)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			if r := h.send(method, path, with(), ""); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != http.MethodPost {
				t.Errorf("%s %s: %d, Allow %q", method, path, r.status, r.header.Get("Allow"))
			}
		}
	}
	if s := h.state(victim); s != gatehouse.StateActive {
		t.Errorf("a refused form left a key %s", s)
	}
	if r := h.post(tokens, with(), good+"&x="+strings.Repeat("x", 16<<10-len(good)-3)); r.status != 200 {
		t.Errorf("16 KiB: %d %s", r.status, r.body)
	}
}

// A network has a hundred failures in ten minutes, over all endpoints; who is right has any
// number.
func TestGuesses(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.with(gatehouse.ScopeKeysVerify)
	from := func(address string, with header) header { return append(header{"X-Forwarded-For", address}, with...) }
	wrong := []func(address string) reply{
		func(a string) reply { return h.post(tokens, from(a, basic(c.Key.ID, "wrong")), grant) },
		func(a string) reply { return h.post(look, from(a, header{"Authorization", "Bearer wrong"}), "token=x") },
		func(a string) reply { return h.post(end, from(a, nil), "token=wrong") },
	}
	right := func(a string) []reply {
		return []reply{
			h.post(tokens, from(a, basic(c.Key.ID, c.Secret.Reveal())), grant),
			h.post(look, from(a, bearerOf(c)), "token=x"),
		}
	}
	for range 60 {
		for _, r := range right("192.0.2.1") {
			if r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
	}
	for _, network := range [][2]string{{"192.0.2.1", "192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:2"}, {"nonsense", "other nonsense"}} {
		for i := range 100 {
			if r := wrong[i%3](network[0]); r.status == 429 {
				t.Fatalf("429 after %d: %s", i, r.body)
			}
		}
		for _, r := range append(right(network[1]), wrong[0](network[1]), wrong[1](network[1]), wrong[2](network[1])) {
			h.refused(network[1], r, 429, "temporarily_unavailable")
		}
	}
	for _, address := range []string{"192.0.2.2", "2001:db8:0:1::1"} {
		for _, r := range right(address) {
			if r.status != 200 {
				t.Errorf("another network: %d %s", r.status, r.body)
			}
		}
	}
	h.clock.Advance(10 * time.Minute)
	for _, r := range right("192.0.2.1") {
		if r.status != 200 {
			t.Errorf("ten minutes later: %d %s", r.status, r.body)
		}
	}
}

// A part that fails is never an answer about a credential, least of all that it is revoked.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.with(gatehouse.ScopeKeysVerify) // never asked for, so that no record of it is in memory
	jwt := h.mint(h.with(), "")
	h.must(h.store.Close())
	for name, r := range map[string]reply{
		"token":             h.post(tokens, basic(c.Key.ID, c.Secret.Reveal()), grant),
		"token, whole":      h.post(tokens, basic(c.Key.ID, c.Token.Reveal()), grant),
		"introspect":        h.post(look, bearerOf(c), form("token", c.Token.Reveal())),
		"revoke":            h.post(end, nil, form("token", c.Token.Reveal())),
		"revoke, by client": h.post(end, basic(c.Key.ID, c.Token.Reveal()), form("token", jwt)),
		"introspect, JWT":   h.post(look, bearerOf(c), form("token", jwt)),
	} {
		h.refused(name, r, 503, "temporarily_unavailable")
		if strings.Contains(r.body, "sql") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	for range 100 { // none of these was a wrong guess
		h.refused("again", h.post(end, nil, form("token", c.Token.Reveal())), 503, "temporarily_unavailable")
	}
	said := h.log.String()
	if !strings.Contains(said, "request failed") {
		t.Error("the log says nothing")
	}
	for _, secret := range []string{c.Secret.Reveal(), jwt} {
		if strings.Contains(said, secret) {
			t.Error("the log holds a secret")
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"issuer": issuer, "token_endpoint": issuer + tokens, "introspection_endpoint": issuer + look, "revocation_endpoint": issuer + end,
		"jwks_uri": issuer + "/.well-known/jwks.json", "grant_types_supported": []any{"client_credentials"}, "response_types_supported": []any{},
		"token_endpoint_auth_methods_supported":         []any{"client_secret_basic", "client_secret_post"},
		"introspection_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post", "Bearer"},
		"revocation_endpoint_auth_methods_supported":    []any{"client_secret_basic", "client_secret_post", "Bearer", "none"},
	}
	check := func(more ...func(*oauth.Config)) {
		r := open(t, more...).send(http.MethodGet, "/.well-known/oauth-authorization-server", nil, "")
		var got map[string]any
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatal(err, r.body)
		}
		if diff := cmp.Diff(want, got); r.status != 200 || r.header.Get("Content-Type") != "application/json" || diff != "" {
			t.Error(r.status, r.header, diff)
		}
	}
	check()
	want["scopes_supported"], want["service_documentation"] = []any{"read", "write"}, "https://docs.example"
	check(func(c *oauth.Config) { c.Scopes, c.Docs = gatehouse.Scopes{"read", "write"}, "https://docs.example" })
}

func TestNew(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, spoil := range map[string]func(c *oauth.Config){
		"no authority":      func(c *oauth.Config) { c.Authority = nil },
		"no tokens":         func(c *oauth.Config) { c.Tokens = nil },
		"no limiter":        func(c *oauth.Config) { c.Limiter = nil },
		"no audience":       func(c *oauth.Config) { c.Audiences = nil },
		"no issuer":         func(c *oauth.Config) { c.Issuer = "" },
		"slash":             func(c *oauth.Config) { c.Issuer += "/" },
		"path":              func(c *oauth.Config) { c.Issuer += "/auth" },
		"query":             func(c *oauth.Config) { c.Issuer += "?x" },
		"other scheme":      func(c *oauth.Config) { c.Issuer = "ftp://id.example" },
		"user":              func(c *oauth.Config) { c.Issuer = "https://me@id.example" },
		"shorter than 1 s":  func(c *oauth.Config) { c.Lifetime = time.Second - 1 },
		"lifetime below 0":  func(c *oauth.Config) { c.Lifetime = -time.Second },
		"not a URL at all":  func(c *oauth.Config) { c.Issuer = "https://[" },
		"a host by itself":  func(c *oauth.Config) { c.Issuer = "id.example" },
		"a fragment behind": func(c *oauth.Config) { c.Issuer += "#x" },
	} {
		c := h.door
		spoil(&c)
		if _, err := oauth.New(c); err == nil {
			t.Error(name)
		}
	}
}

// The lifetime of tokens is the door's.
func TestLifetime(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *oauth.Config) { c.Lifetime, c.Log = 5*time.Minute, nil })
	k := h.with("read")
	if r := h.post(tokens, basic(k.Key.ID, k.Secret.Reveal()), grant); r.field("expires_in") != 300.0 {
		t.Error(r.body)
	}
}

// Each claim of the spec names a test, and only tests that exist.
func TestSpec(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(source)
	}
	named, rows := regexp.MustCompile("`(Test\\w+)`"), 0
	for line := range strings.Lines(string(text)) {
		names := named.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.HasSuffix(line, "| test |\n") {
			rows++
			if len(names) == 0 {
				t.Errorf("no test: %s", line)
			}
		}
		for _, name := range names {
			if !strings.Contains(tests.String(), "func "+name[1]+"(") {
				t.Errorf("there is no %s: %s", name[1], line)
			}
		}
	}
	if rows == 0 {
		t.Error("no rows")
	}
	door, err := oauth.New(open(t).door)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range door.Routes() {
		_, path, _ := strings.Cut(r.Pattern, " ")
		if !strings.Contains(string(text), "`"+r.Pattern+"`") || r.MaxBody > 16<<10 || r.Timeout > time.Minute {
			t.Errorf("%s is not in the spec, or has loose limits", path)
		}
	}
}

// A client that has gone is no failure of ours.
func TestGone(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.with()
	door, err := oauth.New(h.door)
	h.must(err)
	mux := http.NewServeMux()
	gate.Mount(mux, door.Routes())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, tokens, strings.NewReader(grant))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", basic(c.Key.ID, c.Secret.Reveal())[1])
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	if said := h.log.String(); w.Code == http.StatusUnauthorized || said != "" {
		t.Errorf("%d, log %q", w.Code, said)
	}
}
