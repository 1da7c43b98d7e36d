// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import "net/netip"

// Header holds header fields by canonical name (net/textproto form), each with its
// values in the order received. An http.Header converts without a copy.
type Header map[string][]string

// One returns the only value of a field. ok is false when the field is absent;
// twice is true when it was sent more than once, and then there is no value: a
// credential must not depend on who picks the first and who the last.
func (h Header) One(canonical string) (value string, ok, twice bool) {
	switch v := h[canonical]; len(v) {
	case 0:
		return "", false, false
	case 1:
		return v[0], true, false
	default:
		return "", false, true
	}
}

// BodyState says what is known about a request's body. The zero value is
// [BodyUnavailable], which no proof over a body accepts.
type BodyState uint8

// The states of a body.
const (
	BodyUnavailable BodyState = iota // the gate could not supply it
	BodyPresent                      // Body.Bytes is the whole body, possibly empty
	BodyDeferred                     // the digest is proven; the service must compare the bytes
	BodyVerified                     // the proof covers the bytes
)

var bodyStateNames = [...]string{BodyUnavailable: "unavailable", BodyPresent: "present", BodyDeferred: "deferred", BodyVerified: "verified"}

// String returns "unavailable", "present", "deferred" or "verified", and "unavailable"
// for anything else.
func (s BodyState) String() string {
	if int(s) < len(bodyStateNames) {
		return bodyStateNames[s]
	}
	return bodyStateNames[BodyUnavailable]
}

// Body is a request's body as a stated fact: never empty because none arrived.
type Body struct {
	State BodyState
	Bytes []byte // meaningful with BodyPresent only
}

// Request is what is asked: the client's own request as a gate saw it. A gate fills
// it from facts it can vouch for and from nothing else.
type Request struct {
	Method    string     // the client's method, case kept
	Scheme    string     // "http" or "https", as the client used it; empty: not known
	Authority string     // the client's Host or :authority
	Target    string     // the raw request target, not decoded
	Peer      netip.Addr // the client's address after trusted proxies; invalid: unknown
	Header    Header     // the client's header fields
	Body      Body
	Tenant    string   // keys of another tenant are unknown; empty: of any tenant
	Cost      int64    // what it costs under limits and quotas; zero: 1
	Need      Scopes   // scopes the route demands, all of them; empty: any valid key will do
	NeedAny   Scopes   // scopes of which the route demands one; empty: no such demand
	Roles     []string // roles of which the principal must have one; empty: no such demand
	Schemes   []string // names of the schemes that the route takes; empty: all
	Signed    bool     // the route takes only schemes that sign: not those that are shown the secret
}
