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
	b := schemeBench{s: s, prefix: prefix, fields: fields, present: present}
	for name, row := range map[string]func(*testing.T){
		"a minted secret proves itself": b.proves,
		"no other secret does":          b.otherSecret,
		"a changed proof does not":      b.changedProof,
		"empty material proves nothing": b.emptyMaterial,
		"absent or sent twice":          b.presence,
		"ids and secrets do not repeat": b.noRepeats,
		"a challenge invites it":        b.challenge,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row(t)
		})
	}
}

// schemeBench is a scheme under test.
type schemeBench struct {
	s       gatehouse.Scheme
	prefix  string
	fields  []string
	present Present
}

// minted is a minted secret with what is stored of it.
type minted struct {
	gatehouse.Minted
	key      *gatehouse.Key
	material *gatehouse.Material
	opened   []byte
}

func (b *schemeBench) mint(t *testing.T, keyID string) minted {
	t.Helper()
	m, err := b.s.Mint(keyID, b.prefix)
	if err != nil {
		t.Fatalf("Mint: %v", err)
	}
	out := minted{
		Minted:   m,
		key:      &gatehouse.Key{ID: m.KeyID, Prefix: m.Prefix, Schemes: []string{b.s.Name()}},
		material: &gatehouse.Material{Version: 1, Kind: b.kind(), Ref: m.Ref, Data: m.Digest},
	}
	if b.kind() == gatehouse.MaterialSealed {
		out.opened = []byte(m.Secret.Reveal())
	}
	return out
}

// request carries m's credential; the credential is what the scheme reads of it.
func (b *schemeBench) request(t *testing.T, m minted) (*gatehouse.Request, gatehouse.Credential) {
	t.Helper()
	r := &gatehouse.Request{Method: "GET", Authority: "api.example.test", Target: "/", Header: gatehouse.Header{}, Body: gatehouse.Body{State: gatehouse.BodyPresent}}
	b.present(r, m.Minted)
	c, p := b.s.Extract(r)
	if p != gatehouse.CredentialPresent || c.KeyID != m.KeyID {
		t.Fatalf("Extract = key %s, %v; want key %s, present", c.KeyID, p, m.KeyID)
	}
	return r, c
}

func (b *schemeBench) proves(t *testing.T) {
	m := b.mint(t, "")
	r, c := b.request(t, m)
	if !b.s.Prove(r, c, m.key, m.material, m.opened) {
		t.Error("the proof does not hold")
	}
}

func (b *schemeBench) otherSecret(t *testing.T) {
	m := b.mint(t, "")
	other := b.mint(t, m.KeyID)
	if other.KeyID != m.KeyID {
		t.Fatalf("Mint(%q) made key id %q", m.KeyID, other.KeyID)
	}
	r, c := b.request(t, m)
	if b.s.Prove(r, c, m.key, other.material, other.opened) {
		t.Error("a proof holds for another secret of the same key id")
	}
}

func (b *schemeBench) changedProof(t *testing.T) {
	m := b.mint(t, "")
	r, c := b.request(t, m)
	for _, proof := range []string{"", c.Proof[1:], c.Proof + "0", flip(c.Proof, 0), flip(c.Proof, len(c.Proof)-1)} {
		spoiled := c
		spoiled.Proof = proof
		if b.s.Prove(r, spoiled, m.key, m.material, m.opened) {
			t.Errorf("a changed proof of %d characters holds", len(proof))
		}
	}
}

func (b *schemeBench) emptyMaterial(t *testing.T) {
	m := b.mint(t, "")
	r, c := b.request(t, m)
	for _, kind := range b.s.Kinds() {
		if b.s.Prove(r, c, m.key, &gatehouse.Material{Kind: kind}, nil) {
			t.Errorf("a proof holds against nothing of kind %d", kind)
		}
	}
}

// kind is the kind of material that is made of a minted secret.
func (b *schemeBench) kind() gatehouse.MaterialKind {
	for _, kind := range b.s.Kinds() {
		if kind != gatehouse.MaterialPublic {
			return kind
		}
	}
	return gatehouse.MaterialInvalid
}

func (b *schemeBench) challenge(t *testing.T) {
	c := b.s.Challenge()
	if len(c["Www-Authenticate"]) != 1 || c["Www-Authenticate"][0] == "" {
		t.Errorf("Challenge = %v; want one WWW-Authenticate", c)
	}
}

func (b *schemeBench) presence(t *testing.T) {
	if _, p := b.s.Extract(&gatehouse.Request{Header: gatehouse.Header{}}); p != gatehouse.CredentialAbsent {
		t.Errorf("Extract of nothing = %v", p)
	}
	m := b.mint(t, "")
	for _, f := range b.fields {
		r, _ := b.request(t, m)
		v, ok := r.Header[f]
		if !ok {
			continue
		}
		r.Header[f] = append(v, v...)
		if _, p := b.s.Extract(r); p != gatehouse.CredentialMalformed {
			t.Errorf("%s sent twice: Extract = %v, want malformed", f, p)
		}
	}
}

func (b *schemeBench) noRepeats(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		m := b.mint(t, "")
		if seen[m.KeyID] || seen[m.Secret.Reveal()] {
			t.Fatal("a key id or secret was made twice")
		}
		seen[m.KeyID], seen[m.Secret.Reveal()] = true, true
	}
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
