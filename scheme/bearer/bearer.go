// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package bearer is the scheme of printable tokens, prefix_short_long: the short part
// is the key id, the long part the secret, of which a keyed digest is stored.
package bearer

import (
	"crypto"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// Name is the scheme's name.
const Name = "bearer"

// DefaultPrefix is the first part of a token where none is asked for.
const DefaultPrefix = "gh"

// PepperLen is how many bytes a pepper has.
const PepperLen = 32

// Peppers are the secrets that key the stored digests. A keyring holds them.
type Peppers interface {
	// PrimaryPepper is the pepper of new digests, with its id.
	PrimaryPepper() (id string, key []byte)
	// PepperByID is the pepper with an id. ok is false for an unknown id.
	PepperByID(id string) (key [PepperLen]byte, ok bool)
}

// Scheme is the scheme with its peppers; use [New].
type Scheme struct{ peppers Peppers }

// New makes the scheme.
func New(p Peppers) *Scheme { return &Scheme{peppers: p} }

// Name returns "bearer".
func (*Scheme) Name() string { return Name }

// Kinds are [gatehouse.MaterialDigest].
func (*Scheme) Kinds() []gatehouse.MaterialKind { return kinds }

// SharesSecret is true: no secret is sealed.
func (*Scheme) SharesSecret() bool { return true }

// WantsBody is false: a token says nothing of the request.
func (*Scheme) WantsBody(*gatehouse.Request) bool { return false }

// Challenge is that of RFC 6750 section 3 without an error, as for a request that
// carries no credential.
func (*Scheme) Challenge() gatehouse.Header { return challenge }

var (
	kinds     = []gatehouse.MaterialKind{gatehouse.MaterialDigest}
	challenge = gatehouse.Header{"Www-Authenticate": {`Bearer realm="gatehouse"`}}
)

// Extract reads Authorization: Bearer TOKEN or X-Api-Key: TOKEN. Both at once, or one
// of them twice, is malformed. Another scheme's Authorization is none of ours. The token
// may be another system's; docs/spec/bearer.md says when it counts as one of ours.
func (*Scheme) Extract(r *gatehouse.Request) (gatehouse.Credential, gatehouse.Presence) {
	auth, okA, twiceA := r.Header.One("Authorization")
	name, token, _ := strings.Cut(auth, " ")
	okA = okA && strings.EqualFold(name, "Bearer")
	key, okK, twiceK := r.Header.One("X-Api-Key")
	switch {
	case twiceA || twiceK || okA && okK:
		return gatehouse.Credential{}, gatehouse.CredentialMalformed
	case okK:
		token = key
	case !okA:
		return gatehouse.Credential{}, gatehouse.CredentialAbsent
	}
	t, _, err := readToken(token)
	if err != nil {
		return gatehouse.Credential{}, gatehouse.CredentialMalformed
	}
	return gatehouse.Credential{KeyID: t.Short, Prefix: t.Prefix, Proof: t.Long}, gatehouse.CredentialPresent
}

// Prove compares digests, and the prefix the key was made with.
func (s *Scheme) Prove(_ *gatehouse.Request, c gatehouse.Credential, k *gatehouse.Key, m *gatehouse.Material, _ []byte) bool {
	id, hash := splitRef(m.Ref)
	pepper, known := s.peppers.PepperByID(id)
	got := digest(pepper[:], hash, c.Proof)
	same := subtle.ConstantTimeCompare(got[:], m.Data) == 1
	prefix := subtle.ConstantTimeCompare([]byte(c.Prefix), []byte(k.Prefix)) == 1
	return same && prefix && known
}

// Lacks implements [gatehouse.KeyedScheme]: it is the pepper that may not be here.
func (s *Scheme) Lacks(m *gatehouse.Material) bool {
	id, _ := splitRef(m.Ref)
	_, known := s.peppers.PepperByID(id)
	return !known
}

// Mint makes a token with a new long part of 32 base62 characters and a checksum of 6.
// The token of a key that was adopted keeps its foreign prefix, and then has no checksum.
func (s *Scheme) Mint(keyID, prefix string) (gatehouse.Minted, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if !validPrefix(prefix) && (keyID == "" || !readable(prefix, keyID)) {
		return gatehouse.Minted{}, &gatehouse.InvalidError{Field: "prefix", Problem: "is not a lower-case letter followed by 1 to 15 lower-case letters or digits"}
	}
	t, err := newToken(keyID, prefix)
	if err != nil {
		return gatehouse.Minted{}, fmt.Errorf("make token: %w", err)
	}
	ref, pepper := s.peppers.PrimaryPepper()
	return gatehouse.Minted{
		KeyID: t.Short, Prefix: prefix, Secret: gatehouse.NewSecret(t.Long), Token: gatehouse.NewSecret(t.String()),
		Digest: bytesOf(digest(pepper, crypto.SHA256, t.Long)), Ref: ref,
	}, nil
}
