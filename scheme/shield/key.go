// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// DefaultUnused is how long a key may lie unused, in Shield's default configuration.
const DefaultUnused = 365 * 24 * time.Hour

const maxSecretLen = 255 // bytes, what Shield's column takes

// NewKey asks for a key as Shield's generateHmacToken does: all scopes where none are
// named, and [DefaultUnused]. For a key without scopes, empty the result's.
func NewKey(principal, name string, scopes ...gatehouse.Scope) gatehouse.NewKey {
	if len(scopes) == 0 {
		scopes = gatehouse.Scopes{gatehouse.AnyScope}
	}
	return gatehouse.NewKey{Principal: principal, Name: name, Schemes: []string{Name}, Scopes: scopes, Unused: DefaultUnused}
}

// Mint makes a key id of 32 lower-case hex digits and a secret of 32 random bytes in
// base64 (RFC 4648 section 4), 44 characters.
func (*Scheme) Mint(keyID, _ string) (gatehouse.Minted, error) {
	var b [idDigits/2 + 32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand documents it
	if keyID == "" {
		keyID = hex.EncodeToString(b[:idDigits/2])
	}
	return gatehouse.Minted{KeyID: keyID, Secret: gatehouse.NewSecret(base64.StdEncoding.EncodeToString(b[idDigits/2:]))}, nil
}

// Adopt keeps the id and the secret of a key that Shield issued. *[gatehouse.InvalidError]
// with field "secret" or "id".
func (*Scheme) Adopt(f *gatehouse.Foreign) (gatehouse.Minted, error) {
	if n := len(f.Secret.Reveal()); n == 0 || n > maxSecretLen {
		return gatehouse.Minted{}, &gatehouse.InvalidError{Field: "secret", Problem: "is empty or longer than 255 bytes"}
	}
	if strings.Contains(f.ID, ":") {
		return gatehouse.Minted{}, &gatehouse.InvalidError{Field: "id", Problem: "holds a colon, which parts it from the signature"}
	}
	return gatehouse.Minted{KeyID: f.ID, Secret: f.Secret}, nil
}

// Adopted reports whether the opened secret is the foreign key's.
func (*Scheme) Adopted(f *gatehouse.Foreign, _ *gatehouse.Material, opened []byte) bool {
	return f.SameSecret(opened)
}

var _ gatehouse.Adopter = (*Scheme)(nil)
