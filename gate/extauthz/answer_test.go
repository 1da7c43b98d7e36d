// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// all is each field with its values; every one must take the place of others.
func all(t *testing.T, list []*core.HeaderValueOption) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, o := range list {
		name := o.GetHeader().GetKey()
		if o.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || name != strings.ToLower(name) || name[0] == ':' || name == "host" {
			t.Errorf("%v", o)
		}
		out[name] = append(out[name], o.GetHeader().GetValue())
	}
	return out
}

// The service sees who asks, and neither credential nor what the client claims of itself, in
// whatever spelling.
func TestGranted(t *testing.T) {
	t.Parallel()
	say := granted
	say.Limit = gatehouse.Standing{Name: "minute", Count: 10, Period: time.Minute, Remaining: 9, Reset: 6 * time.Second}
	say.Sunset, say.Deprecated = time.Unix(1_800_000_000, 0), time.Unix(1_700_000_000, 0)
	c := start(t, &judge{say: say}, gate.Options{Tokens: minter{}, TokenField: "X-Auth-Token", Strip: []string{"X-HMAC"}, Rules: gate.Rules{"/": gate.AnyKey(), "/open/": gate.Open()}})
	r := plain().with(
		"Authorization", "Bearer x", "X_auth_user", "root", "X-Auth-Subject", "root", "Remote-User", "root", "X-Forwarded-User", "root", "X-Hmac", "x", "X_auth_key_id", "k9",
		"X-Auth-Key-Id", "k9", "X-Original-Url", "/admin", "Signature", "sig1=:AA==:", "User-Agent", "curl",
	)
	gone := []string{"authorization", "remote-user", "signature", "x-api-key", "x-forwarded-user", "x-hmac", "x-original-url", "x_auth_key_id", "x_auth_user"}
	for _, raw := range []bool{true, false} {
		out, err := c.Check(t.Context(), r.check(raw))
		if err != nil || codeOf(t, out) != "granted" {
			t.Fatal(out, err)
		}
		ok := out.GetOkResponse()
		if diff := cmp.Diff(map[string][]string{
			"x-auth-token": {"jwt.k1"}, "x-auth-key-id": {"k1"}, "x-auth-subject": {"ID1"}, "x-auth-role": {"member"}, "x-auth-tenant": {"t1"},
			"x-auth-scopes": {"a b"}, "x-auth-scheme": {"bearer"}, "x-auth-body": {"unavailable"},
		}, all(t, ok.GetHeaders())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(gone, sorted(ok.GetHeadersToRemove())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string][]string{
			"ratelimit": {`"minute";r=9;t=6`}, "ratelimit-policy": {`"minute";q=10;w=60`}, "deprecation": {"@1700000000"}, "sunset": {"Fri, 15 Jan 2027 08:00:00 GMT"},
		}, all(t, ok.GetResponseHeadersToAdd())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]any{
			"key_id": "k1", "subject": "ID1", "role": "member", "tenant": "t1", "scheme": "bearer", "body": "unavailable", "scopes": []any{"a", "b"},
		}, out.GetDynamicMetadata().AsMap()); diff != "" {
			t.Error(diff)
		}
		open := r
		open.target = "/open/x"
		if out, err = c.Check(t.Context(), open.check(raw)); err != nil || codeOf(t, out) != "granted" {
			t.Fatal(out, err)
		}
		ok = out.GetOkResponse()
		none := append([]string{"x-auth-body", "x-auth-key-id", "x-auth-role", "x-auth-scheme", "x-auth-scopes", "x-auth-subject", "x-auth-tenant", "x-auth-token"}, gone...)
		if diff := cmp.Diff(sorted(none), sorted(ok.GetHeadersToRemove())); diff != "" || len(ok.GetHeaders()) != 0 || out.GetDynamicMetadata() != nil {
			t.Errorf("open: %s %v", diff, out)
		}
	}
}

// The JWT takes the place of the credential, and long values arrive whole.
func TestLongValues(t *testing.T) {
	t.Parallel()
	say := granted
	key := *granted.Key
	for i := range 100 {
		key.Scopes = append(key.Scopes, gatehouse.Scope("scope."+strconv.Itoa(i)))
	}
	say.Key = &key
	out, err := start(t, &judge{say: say}, gate.Options{Tokens: minter{}}).Check(t.Context(), plain().with("Authorization", "Bearer x").check(true))
	if err != nil {
		t.Fatal(err)
	}
	ok := out.GetOkResponse()
	if got := values(ok.GetHeaders(), "x-auth-scopes"); len(got) != 1 || got[0] != strings.Join(key.Scopes.Strings(), " ") {
		t.Errorf("%q", got)
	}
	if got := out.GetDynamicMetadata().AsMap()["scopes"]; len(got.([]any)) != len(key.Scopes) {
		t.Errorf("%v", got)
	}
	if got := values(ok.GetHeaders(), "authorization"); len(got) != 1 || got[0] != "Bearer jwt.k1" || strings.Contains(strings.Join(ok.GetHeadersToRemove(), " "), "authorization") {
		t.Errorf("%q, without %q", got, ok.GetHeadersToRemove())
	}
}

// A denial says all that the other gates say. Nothing is an error: Envoy would let it pass
// where it is told so.
func TestDenied(t *testing.T) {
	t.Parallel()
	limited := gatehouse.Decision{
		Reason: gatehouse.ReasonRateLimited, RetryAfter: 1500 * time.Millisecond, Key: granted.Key, Principal: granted.Principal,
		Limit: gatehouse.Standing{Name: "minute", Count: 10, Period: time.Minute, Reset: 6 * time.Second},
	}
	for _, row := range []struct {
		say    gatehouse.Decision
		err    error
		target string
		status int32
		code   string
		grpc   codes.Code
		retry  string
	}{
		{gatehouse.Decision{Reason: gatehouse.ReasonNoCredential}, nil, "/a", 401, "no_credential", codes.Unauthenticated, ""},
		{gatehouse.Decision{Reason: gatehouse.ReasonReplayed}, nil, "/a", 401, "replayed", codes.Unauthenticated, ""},
		{gatehouse.Decision{Reason: gatehouse.ReasonNetworkNotAllowed}, nil, "/a", 403, "network_not_allowed", codes.PermissionDenied, ""},
		{gatehouse.Decision{Reason: gatehouse.ReasonBodyUnavailable}, nil, "/a", 403, "body_unavailable", codes.PermissionDenied, ""},
		{limited, nil, "/a", 429, "rate_limited", codes.ResourceExhausted, "2"},
		{gatehouse.Decision{}, errors.New("down"), "/a", 503, "unavailable", codes.Unavailable, "1"},
		{gatehouse.Decision{}, nil, "/a", 503, "undecided", codes.Unavailable, "1"},
		{granted, nil, "/none", 403, "no_rule", codes.PermissionDenied, ""},
		{granted, nil, "/a/../b", 403, "ambiguous_path", codes.PermissionDenied, ""},
		{granted, nil, "a", 403, "adapter_headers", codes.PermissionDenied, ""},
	} {
		r := plain()
		r.target = row.target
		out, err := start(t, &judge{say: row.say, err: row.err}, gate.Options{Rules: gate.Rules{"/a": gate.AnyKey()}}).Check(t.Context(), r.check(true))
		if err != nil || codeOf(t, out) != row.code {
			t.Errorf("%s: %v %v", row.code, out, err)
			continue
		}
		no := out.GetDeniedResponse()
		want := map[string][]string{"content-type": {api.ProblemType}, "cache-control": {"no-store"}, "x-content-type-options": {"nosniff"}, "x-auth-error": {row.code}}
		if row.retry != "" {
			want["retry-after"] = []string{row.retry}
		}
		if row.status == 401 {
			want["www-authenticate"] = []string{`Bearer realm="gatehouse"`, `Signature realm="gatehouse"`}
			want["accept-signature"] = []string{"sig1=()"}
		}
		if row.status == 429 {
			want["ratelimit"], want["ratelimit-policy"] = []string{`"minute";r=0;t=6`}, []string{`"minute";q=10;w=60`}
		}
		if diff := cmp.Diff(want, all(t, no.GetHeaders())); diff != "" || int32(no.GetStatus().GetCode()) != row.status || out.GetStatus().GetCode() != int32(row.grpc) || out.GetDynamicMetadata() != nil {
			t.Errorf("%s: %v %s", row.code, out, diff)
		}
		var p api.Problem
		if err := json.Unmarshal([]byte(no.GetBody()), &p); err != nil || p.Status != int(row.status) || p.Code != row.code || p.Title == "" {
			t.Errorf("%s: %s %v", row.code, no.GetBody(), err)
		}
	}
}
