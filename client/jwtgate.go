// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// schemeJWT is the scheme of decisions about JWTs.
const schemeJWT = "jwt"

// jwt is the JWT that a request shows as its bearer token, besides nothing else; empty: there
// is none.
func jwt(r *gatehouse.Request) string {
	for _, name := range []string{"X-Api-Key", "X-Auth-Apikey", "Signature-Input"} {
		if len(r.Header[name]) > 0 {
			return "" // whoever shows two credentials is judged by the server
		}
	}
	fields := r.Header["Authorization"]
	if len(fields) != 1 || len(fields[0]) < len("Bearer ") || !strings.EqualFold(fields[0][:len("Bearer ")], "Bearer ") {
		return ""
	}
	token := fields[0][len("Bearer "):]
	if !strings.HasPrefix(token, "eyJ") || strings.Count(token, ".") != 2 {
		return ""
	}
	return token
}

// signers are the schemes of which is known that they sign.
var signers = []string{"barong", "httpsig", "shield"}

// decide judges a request by its JWT. What a route demands and the JWT does not show is
// refused: it shows by which scheme it was asked for, and seldom a role. The error wraps gatehouse.ErrUnavailable.
func (v *JWTVerifier) decide(ctx context.Context, r *gatehouse.Request, token string) (gatehouse.Decision, error) {
	d := gatehouse.Decision{Scheme: schemeJWT, Time: time.Now().UTC(), Body: gatehouse.BodyUnavailable}
	j, err := v.Verify(ctx, token)
	switch {
	case errors.Is(err, gatehouse.ErrUnavailable):
		return gatehouse.Decision{}, err
	case errors.Is(err, ErrRevoked):
		d.Reason = gatehouse.ReasonKeyRevoked
		return d, nil
	case err != nil || j.Key == "" || r.Tenant != "" && r.Tenant != j.Tenant:
		d.Reason = gatehouse.ReasonInvalidCredential
		return d, nil
	}
	d.Key = &gatehouse.Key{ID: j.Key, Tenant: j.Tenant, Principal: j.UID, Scopes: j.Scopes, State: gatehouse.StateActive, Expires: j.Expires}
	d.Principal = &gatehouse.Principal{ID: j.UID, UID: j.UID, Tenant: j.Tenant, Role: j.Role, State: gatehouse.PrincipalActive}
	d.Reason = j.refuses(r)
	d.Granted = d.Reason == 0
	return d, nil
}

// refuses is why a valid JWT does not show what a request demands; zero: it does.
func (j *JWT) refuses(r *gatehouse.Request) gatehouse.Reason {
	switch {
	case r.Signed && !slices.Contains(signers, j.Scheme), len(r.Schemes) > 0 && !slices.Contains(r.Schemes, j.Scheme):
		return gatehouse.ReasonSchemeNotAllowed
	case len(r.Roles) > 0 && (j.Role == "" || !slices.Contains(r.Roles, j.Role)):
		return gatehouse.ReasonRouteNotAllowed
	case !j.Scopes.Covers(r.Need) || !j.Scopes.Meets(r.NeedAny):
		return gatehouse.ReasonInsufficientScope
	}
	return 0
}
