// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package gatehouse is an authority for API keys: it issues keys to people and
// machines and decides, for every request, who is asking and whether they may.
//
// The package is the product's ground. It holds the nouns ([Key], [Request],
// [Decision], [Event]), the two hot verbs ([Authority.Verify] and
// [Authority.Create]) and the verbs of a key's life. What it needs from outside
// it names as small interfaces ([Store], [ReplayCache], [Limiter], [Sealer],
// [Scheme]); fillings of them live in packages of their own, and every filling
// passes the suite of that interface in the package gatehousetest.
//
// Deny is the zero value everywhere: a zero [Decision], [State], [Reason] or
// [MaterialKind] never lets a request pass. A denial is an answer; a failed
// dependency is an error that wraps [ErrUnavailable].
package gatehouse
