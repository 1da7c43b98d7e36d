// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import "github.com/seed14544106/gatehouse"

const maxSecretLen = 255

// Adopt implements [gatehouse.Adopter]: the secret in clear is what a foreign key's holder
// signs with. *[gatehouse.InvalidError] with field "secret".
func (*Scheme) Adopt(f *gatehouse.Foreign) (gatehouse.Minted, error) {
	if n := len(f.Secret.Reveal()); n == 0 || n > maxSecretLen {
		return gatehouse.Minted{}, &gatehouse.InvalidError{Field: "secret", Problem: "is empty or longer than 255 bytes"}
	}
	return gatehouse.Minted{KeyID: f.ID, Secret: f.Secret}, nil
}

// Adopted reports whether the opened secret is the foreign key's.
func (*Scheme) Adopted(f *gatehouse.Foreign, _ *gatehouse.Material, opened []byte) bool {
	return f.SameSecret(opened)
}

var _ gatehouse.Adopter = (*Scheme)(nil)
