// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/config"
	"github.com/seed14544106/gatehouse/internal/oauth"
	"github.com/seed14544106/gatehouse/scheme/bearer"
)

// openOAuth makes the endpoints for OAuth-aware clients. Their issuer has no path (RFC 8414
// section 3 would put the metadata elsewhere): with one in public_url there are none.
func (p *parts) openOAuth(c *config.Config, issuer string, log *slog.Logger) (err error) {
	if _, host, _ := strings.Cut(issuer, "://"); strings.Contains(host, "/") {
		log.Warn("no OAuth endpoints: public_url has a path")
		return nil
	}
	scopes, err := gatehouse.ParseScopes(c.OAuth.Scopes)
	if err != nil {
		return fmt.Errorf("oauth.scopes: %w", err)
	}
	audiences := c.OAuth.Audiences
	if len(audiences) == 0 {
		audiences = []string{issuer}
	}
	minter := assertion.NewMinter(assertion.MinterConfig{Keys: p.keys, Profile: assertion.Default, Issuer: issuer, Audience: audiences})
	p.oauth, err = oauth.New(oauth.Config{
		Authority: p.authority, Tokens: grants{minter}, Limiter: p.guesses, Proxies: p.proxies, Issuer: issuer, Audiences: audiences,
		Lifetime: c.OAuth.Lifetime, Scopes: scopes, Docs: c.OAuth.Docs, Log: log,
	})
	return err
}

// grants makes and reads the JWTs of the OAuth endpoints.
type grants struct{ minter *assertion.Minter }

func (g grants) Mint(ctx context.Context, asked oauth.Grant) (string, time.Time, error) {
	return g.minter.MintGrant(ctx, assertion.Grant{
		Subject: assertion.Subject{Principal: *asked.Principal, Key: asked.Key, Scheme: bearer.Name},
		Scopes:  asked.Scopes, Audience: asked.Audience, Lifetime: asked.Lifetime,
	})
}

func (g grants) Read(ctx context.Context, token string) (oauth.Claims, bool, error) {
	c, err := g.minter.VerifyDefault(ctx, token)
	if errors.Is(err, assertion.ErrInvalidToken) {
		return oauth.Claims{}, false, nil
	}
	return oauth.Claims{
		Client: c.Key, ID: c.ID, Scopes: c.Scopes, Audience: c.Audience, IssuedAt: c.IssuedAt, NotBefore: c.NotBefore, Expires: c.Expires,
	}, err == nil, err
}
