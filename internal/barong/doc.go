// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package barong is the HTTP contract of openware's Barong 2.6, as its front ends,
// scripts and gateways rely on it: sign-in, accounts, second factor and API keys below
// /api/v2/barong, and the forward-auth gate at /api/v2/auth/<original path>. Whatever
// is strange about that contract lives here and nowhere else.
//
// docs/spec/barong.md lists the routes, and every place where this door leaves Barong
// on purpose, each with its reason and its test.
package barong
