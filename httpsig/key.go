// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// The algorithms, by their names in RFC 9421 section 6.2.2.
const (
	HMACSHA256      = "hmac-sha256"
	Ed25519         = "ed25519"
	ECDSAP256SHA256 = "ecdsa-p256-sha256"
)

// ErrKey: a key cannot be used here. The error around it says why.
var ErrKey = errors.New("unusable key")

// minSecret is the least length of a shared secret in bytes: 128 bits.
const minSecret = 16

// VerifyKey checks signatures of exactly one algorithm. Only this package makes keys,
// so that the bytes of a public key never become a shared secret.
type VerifyKey interface {
	// Algorithm is one of the names above.
	Algorithm() string
	verify(base, signature []byte) bool
}

// SignKey makes signatures of exactly one algorithm.
type SignKey interface {
	// Algorithm is one of the names above.
	Algorithm() string
	sign(base []byte) ([]byte, error)
}

// SharedKey is the secret of hmac-sha256, good for both sides. It prints nothing of it.
type SharedKey struct {
	mac func(base []byte) []byte // a closure: fmt, json and slog cannot look inside
}

// HMACKey returns the key for a shared secret of at least 16 bytes, else [ErrKey]. It
// keeps the slice, which the caller may clear when it is done with the key.
func HMACKey(secret []byte) (SharedKey, error) {
	if len(secret) < minSecret {
		return SharedKey{}, keyError("a shared secret has at least 16 bytes")
	}
	return SharedKey{func(base []byte) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write(base)
		return h.Sum(nil)
	}}, nil
}

// Algorithm implements [VerifyKey] and [SignKey].
func (SharedKey) Algorithm() string { return HMACSHA256 }

func (k SharedKey) verify(base, signature []byte) bool {
	return k.mac != nil && hmac.Equal(k.mac(base), signature)
}

func (k SharedKey) sign(base []byte) ([]byte, error) {
	if k.mac == nil {
		return nil, keyError("zero value")
	}
	return k.mac(base), nil
}

type publicKey struct {
	algorithm string
	check     func(base, signature []byte) bool
}

func (k publicKey) Algorithm() string                  { return k.algorithm }
func (k publicKey) verify(base, signature []byte) bool { return k.check(base, signature) }

type privateKey struct {
	algorithm string
	make      func(base []byte) ([]byte, error)
}

func (k privateKey) Algorithm() string                { return k.algorithm }
func (k privateKey) sign(base []byte) ([]byte, error) { return k.make(base) }

// Ed25519PublicKey returns a key that checks ed25519 signatures. Error: [ErrKey].
func Ed25519PublicKey(key ed25519.PublicKey) (VerifyKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, keyError("an ed25519 public key has 32 bytes")
	}
	return publicKey{Ed25519, func(base, signature []byte) bool {
		return ed25519.Verify(key, base, signature)
	}}, nil
}

// Ed25519PrivateKey returns a key that makes ed25519 signatures. Error: [ErrKey].
func Ed25519PrivateKey(key ed25519.PrivateKey) (SignKey, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, keyError("an ed25519 private key has 64 bytes")
	}
	return privateKey{Ed25519, func(base []byte) ([]byte, error) {
		return key.Sign(nil, base, crypto.Hash(0))
	}}, nil
}

// ECDSAPublicKey returns a key that checks ecdsa-p256-sha256 signatures: r and s, 32
// bytes each. Error: [ErrKey], for another curve. A point that is not on the curve, which
// only a caller can make who fills in the coordinates, checks nothing: all is refused.
func ECDSAPublicKey(key *ecdsa.PublicKey) (VerifyKey, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return nil, keyError("not on the curve P-256")
	}
	return publicKey{ECDSAP256SHA256, func(base, signature []byte) bool {
		if len(signature) != 64 {
			return false
		}
		digest := sha256.Sum256(base)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest[:], r, s)
	}}, nil
}

// ECDSAPrivateKey returns a key that makes ecdsa-p256-sha256 signatures. Error: [ErrKey].
func ECDSAPrivateKey(key *ecdsa.PrivateKey) (SignKey, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return nil, keyError("not on the curve P-256")
	}
	return privateKey{ECDSAP256SHA256, func(base []byte) ([]byte, error) {
		digest := sha256.Sum256(base)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	}}, nil
}

// ParsePublicKey reads one public key in PEM ("PUBLIC KEY", SPKI): ed25519 or P-256, and
// nothing after it. Error: [ErrKey].
func ParsePublicKey(text string) (VerifyKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, keyError("not one PEM block PUBLIC KEY")
	}
	return ParsePublicDER(block.Bytes)
}

// ParsePublicDER reads one public key in DER (SPKI, RFC 5280): ed25519 or P-256. Error:
// [ErrKey].
func ParsePublicDER(der []byte) (VerifyKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, keyError("not a public key in SPKI form")
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return Ed25519PublicKey(key)
	case *ecdsa.PublicKey:
		return ECDSAPublicKey(key)
	}
	return nil, keyError("neither ed25519 nor P-256")
}

func keyError(problem string) error { return fmt.Errorf("%w: %s", ErrKey, problem) }
