// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The header fields of a key, in canonical form.
const (
	headerKey       = "X-Auth-Apikey"
	headerNonce     = "X-Auth-Nonce"
	headerSignature = "X-Auth-Signature"
)

const codePermission = "authz.invalid_permission"

// carriesKey reports whether a request means to use a key: one field of the three is
// enough. Its cookie is not looked at then.
func carriesKey(r *http.Request) bool {
	for _, name := range [...]string{headerKey, headerNonce, headerSignature} {
		if _, ok := r.Header[name]; ok {
			return true
		}
	}
	return false
}

// proveKey asks the authority.
func (d *Door) proveKey(ctx context.Context, q *question) (caller, error) {
	dec, err := d.c.Gate.Verify(ctx, &gatehouse.Request{
		Method: q.r.Method, Authority: q.r.Host, Target: q.target, Peer: q.peer, Header: gatehouse.Header(q.r.Header),
	})
	if err != nil {
		return caller{}, err
	}
	if !dec.Granted {
		return caller{}, d.deny(&dec, q.r.Header.Get(headerNonce))
	}
	if dec.Principal.Kind == gatehouse.PrincipalAccount && !dec.Principal.SecondFactor {
		return caller{}, refuse(http.StatusUnauthorized, "authz.disabled_2fa")
	}
	return caller{principal: *dec.Principal, key: dec.Key}, nil
}

// denials is what the gate says to a reason. ReasonInvalidCredential, which Barong takes
// apart, and the two that name a time are not in it.
var denials = map[gatehouse.Reason]row{
	gatehouse.ReasonNoCredential:         {status: http.StatusUnprocessableEntity, code: "authz.invalid_api_key_headers"},
	gatehouse.ReasonMalformedCredential:  {status: http.StatusUnprocessableEntity, code: "authz.invalid_api_key_headers"},
	gatehouse.ReasonAmbiguousCredential:  {status: http.StatusUnprocessableEntity, code: "authz.invalid_api_key_headers"},
	gatehouse.ReasonInsufficientCoverage: {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonStaleCredential:      {status: http.StatusUnauthorized, code: "authz.nonce_expired"},
	gatehouse.ReasonKeyRevoked:           {status: http.StatusUnauthorized, code: "authz.unexistent_apikey"},
	gatehouse.ReasonKeyDisabled:          {status: http.StatusUnauthorized, code: "authz.apikey_not_active"},
	gatehouse.ReasonKeyNotYetValid:       {status: http.StatusUnauthorized, code: "authz.apikey_not_active"},
	gatehouse.ReasonKeyExpired:           {status: http.StatusUnauthorized, code: "authz.apikey_not_active"},
	gatehouse.ReasonPrincipalInactive:    {status: http.StatusUnauthorized, code: "authz.invalid_session"},
	gatehouse.ReasonReplayed:             {status: http.StatusUnauthorized, code: "authz.signature_blacklisted"},
	gatehouse.ReasonSchemeNotAllowed:     {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonNetworkNotAllowed:    {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonRouteNotAllowed:      {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonNoRule:               {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonInsufficientScope:    {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonBodyUnavailable:      {status: http.StatusUnauthorized, code: codePermission},
	gatehouse.ReasonAmbiguousPath:        {status: http.StatusUnauthorized, code: codePermission},
}

// deny translates a denial. Barong looks at the key, then at the nonce, then at the
// signature; the authority tells nothing of a key before its proof held. What is told
// here beyond that is what Barong tells: whether the key id exists, and of the nonce
// what its sender knows.
func (d *Door) deny(dec *gatehouse.Decision, nonce string) error {
	unknown := refuse(http.StatusUnauthorized, "authz.unexistent_apikey")
	switch dec.Reason {
	case gatehouse.ReasonRateLimited:
		return &refusal{status: http.StatusTooManyRequests, codes: []string{"authz.rate_limited"}, retry: max(dec.RetryAfter, time.Second)}
	case gatehouse.ReasonInvalidCredential:
		if !dec.KeyKnown() {
			return unknown
		}
		return d.denyProof(dec, nonce)
	}
	if dec.Key != nil && dec.Key.State == gatehouse.StateRevoked {
		return unknown
	}
	if r, ok := denials[dec.Reason]; ok {
		return refuse(r.status, r.code)
	}
	return &refusal{status: http.StatusServiceUnavailable, codes: []string{codeUnavailable}, retry: time.Second}
}

// denyProof says why a known key's proof did not hold.
func (d *Door) denyProof(dec *gatehouse.Decision, nonce string) error {
	at, ok := parseNonce(nonce)
	switch {
	case !ok:
		return refuse(http.StatusUnauthorized, "authz.nonce_not_valid_timestamp")
	case dec.Time.Sub(at).Abs() >= d.c.Window:
		return refuse(http.StatusUnauthorized, "authz.nonce_expired")
	}
	return refuse(http.StatusUnauthorized, "authz.invalid_signature")
}

// parseNonce reads a nonce as the scheme does: milliseconds since 1970, 1 to 15 decimal
// digits without a leading zero.
func parseNonce(text string) (time.Time, bool) {
	if len(text) == 0 || len(text) > 15 || text[0] == '0' {
		return time.Time{}, false
	}
	var ms int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return time.Time{}, false
		}
		ms = ms*10 + int64(text[i]-'0')
	}
	return time.UnixMilli(ms), true
}

// equal compares in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
