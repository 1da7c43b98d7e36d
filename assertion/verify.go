// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrInvalidToken: a token that does not hold. Every error about a token wraps it; none
// holds a part of the token. The errors below say why, as closely as Barong's clients
// are told.
var ErrInvalidToken = errors.New("invalid token")

// Why a token does not hold. Each wraps [ErrInvalidToken]. In brackets the last word of
// the message that Barong's JWT library has for it, which Barong's clients see.
var (
	ErrMalformed = fmt.Errorf("%w: not three segments", ErrInvalidToken)                 // [segments]; also longer than 8 KiB
	ErrEncoding  = fmt.Errorf("%w: the header is not base64url JSON", ErrInvalidToken)   // [encoding]
	ErrAlgorithm = fmt.Errorf("%w: not signed with RS256", ErrInvalidToken)              // [algorithm]
	ErrSignature = fmt.Errorf("%w: the signature is of no key of ours", ErrInvalidToken) // [raised]
	ErrExpired   = fmt.Errorf("%w: expired", ErrInvalidToken)                            // [expired]
	ErrClaims    = fmt.Errorf("%w: a claim is missing or wrong", ErrInvalidToken)        // varies with the claim
)

const (
	// maxToken is the longest token that is looked at, in bytes; ours have 900.
	maxToken = 8 << 10
	// leeway is how far another node's clock may be ahead (RFC 8725 keeps it small).
	leeway = 5 * time.Second
)

// BarongClaims is what a valid session token of the Barong profile says.
type BarongClaims struct {
	UID      string
	Username string // empty: none, or a service account
	Email    string
	Role     string
	Level    int
	State    string
	ID       string // jti
	IssuedAt time.Time
	Expires  time.Time
}

// VerifyBarong checks a token of the Barong profile as Barong's resource API does: signed
// with RS256, and nothing else, by one of our keys; iss "barong", sub "session",
// an aud with "barong"; exp in the future; iat, and nbf where there is one, not in the
// future by more than 5 s; jti and uid present.
//
// A token that does not hold gives an error that wraps [ErrInvalidToken]. Where no known
// key made the signature and the store cannot be asked for newer ones, the error wraps
// [gatehouse.ErrUnavailable] instead.
func (k *Keys) VerifyBarong(ctx context.Context, token string) (BarongClaims, error) {
	c, err := k.verify(ctx, sessionPurpose, token)
	if err != nil {
		return BarongClaims{}, err
	}
	if c.UID == "" {
		return BarongClaims{}, ErrClaims
	}
	return BarongClaims{
		UID: c.UID, Username: c.Username, Email: c.Email, Role: c.Role, Level: c.Level, State: c.State,
		ID: c.ID, IssuedAt: c.IssuedAt.UTC(), Expires: c.ExpiresAt.UTC(),
	}, nil
}

// barongToken is every claim that a token of Barong's contract can have.
type barongToken struct {
	jwt.RegisteredClaims
	UID        string `json:"uid"`
	Username   string `json:"username"`
	Email      string `json:"email"`
	Role       string `json:"role"`
	Level      int    `json:"level"`
	State      string `json:"state"`
	ResetToken string `json:"reset_token"`
}

// verify checks a token of Barong's contract made for purpose.
func (k *Keys) verify(ctx context.Context, purpose, token string) (*barongToken, error) {
	// A trailing empty segment does not count, as in Barong.
	if len(token) > maxToken || strings.Count(token, ".") != 2 || strings.HasSuffix(token, ".") {
		return nil, ErrMalformed
	}
	c, err := k.parse(purpose, token)
	if errors.Is(err, ErrSignature) {
		// Another node may have made or imported a key since the last look.
		if err := k.load(ctx, missEvery); err != nil {
			return nil, err
		}
		c, err = k.parse(purpose, token)
	}
	return c, err
}

func (k *Keys) parse(purpose, token string) (*barongToken, error) {
	now := k.now()
	p := jwt.NewParser(
		jwt.WithValidMethods([]string{RS256}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(barongIssuer), jwt.WithAudience("barong"), jwt.WithSubject(purpose),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c barongToken
	t, err := p.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: k.set.Load().publics(RS256, now)}, nil
	})
	if err != nil {
		return nil, why(err, t)
	}
	switch {
	case !now.Before(c.ExpiresAt.Time): // the leeway is not for exp
		return nil, ErrExpired
	case c.IssuedAt == nil || c.ID == "":
		return nil, ErrClaims
	}
	return &c, nil
}

// why translates the library's error into ours, which hold nothing of the input. The
// order is that of Barong's library: header, algorithm, signature, claims. It finds a
// signature that cannot be read wrong, and reads no claims before the signature held; so
// claims that cannot be read are claims that we did not sign.
func why(err error, t *jwt.Token) error {
	switch {
	case t == nil || t.Header == nil && errors.Is(err, jwt.ErrTokenMalformed):
		return ErrEncoding
	case t.Header["alg"] != RS256:
		return ErrAlgorithm
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return ErrClaims
	}
	return ErrSignature
}
