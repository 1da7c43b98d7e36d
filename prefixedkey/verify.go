// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey

import (
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512" // so that crypto.Hash has all of SHA-2
	"crypto/subtle"
	"encoding/hex"
)

// Hash returns what is stored of a key: SHA-256 of its long token, as 64 lower-case hex
// digits.
func (k Key) Hash() string {
	sum := sha256.Sum256([]byte(k.secret()))
	return hex.EncodeToString(sum[:])
}

// Verify reports whether a key, as text or parsed, is the one whose hash was stored. The
// hash is exactly 64 hex digits of either case; any other is false, and so is a text that
// [Parse] refuses. The hashes are compared in constant time.
func Verify[K string | Key](key K, hash string) bool { return VerifyWith(crypto.SHA256, key, hash) }

// VerifyShort is [Verify] for a record that holds the short token too, which must be the
// key's own. A record that was looked up by the short token needs only Verify.
func VerifyShort[K string | Key](key K, hash, short string) bool {
	k, err := Parse(key)
	return err == nil && subtle.ConstantTimeCompare([]byte(k.Short), []byte(short)) == 1 && Verify(k, hash)
}

// VerifyWith is [Verify] for keys of the Rust port that were hashed with another function
// of SHA-2: [crypto.SHA224], [crypto.SHA256], [crypto.SHA384], [crypto.SHA512],
// [crypto.SHA512_224] or [crypto.SHA512_256]. The hash has twice as many digits as the
// function has bytes. With any other function it is false.
func VerifyWith[K string | Key](h crypto.Hash, key K, hash string) bool {
	k, err := Parse(key)
	if err != nil {
		return false
	}
	sum := digest(h, k.secret())
	stored, err := hex.DecodeString(hash)
	return err == nil && len(sum) > 0 && subtle.ConstantTimeCompare(sum, stored) == 1
}

// digest is the hash of a long token; empty: not a function of SHA-2.
func digest(h crypto.Hash, long string) []byte {
	switch h {
	case crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256:
		w := h.New()
		_, _ = w.Write([]byte(long)) // never fails: hash.Hash documents it
		return w.Sum(nil)
	}
	return nil
}
