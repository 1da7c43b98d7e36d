// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"net/http"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Which checks say what the body is. Each is asked about with fields that came raw and with
// joined ones.
func TestBodyStates(t *testing.T) {
	t.Parallel()
	const here = "the body"
	for _, row := range []struct {
		name            string
		method          string
		fields          []string // besides
		extension       string   // empty: none
		bytes, text     string
		present, absent bool // the answer: a body, or surely none; neither: not known
	}{
		{name: "bytes", method: "POST", fields: []string{"Content-Length", "8", partial, "false"}, extension: "sent", bytes: here, present: true},
		{name: "text", method: "POST", fields: []string{"Content-Length", "8", partial, "false"}, extension: "sent", text: here, present: true},
		{name: "chunked", method: "POST", fields: []string{partial, "false"}, extension: "sent", bytes: here, present: true},
		{name: "of a read", method: "GET", fields: []string{partial, "false"}, extension: "sent", bytes: here, present: true},
		{name: "cut", method: "POST", fields: []string{partial, "true"}, extension: "sent", bytes: here},
		{name: "cut, and the client says not", method: "POST", fields: []string{partial, "true", partial, "false"}, extension: "sent", bytes: here},
		{name: "whole, said twice", method: "POST", fields: []string{partial, "false", partial, "false"}, extension: "sent", bytes: here},
		{name: "whole, in other words", method: "POST", fields: []string{partial, "False"}, extension: "sent", bytes: here},
		{name: "nobody says that it is whole", method: "POST", extension: "sent", bytes: here},
		{name: "longer than announced", method: "POST", fields: []string{"Content-Length", "7", partial, "false"}, extension: "sent", bytes: here},
		{name: "shorter than announced", method: "POST", fields: []string{"Content-Length", "9", partial, "false"}, extension: "sent", bytes: here},
		{name: "two lengths", method: "POST", fields: []string{"Content-Length", "8", "Content-Length", "8", partial, "false"}, extension: "sent", bytes: here},
		{name: "no number", method: "POST", fields: []string{"Content-Length", "+8", partial, "false"}, extension: "sent", bytes: here},
		{name: "not configured", method: "POST", fields: []string{"Content-Length", "8", partial, "false"}, bytes: here},
		{name: "withheld", method: "POST", fields: []string{"Content-Length", "8", partial, "false"}, extension: "withheld", bytes: here},
		{name: "text that may be another", method: "POST", fields: []string{"Content-Length", "4", partial, "false"}, extension: "sent", text: "pay!"},
		{name: "text that was bytes", method: "POST", fields: []string{partial, "false"}, extension: "sent", text: "\uFFFD"},
		{name: "bytes with a !", method: "POST", fields: []string{"Content-Length", "4", partial, "false"}, extension: "sent", bytes: "pay!", present: true},

		{name: "read without body", method: "GET", extension: "sent", absent: true},
		{name: "read without body, not configured", method: "GET"},
		{name: "read that announces none", method: "GET", fields: []string{"Content-Length", "0"}, extension: "sent", absent: true},
		{name: "read that announces one", method: "GET", fields: []string{"Content-Length", "8"}, extension: "sent"},
		{name: "read that announces one in pieces", method: "GET", fields: []string{"Transfer-Encoding", "chunked"}, extension: "sent"},
		{name: "read that becomes another protocol", method: "GET", fields: []string{"Upgrade", "websocket"}, extension: "sent"},
		{name: "write that announces none", method: "POST", fields: []string{"Content-Length", "0"}, extension: "sent", absent: true},
		{name: "write that announces none, not configured", method: "POST", fields: []string{"Content-Length", "0", partial, "false"}},
		{name: "write of which none arrived", method: "POST", extension: "sent"},
		{name: "write of which none arrived, and the client says that it is whole", method: "POST", fields: []string{partial, "false"}, extension: "sent"},
		{name: "the same, not configured", method: "POST", fields: []string{partial, "false"}},
		{name: "deletion of which none arrived", method: "DELETE", extension: "sent"},
		{name: "empty, and cut", method: "GET", fields: []string{"Content-Length", "0", partial, "true"}, extension: "sent"},
	} {
		for _, raw := range []bool{true, false} {
			j := &judge{say: granted}
			c := client{method: row.method, target: "/", header: http.Header{}}
			in := c.check(raw)
			for i := 0; i < len(row.fields); i += 2 {
				add(in, http.CanonicalHeaderKey(row.fields[i]), row.fields[i+1])
			}
			h := in.GetAttributes().GetRequest().GetHttp()
			h.Body, h.RawBody = row.text, []byte(row.bytes)
			if row.extension != "" {
				in.Attributes.ContextExtensions["gatehouse.body"] = row.extension
			}
			want := gatehouse.Body{}
			if row.present || row.absent {
				want = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte(row.bytes + row.text)}
			}
			code := ask(t, start(t, j, gate.Options{}), in)
			if _, q := j.questions(); code != "granted" || q.Body.State != want.State || string(q.Body.Bytes) != string(want.Bytes) || q.Header["X-Envoy-Auth-Partial-Body"] != nil {
				t.Errorf("%s, raw %v: %s, %v %q, want %v", row.name, raw, code, q.Body.State, q.Body.Bytes, want.State)
			}
		}
	}
}

// Who has caught a signature over the empty body puts no body of his own under it.
func TestCaughtSignature(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	caught := h.signed(t, "shield", "GET", "/orders", "")
	if code := ask(t, c, sent(caught.check(true), "", true)); code != "granted" {
		t.Fatal(code)
	}
	for name, fields := range map[string][]string{
		"chunked": nil, "forged": {"X-Envoy-Auth-Partial-Body", "false"}, "length": {"Content-Length", "9"}, "length, forged": {"Content-Length", "9", "X-Envoy-Auth-Partial-Body", "false"},
		"cut": {"X-Envoy-Auth-Partial-Body", "true"},
	} {
		for extension, value := range map[string]string{"foreign": "sent", "gatehouse.body": "sent"} {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "QUERY"} {
				for _, raw := range []bool{true, false} {
					r := caught.with(fields...)
					r.method = method
					in := r.check(raw)
					in.Attributes.ContextExtensions[extension] = value
					if code := ask(t, c, in); code != "body_unavailable" {
						t.Errorf("%s %s, %s=%s, raw %v: %s", method, name, extension, value, raw, code)
					}
				}
			}
		}
	}
	withBody := caught.with("Content-Length", "9")
	withBody.method = "POST"
	if code := ask(t, c, sent(withBody.check(true), "amount=99", true)); code != "invalid_credential" {
		t.Errorf("a body that arrives: %s", code)
	}
}

// A body that Envoy has cut, or that may not be what the client sent, proves nothing.
func TestPartialBody(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := start(t, h.Authority, gate.Options{})
	for _, scheme := range []string{"shield", "httpsig"} {
		for _, raw := range []bool{true, false} {
			r := h.signed(t, scheme, "POST", "/orders", "amount=1")
			delete(r.header, "Content-Length")
			in := r.with(partial, "true").check(raw)
			in.GetAttributes().GetRequest().GetHttp().RawBody = []byte("amount=1")
			in.Attributes.ContextExtensions["gatehouse.body"] = "sent"
			out, err := c.Check(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if scheme == "shield" && codeOf(t, out) != "body_unavailable" || scheme == "httpsig" && (codeOf(t, out) != "granted" || values(out.GetOkResponse().GetHeaders(), "x-auth-body")[0] != "deferred") {
				t.Errorf("%s, raw %v: %v", scheme, raw, out)
			}
		}
	}
	// Envoy makes a ! of the byte 0xff that somebody put in place of a !.
	r := h.signed(t, "shield", "POST", "/orders", "amount=1!")
	if code := ask(t, c, sent(r.check(true), "amount=1\xff", false)); code != "body_unavailable" {
		t.Errorf("another byte: %s", code)
	}
	both := sent(r.check(true), "amount=1!", true)
	both.GetAttributes().GetRequest().GetHttp().Body = "amount=1!"
	if code := ask(t, c, both); code != "adapter_headers" {
		t.Errorf("two bodies: %s", code)
	}
}
