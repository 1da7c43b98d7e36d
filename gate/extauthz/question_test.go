// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"net/http"
	"net/netip"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// What is asked is what the attributes say, and pseudo header fields are no fields.
func TestQuestion(t *testing.T) {
	t.Parallel()
	odd := client{method: "M-SEARCH", target: "/a%20b?x=\u00e4&y", header: http.Header{"X-Api-Key": {"abc"}, "X_auth_user": {"root"}, "X-Note": {"a", "b"}, "Empty": {""}}}
	for name, row := range map[string]struct {
		client
		raw    bool
		fields gatehouse.Header // nil: the client's
	}{
		"raw":      {client: plain().with("X-Api-Key", "other"), raw: true},
		"joined":   {client: plain()},
		"twice":    {client: plain().with("X-Api-Key", "other"), fields: gatehouse.Header{"X-Api-Key": {"abc", "other"}, "Accept": {"*/*"}}},
		"odd":      {client: odd, raw: true},
		"asterisk": {client: client{method: "OPTIONS", target: "*"}, raw: true},
		"joined, not a credential": {
			client: plain().with("X-Note", "a", "X-Note", "b", "Signature-Input", "a=()", "Signature-Input", "b=()"),
			fields: gatehouse.Header{"X-Api-Key": {"abc"}, "Accept": {"*/*"}, "X-Note": {"a,b"}, "Signature-Input": {"a=(),b=()"}},
		},
		"not UTF-8, raw":    {client: plain().with("X-Note", "\xff\x00\n", "X-Auth-Nonce", "\xfe"), raw: true},
		"not UTF-8, joined": {client: plain().with("X-Note", "a\xff", "X-Auth-Nonce", "\xfe"), fields: gatehouse.Header{"X-Api-Key": {"abc"}, "Accept": {"*/*"}, "X-Auth-Nonce": {"!"}}},
	} {
		want := gatehouse.Request{
			Method: row.method, Scheme: "https", Authority: "api.example.com", Target: row.target, Peer: netip.MustParseAddr("203.0.113.7"), Header: row.fields, Cost: 1,
		}
		if want.Header == nil {
			want.Header = gatehouse.Header(row.header)
		}
		j := &judge{say: granted}
		if code := ask(t, start(t, j, gate.Options{}), row.check(row.raw)); code != "granted" {
			t.Errorf("%s: %s", name, code)
		}
		_, got := j.questions()
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Whoever asks, the client's address is the one that Envoy names, and no other.
func TestSource(t *testing.T) {
	t.Parallel()
	j := &judge{say: granted}
	c := start(t, j, gate.Options{})
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "2001:db8::1": "2001:db8::1", "::ffff:203.0.113.7": "203.0.113.7", "fe80::1%eth0": "fe80::1",
		"": "invalid IP", "unknown": "invalid IP", "203.0.113.7, 10.0.0.1": "invalid IP",
	} {
		in := plain().with("X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1").check(true)
		in.Attributes.Source.Address = address(text, 1)
		if code := ask(t, c, in); code != "granted" {
			t.Error(code)
		}
		if _, q := j.questions(); q.Peer.String() != want {
			t.Errorf("%q: %v, want %s", text, q.Peer, want)
		}
	}
	pipe := plain().check(true)
	pipe.Attributes.Source.Address = &core.Address{Address: &core.Address_Pipe{Pipe: &core.Pipe{Path: "/run/x"}}}
	if code := ask(t, c, pipe); code != "granted" {
		t.Error(code)
	}
	if _, q := j.questions(); q.Peer.IsValid() {
		t.Errorf("a pipe: %v", q.Peer)
	}
}

// What cannot be read is refused, and nobody is asked about it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*auth.CheckRequest, *auth.AttributeContext_HttpRequest){
		"no attributes":     func(in *auth.CheckRequest, _ *auth.AttributeContext_HttpRequest) { in.Attributes = nil },
		"no HTTP":           func(in *auth.CheckRequest, _ *auth.AttributeContext_HttpRequest) { in.Attributes.Request = nil },
		"no method":         func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Method = "" },
		"two methods":       func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Method = "GET,POST" },
		"scheme":            func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Scheme = "ws" },
		"scheme's case":     func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Scheme = "HTTPS" },
		"no host":           func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Host = "" },
		"two hosts":         func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Host = "a.test,b.test" },
		"user":              func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Host = "a@b.test" },
		"path in host":      func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Host = "a.test/x" },
		"host's letters":    func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Host = "\u00e4.test" },
		"no path":           func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Path = "" },
		"asterisk":          func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Path = "*" },
		"whole URL":         func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Path = "https://a.test/" },
		"space":             func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Path = "/a?b c" },
		"control character": func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) { h.Path = "/a?b\x7f" },
		"two headers": func(_ *auth.CheckRequest, h *auth.AttributeContext_HttpRequest) {
			h.Headers = map[string]string{"x-api-key": "abc"}
		},
	} {
		j := &judge{say: granted}
		in := plain().check(true)
		spoil(in, in.GetAttributes().GetRequest().GetHttp())
		code := ask(t, start(t, j, gate.Options{}), in)
		if asked, _ := j.questions(); code != "adapter_headers" || asked != 0 {
			t.Errorf("%s: %s, asked %d times", name, code, asked)
		}
	}
}

// Without rules too, a path that can be read in two ways is refused.
func TestAmbiguousPaths(t *testing.T) {
	t.Parallel()
	j := &judge{say: granted}
	c := start(t, j, gate.Options{})
	for _, path := range []string{"/a/../b", "/a/./b", "//a", "/a//b", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%2e%2e/b", "/a;b", "/a#b", "/a%00b", "/a%zz", "/a%", "/%ff", "/a%252fb"} {
		r := plain()
		r.target = path
		if code := ask(t, c, r.check(true)); code != "ambiguous_path" {
			t.Errorf("%s: %s", path, code)
		}
	}
	if asked, _ := j.questions(); asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

// The route's own demands count besides the rules; a mistake among them denies.
func TestExtensions(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{Rules: gate.Rules{"/orders/": gate.All("orders.read"), "/open/": gate.Open(), "/one/": gate.Any("orders.read"), "/no/": gate.Block()}})
	for _, row := range []struct {
		path string
		ext  map[string]string
		want string
	}{
		{"/orders/7", nil, "granted"},
		{"/orders/7", map[string]string{"gatehouse.scopes": "orders.write"}, "granted"},
		{"/orders/7", map[string]string{"gatehouse.scopes": "orders.read orders.write"}, "granted"},
		{"/orders/7", map[string]string{"gatehouse.scopes": "orders.write admin"}, "insufficient_scope"},
		{"/orders/7", map[string]string{"gatehouse.any_scope": "admin orders.write"}, "granted"},
		{"/orders/7", map[string]string{"gatehouse.any_scope": "admin"}, "insufficient_scope"},
		{"/orders/7", map[string]string{"gatehouse.signed": "true"}, "scheme_not_allowed"},
		{"/orders/7", map[string]string{"gatehouse.signed": "false"}, "granted"},
		{"/open/7", nil, "granted"},
		{"/open/7", map[string]string{"gatehouse.scopes": "admin"}, "insufficient_scope"},
		{"/open/7", map[string]string{"gatehouse.signed": "true"}, "scheme_not_allowed"},
		{"/one/7", map[string]string{"gatehouse.any_scope": "orders.write"}, "route_not_allowed"},
		{"/no/7", map[string]string{"gatehouse.scopes": "orders.read"}, "route_not_allowed"},
		{"/none", map[string]string{"gatehouse.scopes": "orders.read"}, "no_rule"},

		{"/orders/7", map[string]string{"gatehouse.scopes": ""}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.scopes": " "}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.scopes": "a,\"b"}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.any_scope": ""}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.signed": "yes"}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.body": "yes"}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse.scope": "orders.read"}, "adapter_headers"},
		{"/orders/7", map[string]string{"Gatehouse.Scopes": "orders.read"}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse_scopes": "orders.read"}, "adapter_headers"},
		{"/orders/7", map[string]string{"gatehouse": ""}, "adapter_headers"},
		{"/orders/7", map[string]string{"virtual_host": "x", "scope": "admin", "gate": "x", "opa.path": ""}, "granted"},
		{"/orders/7", map[string]string{"scopes": "orders.read"}, "adapter_headers"},
		{"/orders/7", map[string]string{"any_scope": "orders.read"}, "adapter_headers"},
		{"/orders/7", map[string]string{"signed": "false"}, "adapter_headers"},
		{"/orders/7", map[string]string{"body": "withheld"}, "adapter_headers"},
	} {
		in := h.signed(t, "bearer", "GET", row.path, "").check(true)
		for name, value := range row.ext {
			in.Attributes.ContextExtensions[name] = value
		}
		if code := ask(t, c, in); code != row.want {
			t.Errorf("%s %v: %s, want %s", row.path, row.ext, code, row.want)
		}
	}
	signed := h.signed(t, "httpsig", "GET", "/orders/7", "").check(true)
	signed.Attributes.ContextExtensions["gatehouse.signed"] = "true"
	if code := ask(t, c, signed); code != "granted" {
		t.Errorf("a signed request: %s", code)
	}
	stranger := plain()
	stranger.target, stranger.header = "/open/7", nil
	if code := ask(t, c, stranger.check(true)); code != "granted" {
		t.Errorf("an open route: %s", code)
	}
}
