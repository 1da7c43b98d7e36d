// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package seal encrypts secrets at rest.
//
// It has three parts. A [Keyring] is a file with the keys that must never be in the
// database: key-encryption keys (KEKs), peppers and the root key. A [Sealer] is the
// envelope encryption on top of it, a [gatehouse.Sealer]: every tenant and purpose
// has a data-encryption key (DEK), which the database keeps wrapped under a KEK and
// the process keeps unwrapped in memory, so that opening a secret costs no I/O. A
// [Keeper] changes the keyring of a running process and moves what is sealed from one KEK
// to another.
//
// # Sealed secret
//
// [gatehouse.Sealed].Ref is the id of the DEK. It alone selects the key: AES-GCM does
// not commit to its key, so no key is ever tried. Data is
//
//	version (1 byte, 1) | algorithm (1 byte) | salt (16) | nonce | ciphertext | tag (16)
//
// Algorithm 1 is AES-256-GCM (NIST SP 800-38D) with a nonce of 12 bytes, algorithm 2 is
// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with one of 24. A secret is sealed with
// the algorithm of the KEK that wraps its DEK at that time, AES-256-GCM for one in Vault;
// it is opened with the one that it names. The nonce is random, under a key of its own for
// each sealing, so that no number of sealings wears a DEK out:
//
//	key = HKDF-SHA-256(secret: DEK, salt: salt, info: info + purpose, 32 bytes)   RFC 5869
//	info = "gatehouse/v1/" for algorithm 1, "gatehouse/v1/xchacha20-poly1305/" for 2
//	associated data = fields("gatehouse.v1", purpose, tenant, id, version, DEK id)
//
// fields writes each field with its length in front, 4 bytes big-endian; the version of
// a binding is 8 bytes big-endian.
//
// # Wrapped data key
//
// [gatehouse.DataKey].Wrapped is the 32 bytes of the DEK, encrypted with the algorithm of
// the KEK under the KEK itself:
//
//	version (1 byte, 1) | nonce (12 or 24) | ciphertext (32) | tag (16)
//	associated data = fields("gatehouse.dek.v1", DEK id, tenant, purpose, KEK id)
//
// Under a KEK in Vault it is what the transit engine answered, with the same associated
// data:
//
//	version (1 byte, 2) | text "vault:v1:..."
package seal
