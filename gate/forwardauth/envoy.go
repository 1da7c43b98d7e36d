// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

const (
	envoyPartial = "X-Envoy-Auth-Partial-Body"
	envoyRemove  = "X-Envoy-Auth-Headers-To-Remove"
)

// envoy is Envoy's ext_authz with an HTTP service: the check is the client's request itself,
// below the dialect's path.
var envoy = dialect{name: "envoy", facts: []string{forwardedProto, forwardedFor, envoyPartial}, read: readEnvoy, below: true, remove: true}

func readEnvoy(c *check) {
	c.method("request line", c.r.Method)
	c.scheme(forwardedProto, c.one(forwardedProto))
	c.host("Host", c.r.Host)
	c.target("request line", c.below)
	c.hops(forwardedFor, c.one(forwardedFor))
	partial, _, twice := gatehouse.Header(c.r.Header).One(envoyPartial)
	switch {
	case twice:
		c.fail(envoyPartial, repeated)
	case partial == "false":
		c.carrier = c.r
	case partial != "" && partial != "true":
		c.fail(envoyPartial, malformed)
	}
}

// credentials are the fields that a key is presented in. Behind Envoy they go, where the
// JWT does not take their place.
var credentials = []string{
	"Authorization", "Proxy-Authorization", "X-Api-Key", "X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature", "Signature", "Signature-Input",
}

// removals names the fields that the service may not see: of the credentials, the identity
// and what else the gate strips of the client's fields, such as one of its own for
// credentials, those that are not set here.
func removals(v *gate.Verdict, client http.Header, strips func(name string) bool) string {
	gone := slices.Clone(credentials)
	for _, name := range slices.Sorted(maps.Keys(client)) {
		if !slices.Contains(gone, name) && strips(name) {
			gone = append(gone, name)
		}
	}
	v.Identity(func(name, value string) {
		gone = slices.DeleteFunc(gone, func(known string) bool { return known == name })
		if value == "" {
			gone = append(gone, name)
		}
	})
	return strings.ToLower(strings.Join(gone, ","))
}
