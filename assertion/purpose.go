// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

// PurposeClaims is what a mailed token of Barong's contract says.
type PurposeClaims struct {
	Email      string
	UID        string
	ResetToken string // for password resets; empty: none
	ID         string // jti; set by VerifyPurpose, ignored by SignPurpose
}

// purposeClaims is the wire, in Barong's order.
type purposeClaims struct {
	barongHead
	Email      string `json:"email"`
	UID        string `json:"uid"`
	ResetToken string `json:"reset_token,omitempty"`
}

// SignPurpose makes a token that is good for one purpose only, such as "confirmation" or
// "reset": a JWT of the Barong profile with that sub and the claims email, uid and, where
// set, reset_token. life counts in whole seconds; zero is one hour. That a token is used
// once is for the caller to see to, by its id (jti), which is returned beside it.
//
// An empty purpose, or "session", is a *[gatehouse.InvalidError] with field "purpose", and
// a life below zero or of less than a second one with field "life". All other errors wrap
// [gatehouse.ErrUnavailable].
func (k *Keys) SignPurpose(ctx context.Context, purpose string, claims PurposeClaims, life time.Duration) (token, id string, err error) {
	if err := checkPurpose(purpose); err != nil {
		return "", "", err
	}
	if life == 0 {
		life = Barong.lifetime()
	}
	if life < time.Second {
		return "", "", &gatehouse.InvalidError{Field: "life", Problem: "shorter than a second"}
	}
	sk, err := k.signer(ctx, RS256)
	if err != nil {
		return "", "", err
	}
	issued := k.now().Truncate(time.Second)
	head := newBarongHead(purpose, issued, issued.Add(life))
	token, err = sk.sign(barongHeader, purposeClaims{
		barongHead: head,
		Email:      claims.Email, UID: claims.UID, ResetToken: claims.ResetToken,
	})
	if err != nil {
		return "", "", unavailable("sign purpose token", err)
	}
	return token, head.ID, nil
}

// VerifyPurpose checks a token made by [Keys.SignPurpose] for the same purpose, with the
// checks and errors of [Keys.VerifyBarong]: one of [ErrMalformed], [ErrEncoding],
// [ErrAlgorithm], [ErrSignature], [ErrExpired] and [ErrClaims], looked for in this order.
// A purpose that cannot be signed for is a *[gatehouse.InvalidError].
func (k *Keys) VerifyPurpose(ctx context.Context, purpose, token string) (PurposeClaims, error) {
	if err := checkPurpose(purpose); err != nil {
		return PurposeClaims{}, err
	}
	c, err := k.verify(ctx, purpose, token)
	if err != nil {
		return PurposeClaims{}, err
	}
	return PurposeClaims{Email: c.Email, UID: c.UID, ResetToken: c.ResetToken, ID: c.ID}, nil
}

// checkPurpose keeps mailed tokens and session tokens apart.
func checkPurpose(purpose string) error {
	if purpose == "" || purpose == sessionPurpose {
		return &gatehouse.InvalidError{Field: "purpose", Problem: "empty or a session's"}
	}
	return nil
}
