// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse/client"
)

// errToken says that the token does not hold. Why is nothing that its sender learns.
var errToken = errors.New("token refused")

// caller is whom a token is about.
type caller struct {
	UID   string `json:"uid"`
	Email string `json:"email"`
	Role  string `json:"role"`
}

// verifier checks JWTs of Gatehouse's Barong profile.
type verifier struct {
	keys     *keySet
	audience string
	holds    func(client.Issued) error // that it was not revoked
	now      func() time.Time
}

// caller returns whom the JWT in an Authorization header is about. Any error but
// errToken means that nobody can tell now.
func (v *verifier) caller(authorization []string) (caller, error) {
	if len(authorization) != 1 {
		return caller{}, errToken
	}
	token, ok := strings.CutPrefix(authorization[0], "Bearer ")
	part := strings.Split(token, ".")
	if !ok || len(part) != 3 {
		return caller{}, errToken
	}
	// The token does not choose how it is checked: one algorithm, no extensions.
	var header struct {
		Alg  string
		Crit any
	}
	if !decode(part[0], &header) || header.Alg != "RS256" || header.Crit != nil {
		return caller{}, errToken
	}
	signature, err := base64.RawURLEncoding.DecodeString(part[2])
	if err != nil {
		return caller{}, errToken
	}
	sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
	signed, err := v.keys.any(func(k *rsa.PublicKey) bool {
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
	})
	if err != nil {
		return caller{}, err
	}
	var claims struct {
		caller
		Iss, Sub      string
		Aud           []string
		Exp, Nbf, Iat int64 // Unix seconds
	}
	now := v.now().Unix()
	// The same key signs the tokens in mails. Their subject is another.
	if !signed || !decode(part[1], &claims) || claims.Iss != "barong" || claims.Sub != "session" || claims.UID == "" ||
		!slices.Contains(claims.Aud, v.audience) || now >= claims.Exp || now < claims.Nbf {
		return caller{}, errToken
	}
	// Barong's JWTs name no key: they end with whom they are about.
	err = v.holds(client.Issued{UID: claims.UID, Time: time.Unix(claims.Iat, 0)})
	if errors.Is(err, client.ErrRevoked) {
		err = errToken
	}
	return claims.caller, err
}

// decode reads one part of a JWT.
func decode(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}
