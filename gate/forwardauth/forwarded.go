// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// The facts of gateways that name them themselves. Of the body those say nothing, and a field
// that says it would be the client's to write wherever a configuration forgets to set it. So
// the path of the check says it.
const (
	forwardedMethod = "X-Forwarded-Method"
	forwardedProto  = "X-Forwarded-Proto"
	forwardedHost   = "X-Forwarded-Host"
	forwardedURI    = "X-Forwarded-Uri"
	forwardedFor    = "X-Forwarded-For"
)

var forwardeds = []string{forwardedMethod, forwardedProto, forwardedHost, forwardedURI, forwardedFor}

func readForwardeds(c *check) {
	c.method(forwardedMethod, c.one(forwardedMethod))
	c.scheme(forwardedProto, c.one(forwardedProto))
	c.host(forwardedHost, c.one(forwardedHost))
	c.target(forwardedURI, c.one(forwardedURI))
	c.hops(forwardedFor, c.one(forwardedFor))
}

// readForwardedsBody is for a gateway whose checks have the client's body.
func readForwardedsBody(c *check) {
	readForwardeds(c)
	c.carrier = c.r
}
