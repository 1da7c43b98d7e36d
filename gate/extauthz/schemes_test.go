// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"net/http"
	"strings"
	"testing"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
)

// Every scheme passes, whether Envoy sends fields as they came or joined, and the body as
// bytes or as text.
func TestEveryScheme(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	for _, scheme := range schemes {
		for _, raw := range []bool{true, false} {
			for _, packed := range []bool{true, false} {
				for method, body := range map[string]string{"GET": "", "POST": `{"amount":1}`, "PUT": "ä", "DELETE": `{}`} {
					r := h.signed(t, scheme, method, "/orders/7?x=%2F", body)
					out, err := c.Check(t.Context(), sent(r.check(raw), body, packed))
					if err != nil || codeOf(t, out) != "granted" {
						t.Errorf("%s %s raw %v, packed %v: %v %v", scheme, method, raw, packed, out, err)
						continue
					}
					proven := "unavailable"
					if scheme == "shield" || scheme == "httpsig" {
						proven = "verified"
					}
					if got := values(out.GetOkResponse().GetHeaders(), "x-auth-body"); len(got) != 1 || got[0] != proven {
						t.Errorf("%s %s: body %q, want %s", scheme, method, got, proven)
					}
				}
			}
		}
	}
}

// Without the body, what does not need it passes, and a signature with a digest is handed on
// for the service to compare.
func TestWithoutBody(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	for scheme, want := range map[string]string{"bearer": "unavailable", "barong": "unavailable", "shield": "", "httpsig": "deferred"} {
		out, err := c.Check(t.Context(), h.signed(t, scheme, "POST", "/orders", "{}").check(true))
		if err != nil {
			t.Fatal(err)
		}
		if code := codeOf(t, out); (code == "granted") != (want != "") || want == "" && code != "body_unavailable" {
			t.Errorf("%s: %s", scheme, code)
		}
		if got := strings.Join(values(out.GetOkResponse().GetHeaders(), "x-auth-body"), " "); got != want {
			t.Errorf("%s: body %q, want %q", scheme, got, want)
		}
	}
}

// A signed request counts once, and for what it was signed for.
func TestTampered(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	for name, change := range map[string]func(*auth.AttributeContext_HttpRequest){
		"replay":    func(*auth.AttributeContext_HttpRequest) {},
		"method":    func(r *auth.AttributeContext_HttpRequest) { r.Method = "PUT" },
		"path":      func(r *auth.AttributeContext_HttpRequest) { r.Path = "/admin?x=1" },
		"query":     func(r *auth.AttributeContext_HttpRequest) { r.Path = "/orders?x=2" },
		"encoding":  func(r *auth.AttributeContext_HttpRequest) { r.Path = "/order%73?x=1" },
		"authority": func(r *auth.AttributeContext_HttpRequest) { r.Host = "admin.example.com" },
		"body":      func(r *auth.AttributeContext_HttpRequest) { r.RawBody = []byte(`{"amount":2}`) },
		"no body":   func(r *auth.AttributeContext_HttpRequest) { r.RawBody = nil },
	} {
		in := sent(h.signed(t, "httpsig", "POST", "/orders?x=1", `{"amount":1}`).check(true), `{"amount":1}`, true)
		want := "invalid_credential"
		if name == "replay" {
			if code := ask(t, c, in); code != "granted" {
				t.Fatal(code)
			}
			want = "replayed"
		}
		change(in.GetAttributes().GetRequest().GetHttp())
		if name == "no body" {
			if out, err := c.Check(t.Context(), in); err != nil || strings.Join(values(out.GetOkResponse().GetHeaders(), "x-auth-body"), "") != "deferred" {
				t.Errorf("%s: %v %v", name, out, err)
			}
			continue
		}
		if code := ask(t, c, in); code != want {
			t.Errorf("%s: %s, want %s", name, code, want)
		}
	}
}

// A credential that was sent twice is one that no scheme reads, also where Envoy has joined
// the fields.
func TestSentTwice(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	for _, raw := range []bool{true, false} {
		for _, scheme := range schemes {
			r := h.signed(t, scheme, "GET", "/orders", "")
			for name, values := range r.header {
				twice := r.with(name, values[0])
				if code := ask(t, c, sent(twice.check(raw), "", true)); code != "malformed_credential" {
					t.Errorf("raw %v: %s twice: %s", raw, name, code)
				}
			}
		}
		two := h.signed(t, "bearer", "GET", "/orders", "").with("Authorization", "Bearer other")
		if code := ask(t, c, two.check(raw)); code != "malformed_credential" {
			t.Errorf("raw %v: two Authorization: %s", raw, code)
		}
		// Shield itself does not read what follows the second piece.
		first := h.signed(t, "shield", "GET", "/orders", "")
		first.header["Authorization"][0] += ":"
		if code := ask(t, c, sent(first.check(raw), "", true)); code != "granted" {
			t.Errorf("raw %v: a colon at the end: %s", raw, code)
		}
		second := first.with("Authorization", shield.Header("other", "00"))
		if code := ask(t, c, sent(second.check(raw), "", true)); code != "malformed_credential" {
			t.Errorf("raw %v: two of Shield's, the first with a colon at its end: %s", raw, code)
		}
		both := h.signed(t, "bearer", "GET", "/orders", "")
		for name, values := range h.signed(t, "barong", "GET", "/orders", "").header {
			both = both.with(name, values[0])
		}
		if code := ask(t, c, both.check(raw)); code != "ambiguous_credential" {
			t.Errorf("raw %v: credentials of two schemes: %s", raw, code)
		}
	}
}

// Where Envoy writes a ! nobody knows what the client sent: a signature over it does not hold.
func TestLostBytes(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	mac, err := httpsig.HMACKey([]byte(h.keys["httpsig"].Secret.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	signer := &httpsig.Signer{KeyID: h.keys["httpsig"].Key.ID, Key: mac, Components: append(httpsig.DefaultComponents(httpsig.BodyNone), "x-note")}
	for note, want := range map[string]string{"pay": "granted", "pay!": "granted", "pay\xff": "malformed_credential"} {
		for _, raw := range []bool{true, false} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example.com/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Note", strings.ReplaceAll(note, "\xff", "!"))
			if err := signer.SignRequest(r, nil); err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Note", note)
			code := ask(t, c, client{method: "GET", target: "/", header: r.Header}.check(raw))
			if raw && code != want || !raw && (code == "granted") != (note == "pay") {
				t.Errorf("%q, raw %v: %s", note, raw, code)
			}
		}
	}
}

// An underscore is no hyphen to us.
func TestUnderscores(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	r := h.signed(t, "barong", "GET", "/orders", "")
	for name, values := range r.header {
		delete(r.header, name)
		r.header[strings.ReplaceAll(name, "-", "_")] = values
	}
	for _, raw := range []bool{true, false} {
		if code := ask(t, c, r.check(raw)); code != "no_credential" {
			t.Errorf("raw %v: %s", raw, code)
		}
	}
}
