// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
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

// decide judges a request by its JWT. The error wraps gatehouse.ErrUnavailable.
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
	d.Principal = &gatehouse.Principal{ID: j.UID, UID: j.UID, Tenant: j.Tenant, State: gatehouse.PrincipalActive}
	if !j.Scopes.Covers(r.Need) || !j.Scopes.Meets(r.NeedAny) {
		d.Reason = gatehouse.ReasonInsufficientScope
		return d, nil
	}
	d.Granted = true
	return d, nil
}
