// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

func jwks(t *testing.T, k *assertion.Keys) jose.JSONWebKeySet {
	t.Helper()
	body, _ := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatalf("JWK set does not parse: %v", err)
	}
	return set
}

func TestFirstStartMakesBothKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.Algorithms = nil
	k := h.open(t, c)
	// Minting waits for the key that is being made.
	token := mint(t, h.minter(k, assertion.Barong), keySubject())
	if _, err := k.VerifyBarong(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	mint(t, h.minter(k, assertion.Default), keySubject())

	rows := h.store.all()
	if len(rows) != 2 || len(h.store.events) != 2 {
		t.Fatalf("stored %d keys with %d events, want 2 and 2", len(rows), len(h.store.events))
	}
	for i, row := range rows {
		e := h.store.events[i]
		if e.Verb != "signing_key.create" || e.Subject != row.ID || e.Actor.Kind != gatehouse.ActorSystem || e.Tenant != gatehouse.DefaultTenant {
			t.Errorf("event of %s: %+v", row.Algorithm, e)
		}
		if !row.Created.Equal(start) || row.Tenant != gatehouse.DefaultTenant || !row.Retires.IsZero() {
			t.Errorf("row of %s: %+v", row.Algorithm, row)
		}
		der, err := h.sealer.Open(t.Context(), gatehouse.Binding{Purpose: "signing-key", Tenant: "default", ID: row.ID, Version: 1}, row.Private)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.ParsePKIXPublicKey(row.Public)
		if err != nil {
			t.Fatal(err)
		}
		switch p := private.(type) {
		case *rsa.PrivateKey:
			if row.Algorithm != "RS256" || p.N.BitLen() != 2048 || !p.PublicKey.Equal(public) {
				t.Errorf("RSA row is not sound")
			}
		case *ecdsa.PrivateKey:
			if row.Algorithm != "ES256" || p.Curve != elliptic.P256() || !p.PublicKey.Equal(public) {
				t.Errorf("ECDSA row is not sound")
			}
		}
	}

	// The next start finds them, makes none, and publishes the same bytes.
	body, etag := k.JWKS()
	again := h.open(t, c)
	body2, etag2 := again.JWKS()
	if !bytes.Equal(body, body2) || etag != etag2 || len(h.store.all()) != 2 {
		t.Errorf("second start publishes %s %s, first %s %s", body2, etag2, body, etag)
	}
	if _, err := again.VerifyBarong(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestJWKSIsPublicOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.ImportRSA = pkcs1(ourRSA())
	k := h.open(t, c)
	mint(t, h.minter(k, assertion.Default), keySubject())
	h.clock.add(time.Second)

	body, etag := k.JWKS()
	var raw struct{ Keys []map[string]any }
	if err := json.Unmarshal(body, &raw); err != nil || len(raw.Keys) != 2 {
		t.Fatalf("%s: %v", body, err)
	}
	allowed := map[string]bool{"use": true, "kty": true, "kid": true, "alg": true, "crv": true, "x": true, "y": true, "n": true, "e": true}
	for _, key := range raw.Keys {
		for member := range key {
			if !allowed[member] {
				t.Errorf("JWK set publishes %q", member)
			}
		}
		if key["use"] != "sig" {
			t.Errorf("use is %v", key["use"])
		}
	}
	for _, key := range jwks(t, k).Keys {
		if !key.Valid() || !key.IsPublic() || key.KeyID == "" || (key.Algorithm != "ES256" && key.Algorithm != "RS256") {
			t.Errorf("key %+v", key)
		}
	}
	if len(etag) < 10 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		t.Errorf("entity tag %s is not a strong one", etag)
	}
}

func TestStartDoesNotWaitForKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.store.gate = make(chan struct{})
		k := h.open(t, h.config()) // returns though no insert does
		if got, etag := k.JWKS(); string(got) != `{"keys":[]}` || etag == "" {
			t.Errorf("JWK set before a key is there: %s %s", got, etag)
		}
		m := h.minter(k, assertion.Default)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_, err := m.Mint(ctx, keySubject())
		if !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Mint without a key: %v", err)
		}
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		// One who gave up spoils nothing for one who waits.
		result := make(chan error, 1)
		go func() {
			_, err := m.Mint(t.Context(), keySubject())
			result <- err
		}()
		synctest.Wait()
		close(h.store.gate)
		if err := <-result; err != nil {
			t.Error(err)
		}
		if n := len(jwks(t, k).Keys); n != 1 {
			t.Errorf("JWK set lists %d keys", n)
		}
		if ids := h.sealer.sealedIDs(); len(ids) != 1 {
			t.Errorf("those who waited made %d keys", len(ids))
		}
		k.Close()
	})
}

func TestCloseEndsBackgroundWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.store.gate = make(chan struct{}) // never opens: only Close ends the insert
		k, err := assertion.OpenKeys(t.Context(), h.config())
		if err != nil {
			t.Fatal(err)
		}
		k.Close()
		k.Close()
		// The bubble fails the test if a goroutine is left.
		if _, err := h.minter(k, assertion.Default).Mint(t.Context(), keySubject()); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("Mint after Close: %v", err)
		}
	})
}

func TestCloseWaitsForBackgroundWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.store.gate, h.store.stuck = make(chan struct{}), true
		k := h.open(t, h.config())
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			k.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned while the store is still in use")
		default:
		}
		close(h.store.gate)
		<-closed
	})
}

func TestImportKeepsTheKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.Algorithms = []string{assertion.RS256}
	for _, text := range [][]byte{pkcs1(ourRSA()), pkcs8(t, ourRSA()), append([]byte("a comment\n"), pkcs1(ourRSA())...)} {
		c.ImportRSA = text
		k := h.open(t, c)
		set := jwks(t, k)
		if len(set.Keys) != 1 || !ourRSA().PublicKey.Equal(set.Keys[0].Key) {
			t.Fatalf("JWK set %+v is not the import", set)
		}
		token := mint(t, h.minter(k, assertion.Barong), keySubject())
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(&ourRSA().PublicKey); err != nil {
			t.Error(err)
		}
	}
	if rows := h.store.all(); len(rows) != 1 || len(h.sealer.sealedIDs()) != 1 || h.store.events[0].Verb != "signing_key.import" {
		t.Errorf("three starts stored %d keys, events %+v", len(rows), h.store.events)
	}
}

func TestImportIsActiveWhileConfigured(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.Algorithms = []string{assertion.RS256}
	signedBy := func(k *assertion.Keys, key *rsa.PrivateKey) bool {
		jws, err := jose.ParseSignedCompact(mint(t, h.minter(k, assertion.Barong), keySubject()), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		_, err = jws.Verify(&key.PublicKey)
		return err == nil
	}
	c.ImportRSA = pkcs1(ourRSA())
	first := h.open(t, c)
	old := mint(t, h.minter(first, assertion.Barong), keySubject())
	h.clock.add(time.Hour / 2)
	c.ImportRSA = pkcs1(otherRSA())
	second := h.open(t, c)
	if !signedBy(second, otherRSA()) {
		t.Error("a new import does not sign")
	}
	if _, err := second.VerifyBarong(t.Context(), old); err != nil {
		t.Errorf("the key before no longer verifies: %v", err)
	}
	c.ImportRSA = nil
	if !signedBy(h.open(t, c), otherRSA()) {
		t.Error("without an import the newest key does not sign")
	}
	c.ImportRSA = pkcs1(ourRSA())
	if !signedBy(h.open(t, c), ourRSA()) {
		t.Error("an older key that is configured again does not sign")
	}
	h.store.change(func(r *gatehouse.SigningKey) { r.Retires = h.clock.now() })
	var invalid *gatehouse.InvalidError
	if _, err := assertion.OpenKeys(t.Context(), c); !errors.As(err, &invalid) || invalid.Field != "import_rsa" {
		t.Errorf("import of a retired key: %v", err)
	}
}

func TestUnusableConfiguration(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
	}
	for name, c := range map[string]assertion.KeysConfig{
		"algorithms/HS256": {Algorithms: []string{"HS256"}},
		"algorithms/empty": {Algorithms: []string{""}},
		"import_rsa/text":  {ImportRSA: []byte("geheim-geheim")},
		"import_rsa/der":   {ImportRSA: block("RSA PRIVATE KEY", []byte("geheim-geheim"))},
		"import_rsa/pkcs8": {ImportRSA: block("PRIVATE KEY", []byte("geheim-geheim"))},
		"import_rsa/kind":  {ImportRSA: block("PUBLIC KEY", []byte("geheim-geheim"))},
		"import_rsa/short": {ImportRSA: pkcs1(short)},
		"import_rsa/ec":    {ImportRSA: pkcs8(t, ec)},
	} {
		field, _, _ := strings.Cut(name, "/")
		h := newHouse(t)
		c.Store, c.Sealer = h.store, h.sealer
		_, err := assertion.OpenKeys(t.Context(), c)
		var invalid *gatehouse.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error holds the input", name)
		}
		if len(h.store.all()) != 0 {
			t.Errorf("%s: something was stored", name)
		}
	}
}

func TestFailingDependenciesAreUnavailable(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	k := h.open(t, c)
	mint(t, h.minter(k, assertion.Default), keySubject()) // the key is there

	h.store.failWith(errBroken)
	if _, err := assertion.OpenKeys(t.Context(), c); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
		t.Errorf("failing store: %v", err)
	}
	mint(t, h.minter(k, assertion.Default), keySubject()) // what is loaded works on
	h.store.failWith(nil)
	h.sealer.failWith(errBroken)
	if _, err := assertion.OpenKeys(t.Context(), c); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
		t.Errorf("failing sealer: %v", err)
	}
	c.Tenant, c.ImportRSA = "other", pkcs1(ourRSA())
	if _, err := assertion.OpenKeys(t.Context(), c); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
		t.Errorf("import with a failing sealer: %v", err)
	}
	c.Sealer = newSealer(t)
	c.Tenant, c.ImportRSA = "", nil
	if _, err := assertion.OpenKeys(t.Context(), c); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("a sealer with another key: %v", err)
	}
}

func TestMakingIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var log bytes.Buffer
		c := h.config()
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		gate := make(chan struct{})
		h.store.gate = gate
		k := h.open(t, c)
		synctest.Wait()
		h.store.failWith(errBroken)
		close(gate)
		synctest.Wait()
		if !strings.Contains(log.String(), "no signing key yet") {
			t.Errorf("the log does not tell: %s", &log)
		}
		m := h.minter(k, assertion.Default)
		if _, err := m.Mint(t.Context(), keySubject()); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("Mint with a failing store: %v", err)
		}
		h.store.failWith(nil)
		h.sealer.failWith(errBroken)
		if _, err := m.Mint(t.Context(), keySubject()); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("Mint with a failing sealer: %v", err)
		}
		h.sealer.failWith(nil)
		mint(t, m, keySubject())
		// The key was made once, however often it had to be stored.
		ids := h.sealer.sealedIDs()
		if rows := h.store.all(); len(ids) != 2 || ids[0] != ids[1] || len(rows) != 1 || rows[0].ID != ids[0] {
			t.Errorf("sealed %v", ids)
		}
		k.Close()
	})
}

func TestRowsThatDoNotBelongAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r *gatehouse.SigningKey){
		"another id":        func(r *gatehouse.SigningKey) { r.ID = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
		"another algorithm": func(r *gatehouse.SigningKey) { r.Algorithm = "RS256" },
		"another secret":    func(r *gatehouse.SigningKey) { r.Private.Data[20] ^= 1 },
	} {
		h := newHouse(t)
		mint(t, h.minter(h.open(t, h.config()), assertion.Default), keySubject())
		h.store.change(spoil)
		if _, err := assertion.OpenKeys(t.Context(), h.config()); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a newer version stored is not ours to judge.
	h := newHouse(t)
	mint(t, h.minter(h.open(t, h.config()), assertion.Default), keySubject())
	h.store.change(func(r *gatehouse.SigningKey) { r.Algorithm = "ML-DSA-44" })
	mint(t, h.minter(h.open(t, h.config()), assertion.Default), keySubject())
}
