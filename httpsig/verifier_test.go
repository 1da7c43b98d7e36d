// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// store is a replay cache and a set of keys that counts how often it is asked.
type store struct {
	key           VerifyKey
	lookups       int
	nonces        map[string]bool
	lookup, claim error
}

func (s *store) verifier(p Policy) *Verifier {
	return &Verifier{
		Policy: p,
		Now:    signer().Now,
		Key: func(_ context.Context, keyID string) (VerifyKey, error) {
			s.lookups++
			return s.key, s.lookup
		},
		Claim: func(_ context.Context, g *Signature) (bool, error) {
			first := !s.nonces[g.KeyID+" "+g.Nonce]
			s.nonces[g.KeyID+" "+g.Nonce] = true
			return first, s.claim
		},
	}
}

var errStore = errors.New("the store is down")

// Nothing is looked up for a message that cannot pass, and no nonce is claimed by one
// that does not.
func TestVerifierOrder(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil   func(*Message, *store, *string)
		want    error
		lookups int
		claims  int
	}{
		"good":          {func(*Message, *store, *string) {}, nil, 1, 1},
		"no signature":  {func(m *Message, _ *store, _ *string) { m.Header = nil }, ErrNoSignature, 0, 0},
		"coverage":      {func(m *Message, _ *store, _ *string) { replaceInput(`"@path" `, "")(m) }, lacks("@path"), 0, 0},
		"lookup fails":  {func(_ *Message, s *store, _ *string) { s.lookup = errStore }, errStore, 1, 0},
		"no key":        {func(_ *Message, s *store, _ *string) { s.key = nil }, ErrInvalid, 1, 0},
		"proof":         {func(m *Message, _ *store, _ *string) { m.Target = "/other?dry=1" }, ErrInvalid, 1, 0},
		"nonce of own":  {func(m *Message, _ *store, _ *string) { replaceInput(`"n1"`, `"n2"`)(m) }, ErrInvalid, 1, 0},
		"time":          {stale, ErrStale, 1, 0},
		"body":          {func(_ *Message, _ *store, body *string) { *body = "other" }, ErrDigest, 1, 0},
		"body gone":     {func(_ *Message, _ *store, body *string) { *body = "" }, ErrDigest, 1, 0},
		"claim fails":   {func(_ *Message, s *store, _ *string) { s.claim = errStore }, errStore, 1, 1},
		"nonce is used": {func(_ *Message, s *store, _ *string) { s.nonces["k1 n1"] = true }, ErrReplayed, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{key: shared, nonces: map[string]bool{}}
			m, body := signed(t, signer(), post()), "the body"
			tt.spoil(m, s, &body)
			got, err := s.verifier(Policy{}).Verify(t.Context(), m, []byte(body))
			wantErr(t, err, tt.want)
			if (got != nil) != (tt.want == nil) {
				t.Errorf("signature %v with error %v", got, err)
			}
			if s.lookups != tt.lookups || len(s.nonces) != tt.claims {
				t.Errorf("%d lookups and %d claims, want %d and %d", s.lookups, len(s.nonces), tt.lookups, tt.claims)
			}
		})
	}
}

func stale(m *Message, _ *store, _ *string) {
	old := *raw(&testing.T{}, `("@method" "@target-uri" "content-digest");created=1782907100;keyid="k1";nonce="n1"`)
	m.Header = old.Header
}

func TestVerifierReplay(t *testing.T) {
	t.Parallel()
	s := &store{key: shared, nonces: map[string]bool{}}
	m := signed(t, signer(), post())
	for _, want := range []error{nil, ErrReplayed, ErrReplayed} {
		_, err := s.verifier(Policy{}).Verify(t.Context(), m, []byte("the body"))
		wantErr(t, err, want)
	}
}

// A body of which the message does not speak is a body all the same.
func TestVerifierBody(t *testing.T) {
	t.Parallel()
	m := post()
	m.Body = BodyNone
	delete(m.Header, "Content-Digest")
	m = signed(t, signer(), m)
	for body, want := range map[string]error{"": nil, "smuggled": lacks("content-digest")} {
		s := &store{key: shared, nonces: map[string]bool{}}
		_, err := s.verifier(Policy{}).Verify(t.Context(), m, []byte(body))
		wantErr(t, err, want)
	}
	// A digest that is covered is checked, body or not.
	m = post()
	m.Header["Content-Digest"] = []string{"md5=:AAAA:"}
	m = signed(t, signer(), m)
	s := &store{key: shared, nonces: map[string]bool{}}
	_, err := s.verifier(Policy{}).Verify(t.Context(), m, nil)
	wantErr(t, err, ErrNoDigest)
}

// Where no nonce is needed, none is claimed.
func TestVerifierNoNonce(t *testing.T) {
	t.Parallel()
	g, m := signer(), post()
	g.Nonce = func() string { return "" }
	m.Method = "GET"
	m = signed(t, g, m)
	for always, want := range map[bool]error{false: nil, true: lacks("nonce")} {
		s := &store{key: shared, nonces: map[string]bool{}}
		_, err := s.verifier(Policy{NonceAlways: always}).Verify(t.Context(), m, []byte("the body"))
		wantErr(t, err, want)
		if len(s.nonces) != 0 {
			t.Error("a nonce was claimed")
		}
	}
}

// No error repeats a value of the message, whatever the value is.
func TestErrorsTellNothing(t *testing.T) {
	t.Parallel()
	const word = "hunter2"
	for _, input := range []string{
		`("@method" "@target-uri" "content-digest");created=1782907200;keyid="` + word + `";keyid="` + word + `"`,
		`("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1";nonce="n1";` + word + `="` + word + `"`,
		`("@method" "@target-uri" "content-digest" "@query-param";name="` + word + `");created=1782907200;keyid="k1";nonce="n1"`,
		`("@method" "@target-uri" "content-digest" "authorization");created=1782907200;keyid="k1";nonce="` + word + `"`,
		`("@method");created=1782907200;keyid="` + word + `";nonce="n1"`,
		word,
	} {
		m := raw(t, input)
		m.Header["Authorization"] = []string{word + "\n"}
		m.Header["Authorization"] = append(m.Header["Authorization"], "\x00"+word)
		err := check(m, Policy{}, shared)
		if err == nil || strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", input, err)
		}
	}
}
