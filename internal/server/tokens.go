// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/internal/barong"
)

// tokens fills the door's need for JWTs with the process's signing keys.
type tokens struct {
	keys   *assertion.Keys
	minter *assertion.Minter
}

// Mint implements [barong.Tokens].
func (t tokens) Mint(ctx context.Context, p *gatehouse.Principal, k *gatehouse.Key, session string) (string, error) {
	return t.minter.Mint(ctx, assertion.Subject{Principal: *p, Key: k, Scheme: "barong", Session: session})
}

// Bearer implements [barong.Tokens].
func (t tokens) Bearer(ctx context.Context, token string) (string, time.Time, error) {
	c, err := t.keys.VerifyBarong(ctx, token)
	if err != nil {
		return "", time.Time{}, tokenError(err)
	}
	return c.UID, c.IssuedAt, nil
}

// Sign implements [barong.Tokens].
func (t tokens) Sign(ctx context.Context, purpose, email, uid string, life time.Duration) (gatehouse.Secret, string, error) {
	token, id, err := t.keys.SignPurpose(ctx, purpose, assertion.PurposeClaims{Email: email, UID: uid}, life)
	if err != nil {
		return gatehouse.Secret{}, "", fmt.Errorf("sign token: %w", err)
	}
	return gatehouse.NewSecret(token), id, nil
}

// Verify implements [barong.Tokens].
func (t tokens) Verify(ctx context.Context, purpose string, token gatehouse.Secret) (id, email string, err error) {
	c, err := t.keys.VerifyPurpose(ctx, purpose, token.Reveal())
	if err != nil {
		return "", "", tokenError(err)
	}
	return c.ID, c.Email, nil
}

// tokenError turns the refusals of the signing keys into the door's. Failures stay
// what they are.
func tokenError(err error) error {
	for _, row := range []struct {
		err     error
		problem barong.TokenProblem
	}{
		{assertion.ErrMalformed, barong.TokenMalformed},
		{assertion.ErrEncoding, barong.TokenEncoding},
		{assertion.ErrAlgorithm, barong.TokenAlgorithm},
		{assertion.ErrSignature, barong.TokenSignature},
		{assertion.ErrExpired, barong.TokenExpired},
		{assertion.ErrInvalidToken, barong.TokenClaims},
	} {
		if errors.Is(err, row.err) {
			return &barong.TokenError{Problem: row.problem}
		}
	}
	return err
}
