// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

import "strings"

const (
	originalURL = "X-Original-Url"
	realIP      = "X-Real-Ip"
)

// ingress is Kubernetes ingress-nginx: it names scheme, host and target in one URL, sends no
// body and says nothing of one.
var ingress = dialect{name: "ingress-nginx", facts: []string{originalMethod, originalURL, realIP}, read: readIngress, coarse: true}

func readIngress(c *check) {
	c.method(originalMethod, c.one(originalMethod))
	scheme, rest, _ := strings.Cut(c.one(originalURL), "://")
	host, target := splitHost(rest)
	c.scheme(originalURL, scheme)
	c.host(originalURL, host)
	c.target(originalURL, target)
	c.address(realIP, c.one(realIP))
}
