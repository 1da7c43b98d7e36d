// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import "crypto/sha256"

// recordKey is hkdf.Key(sha256.New, secret, salt, info, 32) of crypto/hkdf, for a salt of
// at most 64 bytes. It is written out because the 16 allocations of that call would be
// half of what opening a secret costs; a test compares the two.
func recordKey(secret, salt []byte, info string) [32]byte {
	extracted := hmacSHA256(salt, secret, "") // RFC 5869 section 2.2
	return hmacSHA256(extracted[:], []byte(info), "\x01")
}

// hmacSHA256 is HMAC-SHA-256 (RFC 2104) of message + suffix; key is at most 64 bytes.
func hmacSHA256(key, message []byte, suffix string) [32]byte {
	inner := make([]byte, sha256.BlockSize, 192) // a constant, so that it stays on the stack
	outer := make([]byte, sha256.BlockSize, sha256.BlockSize+sha256.Size)
	copy(inner, key)
	copy(outer, key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	inner = append(append(inner, message...), suffix...)
	sum := sha256.Sum256(inner)
	return sha256.Sum256(append(outer, sum[:]...))
}
