// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// issued is the answer to a granted request (RFC 6749 section 5.1).
type issued struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int64  `json:"expires_in"` // seconds
	Scope   string `json:"scope,omitempty"`
}

// token makes a JWT for a key (RFC 6749 section 4.4, RFC 8707).
func (d *Door) token(c *call) (any, error) {
	switch c.form["grant_type"] {
	case "client_credentials":
	case "":
		return nil, invalidRequest("grant_type is missing")
	default:
		return nil, errGrantType
	}
	p, err := c.pair()
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errClient
	}
	said, err := d.client(c, p)
	if err != nil {
		return nil, err
	}
	g := Grant{Principal: said.Principal, Key: said.Key, Lifetime: d.c.Lifetime}
	if g.Scopes, err = narrow(said.Key.Scopes, c.form["scope"]); err != nil {
		return nil, err
	}
	if g.Audience, err = d.audience(c.form); err != nil {
		return nil, err
	}
	token, expires, err := d.c.Tokens.Mint(c.Context(), g)
	if err != nil {
		return nil, err
	}
	left := expires.Sub(said.Time)
	if left < time.Second {
		return nil, errClient // the key is in its last second
	}
	return issued{token, "Bearer", int64(left / time.Second), strings.Join(g.Scopes.Strings(), " ")}, nil
}

// narrow is what a holder of has may get when it asks for these scopes; for all where it
// asks for none. The error is a *failure.
func narrow(has gatehouse.Scopes, asked string) (gatehouse.Scopes, error) {
	if asked == "" {
		return has, nil
	}
	want, err := gatehouse.ParseScopes(strings.Split(asked, " "))
	if err != nil || !covers(has, want) {
		return nil, errScope
	}
	return want, nil
}

// covers reports whether a holder of has may get all of want: the wildcard holds for every
// scope but those that manage.
func covers(has, want gatehouse.Scopes) bool {
	return !slices.ContainsFunc(want, func(s gatehouse.Scope) bool { return !has.Holds(s) && (s.Manages() || !has.Has(s)) })
}

// audience is what the token is for. The error is a *failure.
func (d *Door) audience(f form) ([]string, error) {
	resource, audience := f["resource"], f["audience"]
	switch {
	case resource != "" && audience != "":
		return nil, invalidRequest("resource and audience are two words for one thing")
	case resource+audience == "":
		return d.c.Audiences, nil
	case !slices.Contains(d.c.Audiences, resource+audience):
		return nil, errTarget
	}
	return []string{resource + audience}, nil
}
