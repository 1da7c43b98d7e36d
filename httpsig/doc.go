// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpsig signs HTTP requests and verifies them: HTTP Message Signatures (RFC
// 9421) with Content-Digest (RFC 9530), algorithms hmac-sha256, ed25519 and
// ecdsa-p256-sha256. It needs the standard library only.
//
// It works on a [Message], the facts that a gateway can supply about someone else's
// request, and not only on an http.Request.
//
// A [Verifier] verifies in one call. Who looks keys up between the steps calls [Parse],
// which touches no key, clock or store, then [Signature.Verify] with the key, then
// [Signature.CheckTime], and last claims the nonce. A nonce must be claimed only after
// the proof holds; else strangers could use up nonces and fill the store.
//
// What is stricter than the RFC, and why, is in docs/spec/httpsig.md.
package httpsig
