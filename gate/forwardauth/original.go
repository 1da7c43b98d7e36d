// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// The facts that our own configurations set, for gateways that let theirs choose the names.
const (
	originalMethod = "X-Original-Method"
	originalProto  = "X-Original-Proto"
	originalHost   = "X-Original-Host"
	originalURI    = "X-Original-Uri"
	originalAddr   = "X-Original-Addr"
	originalBody   = "X-Original-Body"
)

var originals = []string{originalMethod, originalProto, originalHost, originalURI, originalAddr, originalBody}

func readOriginals(c *check) {
	c.method(originalMethod, c.one(originalMethod))
	c.scheme(originalProto, c.one(originalProto))
	c.host(originalHost, c.one(originalHost))
	c.target(originalURI, c.one(originalURI))
	c.address(originalAddr, c.one(originalAddr))
	c.body(originalBody, c.one(originalBody))
}
