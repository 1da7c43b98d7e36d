// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed14544106/gatehouse"
)

// Grant is what a holder asked to have in a token of its own.
type Grant struct {
	Subject                   // with a Key
	Scopes   gatehouse.Scopes // in place of the key's
	Audience []string         // in place of the minter's; empty: the minter's
	Lifetime time.Duration    // in place of the minter's, in whole seconds; zero: the minter's
}

// MintGrant returns a token of the Default profile with the scopes and the audience of a
// grant, and when it expires, as [Minter.Mint] bounds it. It decides nothing and reuses no
// token. It panics for a minter of another profile, a grant without a key, and a lifetime
// below zero or of less than a second. Errors as of Mint.
func (m *Minter) MintGrant(ctx context.Context, g Grant) (token string, expires time.Time, err error) {
	if m.profile != Default || g.Key == nil || g.Lifetime != 0 && g.Lifetime < time.Second {
		panic("assertion: a grant needs the default profile, a key and a lifetime")
	}
	if g.Principal.UID == "" || (g.Principal.Kind != gatehouse.PrincipalAccount && g.Principal.Kind != gatehouse.PrincipalService) {
		return "", time.Time{}, &gatehouse.InvalidError{Field: "principal", Problem: "has no UID or no kind"}
	}
	sk, err := m.keys.signer(ctx, ES256)
	if err != nil {
		return "", time.Time{}, err
	}
	own := *m
	if g.Lifetime != 0 {
		own.lifetime = g.Lifetime.Truncate(time.Second)
	}
	if len(g.Audience) > 0 {
		own.audience = g.Audience
	}
	// The claims read the scopes from the key.
	k := *g.Key
	k.Scopes, g.Key = g.Scopes, &k
	return own.sign(sk, &g.Subject, m.now())
}

// DefaultClaims is what a valid token of the Default profile says.
type DefaultClaims struct {
	UID       string // sub
	Key       string // client_id; empty: a session's token
	Tenant    string
	Scopes    gatehouse.Scopes
	Audience  []string
	ID        string // jti
	IssuedAt  time.Time
	NotBefore time.Time
	Expires   time.Time
}

// VerifyDefault checks a token of the Default profile: signed with ES256, and nothing else,
// by one of our keys, named by kid; typ "at+jwt"; iss the minter's; exp in the future; iat
// and nbf not in the future by more than 5 s; sub, tenant and jti present. The audience is
// the caller's to judge.
//
// A token that does not hold gives an error that wraps [ErrInvalidToken]. Where its kid is
// not known and the store cannot be asked for newer keys, the error wraps
// [gatehouse.ErrUnavailable] instead.
func (m *Minter) VerifyDefault(ctx context.Context, token string) (DefaultClaims, error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return DefaultClaims{}, ErrMalformed
	}
	c, err := m.parseDefault(token)
	if errors.Is(err, ErrSignature) {
		// Another node may have made a key since the last look.
		if err := m.keys.load(ctx, missEvery); err != nil {
			return DefaultClaims{}, err
		}
		c, err = m.parseDefault(token)
	}
	return c, err
}

// defaultToken is the claims that are read; the others are for services.
type defaultToken struct {
	jwt.RegisteredClaims
	Client string `json:"client_id"`
	Scope  string `json:"scope"`
	Tenant string `json:"tenant"`
}

func (m *Minter) parseDefault(token string) (DefaultClaims, error) {
	now := m.now()
	p := jwt.NewParser(
		jwt.WithValidMethods([]string{ES256}), jwt.WithStrictDecoding(), jwt.WithIssuer(m.issuer),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithNotBeforeRequired(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c defaultToken
	t, err := p.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		sk := m.keys.set.Load().find(kid)
		if sk == nil || sk.alg != ES256 || !sk.published(now) || t.Header["typ"] != "at+jwt" {
			return nil, ErrSignature
		}
		return sk.private.Public(), nil
	})
	switch {
	case err != nil && (t == nil || t.Header == nil):
		return DefaultClaims{}, ErrEncoding
	case errors.Is(err, jwt.ErrTokenExpired):
		return DefaultClaims{}, ErrExpired
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return DefaultClaims{}, ErrClaims
	case err != nil:
		return DefaultClaims{}, ErrSignature
	case !now.Before(c.ExpiresAt.Time): // the leeway is not for exp
		return DefaultClaims{}, ErrExpired
	case c.IssuedAt == nil || c.ID == "" || c.Subject == "" || c.Tenant == "":
		return DefaultClaims{}, ErrClaims
	}
	scopes, err := gatehouse.ParseScopes(strings.Fields(c.Scope))
	if err != nil {
		return DefaultClaims{}, ErrClaims
	}
	return DefaultClaims{
		UID: c.Subject, Key: c.Client, Tenant: c.Tenant, Scopes: scopes, Audience: c.Audience, ID: c.ID,
		IssuedAt: c.IssuedAt.UTC(), NotBefore: c.NotBefore.UTC(), Expires: c.ExpiresAt.UTC(),
	}, nil
}
