// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package assertion makes the JWT that a protected service receives after a grant,
// and checks the few that come back.
//
// [Keys] holds a tenant's signing keys: sealed in a [gatehouse.SigningKeyStore], made
// in the background on the first start, published as a JWK set, rotated when their time
// has come. [Minter] signs a token for a proven request in one of two profiles: [Default]
// (ES256, short-lived, RFC 9068) and [Barong] (RS256, the claims of openware's Barong).
// The verbs [Keys.VerifyBarong], [Keys.SignPurpose] and [Keys.VerifyPurpose] are for the
// Barong door, whose resource calls and mailed links carry such tokens.
package assertion
