// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// judge is a verifier that says what the test wants, and keeps what it was asked.
type judge struct {
	say   gatehouse.Decision
	err   error
	body  bool // wants bodies
	asked atomic.Int64
	last  gatehouse.Request
}

func (j *judge) Verify(_ context.Context, r *gatehouse.Request) (gatehouse.Decision, error) {
	j.asked.Add(1)
	j.last = *r
	j.last.Body.Bytes = bytes.Clone(r.Body.Bytes)
	return j.say, j.err
}

func (j *judge) WantsBody(*gatehouse.Request) bool { return j.body }

func (*judge) Challenges() gatehouse.Header {
	return gatehouse.Header{"Www-Authenticate": {`Bearer realm="gatehouse"`, `HMAC-SHA256 realm="gatehouse"`}, "Accept-Signature": {"sig1=()"}}
}

var _ Verifier = (*gatehouse.Authority)(nil)

var granted = gatehouse.Decision{Granted: true, Key: &gatehouse.Key{ID: "k1", Scopes: gatehouse.Scopes{"a", "b"}}, Principal: &gatehouse.Principal{UID: "ID1"}}

func denied(reason gatehouse.Reason) gatehouse.Decision {
	return gatehouse.Decision{Reason: reason, Principal: &gatehouse.Principal{State: gatehouse.PrincipalLocked}}
}

func newGate(t *testing.T, v Verifier, o Options) *Gate {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g, err := New(v, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// echo answers with what a handler sees.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if d := gatehouse.FromContext(r.Context()); d != nil {
		w.Header().Set("Key", d.Key.ID)
	}
	_, _ = w.Write(b)
})

func get(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Every reason there is, as an answer: to a bearer token, in our way and in Shield's.
func TestEveryReason(t *testing.T) {
	t.Parallel()
	for reason := range gatehouse.Reason(64) {
		if reason > 0 && reason.Code() == gatehouse.ReasonUndecided.Code() {
			break
		}
		say := denied(reason)
		if reason == gatehouse.ReasonRateLimited {
			say.RetryAfter = 1001 * time.Millisecond
		}
		reached := false
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
		w := get(newGate(t, &judge{say: say}, Options{}).Require("users-read", "x")(next), "/", "Authorization", "Bearer t")
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Code != reason.Code() || p.Title == "" || w.Code != reason.Status() {
			t.Errorf("%s: %d %s", reason, w.Code, w.Body)
		}
		want := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/problem+json"}, "X-Content-Type-Options": {"nosniff"}}
		switch w.Code {
		case http.StatusUnauthorized:
			want["Www-Authenticate"] = []string{`Bearer realm="gatehouse", error="invalid_token"`, `HMAC-SHA256 realm="gatehouse"`}
			want["Accept-Signature"] = []string{"sig1=()"}
		case http.StatusTooManyRequests:
			want["Retry-After"] = []string{"2"}
		case http.StatusServiceUnavailable:
			want["Retry-After"] = []string{"1"}
		}
		if reason == gatehouse.ReasonInsufficientScope {
			want["Www-Authenticate"] = []string{`Bearer realm="gatehouse", error="insufficient_scope", scope="users-read x"`}
		}
		if diff := cmp.Diff(want, w.Header()); diff != "" || reached {
			t.Errorf("%s: let through %v; fields (-want +got):\n%s", reason, reached, diff)
		}
		shieldReason(t, reason, say)
	}
}

func shieldReason(t *testing.T, reason gatehouse.Reason, say gatehouse.Decision) {
	t.Helper()
	w := get(newGate(t, &judge{say: say}, Options{Denials: ShieldDenials}).Require("users-read")(echo), "/", "Authorization", "HMAC-SHA256 k:s")
	if s := reason.Status(); s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable {
		if w.Code != s || w.Header().Get("Content-Type") != api.ProblemType || w.Header().Get("Retry-After") == "" {
			t.Errorf("Shield, %s: %d %s", reason, w.Code, w.Body)
		}
		return
	}
	want := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json; charset=UTF-8"}}
	if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != http.StatusUnauthorized || w.Body.String() != `{"message":"The access token is invalid."}` {
		t.Errorf("Shield, %s: %d %s\n%s", reason, w.Code, w.Body, diff)
	}
}

func TestShieldActivation(t *testing.T) {
	t.Parallel()
	for state, want := range map[gatehouse.PrincipalState]int{gatehouse.PrincipalLocked: 403, gatehouse.PrincipalDisabled: 403, gatehouse.PrincipalBanned: 401, gatehouse.PrincipalDeleted: 401} {
		say := denied(gatehouse.ReasonPrincipalInactive)
		say.Principal.State, say.Key = state, granted.Key
		w := get(newGate(t, &judge{say: say}, Options{Denials: ShieldActivationDenials}).Protect(echo), "/")
		if w.Code != want || want == 403 && w.Body.String() != `{"message":"You must activate your account before logging in."}` {
			t.Errorf("%s: %d %s", state, w.Code, w.Body)
		}
	}
	w := get(newGate(t, &judge{say: denied(gatehouse.ReasonReplayed)}, Options{Denials: ShieldActivationDenials}).Protect(echo), "/")
	if w.Code != http.StatusUnauthorized {
		t.Errorf("another reason: %d", w.Code)
	}
	// Shield looks at the scopes first.
	say := denied(gatehouse.ReasonPrincipalInactive)
	say.Key = granted.Key
	g := newGate(t, &judge{say: say}, Options{Denials: ShieldActivationDenials})
	for want, middleware := range map[int][]func(http.Handler) http.Handler{
		401: {g.Require("a", "c"), g.RequireAny("c", "d")}, 403: {g.Require("a", "b"), g.RequireAny("c", "b"), g.Require()},
	} {
		for i, m := range middleware {
			if w := get(m(echo), "/"); w.Code != want {
				t.Errorf("scopes %d: %d, want %d", i, w.Code, want)
			}
		}
	}
}

func TestChallengeWithoutBearer(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]string{"nothing": nil, "another scheme": {"Authorization", "HMAC-SHA256 k:s"}, "a key": {"X-Api-Key", "t"}} {
		w := get(newGate(t, &judge{say: denied(gatehouse.ReasonNoCredential)}, Options{}).Protect(echo), "/", fields...)
		if diff := cmp.Diff([]string{`Bearer realm="gatehouse"`, `HMAC-SHA256 realm="gatehouse"`}, w.Header()["Www-Authenticate"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		w = get(newGate(t, &judge{say: denied(gatehouse.ReasonInsufficientScope)}, Options{}).Require("a")(echo), "/", fields...)
		if w.Header()["Www-Authenticate"] != nil || w.Code != http.StatusForbidden {
			t.Errorf("%s: %d with a challenge %q", name, w.Code, w.Header()["Www-Authenticate"])
		}
	}
	w := get(newGate(t, &judge{say: denied(gatehouse.ReasonInsufficientScope)}, Options{}).RequireAny("a", "b")(echo), "/", "Authorization", "bearer t")
	if got := w.Header().Get("Www-Authenticate"); got != `Bearer realm="gatehouse", error="insufficient_scope", scope="a b"` {
		t.Errorf("any of two: %q", got)
	}
	// Scopes that RFC 6750 cannot write are not named.
	w = get(newGate(t, &judge{say: denied(gatehouse.ReasonInsufficientScope)}, Options{}).Require("a", "schreiben-ä")(echo), "/", "Authorization", "Bearer t")
	if got := w.Header().Get("Www-Authenticate"); got != `Bearer realm="gatehouse", error="insufficient_scope"` {
		t.Errorf("beyond ASCII: %q", got)
	}
}

// A failed dependency is 503, whatever else is wrong, and only the log learns why.
func TestFailedDependency(t *testing.T) {
	t.Parallel()
	for name, deny := range map[string]DenyFunc{"ours": nil, "Shield's": ShieldDenials} {
		var log bytes.Buffer
		j := &judge{say: granted, err: gatehouse.Unavailable("look up key", errors.New("the disk is gone"))}
		w := get(newGate(t, j, Options{Denials: deny, Log: slog.New(slog.NewTextHandler(&log, nil))}).Protect(echo), "/", "Authorization", "Bearer sesame")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"code":"unavailable"`) || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "the disk is gone") || strings.Contains(log.String(), "sesame") {
			t.Errorf("%s: log %q", name, log.String())
		}
		log.Reset()
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		w = httptest.NewRecorder()
		newGate(t, j, Options{Denials: deny, Log: slog.New(slog.NewTextHandler(&log, nil))}).Protect(echo).
			ServeHTTP(w, httptest.NewRequestWithContext(gone, http.MethodGet, "/", nil))
		if w.Code != http.StatusServiceUnavailable || log.Len() > 0 {
			t.Errorf("%s, the client is gone: %d, log %q", name, w.Code, log.String())
		}
	}
}

// A dependency that knows when it will be back is worth waiting for so long.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{1: "1", time.Second: "1", 6001 * time.Millisecond: "7"} {
		j := &judge{say: granted, err: gatehouse.BelowFloor(after)}
		w := get(newGate(t, j, Options{Log: slog.New(slog.DiscardHandler)}).Protect(echo), "/", "Authorization", "Bearer sesame")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != want {
			t.Errorf("%v: %d after %q, want %s", after, w.Code, w.Header().Get("Retry-After"), want)
		}
		if got := LogLevel(j.err); got != slog.LevelDebug {
			t.Errorf("the log is told as %v", got)
		}
	}
	if got := LogLevel(gatehouse.Unavailable("x", nil)); got != slog.LevelError {
		t.Errorf("the log is told as %v", got)
	}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"/a%2Fb/../c?q=%41": "/a%2Fb/../c?q=%41", "http://other.test/x?y": "/x?y", "HTTPS://other.test": "/", "http://other.test?y=/": "/?y=/",
		"*": "*", "ftp://h/x": "ftp://h/x", "/x?u=http://h/y": "/x?u=http://h/y", "": "/plain?q",
	} {
		j := &judge{say: granted}
		r := httptest.NewRequest(http.MethodPut, "/plain?q", nil)
		r.RequestURI, r.Host, r.RemoteAddr = raw, "Api.Example.test:8", "192.0.2.7:1"
		r.Header["X-Api-Key"] = []string{"one", "two"}
		newGate(t, j, Options{}).Require("s")(echo).ServeHTTP(httptest.NewRecorder(), r)
		got := j.last
		if got.Target != want || got.Method != "PUT" || got.Authority != "Api.Example.test:8" || got.Peer.String() != "192.0.2.7" ||
			!slices.Equal(got.Need, gatehouse.Scopes{"s"}) || got.NeedAny != nil || len(got.Header["X-Api-Key"]) != 2 || got.Body.State != gatehouse.BodyPresent {
			t.Errorf("%q: asked %+v, want target %q", raw, got, want)
		}
	}
}

// The scheme asked for is that of the client's own connection.
func TestQuestionScheme(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		client, proto string
		tls           *tls.ConnectionState
		want          string
	}{
		"plain":                     {"192.0.2.7:1", "", nil, "http"},
		"ours is encrypted":         {"192.0.2.7:1", "http", &tls.ConnectionState{}, "https"},
		"a trusted proxy says so":   {"10.0.0.1:1", "https", nil, "https"},
		"a trusted proxy denies it": {"10.0.0.1:1", "http", nil, "http"},
		"a stranger says so":        {"192.0.2.7:1", "https", nil, "http"},
	} {
		j := &judge{say: granted}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.TLS = row.client, row.tls
		r.Header.Set("X-Forwarded-Proto", row.proto)
		newGate(t, j, Options{Proxies: TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))}).Protect(echo).ServeHTTP(httptest.NewRecorder(), r)
		if j.last.Scheme != row.want {
			t.Errorf("%s: asked %q, want %q", name, j.last.Scheme, row.want)
		}
	}
}

// The client's credential and whom it claims to be go; everything else stays, and the
// request that came is not changed.
func TestStripping(t *testing.T) {
	t.Parallel()
	gone := []string{
		"Authorization", "AUTHORIZATION", "authorization", "Proxy-Authorization", "X-Api-Key", "X_Api_Key", "x.api.key", "X-Auth-Apikey", "X-Auth-Nonce",
		"X-Auth-Signature", "x_auth_signature", "Signature", "Signature-Input", "Signature_Input", "X-Auth-User", "X_Auth_User", "X-AUTH_user", "X.Auth.User", "x-auth-",
		"X-Auth-Request-Email", "X-Forwarded-User", "X_Forwarded_User", "X-Forwarded-Email", "X-Forwarded-Groups", "Remote-User", "Remote_User", "X-Remote-User",
		"X-Authenticated-Userid", "X-Consumer-Username", "X-Original-Url", "X-Rewrite-Url", "X-HTTP-Method-Override", "X-Token", "x_token",
		"X-Forwarded-Uri", "X-Forwarded-Method", "X-Envoy-Original-Path", "X-Webauth-User", "X-Forwarded-Client-Cert",
		"X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "Ssl-Client-Verify", "SSL_CLIENT_S_DN",
	}
	stay := []string{"Content-Digest", "Cookie", "X-Forwarded-For", "X-Author", "Accept", "X-Request-Id", "Signatures", "Want-Content-Digest"}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range slices.Concat(gone, stay) {
		r.Header[name] = []string{"v", "w"}
	}
	before := r.Header.Clone()
	var seen http.Header
	keep := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		r.Header.Set("Accept", "changed")
		r.Header["Cookie"][0] = "changed"
	})
	g := newGate(t, &judge{say: granted}, Options{Strip: []string{"X-Token"}, Rules: Rules{"GET /open": Open(), "/": AnyKey()}})
	g.Protect(keep).ServeHTTP(httptest.NewRecorder(), r)
	want := http.Header{}
	for _, name := range stay {
		want[name] = []string{"v", "w"}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the handler sees (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, r.Header); diff != "" {
		t.Errorf("the request that came is changed:\n%s", diff)
	}
	// An open route checks its own credential, but believes no identity either.
	for name := range r.Header {
		if credentialFields[spelling(name)] || g.strip[spelling(name)] {
			want[name] = []string{"v", "w"}
		}
	}
	r.URL.Path, r.RequestURI = "/open", "/open"
	g.Protect(keep).ServeHTTP(httptest.NewRecorder(), r)
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("on an open route (-want +got):\n%s", diff)
	}
}

// A credential is checked once: behind a gate, another one looks at scopes only.
func TestGateBehindAGate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		inner func(*Gate) http.Handler
		want  int
	}{
		{func(g *Gate) http.Handler { return g.Require("a", "b")(echo) }, 200},
		{func(g *Gate) http.Handler { return g.Require()(echo) }, 200},
		{func(g *Gate) http.Handler { return g.Require("a", "c")(echo) }, 403},
		{func(g *Gate) http.Handler { return g.RequireAny("c", "b")(echo) }, 200},
		{func(g *Gate) http.Handler { return g.RequireAny("c", "d")(echo) }, 403},
		{func(g *Gate) http.Handler { return g.Protect(echo) }, 200},
	} {
		j := &judge{say: granted}
		g := newGate(t, j, Options{})
		w := get(g.Protect(row.inner(g)), "/", "Authorization", "Bearer t")
		if w.Code != row.want || j.asked.Load() != 1 || w.Code == 200 && w.Header().Get("Key") != "k1" {
			t.Errorf("%d after %d questions, want %d after 1: %s", w.Code, j.asked.Load(), row.want, w.Body)
		}
	}
}

// Only the gate's own verifier is believed, and only for its own decision.
func TestAnotherAuthority(t *testing.T) {
	t.Parallel()
	foreign := granted
	override := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(gatehouse.NewContext(r.Context(), &foreign)))
		})
	}
	for name, row := range map[string]struct {
		handler func(theirs, ours *Gate) http.Handler
		asked   int64 // ours
	}{
		"behind another gate":            {func(theirs, ours *Gate) http.Handler { return theirs.Protect(ours.Require("a")(echo)) }, 1},
		"another gate between":           {func(theirs, ours *Gate) http.Handler { return ours.Protect(theirs.Protect(ours.Protect(echo))) }, 2},
		"a decision of nobody":           {func(_, ours *Gate) http.Handler { return override(ours.Require("a")(echo)) }, 1},
		"a decision in the place of its": {func(_, ours *Gate) http.Handler { return ours.Protect(override(ours.Require("a")(echo))) }, 2},
	} {
		j := &judge{say: granted}
		w := get(row.handler(newGate(t, &judge{say: granted}, Options{}), newGate(t, j, Options{})), "/")
		if w.Code != http.StatusOK || j.asked.Load() != row.asked {
			t.Errorf("%s: %d after %d questions, want %d", name, w.Code, j.asked.Load(), row.asked)
		}
	}
	j := &judge{say: granted}
	if get(newGate(t, j, Options{}).Protect(newGate(t, j, Options{}).Require("a")(echo)), "/"); j.asked.Load() != 1 {
		t.Errorf("behind another gate of the same verifier: %d questions", j.asked.Load())
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"negative body": {MaxBody: -1}, "negative buffers": {MaxBuffered: -1}, "too small buffers": {MaxBody: 11, MaxBuffered: 10}, "bad rule": {Rules: Rules{"/": {}}},
	} {
		if _, err := New(&judge{}, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, v := range map[string]Verifier{"no verifier": nil, "one that cannot be compared": struct {
		quiet
		_ []int
	}{}} {
		if _, err := New(v, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	g := newGate(t, &judge{}, Options{})
	for name, f := range map[string]func(){
		"any of none": func() { g.RequireAny() }, "no scope": func() { g.Require("two words") }, "empty scope": func() { g.Require("") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
