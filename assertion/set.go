// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed14544106/gatehouse"
)

// keepRetired is how long a key that signs no more is still published and accepted:
// longer than a token lives and than a consumer caches the JWK set.
const keepRetired = 24 * time.Hour

// privateKey is an *ecdsa.PrivateKey on P-256 or an *rsa.PrivateKey.
type privateKey = crypto.Signer

func known(alg string) bool { return alg == ES256 || alg == RS256 }

// signingKey is one opened key. It is never changed once it is in a set.
type signingKey struct {
	id      string // RFC 7638 thumbprint
	alg     string
	private privateKey
	header  string // the Default profile's JOSE header, encoded
	created time.Time
	begins  time.Time // when it begins to sign
	planned bool      // it was made to succeed another
	retires time.Time // zero: not planned
}

func newSigningKey(alg string, private privateKey) (*signingKey, error) {
	if !fits(alg, private) {
		return nil, errors.New("key does not fit its algorithm")
	}
	id, err := thumbprint(private.Public())
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		Key       string `json:"kid"`
	}{alg, "at+jwt", id})
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	return &signingKey{id: id, alg: alg, private: private, header: base64.RawURLEncoding.EncodeToString(header)}, nil
}

func fits(alg string, private privateKey) bool {
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		return alg == ES256 && p.Curve == elliptic.P256()
	case *rsa.PrivateKey:
		return alg == RS256
	}
	return false
}

// thumbprint is the key id of a public key (RFC 7638, SHA-256).
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("compute thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// with returns the key with the row's times.
func (sk *signingKey) with(row *gatehouse.SigningKey) *signingKey {
	c := *sk
	c.created, c.begins, c.retires = row.Created, row.Created, row.Retires
	if c.planned = !row.Signs.IsZero(); c.planned {
		c.begins = row.Signs
	}
	return &c
}

func (sk *signingKey) retired(now time.Time) bool {
	return !sk.retires.IsZero() && !now.Before(sk.retires)
}

// waits reports whether the key shall sign later.
func (sk *signingKey) waits(now time.Time) bool { return now.Before(sk.begins) && !sk.retired(now) }

func (sk *signingKey) published(now time.Time) bool {
	return sk.retires.IsZero() || now.Before(sk.retires.Add(keepRetired))
}

// after reports whether sk signs in place of other, once both may. Nodes that made keys at
// the same moment must agree.
func (sk *signingKey) after(other *signingKey) bool {
	return cmp.Or(sk.begins.Compare(other.begins), sk.created.Compare(other.created), cmp.Compare(other.id, sk.id)) > 0
}

// sign makes the compact JWS (RFC 7515 section 7.1) of claims under an encoded header.
func (sk *signingKey) sign(header string, claims any) (string, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	// As every other JSON writer, not as HTML: a service may compare the bytes.
	e.SetEscapeHTML(false)
	if err := e.Encode(claims); err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	input := header + "." + base64.RawURLEncoding.EncodeToString(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	var method jwt.SigningMethod = jwt.SigningMethodES256
	if sk.alg == RS256 {
		method = jwt.SigningMethodRS256
	}
	signature, err := method.Sign(input, sk.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// keySet is what was stored at one moment. The zero value holds no key.
type keySet struct {
	keys    []*signingKey // newest first
	jwks    []byte
	etag    string
	expired []string // ids of stored keys that are published no more
}

func newKeySet(keys []*signingKey) (*keySet, error) {
	// Stores do not order equal times; nodes must agree.
	slices.SortFunc(keys, func(a, b *signingKey) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.id, b.id))
	})
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, sk := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: sk.private.Public(), KeyID: sk.id, Algorithm: sk.alg, Use: "sig"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode JWK set: %w", err)
	}
	sum := sha256.Sum256(body)
	return &keySet{keys: keys, jwks: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`}, nil
}

func (s *keySet) find(id string) *signingKey {
	for _, sk := range s.keys {
		if sk.id == id {
			return sk
		}
	}
	return nil
}

// active returns the key that signs: the preferred one, else the one that began last; nil:
// none. One that waits signs before its time only where there is no other.
func (s *keySet) active(alg, prefer string, now time.Time) *signingKey {
	var last, first *signingKey // of those that began, and of those that wait
	for _, sk := range s.keys {
		switch {
		case sk.alg != alg || sk.retired(now):
		case sk.id == prefer:
			return sk
		case sk.waits(now):
			if first == nil || sk.begins.Before(first.begins) {
				first = sk
			}
		case last == nil || sk.after(last):
			last = sk
		}
	}
	return cmp.Or(last, first)
}

// successor returns the key that was made to succeed sk, the first of several; nil: none.
func (s *keySet) successor(sk *signingKey) *signingKey {
	var next *signingKey
	for _, other := range s.keys {
		if other.alg == sk.alg && other.planned && other.after(sk) && (next == nil || other.begins.Before(next.begins)) {
			next = other
		}
	}
	return next
}

// publics returns the public keys whose signatures count.
func (s *keySet) publics(alg string, now time.Time) []jwt.VerificationKey {
	var out []jwt.VerificationKey
	for _, sk := range s.keys {
		if sk.alg == alg && sk.published(now) {
			out = append(out, sk.private.Public())
		}
	}
	return out
}
