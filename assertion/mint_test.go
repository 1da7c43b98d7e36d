// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

// segments decodes header and claims of a token.
func segments(t *testing.T, token string) (header, claims string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d segments", len(parts))
	}
	var out [2]string
	for i := range out {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(b)
	}
	return out[0], out[1]
}

func TestBarongWire(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	iat := start.Unix()
	head := fmt.Sprintf(`{"iat":%d,"exp":%d,"sub":"session","iss":"barong","aud":["peatio","barong"],"jti":"J",`, iat, iat+3600)
	for name, tc := range map[string]struct {
		change func(p *gatehouse.Principal)
		want   string
	}{
		"account": {
			func(*gatehouse.Principal) {},
			`"uid":"ID0123456789","username":"alice","email":"a<b>&c@example.com","role":"member","level":3,"state":"active","referral_id":17}`,
		},
		"account without username and referral": {
			func(p *gatehouse.Principal) { p.Username, p.Referral = "", "" },
			`"uid":"ID0123456789","username":null,"email":"a<b>&c@example.com","role":"member","level":3,"state":"active","referral_id":null}`,
		},
		"referral that is no row number": {
			func(p *gatehouse.Principal) { p.Referral, p.State = "017", gatehouse.PrincipalPending },
			`"uid":"ID0123456789","username":"alice","email":"a<b>&c@example.com","role":"member","level":3,"state":"pending","referral_id":null}`,
		},
		"referral that is text": {
			func(p *gatehouse.Principal) { p.Referral = "acc0" },
			`"uid":"ID0123456789","username":"alice","email":"a<b>&c@example.com","role":"member","level":3,"state":"active","referral_id":null}`,
		},
		"service account": {
			func(p *gatehouse.Principal) {
				*p = gatehouse.Principal{ID: "s1", Tenant: "default", Kind: gatehouse.PrincipalService, UID: "SI0123456789", Email: "bot@example.com", Role: "sa_maker", State: "active", Version: 1}
			},
			`"uid":"SI0123456789","email":"bot@example.com","role":"sa_maker","level":0,"state":"active"}`,
		},
	} {
		s := keySubject()
		tc.change(&s.Principal)
		token := mint(t, h.minter(k, assertion.Barong), s)
		header, claims := segments(t, token)
		if header != `{"alg":"RS256"}` {
			t.Errorf("%s: header %s", name, header)
		}
		jti := regexp.MustCompile(`"jti":"([0-9a-f]{20})"`)
		if !jti.MatchString(claims) {
			t.Errorf("%s: no jti of 20 hex digits: %s", name, claims)
		}
		if diff := cmp.Diff(head+tc.want, jti.ReplaceAllString(claims, `"jti":"J"`)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(&ourRSA().PublicKey); err != nil {
			t.Errorf("%s: another library: %v", name, err)
		}
	}
}

func TestDefaultWire(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	m := h.minter(k, assertion.Default)
	token := mint(t, m, keySubject())
	kid := h.store.all()[0].ID
	iat := start.Unix()
	header, claims := segments(t, token)
	if want := `{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}`; header != want {
		t.Errorf("header %s, want %s", header, want)
	}
	jti := regexp.MustCompile(`"jti":"[A-Z2-7]{26}"`)
	want := fmt.Sprintf(`{"iss":"https://id.example","sub":"ID0123456789","aud":["orders"],"exp":%d,"iat":%d,"nbf":%d,"jti":"J","client_id":"k1","scope":"read write","tenant":"default","auth":{"scheme":"bearer","key":"k1","body":"unavailable"}}`, iat+60, iat, iat)
	if diff := cmp.Diff(want, jti.ReplaceAllString(claims, `"jti":"J"`)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}

	// As a service checks it: the JWK set, found by kid, with another library.
	parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var std josejwt.Claims
	if err := parsed.Claims(jwks(t, k), &std); err != nil {
		t.Fatal(err)
	}
	if err := std.ValidateWithLeeway(josejwt.Expected{Issuer: "https://id.example", AnyAudience: josejwt.Audience{"orders"}, Time: start}, 0); err != nil {
		t.Error(err)
	}

	session := mint(t, m, assertion.Subject{Principal: account(), Scheme: "session", Session: "s1"})
	var c map[string]any
	_, claims = segments(t, session)
	if err := json.Unmarshal([]byte(claims), &c); err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"client_id", "scope"} {
		if _, ok := c[absent]; ok {
			t.Errorf("a session's token has %s", absent)
		}
	}
	if diff := cmp.Diff(map[string]any{"scheme": "session"}, c["auth"]); diff != "" {
		t.Error(diff)
	}
}

// What a proof says of the body reaches the service, and never that of another request.
func TestBodyInToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	seen := map[string]bool{}
	for _, row := range []struct {
		state          gatehouse.BodyState
		digest, want   string
		mayShareTokens bool
	}{
		{gatehouse.BodyUnavailable, "", "unavailable", true},
		{gatehouse.BodyVerified, "", "verified", true},
		{gatehouse.BodyVerified, "sha-256=:AAAA:", "verified", false},
		{gatehouse.BodyDeferred, "sha-256=:BBBB:", "deferred", false},
	} {
		s := keySubject()
		s.Body, s.Digest = row.state, row.digest
		first, second := mint(t, m, s), mint(t, m, s)
		if (first == second) != row.mayShareTokens || seen[first] {
			t.Errorf("%s %q: reused %v, or another state's", row.want, row.digest, first == second)
		}
		seen[first] = true
		var c struct {
			Auth struct{ Body string }
			Cdig string
		}
		_, claims := segments(t, first)
		if err := json.Unmarshal([]byte(claims), &c); err != nil || c.Auth.Body != row.want || c.Cdig != row.digest {
			t.Errorf("claims %s (%v); want %s, %q", claims, err, row.want, row.digest)
		}
	}
}

func TestTokenNeverOutlivesKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	for _, tc := range []struct {
		left time.Duration // until the key expires
		want int64         // seconds from iat to exp
	}{
		{time.Hour, 60},
		{60 * time.Second, 60},
		{59*time.Second + 749*time.Millisecond, 59},
		{30 * time.Second, 30},
		{751 * time.Millisecond, 1},
		{749 * time.Millisecond, 0},
		{time.Millisecond, 0},
	} {
		s := keySubject()
		s.Key.Expires = start.Add(tc.left)
		_, claims := segments(t, mint(t, h.minter(k, assertion.Default), s))
		var c struct{ Iat, Exp int64 }
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		if c.Iat != start.Unix() || c.Exp-c.Iat != tc.want || time.Unix(c.Exp, 0).After(s.Key.Expires) {
			t.Errorf("key expires in %v: token lives %d s, want %d", tc.left, c.Exp-c.Iat, tc.want)
		}
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	first := mint(t, m, keySubject())
	h.clock.add(5*time.Second - time.Nanosecond)
	if mint(t, m, keySubject()) != first {
		t.Error("signed again within the reuse window")
	}
	h.clock.add(time.Nanosecond)
	second := mint(t, m, keySubject())
	if second == first {
		t.Error("reused at the end of the window")
	}
	h.clock.add(-2 * time.Second)
	if mint(t, m, keySubject()) == second {
		t.Error("reused though iat is in the future: the clock was set back")
	}
}

func TestAnyChangeOfSubjectSignsAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	seen := map[string]string{mint(t, m, keySubject()): "unchanged"}
	for name, change := range map[string]func(s *assertion.Subject){
		"key version":       func(s *assertion.Subject) { s.Key.Version++ },
		"principal version": func(s *assertion.Subject) { s.Principal.Version++ },
		"key":               func(s *assertion.Subject) { s.Key.ID = "k2" },
		"principal":         func(s *assertion.Subject) { s.Principal.ID = "acc2" },
		"tenant":            func(s *assertion.Subject) { s.Principal.Tenant = "other" },
		"scheme":            func(s *assertion.Subject) { s.Scheme = "httpsig" },
		"session":           func(s *assertion.Subject) { s.Key, s.Session = nil, "k1" },
		"another session":   func(s *assertion.Subject) { s.Key, s.Session = nil, "s2" },
		"shifted boundary":  func(s *assertion.Subject) { s.Principal.ID, s.Key.ID = "acc", "1k1" },
	} {
		s := keySubject()
		change(&s)
		token := mint(t, m, s)
		if other, ok := seen[token]; ok {
			t.Errorf("%s: shares the token of %s", name, other)
		}
		seen[token] = name
		if mint(t, m, s) != token {
			t.Errorf("%s: is not reused", name)
		}
	}
	if _, ok := seen[mint(t, m, keySubject())]; !ok {
		t.Error("the unchanged subject lost its token")
	}
}

func TestWhatIsNotReused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	twice := func(c assertion.MinterConfig, s assertion.Subject, after time.Duration) bool {
		m := assertion.NewMinter(c)
		first := mint(t, m, s)
		h.clock.add(after)
		return mint(t, m, s) == first
	}
	config := h.minterConfig(k, assertion.Default)
	config.Reuse = -1
	if twice(config, keySubject(), 0) {
		t.Error("reused against the configuration")
	}
	config.Reuse = time.Hour
	if twice(config, keySubject(), 30*time.Second) {
		t.Error("reused for longer than half the lifetime")
	}
	if !twice(config, keySubject(), 30*time.Second-time.Nanosecond) {
		t.Error("not reused for half the lifetime")
	}
	config.Reuse = 0
	s := keySubject()
	s.Key.Version = 0
	if twice(config, s, 0) {
		t.Error("reused for a key without a version")
	}
	s = keySubject()
	s.Principal.Version = 0
	if twice(config, s, 0) {
		t.Error("reused for a principal without a version")
	}
	s = keySubject()
	s.Key.Expires = h.clock.now().Add(2 * time.Second)
	if twice(config, s, 2*time.Second) {
		t.Error("reused an expired token")
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	for name, change := range map[string]func(s *assertion.Subject){
		"no principal": func(s *assertion.Subject) { s.Principal = gatehouse.Principal{} },
		"no UID":       func(s *assertion.Subject) { s.Principal.UID = "" },
		"no kind":      func(s *assertion.Subject) { s.Principal.Kind = gatehouse.PrincipalInvalid },
		"bad kind":     func(s *assertion.Subject) { s.Principal.Kind = 9 },
	} {
		s := keySubject()
		change(&s)
		token, err := m.Mint(t.Context(), s)
		var invalid *gatehouse.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "principal" || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

func TestNewMinterPanics(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	for name, change := range map[string]func(c *assertion.MinterConfig){
		"no keys":     func(c *assertion.MinterConfig) { c.Keys = nil },
		"no profile":  func(c *assertion.MinterConfig) { c.Profile = assertion.ProfileInvalid },
		"no issuer":   func(c *assertion.MinterConfig) { c.Issuer = "" },
		"no audience": func(c *assertion.MinterConfig) { c.Audience = nil },
		"no life":     func(c *assertion.MinterConfig) { c.Lifetime = time.Second - 1 },
	} {
		c := h.minterConfig(k, assertion.Default)
		change(&c)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			assertion.NewMinter(c)
		}()
	}
}

func TestConcurrentMintsShareOneSignature(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.rsaKeys(t), assertion.Barong)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		tokens = map[string]int{}
	)
	for range 64 {
		wg.Go(func() {
			token, err := m.Mint(t.Context(), keySubject())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[token]++
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Errorf("64 callers got %d tokens", len(tokens))
	}
}

func TestMintUnderChange(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.minter(h.open(t, h.config()), assertion.Default)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				s := keySubject()
				s.Key.ID = fmt.Sprint("k", (g+i)%7)
				s.Key.Version = int64(1 + i%3)
				if i%50 == 0 {
					h.clock.add(time.Second)
				}
				token, err := m.Mint(t.Context(), s)
				if err != nil {
					t.Error(err)
					return
				}
				_, claims := segments(t, token)
				if !strings.Contains(claims, `"client_id":"`+s.Key.ID+`"`) {
					t.Errorf("%s got %s", s.Key.ID, claims)
				}
			}
		})
	}
	wg.Wait()
}

func TestProfileNames(t *testing.T) {
	t.Parallel()
	for p, name := range map[assertion.Profile]string{assertion.Default: "default", assertion.Barong: "barong"} {
		if p.String() != name || assertion.ParseProfile(name) != p {
			t.Errorf("%d is not %s", p, name)
		}
	}
	for _, text := range []string{"", "invalid", "Barong"} {
		if p := assertion.ParseProfile(text); p != assertion.ProfileInvalid {
			t.Errorf("%q is %v", text, p)
		}
	}
	if got := assertion.Profile(9).String(); got != "invalid" {
		t.Error(got)
	}
}

func BenchmarkMintReused(b *testing.B) {
	h := newHouse(b)
	c := h.minterConfig(h.rsaKeys(b), assertion.Barong)
	c.Now = nil
	c.Lifetime, c.Reuse = 24*time.Hour, 12*time.Hour
	m := assertion.NewMinter(c)
	s := keySubject()
	ctx := context.Background()
	if _, err := m.Mint(ctx, s); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Mint(ctx, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMintSigned(b *testing.B) {
	for _, p := range []assertion.Profile{assertion.Default, assertion.Barong} {
		b.Run(p.String(), func(b *testing.B) {
			h := newHouse(b)
			c := h.minterConfig(h.rsaKeys(b), p)
			c.Reuse = -1
			m := assertion.NewMinter(c)
			s := keySubject()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Mint(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
