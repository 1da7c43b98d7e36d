// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// Config is what a [Door] is made of. Gate, Accounts, Audit, Limiter, Tokens, Mailer
// and Domain are required.
type Config struct {
	// Gate decides about requests. It must know the scheme "barong" and no other: the
	// gate of Barong takes no other credential.
	Gate *gatehouse.Authority
	// Keys makes and manages keys. It must know every scheme a key may have, "barong"
	// among them. Nil: Gate.
	Keys     *gatehouse.Authority
	Accounts *account.Directory
	Audit    gatehouse.AuditStore
	Limiter  gatehouse.Limiter // bounds the mail that strangers can have sent to one account
	Tokens   Tokens
	Mailer   Mailer

	Proxies gate.Proxies
	Rules   Rules
	Policy  account.PasswordPolicy // told to clients; zero: [account.DefaultPasswordPolicy]

	Tenant       string        // empty: [gatehouse.DefaultTenant]
	Window       time.Duration // how far a nonce may be from now, as the scheme has it; zero: 5 s
	SecretFormat string        // "vault" or "string", of a new key's secret; empty: "vault"
	SessionName  string        // name of the cookie; empty: "_barong_session"
	SessionIdle  time.Duration // told to clients; zero: 30 minutes
	NoCSRF       bool          // sessions need no X-CSRF-Token at the gate
	Domain       string        // http or https URL of the front end that mails link to
	AppName      string        // named in mails; empty: "Gatehouse"
	MailLife     time.Duration // how long a mailed token is good; zero: 1 hour
	CORSOrigins  []string      // origins that browsers may call from; nil: any, empty: none
	Version      Version

	Now    func() time.Time // nil: [time.Now]
	Logger *slog.Logger     // told why a request failed; nil: silent
}

// Version is the answer to GET …/version.
type Version struct {
	Tag   string `json:"git_tag"`
	SHA   string `json:"git_sha"`
	Built string `json:"build_date"`
	Name  string `json:"version"`
}

// The shapes of a new key's secret.
const (
	formatVault  = "vault"  // Vault's answer around it, as Barong up to 2.5
	formatString = "string" // the text alone, as Barong from 2.6
)

// Door serves Barong's contract. Make it with [New]; it is safe for concurrent use.
type Door struct {
	c       Config
	rules   rules
	pattern string // of passwords, as Ruby prints it
	routes  []route
	post    *postman
}

// New makes a door and starts its mail queue, which [Door.Close] ends. It fails, in
// words, on a missing or senseless field.
func New(c Config) (*Door, error) {
	for name, missing := range map[string]bool{
		"authority": c.Gate == nil, "account directory": c.Accounts == nil, "audit store": c.Audit == nil,
		"limiter": c.Limiter == nil, "tokens": c.Tokens == nil, "mailer": c.Mailer == nil,
	} {
		if missing {
			return nil, fmt.Errorf("barong door: no %s", name)
		}
	}
	c = c.withDefaults()
	if u, err := url.Parse(c.Domain); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("barong door: the domain is no http or https URL")
	}
	switch {
	case c.SecretFormat != formatVault && c.SecretFormat != formatString:
		return nil, errors.New(`barong door: the secret format is neither "vault" nor "string"`)
	case c.Window < 0 || c.SessionIdle < 0 || c.MailLife < time.Second:
		return nil, errors.New("barong door: a window, session or mail life is too short")
	case (&http.Cookie{Name: c.SessionName, Value: "x"}).Valid() != nil:
		return nil, errors.New("barong door: the session name is no name of a cookie")
	}
	policy, err := account.Compile(c.Policy)
	if err != nil {
		return nil, fmt.Errorf("barong door: %w", err)
	}
	compiled, err := c.Rules.compile()
	if err != nil {
		return nil, fmt.Errorf("barong door: %w", err)
	}
	d := &Door{c: c, rules: compiled, pattern: policy.RubyPattern(), post: newPostman(c.Logger)}
	d.routes = table()
	return d, nil
}

func (c Config) withDefaults() Config {
	text := func(field *string, fallback string) {
		if *field == "" {
			*field = fallback
		}
	}
	span := func(field *time.Duration, fallback time.Duration) {
		if *field == 0 {
			*field = fallback
		}
	}
	text(&c.Tenant, gatehouse.DefaultTenant)
	text(&c.SecretFormat, formatVault)
	text(&c.SessionName, "_barong_session")
	text(&c.AppName, "Gatehouse")
	span(&c.Window, 5*time.Second)
	span(&c.SessionIdle, 30*time.Minute)
	span(&c.MailLife, time.Hour)
	c.Domain = strings.TrimSuffix(c.Domain, "/")
	if c.Keys == nil {
		c.Keys = c.Gate
	}
	if c.Policy == (account.PasswordPolicy{}) {
		c.Policy = account.DefaultPasswordPolicy()
	}
	if c.CORSOrigins == nil {
		c.CORSOrigins = []string{"*"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Close sends the mail that waits, for 10 seconds at most, and ends the queue. The door
// answers 503 to calls that need mail from then on.
func (d *Door) Close() { d.post.close() }

// LinkTo sets where mails link to, in place of Config.Domain: a process whose port the
// system chooses knows it late. Call it before the first request.
func (d *Door) LinkTo(origin string) { d.c.Domain = strings.TrimSuffix(origin, "/") }

// Handler serves /api/v2/barong/… and /api/v2/auth/…, and as the former also what
// gateways make of it, /api/v2/{identity,public,resource}/…. It answers every other
// path as an unknown route. It reads the raw request target: it must not stand behind a
// [http.ServeMux], which redirects paths that the gate has to refuse.
func (d *Door) Handler() http.Handler { return http.HandlerFunc(d.serve) }

// Tokens makes and checks the JWTs of Barong's contract.
type Tokens interface {
	// Mint makes the JWT for the services behind the gate. k is the key that proved the
	// request, nil for a session; session then names that session, without being its id.
	Mint(ctx context.Context, p *gatehouse.Principal, k *gatehouse.Key, session string) (string, error)

	// Bearer checks a JWT that Mint made and returns the uid in it, and when it was made,
	// in whole seconds. *[TokenError].
	Bearer(ctx context.Context, token string) (uid string, issued time.Time, err error)

	// Sign makes a token that is good for one purpose, to be mailed; id is its jti.
	Sign(ctx context.Context, purpose, email, uid string, life time.Duration) (token gatehouse.Secret, id string, err error)

	// Verify checks a token that Sign made for the purpose. *[TokenError].
	Verify(ctx context.Context, purpose string, token gatehouse.Secret) (id, email string, err error)
}

// The purposes of mailed tokens.
const (
	purposeConfirmation = "confirmation"
	purposeReset        = "reset"
)

// TokenError refuses a token.
type TokenError struct{ Problem TokenProblem }

// Error implements error.
func (e *TokenError) Error() string { return "the token does not hold: " + string(e.Problem) }

// TokenProblem says what is wrong with a token, in the last word of what Barong's JWT
// library says: that is what its clients see.
type TokenProblem string

// The problems of a token.
const (
	TokenMalformed TokenProblem = "segments"  // not three segments
	TokenEncoding  TokenProblem = "encoding"  // the header is not base64url JSON
	TokenAlgorithm TokenProblem = "algorithm" // not RS256
	TokenSignature TokenProblem = "raised"    // "Signature verification raised"
	TokenExpired   TokenProblem = "expired"
	TokenClaims    TokenProblem = "claims" // Barong's word varies with the claim; ours does not
)

// Mailer sends mail. An error says nothing of the text.
type Mailer interface {
	Send(ctx context.Context, to, subject, text string) error
}
