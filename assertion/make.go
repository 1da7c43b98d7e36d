// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse"
)

const minRSABits = 2048

// make makes and stores the key of an algorithm, unless another node was faster. What
// was made is kept until it is stored, so that a failing store does not cost an RSA
// key with every attempt.
func (k *Keys) make(ctx context.Context, alg string) (*signingKey, error) {
	what := "make " + alg + " signing key"
	private, err := k.generate(alg)
	if err != nil {
		return nil, unavailable(what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := k.load(ctx, 0); err != nil {
		return nil, err
	}
	if k.active(alg) == nil {
		err := k.insert(ctx, k.first(k.system(), alg), alg, private, "signing_key.create", time.Time{})
		if err != nil && !errors.Is(err, gatehouse.ErrRepeated) { // another node was faster
			return nil, unavailable(what, err)
		}
		if err := k.load(ctx, 0); err != nil {
			return nil, err
		}
	}
	sk := k.active(alg)
	if sk == nil {
		return nil, gatehouse.Unavailable(what, errors.New("the store does not list it"))
	}
	k.mu.Lock()
	delete(k.pending, alg)
	k.mu.Unlock()
	return sk, nil
}

// first makes an actor act once where it does not already: of several nodes that make the key
// after the newest one of an algorithm at the same moment, the store lets one. Two would sign
// side by side, each published by its own node alone.
func (k *Keys) first(actor gatehouse.Actor, alg string) gatehouse.Actor {
	if actor.Once != nil {
		return actor
	}
	id := "signing key " + alg
	for _, sk := range k.set.Load().keys {
		if sk.alg == alg {
			id += " after " + sk.id // they are newest first
			break
		}
	}
	actor.Once = &gatehouse.Once{ID: id}
	return actor
}

func (k *Keys) generate(alg string) (privateKey, error) {
	k.mu.Lock()
	private := k.pending[alg]
	k.mu.Unlock()
	if private != nil {
		return private, nil
	}
	private, err := newPrivateKey(alg)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.pending[alg] = private
	k.mu.Unlock()
	return private, nil
}

func newPrivateKey(alg string) (privateKey, error) {
	if alg == RS256 {
		return rsa.GenerateKey(rand.Reader, minRSABits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// importRSA makes the configured key the active one, and stores it where it is new.
func (k *Keys) importRSA(ctx context.Context, text []byte) error {
	private, err := parseRSA(text)
	if err != nil {
		return err
	}
	sk, err := newSigningKey(RS256, private)
	if err != nil {
		return fmt.Errorf("import RSA key: %w", err)
	}
	if k.set.Load().find(sk.id) == nil {
		if err := k.insert(ctx, k.system(), RS256, private, "signing_key.import", time.Time{}); err != nil {
			return unavailable("import RSA key", err)
		}
		if err := k.load(ctx, 0); err != nil {
			return err
		}
	}
	k.prefer = sk.id
	if stored := k.active(RS256); stored == nil || stored.id != sk.id {
		return &gatehouse.InvalidError{Field: "import_rsa", Problem: "the key has retired"}
	}
	return nil
}

// parseRSA reads a private key. Its errors say nothing of the input.
func parseRSA(text []byte) (*rsa.PrivateKey, error) {
	invalid := func(problem string) error {
		return &gatehouse.InvalidError{Field: "import_rsa", Problem: problem}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, invalid("not a PEM file")
	}
	var private *rsa.PrivateKey
	switch block.Type {
	case "RSA PRIVATE KEY":
		private, _ = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		private, _ = parsed.(*rsa.PrivateKey)
	default:
		return nil, invalid("not an RSA private key in PKCS #1 or PKCS #8")
	}
	switch {
	case private == nil:
		return nil, invalid("not a readable RSA private key")
	case private.N.BitLen() < minRSABits:
		return nil, invalid("shorter than 2048 bits")
	}
	return private, nil
}

// insert seals and stores a key that signs from a time on, zero for at once. That it is
// stored already is no error: an earlier attempt may have succeeded without hearing of it.
func (k *Keys) insert(ctx context.Context, actor gatehouse.Actor, alg string, private privateKey, verb string, signs time.Time) error {
	sk, err := newSigningKey(alg, private)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return fmt.Errorf("encode public key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("encode private key: %w", err)
	}
	sealed, err := k.sealer.Seal(ctx, k.binding(sk.id), der)
	clear(der)
	if err != nil {
		return fmt.Errorf("seal signing key: %w", err)
	}
	now := k.now().UTC().Truncate(time.Microsecond)
	signs = signs.UTC().Truncate(time.Microsecond)
	row := &gatehouse.SigningKey{ID: sk.id, Tenant: k.tenant, Algorithm: alg, Private: sealed, Public: public, Created: now, Signs: signs}
	changes := []gatehouse.Change{{Field: "algorithm", After: alg}}
	if !signs.IsZero() {
		changes = append(changes, gatehouse.Change{Field: "signs", After: signs.Format(time.RFC3339)})
	}
	if err := k.store.InsertSigningKey(ctx, row, k.event(actor, verb, sk.id, changes...)); err != nil && !errors.Is(err, gatehouse.ErrExists) {
		return fmt.Errorf("store signing key: %w", err)
	}
	return nil
}

// open opens a stored key. Its id is part of the binding, so that whoever can only write
// rows can make none that opens.
func (k *Keys) open(ctx context.Context, row *gatehouse.SigningKey) (*signingKey, error) {
	der, err := k.sealer.Open(ctx, k.binding(row.ID), row.Private)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	clear(der)
	if err != nil {
		return nil, errors.New("not a PKCS #8 private key")
	}
	private, _ := parsed.(privateKey)
	return newSigningKey(row.Algorithm, private)
}

func (k *Keys) binding(id string) gatehouse.Binding {
	return gatehouse.Binding{Purpose: "signing-key", Tenant: k.tenant, ID: id, Version: 1}
}
