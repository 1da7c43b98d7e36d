// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"slices"
	"time"
)

// Presence says what a scheme found of its credential in a request. The zero value
// is absent.
type Presence uint8

// What a scheme can find.
const (
	CredentialAbsent    Presence = iota
	CredentialMalformed          // meant for the scheme, but not readable as its credential
	CredentialPresent            // exactly one, readable, unchecked
)

// Credential is what a request carries, unchecked.
type Credential struct {
	KeyID   string        // which key it claims
	Prefix  string        // first part of a printable token; empty where the scheme has none
	Proof   string        // the part that shows possession, as sent
	Nonce   string        // canonical one-time value; empty: none is claimed
	Time    time.Time     // the signed time, UTC; zero: the scheme has none
	Window  time.Duration // how long ago Time may be, exclusive; used with Time only
	Ahead   time.Duration // how far ahead Time may be, exclusive; zero: Window
	Expires time.Time     // when the holder wanted it to end, UTC, exclusive; zero: no wish
	Body    BodyState     // what the proof says of the body, once it holds
	Digest  string        // the proven Content-Digest field, with BodyDeferred and BodyVerified; else empty

	// Flaw is what speaks against the credential whatever its key is:
	// ReasonBodyUnavailable or ReasonInsufficientCoverage; zero: nothing.
	Flaw Reason
	// Parsed is what Extract read, for Prove; only the scheme itself looks at it.
	Parsed any
}

// fresh reports whether the credential's time is inside its window. The window is
// open at both ends: a distance equal to it is refused.
func (c *Credential) fresh(now time.Time) bool {
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return false
	}
	if c.Time.IsZero() {
		return true
	}
	ahead := c.Ahead
	if ahead == 0 {
		ahead = c.Window
	}
	// Points in time, because the distance of two may be more than a Duration holds.
	return now.Before(c.Time.Add(c.Window)) && c.Time.Before(now.Add(ahead))
}

// Minted is a new secret for a key, with what its scheme stores of it.
type Minted struct {
	KeyID  string // the key id; the one passed in, where one was
	Prefix string // the token's first part; empty where the scheme has none
	Secret Secret // what the holder proves to have
	Token  Secret // key id and secret in one printable text; empty where the scheme has none
	Digest []byte // for MaterialDigest: what is stored
	Ref    string // for MaterialDigest: id of the pepper

	public []byte // for MaterialPublic: what is stored of a public key
}

// Scheme is one way of presenting a credential: how it is found and how its proof is
// checked. A Scheme does no I/O and reads no clock. It is safe for concurrent use.
type Scheme interface {
	// Name is the scheme's name in keys, configuration and metrics, such as "bearer".
	Name() string

	// Kinds are the kinds of material the scheme checks against, in the order in which
	// it tries them. The slice is shared and must not be changed.
	Kinds() []MaterialKind

	// SharesSecret reports whether a key's other schemes may check against the same sealed
	// secret. A scheme whose proof is a MAC over text that somebody else can choose makes
	// the proofs of the others with it, and does not share.
	SharesSecret() bool

	// WantsBody reports whether the request's credential, if it is one of the scheme's,
	// can only be checked fully with the body's bytes.
	WantsBody(r *Request) bool

	// Extract finds the credential. A credential sent twice is malformed.
	Extract(r *Request) (Credential, Presence)

	// Prove reports whether the credential's proof is sound for one material of the
	// key. opened is the secret in clear for MaterialSealed, else nil. The time it
	// takes does not depend on the stored secret.
	Prove(r *Request, c Credential, k *Key, m *Material, opened []byte) bool

	// Mint makes a secret from the system's randomness. An empty keyID asks for a new
	// key id too. prefix is for schemes with a printable token; others ignore it. An
	// unusable prefix is an *InvalidError with field "prefix".
	Mint(keyID, prefix string) (Minted, error)

	// Challenge is what an answer 401 carries to invite this scheme: a WWW-Authenticate
	// field (RFC 9110 section 11.6.1) and what else the scheme knows. It is shared and
	// must not be changed.
	Challenge() Header
}

// signs reports whether a scheme's credentials prove the secret without showing it. One that
// checks a digest is shown the secret.
func signs(s Scheme) bool { return !slices.Contains(s.Kinds(), MaterialDigest) }

// PublicScheme is a Scheme that can check proofs against a public key: the secret never
// reaches us.
type PublicScheme interface {
	Scheme

	// ParsePublic reads a public key as people hand it over (PEM) and returns what is
	// stored of it. *[InvalidError] with field "public_key".
	ParsePublic(text string) ([]byte, error)

	// DecoyPublic is a public key to spend time on where a key has none.
	DecoyPublic() []byte
}

// KeyedScheme is a Scheme that checks proofs with keys of its own, which this process may
// lack and another have.
type KeyedScheme interface {
	Scheme

	// Lacks reports whether the key that a material was made with is not here: then a proof
	// that does not hold says nothing.
	Lacks(m *Material) bool
}

// Adopter is a Scheme that can take over what another system stored of its keys.
type Adopter interface {
	Scheme

	// Adopt turns a foreign key into what is stored of it. *[InvalidError].
	Adopt(f *Foreign) (Minted, error)

	// Adopted reports whether a material is that of the foreign key. opened is as for
	// Prove.
	Adopted(f *Foreign, m *Material, opened []byte) bool
}
