// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"

	"github.com/seed14544106/gatehouse"
)

// Present puts a credential for a minted secret into a request, as a client would.
type Present func(r *gatehouse.Request, m gatehouse.Minted)

// Scheme is the meaning of [gatehouse.Scheme]. prefix is one the scheme accepts, or
// empty; fields are the header fields the scheme reads, in canonical form.
func Scheme(t *testing.T, s gatehouse.Scheme, prefix string, fields []string, present Present) {
	t.Helper()
	mint := func(t *testing.T, keyID string) (gatehouse.Minted, *gatehouse.Key, *gatehouse.Material, []byte) {
		t.Helper()
		m, err := s.Mint(keyID, prefix)
		if err != nil {
			t.Fatalf("Mint: %v", err)
		}
		k := &gatehouse.Key{ID: m.KeyID, Prefix: m.Prefix, Schemes: []string{s.Name()}}
		mat := &gatehouse.Material{Version: 1, Kind: s.Kind(), Ref: m.Ref, Data: m.Digest}
		var opened []byte
		if s.Kind() == gatehouse.MaterialSealed {
			opened = []byte(m.Secret.Reveal())
		}
		return m, k, mat, opened
	}
	request := func(m gatehouse.Minted) *gatehouse.Request {
		r := &gatehouse.Request{Method: "GET", Authority: "api.example.test", Target: "/", Header: gatehouse.Header{}, Body: gatehouse.Body{State: gatehouse.BodyPresent}}
		present(r, m)
		return r
	}

	t.Run("a minted secret proves itself", func(t *testing.T) {
		t.Parallel()
		m, k, mat, opened := mint(t, "")
		r := request(m)
		c, p := s.Extract(r)
		if p != gatehouse.CredentialPresent || c.KeyID != m.KeyID {
			t.Fatalf("Extract = %+v, %v; want key %s, present", c, p, m.KeyID)
		}
		if !s.Prove(r, &c, k, mat, opened) {
			t.Error("the proof does not hold")
		}
	})
	t.Run("no other secret does", func(t *testing.T) {
		t.Parallel()
		m, k, _, _ := mint(t, "")
		other, _, mat, opened := mint(t, m.KeyID)
		if other.KeyID != m.KeyID {
			t.Fatalf("Mint(%q) made key id %q", m.KeyID, other.KeyID)
		}
		r := request(m)
		c, _ := s.Extract(r)
		if s.Prove(r, &c, k, mat, opened) {
			t.Error("a proof holds for another secret of the same key id")
		}
	})
	t.Run("a changed proof does not", func(t *testing.T) {
		t.Parallel()
		m, k, mat, opened := mint(t, "")
		r := request(m)
		c, _ := s.Extract(r)
		for _, proof := range []string{"", c.Proof[1:], c.Proof + "0", flip(c.Proof, 0), flip(c.Proof, len(c.Proof)-1)} {
			spoiled := c
			spoiled.Proof = proof
			if s.Prove(r, &spoiled, k, mat, opened) {
				t.Errorf("a changed proof of %d characters holds", len(proof))
			}
		}
	})
	t.Run("empty material proves nothing", func(t *testing.T) {
		t.Parallel()
		m, k, _, _ := mint(t, "")
		r := request(m)
		c, _ := s.Extract(r)
		if s.Prove(r, &c, k, &gatehouse.Material{Kind: s.Kind()}, nil) {
			t.Error("a proof holds against nothing")
		}
	})
	t.Run("absent, twice, blank", func(t *testing.T) {
		t.Parallel()
		if _, p := s.Extract(&gatehouse.Request{Header: gatehouse.Header{}}); p != gatehouse.CredentialAbsent {
			t.Errorf("Extract of nothing = %v", p)
		}
		m, _, _, _ := mint(t, "")
		for _, f := range fields {
			r := request(m)
			if v, ok := r.Header[f]; ok {
				r.Header[f] = append(v, v...)
				if _, p := s.Extract(r); p != gatehouse.CredentialMalformed {
					t.Errorf("%s sent twice: Extract = %v, want malformed", f, p)
				}
			}
		}
	})
	t.Run("ids and secrets do not repeat", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{}
		for range 1000 {
			m, _, _, _ := mint(t, "")
			if seen[m.KeyID] || seen[m.Secret.Reveal()] {
				t.Fatal("a key id or secret was made twice")
			}
			seen[m.KeyID], seen[m.Secret.Reveal()] = true, true
		}
	})
}

// flip changes one character of s to another letter or digit.
func flip(s string, i int) string {
	b := []byte(s)
	if b[i] == 'a' {
		b[i] = 'b'
	} else {
		b[i] = 'a'
	}
	return string(b)
}
