// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// introspection is the answer of RFC 7662 section 2.2. The zero value says that the token
// is good for nothing here, and nothing else.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	Client    string   `json:"client_id,omitempty"` // key id
	Username  string   `json:"username,omitempty"`
	Type      string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	NotBefore int64    `json:"nbf,omitempty"`
	Subject   string   `json:"sub,omitempty"` // the principal's UID
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Tenant    string   `json:"tenant,omitempty"`
}

// introspect tells a service what a token stands for.
func (d *Door) introspect(c *call) (any, error) {
	by, err := d.caller(c)
	switch {
	case err != nil:
		return nil, err
	case by == nil:
		return nil, errClient
	case !by.Key.Scopes.Holds(gatehouse.ScopeKeysVerify):
		return nil, lacks(gatehouse.ScopeKeysVerify)
	}
	token := c.form["token"]
	switch {
	case token == "":
		return nil, invalidRequest("token is missing")
	case isJWT(token):
		return d.inspectJWT(c.Context(), by.Key.Tenant, token)
	}
	return d.inspectKey(c.Context(), by.Key.Tenant, token)
}

// isJWT tells the JWTs from the tokens of keys. Only its signature says that a JWT is ours.
func isJWT(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// inspectKey is the answer for the token of a key.
func (d *Door) inspectKey(ctx context.Context, tenant, token string) (introspection, error) {
	i, err := d.c.Authority.Inspect(ctx, &gatehouse.Request{Header: bearerHeader(token), Tenant: tenant})
	if err != nil || !i.Usable() {
		return introspection{}, err
	}
	out := d.answer(&i, i.Key.Scopes)
	out.IssuedAt, out.NotBefore, out.Expires = seconds(i.Key.Created), seconds(i.Key.NotBefore), seconds(i.Ends)
	return out, nil
}

// inspectJWT is the answer for a JWT: it must hold, and the key behind it must still be
// good for what it says. A session's token has no key.
func (d *Door) inspectJWT(ctx context.Context, tenant, token string) (introspection, error) {
	claims, ok, err := d.c.Tokens.Read(ctx, token)
	if err != nil || !ok {
		return introspection{}, err
	}
	i, err := d.c.Authority.InspectKey(ctx, tenant, claims.Client)
	if err != nil || !i.Usable() || !covers(i.Key.Scopes, claims.Scopes) {
		return introspection{}, err
	}
	out := d.answer(&i, claims.Scopes)
	out.Audience, out.ID = claims.Audience, claims.ID
	out.IssuedAt, out.NotBefore, out.Expires = seconds(claims.IssuedAt), seconds(claims.NotBefore), seconds(claims.Expires)
	return out, nil
}

// answer is what is said of a key in both forms.
func (d *Door) answer(i *gatehouse.Inspection, scopes gatehouse.Scopes) introspection {
	return introspection{
		Active: true, Scope: strings.Join(scopes.Strings(), " "), Client: i.Key.ID, Username: i.Principal.Username, Type: "Bearer",
		Subject: i.Principal.UID, Issuer: d.c.Issuer, Tenant: i.Key.Tenant,
	}
}

// seconds is a time as JWTs have it; zero for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
