// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Profile says what a token looks like. The zero value is invalid.
type Profile uint8

// The profiles.
const (
	ProfileInvalid Profile = iota

	// Default is RFC 9068's access token: ES256, header with typ "at+jwt" and kid,
	// 60 seconds; claims iss, sub (the principal's UID), aud, exp, iat, nbf, jti,
	// client_id (the key id; absent for a session), scope (absent where there is
	// none), tenant, auth {scheme, key, body} and cdig. auth.body is, for a key, what
	// its proof says of the request's body: "verified", "deferred" (the service must
	// compare the body with cdig before it trusts it) or "unavailable" (nothing). cdig
	// is the proven Content-Digest field (RFC 9530), absent where there is none.
	Default

	// Barong is the session token of openware's Barong 2.6: RS256, a header of alg
	// alone, one hour; claims, in this order, iat, exp, sub "session", iss "barong",
	// aud ["peatio","barong"], jti (20 hex digits), uid, username (or null), email,
	// role, level, state, referral_id; a service account has neither username nor
	// referral_id. Barong's referral_id is a row number, so ours is the number that
	// Principal.Referral spells, and null where it spells none: services that expect
	// a number would not read a token with text in that place.
	Barong
)

var profileNames = [...]string{ProfileInvalid: "invalid", Default: "default", Barong: "barong"}

// String returns "default" or "barong", and "invalid" for anything else.
func (p Profile) String() string {
	if int(p) < len(profileNames) {
		return profileNames[p]
	}
	return profileNames[ProfileInvalid]
}

// ParseProfile is the inverse of [Profile.String]; unknown text gives [ProfileInvalid].
func ParseProfile(text string) Profile {
	if i := slices.Index(profileNames[:], text); i > 0 {
		return Profile(i)
	}
	return ProfileInvalid
}

// algorithm is the one that the profile pins.
func (p Profile) algorithm() string {
	if p == Barong {
		return RS256
	}
	return ES256
}

// lifetime is the profile's own.
func (p Profile) lifetime() time.Duration {
	if p == Barong {
		return time.Hour
	}
	return time.Minute
}

// Subject is whom a token is about: a request whose proof held.
type Subject struct {
	Principal gatehouse.Principal
	Key       *gatehouse.Key      // nil for a session
	Scheme    string              // how the credential was presented, such as "bearer" or "session"
	Body      gatehouse.BodyState // what the proof says of the body, from the decision
	Digest    string              // the proven Content-Digest field, from the decision; such a token is never reused
	Session   string              // an opaque name of the session, so that sessions share no token; never its secret; empty for a key
}

// The issuer and audience of everything signed for Barong's contract.
const barongIssuer = "barong"

var barongAudience = []string{"peatio", "barong"}

const sessionPurpose = "session"

// barongHeader is {"alg":"RS256"}: Barong's services pin the key, there is no kid.
var barongHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`))

// The structs below are the wire: the order of their fields is the order of claims.

type barongHead struct {
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	Subject  string   `json:"sub"`
	Issuer   string   `json:"iss"`
	Audience []string `json:"aud"`
	ID       string   `json:"jti"`
}

type barongAccount struct {
	barongHead
	UID      string  `json:"uid"`
	Username *string `json:"username"`
	Email    string  `json:"email"`
	Role     string  `json:"role"`
	Level    int     `json:"level"`
	State    string  `json:"state"`
	Referral *int64  `json:"referral_id"`
}

type barongService struct {
	barongHead
	UID   string `json:"uid"`
	Email string `json:"email"`
	Role  string `json:"role"`
	Level int    `json:"level"`
	State string `json:"state"`
}

type defaultClaims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Audience  []string    `json:"aud"`
	Expires   int64       `json:"exp"`
	IssuedAt  int64       `json:"iat"`
	NotBefore int64       `json:"nbf"`
	ID        string      `json:"jti"`
	Client    string      `json:"client_id,omitempty"`
	Scope     string      `json:"scope,omitempty"`
	Tenant    string      `json:"tenant"`
	Auth      defaultAuth `json:"auth"`
	Digest    string      `json:"cdig,omitempty"`
}

type defaultAuth struct {
	Scheme string `json:"scheme"`
	Key    string `json:"key,omitempty"`
	Body   string `json:"body,omitempty"`
}

func newBarongHead(purpose string, issued, expires time.Time) barongHead {
	return barongHead{
		IssuedAt: issued.Unix(), Expires: expires.Unix(), Subject: purpose,
		Issuer: barongIssuer, Audience: barongAudience, ID: barongID(),
	}
}

// barongID is a token id in Barong's form, 20 hex digits.
func barongID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

func barongClaims(p *gatehouse.Principal, issued, expires time.Time) any {
	head := newBarongHead(sessionPurpose, issued, expires)
	if p.Kind == gatehouse.PrincipalService {
		return barongService{barongHead: head, UID: p.UID, Email: p.Email, Role: p.Role, Level: p.Level, State: string(p.State)}
	}
	c := barongAccount{barongHead: head, UID: p.UID, Email: p.Email, Role: p.Role, Level: p.Level, State: string(p.State), Referral: referralNumber(p.Referral)}
	if p.Username != "" {
		c.Username = &p.Username
	}
	return c
}

// referralNumber reads an id that is a row number, as one imported from Barong is.
func referralNumber(id string) *int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return nil
	}
	return &n
}

func (m *Minter) defaultClaims(s *Subject, issued, expires time.Time) any {
	c := defaultClaims{
		Issuer: m.issuer, Subject: s.Principal.UID, Audience: m.audience,
		Expires: expires.Unix(), IssuedAt: issued.Unix(), NotBefore: issued.Unix(), ID: rand.Text(),
		Tenant: s.Principal.Tenant, Auth: defaultAuth{Scheme: s.Scheme}, Digest: s.Digest,
	}
	if s.Key != nil {
		c.Client, c.Auth.Key, c.Auth.Body = s.Key.ID, s.Key.ID, s.Body.String()
		c.Scope = strings.Join(s.Key.Scopes.Strings(), " ")
	}
	return c
}
