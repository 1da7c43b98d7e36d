// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package oauth is the standards face of the house: clients and services that know OAuth 2.0
// and nothing of us can use our keys. A key is a client; its id is the client_id.
//
//	POST /oauth2/token                            a JWT for a key: client credentials (RFC 6749 section 4.4)
//	POST /oauth2/introspect                       what a token stands for (RFC 7662)
//	POST /oauth2/revoke                           the end of a key (RFC 7009)
//	GET  /.well-known/oauth-authorization-server  all of this, for programs (RFC 8414)
//
// docs/spec/oauth.md says what is read and what is answered.
package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Grant is what a token is asked for. All fields are set.
type Grant struct {
	Principal *gatehouse.Principal
	Key       *gatehouse.Key
	Scopes    gatehouse.Scopes // a part of what the key can; empty: none
	Audience  []string
	Lifetime  time.Duration
}

// Claims is what one of our tokens says.
type Claims struct {
	Client    string // key id; empty: the token is not a key's
	ID        string
	Scopes    gatehouse.Scopes
	Audience  []string
	IssuedAt  time.Time
	NotBefore time.Time
	Expires   time.Time
}

// Tokens makes JWTs and reads them.
type Tokens interface {
	// Mint signs a token for a grant that was decided. It expires after the lifetime, and
	// never after the key. Errors wrap [gatehouse.ErrUnavailable].
	Mint(ctx context.Context, g Grant) (token string, expires time.Time, err error)

	// Read checks a token: ours, for the issuer of the Config, and neither expired nor too
	// early. ok is false for all others. Errors wrap [gatehouse.ErrUnavailable].
	Read(ctx context.Context, token string) (c Claims, ok bool, err error)
}

// Config is what the door stands on. Authority, Tokens, Limiter, Issuer and Audiences are
// required.
type Config struct {
	Authority *gatehouse.Authority
	Tokens    Tokens
	Limiter   gatehouse.Limiter // of failed attempts; strangers can fill it
	Proxies   gate.Proxies      // whose word on the client's address counts; zero: nobody's
	Issuer    string            // the public URL, without a path and a slash at the end
	Audiences []string          // what tokens may be for; a request that names none gets all
	Lifetime  time.Duration     // of tokens, at least 1 s; zero: 60 s
	Scopes    gatehouse.Scopes  // to be listed for programs; empty: no list
	Docs      string            // URL of what developers should read; empty: none
	Log       *slog.Logger      // is told what could not be answered; nil: slog.Default
}

// Door is the four endpoints. Use [New]. It is safe for concurrent use.
type Door struct {
	c        Config
	metadata []byte
}

// DefaultLifetime is how long a token is good where the Config does not say.
const DefaultLifetime = time.Minute

// New makes the door. An error says what is missing or cannot be used.
func New(c Config) (*Door, error) {
	if c.Authority == nil || c.Tokens == nil || c.Limiter == nil || len(c.Audiences) == 0 {
		return nil, errors.New("new oauth door: authority, tokens, limiter and audiences are required")
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || c.Issuer != u.Scheme+"://"+u.Host {
		return nil, errors.New("new oauth door: the issuer is not the URL of a host, without anything behind it")
	}
	c.Lifetime = cmp.Or(c.Lifetime, DefaultLifetime)
	if c.Lifetime < time.Second {
		return nil, errors.New("new oauth door: a token lives for a second at least")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	d := &Door{c: c}
	if d.metadata, err = json.Marshal(d.describe()); err != nil {
		return nil, fmt.Errorf("new oauth door: %w", err)
	}
	return d, nil
}

const (
	maxBody = 16 << 10
	timeout = 15 * time.Second

	pathToken      = "/oauth2/token"
	pathIntrospect = "/oauth2/introspect"
	pathRevoke     = "/oauth2/revoke"
	pathMetadata   = "/.well-known/oauth-authorization-server"
	pathKeys       = "/.well-known/jwks.json" // the process serves it
)

// Routes returns the routes of the public face.
func (d *Door) Routes() []gate.Route {
	return []gate.Route{
		{Pattern: "POST " + pathToken, MaxBody: maxBody, Timeout: timeout, Handler: d.post(d.token)},
		{Pattern: "POST " + pathIntrospect, MaxBody: maxBody, Timeout: timeout, Handler: d.post(d.introspect)},
		{Pattern: "POST " + pathRevoke, MaxBody: maxBody, Timeout: timeout, Handler: d.post(d.revoke)},
		{Pattern: "GET " + pathMetadata, MaxBody: 1, Timeout: timeout, Handler: d.showMetadata},
	}
}

// post makes a handler of one that reads a form and returns what to answer.
func (d *Door) post(answer func(*call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := d.read(r)
		var v any
		if err == nil {
			v, err = answer(c)
		}
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, v)
	}
}

// write answers with JSON that nobody may keep (RFC 6749 section 5.1).
func write(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody is left to tell
}
