// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// ErrInvalidJWT: a JWT that does not hold. Why is not told: whoever sent it learns nothing.
var ErrInvalidJWT = errors.New("invalid JWT")

// JWTOptions are what a [JWTVerifier] is made with. Issuer and Audience are required.
type JWTOptions struct {
	Issuer   string // the server's public URL: claim iss
	Audience string // this service: one of those in claim aud
	// KeysURL is where the signing keys are published; empty: /.well-known/jwks.json at Issuer.
	KeysURL string
	// Revocations is asked about each JWT; nil: one that was revoked holds until it expires.
	Revocations *Revocations
	HTTPClient  *http.Client // fetches the signing keys; nil: one of the verifier's own
}

// JWTVerifier checks the JWTs that a server makes for keys, such as those of its token
// endpoint (profile "default": RFC 9068, ES256), without asking it about each. It is safe for
// concurrent use.
//
// Alone it believes a JWT until that expires, by default for 60 seconds. With
// [JWTOptions.Revocations] a JWT ends with its key.
type JWTVerifier struct {
	o    JWTOptions
	keys *jwks
}

// NewJWTVerifier makes a verifier. It panics without Issuer or Audience.
func NewJWTVerifier(o JWTOptions) *JWTVerifier {
	if o.Issuer == "" || o.Audience == "" {
		panic("client: a verifier of JWTs needs an issuer and an audience")
	}
	if o.KeysURL == "" {
		o.KeysURL = strings.TrimSuffix(o.Issuer, "/") + "/.well-known/jwks.json"
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{}
	}
	return &JWTVerifier{o: o, keys: &jwks{url: o.KeysURL, http: o.HTTPClient, turn: make(chan struct{}, 1)}}
}

// JWT is what a valid JWT says.
type JWT struct {
	UID      string // whom it is about
	Key      string // id of the key that it was made for; empty: a session
	Tenant   string
	Role     string // of whom it is about; empty: it does not say
	Scheme   string // how the key was presented for it, such as "bearer" or "session"; empty: it does not say
	Scopes   gatehouse.Scopes
	Audience []string
	ID       string
	Issued   time.Time // UTC
	Expires  time.Time // UTC, exclusive
}

const (
	maxJWT    = 8 << 10         // bytes
	jwtLeeway = 5 * time.Second // that another clock may be ahead
)

// Verify checks a JWT: signed with ES256 by a key of the server that kid names; typ "at+jwt";
// iss and aud as the options say; not expired; not from the future by more than 5 s. Where
// revocations are followed, it is not revoked either.
//
// [ErrInvalidJWT]; [ErrRevoked], [ErrOtherTenant]. Errors that wrap
// [gatehouse.ErrUnavailable], [ErrStale] among them, say that nobody can tell now.
func (v *JWTVerifier) Verify(ctx context.Context, token string) (JWT, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxJWT || len(parts) != 3 {
		return JWT{}, ErrInvalidJWT
	}
	// The JWT does not choose how it is checked: one algorithm, no extensions.
	var header struct {
		Alg, Typ, Kid string
		Crit          any
	}
	if !segment(parts[0], &header) || header.Alg != "ES256" || header.Typ != "at+jwt" || header.Kid == "" || header.Crit != nil {
		return JWT{}, ErrInvalidJWT
	}
	key, err := v.keys.key(ctx, header.Kid)
	if err != nil {
		return JWT{}, err
	}
	if key == nil || !signedBy(key, parts[0]+"."+parts[1], parts[2]) {
		return JWT{}, ErrInvalidJWT
	}
	j, err := v.claims(parts[1], time.Now())
	if err == nil && v.o.Revocations != nil {
		err = v.o.Revocations.Check(Issued{Tenant: j.Tenant, UID: j.UID, Key: j.Key, Time: j.Issued})
	}
	if err != nil {
		return JWT{}, err
	}
	return j, nil
}

// claims reads what was signed.
func (v *JWTVerifier) claims(part string, now time.Time) (JWT, error) {
	var c struct {
		Iss, Sub, Jti, Scope, Tenant, Role string
		Client                             string `json:"client_id"`
		Auth                               struct{ Scheme string }
		Aud                                []string
		Exp, Iat, Nbf                      int64 // Unix seconds
	}
	latest := now.Add(jwtLeeway).Unix()
	if !segment(part, &c) || c.Iss != v.o.Issuer || c.Sub == "" || c.Jti == "" || c.Tenant == "" || !slices.Contains(c.Aud, v.o.Audience) ||
		now.Unix() >= c.Exp || c.Iat == 0 || c.Iat > latest || c.Nbf > latest {
		return JWT{}, ErrInvalidJWT
	}
	scopes, err := gatehouse.ParseScopes(strings.Fields(c.Scope))
	if err != nil {
		return JWT{}, ErrInvalidJWT
	}
	return JWT{
		UID: c.Sub, Key: c.Client, Tenant: c.Tenant, Role: c.Role, Scheme: c.Auth.Scheme, Scopes: scopes, Audience: c.Aud, ID: c.Jti,
		Issued: time.Unix(c.Iat, 0).UTC(), Expires: time.Unix(c.Exp, 0).UTC(),
	}, nil
}

// signedBy checks an ES256 signature (RFC 7518 section 3.4).
func signedBy(key *ecdsa.PublicKey, input, signature string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || len(b) != 64 {
		return false
	}
	sum := sha256.Sum256([]byte(input))
	return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(b[:32]), new(big.Int).SetBytes(b[32:]))
}

// segment reads one part of a JWT.
func segment(part string, into any) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}
