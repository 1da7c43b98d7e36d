// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"bytes"
	"log/slog"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/extauthz"
)

// FuzzCheck takes any message for a check. Nothing passes but what the verifier has granted,
// who was asked about this request and no other; no field of the client's that says who asks
// reaches the service; and every answer can be sent.
func FuzzCheck(f *testing.F) {
	for _, raw := range []bool{true, false} {
		for _, c := range []client{
			plain(), plain().with("X_auth_user", "root", "X-Auth-Subject", "root", "X-Api-Key", "other", "Note", "\xff!"),
			{method: "POST", target: "/a?b", body: "body"}, {method: "OPTIONS", target: "*"}, {method: "GET", target: "/a/../b"},
		} {
			in := sent(c.check(raw), c.body, raw)
			in.Attributes.ContextExtensions["gatehouse.scopes"] = "a"
			message, err := proto.Marshal(in)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(message, true)
			f.Add(message, false)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte, grant bool) {
		in := &auth.CheckRequest{}
		if proto.Unmarshal(message, in) != nil {
			return
		}
		j := &judge{say: gatehouse.Decision{Reason: gatehouse.ReasonInvalidCredential}}
		if grant {
			j.say = granted
		}
		s := extauthz.New(gateOf(t, j, gate.Options{}), extauthz.Options{Log: slog.New(slog.DiscardHandler)})
		out, err := s.Check(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := proto.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		out = &auth.CheckResponse{}
		if err := proto.Unmarshal(wire, out); err != nil {
			t.Fatal(err)
		}
		asked, q := j.questions()
		switch code := codeOf(t, out); {
		case code == "granted":
			if asked != 1 || !grant {
				t.Fatalf("granted, asked %d times", asked)
			}
			sameQuestion(t, in, &q)
			hidden(t, in, out.GetOkResponse())
		case code == "unavailable" || grant && code != "adapter_headers" && code != "ambiguous_path":
			t.Fatal(code)
		}
	})
}

// sameQuestion fails where a question says what the check does not.
func sameQuestion(t *testing.T, in *auth.CheckRequest, q *gatehouse.Request) {
	t.Helper()
	h := in.GetAttributes().GetRequest().GetHttp()
	if q.Method != h.GetMethod() || q.Authority != h.GetHost() || q.Target != h.GetPath() || q.Scheme != h.GetScheme() {
		t.Fatalf("%v, asked for %v", h, q)
	}
	if present := q.Body.State == gatehouse.BodyPresent; present && (in.GetAttributes().GetContextExtensions()["gatehouse.body"] != "sent" ||
		!bytes.Equal(q.Body.Bytes, h.GetRawBody()) && string(q.Body.Bytes) != h.GetBody()) {
		t.Fatalf("%v, body %q", h, q.Body.Bytes)
	}
	came := map[string][]string{}
	for name, value := range h.GetHeaders() {
		name = textproto.CanonicalMIMEHeaderKey(name)
		came[name] = append(append(came[name], value), strings.Split(value, ",")...)
	}
	for _, f := range h.GetHeaderMap().GetHeaders() {
		name := textproto.CanonicalMIMEHeaderKey(f.GetKey())
		came[name] = append(came[name], string(f.GetRawValue()), f.GetValue())
	}
	for name, values := range q.Header {
		for _, v := range values {
			if !slices.Contains(came[name], v) || strings.HasPrefix(name, ":") {
				t.Fatalf("%s: %q, of %q", name, v, came[name])
			}
		}
	}
	for _, scope := range strings.Fields(in.GetAttributes().GetContextExtensions()["gatehouse.scopes"]) {
		if !slices.Contains(q.Need, gatehouse.Scope(scope)) {
			t.Fatalf("needs %v, not %s", q.Need, scope)
		}
	}
}

// hidden fails where a field of the client's that says who asks reaches the service.
func hidden(t *testing.T, in *auth.CheckRequest, ok *auth.OkHttpResponse) {
	t.Helper()
	h := in.GetAttributes().GetRequest().GetHttp()
	names := []string{}
	for name := range h.GetHeaders() {
		names = append(names, name)
	}
	for _, f := range h.GetHeaderMap().GetHeaders() {
		names = append(names, f.GetKey())
	}
	for _, name := range names {
		plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if (strings.HasPrefix(plain, "x-auth-") || plain == "authorization" || plain == "x-api-key") &&
			!slices.Contains(ok.GetHeadersToRemove(), lowerASCII(name)) && len(values(ok.GetHeaders(), lowerASCII(name))) != 1 {
			t.Fatalf("%q reaches the service: %v", name, ok)
		}
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}
