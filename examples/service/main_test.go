// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
)

// authority publishes keys, as Gatehouse does.
type authority struct {
	*httptest.Server
	keys    []*rsa.PrivateKey
	alg     string // of the published keys
	down    bool
	asked   int
	changed int // answers with a body
}

func newAuthority(t *testing.T, keys ...*rsa.PrivateKey) *authority {
	a := &authority{keys: keys, alg: "RS256"}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked++
		set := map[string][]map[string]string{"keys": {{"kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "AA", "y": "AA"}}}
		for _, k := range a.keys {
			n := base64.RawURLEncoding.EncodeToString(k.N.Bytes())
			set["keys"] = append(set["keys"], map[string]string{"kty": "RSA", "alg": a.alg, "use": "sig", "n": n, "e": "AQAB"})
		}
		etag := fmt.Sprintf(`"%d"`, len(a.keys))
		w.Header().Set("ETag", etag)
		switch {
		case a.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("If-None-Match") == etag:
			w.WriteHeader(http.StatusNotModified)
		default:
			a.changed++
			_ = json.NewEncoder(w).Encode(set)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

// start is the time of the tests' tokens.
var start = time.Unix(1_800_000_000, 0)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func newService(a *authority) (http.Handler, *clock) {
	c := &clock{start}
	holds, _ := follow("", gatehouse.Secret{})
	return whoami(&verifier{keys: &keySet{url: a.URL, now: c.now}, audience: "peatio", holds: holds, now: c.now}), c
}

var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 2)
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func sign(t *testing.T, k *rsa.PrivateKey, header string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := b64([]byte(header)) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

// rs256 is the header of Barong's tokens.
const rs256 = `{"alg":"RS256"}`

// goodClaims are Barong's, with changes; nil takes a claim away.
func goodClaims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iat": start.Unix(), "exp": start.Unix() + 3600, "sub": "session", "iss": "barong", "aud": []string{"peatio", "barong"},
		"jti": "0123456789abcdef0123", "uid": "ID1234567890", "email": "a@example.com", "role": "member", "level": 1, "state": "active",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func call(h http.Handler, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/api/v2/peatio/market/orders", nil)
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestCaller(t *testing.T) {
	t.Parallel()
	k := testKeys()[0]
	h, _ := newService(newAuthority(t, k))
	w := call(h, "Bearer "+sign(t, k, rs256, goodClaims(nil)))
	const want = `{"uid":"ID1234567890","email":"a@example.com","role":"member"}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
		t.Errorf("got %d %s, want 200 %s", w.Code, got, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k := testKeys()[0]
	h, _ := newService(newAuthority(t, k))
	good := sign(t, k, rs256, goodClaims(nil))
	with := func(name string, value any) []string {
		return []string{"Bearer " + sign(t, k, rs256, goodClaims(map[string]any{name: value}))}
	}
	body := good[strings.Index(good, ".")+1 : strings.LastIndex(good, ".")]
	hs256 := b64([]byte(`{"alg":"HS256"}`)) + "." + body
	public, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs256))
	for name, authorization := range map[string][]string{
		"none":                        nil,
		"two":                         {"Bearer " + good, "Bearer " + good},
		"another scheme":              {"Basic " + good},
		"no dots":                     {"Bearer x"},
		"a fourth part":               {"Bearer " + good + ".x"},
		"signed by another key":       {"Bearer " + sign(t, testKeys()[1], rs256, goodClaims(nil))},
		"another body":                {"Bearer " + good[:strings.Index(good, ".")+1] + b64([]byte(`{}`)) + good[strings.LastIndex(good, "."):]},
		"alg none":                    {"Bearer " + b64([]byte(`{"alg":"none"}`)) + "." + body + "."},
		"alg HS256 by the public key": {"Bearer " + hs256 + "." + b64(mac.Sum(nil))},
		"alg of another spelling":     {"Bearer " + sign(t, k, `{"alg":"rs256"}`, goodClaims(nil))},
		"an extension":                {"Bearer " + sign(t, k, `{"alg":"RS256","crit":["b64"]}`, goodClaims(nil))},
		"another issuer":              with("iss", "other"),
		"no issuer":                   with("iss", nil),
		"a token from a mail":         with("sub", "reset"),
		"another audience":            with("aud", []string{"barong"}),
		"no audience":                 with("aud", nil),
		"expired":                     with("exp", start.Unix()),
		"without an end":              with("exp", nil),
		"from the future":             with("nbf", start.Unix()+1),
		"about nobody":                with("uid", nil),
	} {
		if w := call(h, authorization...); w.Code != http.StatusUnauthorized || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %s, want 401 and no body", name, w.Code, w.Body)
		}
	}
}

// A token that was revoked is refused; while nobody can tell, nothing is said of it.
func TestRevoked(t *testing.T) {
	t.Parallel()
	k := testKeys()[0]
	a := newAuthority(t, k)
	for err, status := range map[error]int{nil: 200, client.ErrRevoked: 401, client.ErrStale: 503} {
		var asked client.Issued
		h := whoami(&verifier{
			keys: &keySet{url: a.URL, now: (&clock{start}).now}, audience: "peatio", now: (&clock{start}).now,
			holds: func(j client.Issued) error { asked = j; return err },
		})
		w := call(h, "Bearer "+sign(t, k, rs256, goodClaims(nil)))
		if w.Code != status || asked.UID != "ID1234567890" || !asked.Time.Equal(start) {
			t.Errorf("%v: %d, want %d; asked of %+v", err, w.Code, status, asked)
		}
	}
}

func TestNewKeyIsFetchedOncePerMinute(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, testKeys()[0])
	h, c := newService(a)
	old := "Bearer " + sign(t, testKeys()[0], rs256, goodClaims(nil))
	next := "Bearer " + sign(t, testKeys()[1], rs256, goodClaims(nil))
	expect := func(when, token string, status, asked, changed int) {
		t.Helper()
		if w := call(h, token); w.Code != status || a.asked != asked || a.changed != changed {
			t.Errorf("%s: %d after %d requests (%d answers), want %d after %d (%d)", when, w.Code, a.asked, a.changed, status, asked, changed)
		}
	}
	expect("first", old, 200, 1, 1)
	expect("unknown at once", next, 401, 1, 1)
	c.advance(59 * time.Second)
	expect("unknown after 59 s", next, 401, 1, 1)
	c.advance(time.Second)
	expect("unknown after 60 s", next, 401, 2, 1) // not modified
	expect("unknown again", next, 401, 2, 1)
	a.keys = testKeys()
	c.advance(time.Minute)
	expect("rotated", next, 200, 3, 2)
	expect("the old key beside it", old, 200, 3, 2)
	a.keys = testKeys()[1:]
	c.advance(4 * time.Minute)
	expect("withdrawn, not noticed yet", old, 200, 3, 2)
	c.advance(time.Minute)
	expect("withdrawn", old, 401, 4, 3)
}

func TestAuthorityDown(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, testKeys()[0])
	h, c := newService(a)
	token := "Bearer " + sign(t, testKeys()[0], rs256, goodClaims(nil))
	a.down = true
	for range 2 {
		if w := call(h, token); w.Code != http.StatusServiceUnavailable || a.asked != 1 {
			t.Errorf("without keys: %d after %d requests, want 503 after 1", w.Code, a.asked)
		}
	}
	a.down = false
	c.advance(afterError)
	if w := call(h, token); w.Code != http.StatusOK {
		t.Errorf("with keys: %d, want 200", w.Code)
	}
	a.down = true
	c.advance(old)
	if w := call(h, token); w.Code != http.StatusOK {
		t.Errorf("with keys of yesterday: %d, want 200", w.Code)
	}
	unknown := "Bearer " + sign(t, testKeys()[1], rs256, goodClaims(nil))
	if w := call(h, unknown); w.Code != http.StatusServiceUnavailable {
		t.Errorf("unknown key while nobody can tell: %d, want 503", w.Code)
	}
}

func TestKeysOfOtherKindsAreNotUsed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, testKeys()[0])
	a.alg = "RS512"
	h, _ := newService(a)
	if w := call(h, "Bearer "+sign(t, testKeys()[0], rs256, goodClaims(nil))); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", w.Code)
	}
}
