// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package seal encrypts secrets at rest.
//
// It has two parts. A [Keyring] is a file with the keys that must never be in the
// database: key-encryption keys (KEKs), peppers and the root key. A [Sealer] is the
// envelope encryption on top of it, a [gatehouse.Sealer]: every tenant and purpose
// has a data-encryption key (DEK), which the database keeps wrapped under a KEK and
// the process keeps unwrapped in memory, so that opening a secret costs no I/O.
//
// # Sealed secret
//
// [gatehouse.Sealed].Ref is the id of the DEK. It alone selects the key: AES-GCM does
// not commit to its key, so no key is ever tried. Data is
//
//	version (1 byte, 1) | algorithm (1 byte, 1) | salt (16) | nonce (12) | ciphertext | tag (16)
//
// Algorithm 1 is AES-256-GCM (NIST SP 800-38D) with a random nonce under a key of its
// own for each sealing, so that no number of sealings wears a DEK out:
//
//	key = HKDF-SHA-256(secret: DEK, salt: salt, info: "gatehouse/v1/" + purpose, 32 bytes)   RFC 5869
//	associated data = fields("gatehouse.v1", purpose, tenant, id, version, DEK id)
//
// fields writes each field with its length in front, 4 bytes big-endian; the version of
// a binding is 8 bytes big-endian.
//
// # Wrapped data key
//
// [gatehouse.DataKey].Wrapped is the 32 bytes of the DEK, encrypted with AES-256-GCM
// under the KEK itself:
//
//	version (1 byte, 1) | nonce (12) | ciphertext (32) | tag (16)
//	associated data = fields("gatehouse.dek.v1", DEK id, tenant, purpose, KEK id)
package seal
