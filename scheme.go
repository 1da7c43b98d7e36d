// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import "time"

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
	KeyID  string        // which key it claims
	Prefix string        // first part of a printable token; empty where the scheme has none
	Proof  string        // the part that shows possession, as sent
	Nonce  string        // canonical one-time value; empty: the scheme has none
	Time   time.Time     // the signed time, UTC; zero: the scheme has none
	Window time.Duration // how far Time may be from now, exclusive; used with Time only
}

// fresh reports whether the credential's time is inside its window. The window is
// open at both ends: a distance equal to it is refused.
func (c *Credential) fresh(now time.Time) bool {
	return c.Time.IsZero() || now.Sub(c.Time).Abs() < c.Window
}

// Minted is a new secret for a key, with what its scheme stores of it.
type Minted struct {
	KeyID  string // the key id; the one passed in, where one was
	Prefix string // the token's first part; empty where the scheme has none
	Secret Secret // what the holder proves to have
	Token  Secret // key id and secret in one printable text; empty where the scheme has none
	Digest []byte // for MaterialDigest: what is stored
	Ref    string // for MaterialDigest: id of the pepper
}

// Scheme is one way of presenting a credential: how it is found and how its proof is
// checked. A Scheme does no I/O and reads no clock. It is safe for concurrent use.
type Scheme interface {
	// Name is the scheme's name in keys, configuration and metrics, such as "bearer".
	Name() string

	// Kind is the kind of material the scheme checks against.
	Kind() MaterialKind

	// Extract finds the credential. A credential sent twice is malformed.
	Extract(r *Request) (Credential, Presence)

	// Prove reports whether the credential's proof is sound for one material of the
	// key. opened is the secret in clear for MaterialSealed, else nil. The time it
	// takes does not depend on the stored secret.
	Prove(r *Request, c *Credential, k *Key, m *Material, opened []byte) bool

	// Mint makes a secret from the system's randomness. An empty keyID asks for a new
	// key id too. prefix is for schemes with a printable token; others ignore it. An
	// unusable prefix is an *InvalidError with field "prefix".
	Mint(keyID, prefix string) (Minted, error)

	// Challenge is the WWW-Authenticate value that invites this scheme (RFC 9110
	// section 11.6.1).
	Challenge() string
}
