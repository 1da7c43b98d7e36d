// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"net/http"
	"time"
)

// Reason says why a request was not granted. The zero value means that nothing was
// decided; it denies.
type Reason uint8

// The reasons, in the order in which they are looked for.
const (
	ReasonUndecided Reason = iota

	// Who is asking?
	ReasonNoCredential
	ReasonMalformedCredential
	ReasonAmbiguousCredential
	ReasonInsufficientCoverage
	ReasonBodyUnavailable
	ReasonInvalidCredential
	ReasonStaleCredential
	ReasonKeyRevoked
	ReasonKeyDisabled
	ReasonKeyNotYetValid
	ReasonKeyExpired
	ReasonPrincipalInactive
	ReasonReplayed

	// May they?
	ReasonSchemeNotAllowed
	ReasonNetworkNotAllowed
	ReasonRouteNotAllowed
	ReasonNoRule
	ReasonAmbiguousPath
	ReasonInsufficientScope
	ReasonRateLimited

	reasonEnd
)

// reasons is the one table from a reason to its stable code and HTTP status.
var reasons = [reasonEnd]struct {
	code   string
	status int
}{
	ReasonUndecided:            {"undecided", http.StatusServiceUnavailable},
	ReasonNoCredential:         {"no_credential", http.StatusUnauthorized},
	ReasonMalformedCredential:  {"malformed_credential", http.StatusUnauthorized},
	ReasonAmbiguousCredential:  {"ambiguous_credential", http.StatusUnauthorized},
	ReasonInsufficientCoverage: {"insufficient_coverage", http.StatusUnauthorized},
	ReasonInvalidCredential:    {"invalid_credential", http.StatusUnauthorized},
	ReasonStaleCredential:      {"stale_credential", http.StatusUnauthorized},
	ReasonKeyRevoked:           {"key_revoked", http.StatusUnauthorized},
	ReasonKeyDisabled:          {"key_disabled", http.StatusUnauthorized},
	ReasonKeyNotYetValid:       {"key_not_yet_valid", http.StatusUnauthorized},
	ReasonKeyExpired:           {"key_expired", http.StatusUnauthorized},
	ReasonPrincipalInactive:    {"principal_inactive", http.StatusUnauthorized},
	ReasonReplayed:             {"replayed", http.StatusUnauthorized},
	ReasonSchemeNotAllowed:     {"scheme_not_allowed", http.StatusForbidden},
	ReasonNetworkNotAllowed:    {"network_not_allowed", http.StatusForbidden},
	ReasonRouteNotAllowed:      {"route_not_allowed", http.StatusForbidden},
	ReasonNoRule:               {"no_rule", http.StatusForbidden},
	ReasonInsufficientScope:    {"insufficient_scope", http.StatusForbidden},
	ReasonBodyUnavailable:      {"body_unavailable", http.StatusForbidden},
	ReasonAmbiguousPath:        {"ambiguous_path", http.StatusForbidden},
	ReasonRateLimited:          {"rate_limited", http.StatusTooManyRequests},
}

// ParseReason is the inverse of [Reason.Code]; ok is false for unknown text.
func ParseReason(code string) (r Reason, ok bool) {
	for r := range reasonEnd {
		if reasons[r].code == code {
			return r, true
		}
	}
	return ReasonUndecided, false
}

// Code returns the stable code, such as "invalid_credential". Values outside the
// table read as "undecided".
func (r Reason) Code() string { return reasons[r.known()].code }

// Status returns the HTTP status of a denial for this reason.
func (r Reason) Status() int { return reasons[r.known()].status }

// String returns [Reason.Code].
func (r Reason) String() string { return r.Code() }

func (r Reason) known() Reason {
	if r >= reasonEnd {
		return ReasonUndecided
	}
	return r
}

// Decision is the answer to a request. The zero value denies.
type Decision struct {
	// Granted lets the request pass. Only [Authority.Verify] sets it, and who repeats its
	// answer from afar.
	Granted bool
	// Reason says why not; ReasonUndecided when Granted.
	Reason Reason
	// Scheme is the name of the scheme whose credential was read; empty: none was.
	Scheme string
	// Signed reports whether that scheme signs: it is not shown the secret.
	Signed bool
	// Time is the instant the decision was made for, UTC.
	Time time.Time
	// Key and Principal are who is asking. They are nil until the proof held: before
	// that nothing about a key may be told.
	Key       *Key
	Principal *Principal
	// Material is the version of the material that proved the request.
	Material int64
	// Body says what the proof says of the body; zero for schemes that cover none.
	Body BodyState
	// Digest is the proven Content-Digest field (RFC 9530) with BodyVerified and
	// BodyDeferred, where the scheme has one. With BodyDeferred the service must compare it
	// with the bytes before it trusts them.
	Digest string
	// RetryAfter is how long to wait, with ReasonRateLimited.
	RetryAfter time.Duration
	// Limit is how the tightest limit of the key, its principal and its tenant stands after
	// this request; zero: it came to none, or there is none.
	Limit Standing
	// Deprecated is since when the secret that proved the request has a successor, and
	// Sunset when it stops, or the key expires, if that is near. Zero: no such thing.
	Deprecated, Sunset time.Time

	// named is the id of the key that the credential named; see [Decision.NamedKey]. tenant
	// is whose it is.
	named, tenant string
}

// NamedKey is the id of the existing key that the credential named, even where its proof
// failed; empty: it named none. It is for operators' records only: see KeyKnown.
func (d *Decision) NamedKey() string { return d.named }

// NamedTenant is the tenant of the key that the credential named; empty: it named none. It is
// for operators' records only, as NamedKey is.
func (d *Decision) NamedTenant() string { return d.tenant }

// KeyKnown reports whether the credential named an existing key, even where its
// proof failed. It is for logs and for a legacy wire contract that tells it; no
// other answer may depend on it.
func (d *Decision) KeyKnown() bool { return d.named != "" }
