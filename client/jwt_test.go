// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gate"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signer signs JWTs, and publishes its key as kid "1".
type signer struct {
	*ecdsa.PrivateKey
	down  bool
	asked int
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{PrivateKey: key}
}

// RoundTrip implements http.RoundTripper.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	if s.down {
		return nil, errors.New("no route")
	}
	point, err := s.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	const set = `{"keys":[{"kty":"RSA","alg":"RS256","kid":"2","n":"AA","e":"AQAB"},{"kty":"EC","crv":"P-256","alg":"ES256","kid":"3","x":"AA","y":"AA"},` +
		`{"kty":"EC","crv":"P-256","alg":"ES256","kid":"1","x":"%s","y":"%s"}]}`
	return answer(r, http.StatusOK, fmt.Sprintf(set, b64(point[1:33]), b64(point[33:]))), nil
}

func (s *signer) verifier() *client.JWTVerifier {
	return client.NewJWTVerifier(client.JWTOptions{Issuer: "https://id.example/", Audience: "orders", HTTPClient: &http.Client{Transport: s}})
}

// sign signs claims; nil takes one away.
func (s *signer) sign(t testing.TB, header string, changes map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	c := map[string]any{
		"iss": "https://id.example/", "sub": "ID1", "aud": []string{"orders", "bills"}, "iat": now, "nbf": now, "exp": now + 60, "jti": "j",
		"client_id": "k", "scope": "read write", "tenant": "default",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	input := b64([]byte(header)) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	r, v, err := ecdsa.Sign(rand.Reader, s.PrivateKey, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...))
}

const es256 = `{"alg":"ES256","typ":"at+jwt","kid":"1"}`

func TestJWTVerifier(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	v, now := s.verifier(), time.Now().Unix()
	good := s.sign(t, es256, nil)
	if j, err := v.Verify(t.Context(), good); err != nil || j.UID != "ID1" || j.Key != "k" || j.Tenant != "default" || len(j.Scopes) != 2 || len(j.Audience) != 2 || j.ID != "j" || j.Expires.Sub(j.Issued) != time.Minute {
		t.Fatalf("%+v, %v", j, err)
	}
	if j, err := v.Verify(t.Context(), s.sign(t, es256, map[string]any{"client_id": nil, "scope": nil})); err != nil || j.Key != "" || len(j.Scopes) != 0 {
		t.Errorf("a session's: %+v, %v", j, err)
	}
	with := func(name string, value any) string { return s.sign(t, es256, map[string]any{name: value}) }
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"nothing":                 "",
		"two parts":               parts[0] + "." + parts[1],
		"four parts":              good + ".",
		"too long":                with("x", strings.Repeat("x", 8<<10)),
		"signed by another":       newSigner(t).sign(t, es256, nil),
		"another body":            parts[0] + "." + b64([]byte(`{}`)) + "." + parts[2],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"a signature of zeros":    parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"a longer signature":      good + "AA",
		"alg none":                s.sign(t, `{"alg":"none","typ":"at+jwt","kid":"1"}`, nil),
		"alg HS256":               s.sign(t, `{"alg":"HS256","typ":"at+jwt","kid":"1"}`, nil),
		"another type":            s.sign(t, `{"alg":"ES256","typ":"JWT","kid":"1"}`, nil),
		"an extension":            s.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"1","crit":["b64"]}`, nil),
		"no kid":                  s.sign(t, `{"alg":"ES256","typ":"at+jwt"}`, nil),
		"an unknown kid":          s.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"9"}`, nil),
		"the kid of an RSA key":   s.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"2"}`, nil),
		"the kid of a broken key": s.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"3"}`, nil),
		"another issuer":          with("iss", "https://id.example"),
		"another audience":        with("aud", []string{"bills"}),
		"no audience":             with("aud", nil),
		"nobody":                  with("sub", nil),
		"no tenant":               with("tenant", nil),
		"no name":                 with("jti", nil),
		"expired":                 with("exp", now),
		"without an end":          with("exp", nil),
		"without a beginning":     with("iat", nil),
		"from the future":         with("iat", now+60),
		"too early":               with("nbf", now+60),
		"strange scopes":          with("scope", `a"b`),
		"numbers for text":        with("sub", 1),
	} {
		if j, err := v.Verify(t.Context(), token); !errors.Is(err, client.ErrInvalidJWT) || j.UID != "" {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
	if s.asked != 1 {
		t.Errorf("the keys were fetched %d times", s.asked)
	}
}

// New keys are fetched when one is unknown, not more often than every ten seconds, and the old
// ones count while none can be had.
func TestJWTKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		v := s.verifier()
		expect := func(when, token string, want error, asked int) {
			t.Helper()
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) || s.asked != asked {
				t.Errorf("%s: %v, asked %d times; want %v, %d", when, err, s.asked, want, asked)
			}
		}
		s.down = true
		good := func() string { return s.sign(t, es256, nil) }
		expect("without keys", good(), gatehouse.ErrUnavailable, 1)
		s.down = false
		expect("at once", good(), gatehouse.ErrUnavailable, 1)
		<-time.After(10 * time.Second)
		expect("fetched", good(), nil, 2)
		unknown := `{"alg":"ES256","typ":"at+jwt","kid":"9"}`
		expect("unknown", s.sign(t, unknown, nil), client.ErrInvalidJWT, 2)
		<-time.After(10 * time.Second)
		expect("unknown later", s.sign(t, unknown, nil), client.ErrInvalidJWT, 3)
		s.down = true
		<-time.After(6 * time.Minute)
		expect("old keys", good(), nil, 4)
		expect("unknown while none can be had", s.sign(t, unknown, nil), gatehouse.ErrUnavailable, 4)
		next := newSigner(t)
		s.down, s.PrivateKey = false, next.PrivateKey
		<-time.After(10 * time.Second)
		expect("withdrawn and another in its place", good(), nil, 5)
	})
}

// Behind a gate JWTs are decided here, and all else by the server.
func TestVerifierWithJWTs(t *testing.T) {
	t.Parallel()
	h := start(t)
	c := h.client(nil, "revocations:read", "keys:verify")
	checks, _ := h.checks(c, client.RevocationsOptions{})
	g, err := gate.New(client.NewVerifier(c, client.VerifierOptions{JWT: checks}), gate.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	k, other := h.key("bearer", "read"), h.key("bearer", "else")
	door := g.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := gatehouse.FromContext(r.Context())
		_, _ = fmt.Fprint(w, d.Scheme, " ", d.Key.ID, " ", d.Principal.UID)
	}))
	token := h.jwt(k)
	want := func(name string, status int, text string, fields ...string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", nil)
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %s, want %d with %s", name, w.Code, w.Body, status, text)
		}
	}
	want("a JWT", 200, "jwt "+k.ID+" "+k.Owner, "Authorization", "Bearer "+token)
	want("a key", 200, "bearer "+k.ID, "Authorization", "Bearer "+k.Token)
	want("a JWT with less", 403, "insufficient_scope", "Authorization", "Bearer "+h.jwt(other))
	want("a broken JWT", 401, "invalid_credential", "Authorization", "Bearer "+token+"A")
	want("a JWT and a key", 401, "credential", "Authorization", "Bearer "+token, "X-Api-Key", k.Token)
	if _, err := h.admin.RevokeKey(t.Context(), k.ID, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, checks, token)
	want("a revoked JWT", 401, "key_revoked", "Authorization", "Bearer "+token)
}

// What a route demands and a JWT does not show is refused, and the server is not asked.
func TestJWTDemands(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	c := remote(t, func(*http.Request) (*http.Response, error) {
		t.Error("the server was asked")
		return nil, errors.New("asked")
	})
	v := client.NewVerifier(c, client.VerifierOptions{JWT: s.verifier()})
	presented := func(scheme string) map[string]any { return map[string]any{"auth": map[string]any{"scheme": scheme}} }
	for _, row := range []struct {
		name   string
		claims map[string]any
		demand gatehouse.Request
		want   gatehouse.Reason // zero: granted
	}{
		{"nothing", nil, gatehouse.Request{}, 0},
		{"a role, not shown", nil, gatehouse.Request{Roles: []string{"admin"}}, gatehouse.ReasonRouteNotAllowed},
		{"no role, not shown", nil, gatehouse.Request{Roles: []string{""}}, gatehouse.ReasonRouteNotAllowed},
		{"a role", map[string]any{"role": "clerk"}, gatehouse.Request{Roles: []string{"admin", "clerk"}}, 0},
		{"another role", map[string]any{"role": "clerk"}, gatehouse.Request{Roles: []string{"admin"}}, gatehouse.ReasonRouteNotAllowed},
		{"a scheme, not shown", nil, gatehouse.Request{Schemes: []string{"bearer"}}, gatehouse.ReasonSchemeNotAllowed},
		{"a scheme", presented("bearer"), gatehouse.Request{Schemes: []string{"httpsig", "bearer"}}, 0},
		{"another scheme", presented("bearer"), gatehouse.Request{Schemes: []string{"httpsig", "jwt"}}, gatehouse.ReasonSchemeNotAllowed},
		{"signed, not shown", nil, gatehouse.Request{Signed: true}, gatehouse.ReasonSchemeNotAllowed},
		{"signed", presented("httpsig"), gatehouse.Request{Signed: true}, 0},
		{"not signed", presented("bearer"), gatehouse.Request{Signed: true}, gatehouse.ReasonSchemeNotAllowed},
		{"signed in an unknown way", presented("sealed"), gatehouse.Request{Signed: true}, gatehouse.ReasonSchemeNotAllowed},
		{"a session, signed", presented("session"), gatehouse.Request{Signed: true}, gatehouse.ReasonSchemeNotAllowed},
		{"scopes", nil, gatehouse.Request{Need: gatehouse.Scopes{"else"}}, gatehouse.ReasonInsufficientScope},
	} {
		row.demand.Header = gatehouse.Header{"Authorization": {"Bearer " + s.sign(t, es256, row.claims)}}
		d, err := v.Verify(t.Context(), &row.demand)
		if err != nil || d.Reason != row.want || d.Granted != (row.want == 0) || d.Signed {
			t.Errorf("%s: %+v, %v", row.name, d, err)
		}
	}
}

func FuzzJWT(f *testing.F) {
	s := newSigner(f)
	v := s.verifier()
	f.Add(newSigner(f).sign(f, es256, nil))
	f.Add(b64([]byte(es256)) + ".." + b64(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, token string) {
		if j, err := v.Verify(t.Context(), token); err == nil {
			t.Errorf("%q says %+v", token, j)
		} else if len(token) > 8 && strings.Contains(err.Error(), token) {
			t.Errorf("the error holds the input: %v", err)
		}
	})
}
