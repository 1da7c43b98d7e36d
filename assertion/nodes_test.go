// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

func TestAnotherNodeWasFaster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fast := newHouse(t)
		b := fast.open(t, fast.config())
		synctest.Wait()
		row := fast.store.all()[0]
		h := newHouse(t)
		h.sealer = fast.sealer
		h.store.onRead = func(n int) {
			if n == 2 { // the first is the start's
				h.store.rows = append(h.store.rows, row)
			}
		}
		a := h.open(t, h.config())
		synctest.Wait()
		got, _ := a.JWKS()
		want, _ := b.JWKS()
		if diff := cmp.Diff(string(want), string(got)); diff != "" || len(h.store.all()) != 1 {
			t.Errorf("the key of the faster node was not taken (-want +got):\n%s", diff)
		}
		a.Close()
		b.Close()
	})
}

func TestTwoNodesImportTheSameKey(t *testing.T) {
	t.Parallel()
	rsaPEM := pkcs1(ourRSA()) // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.store.gate = make(chan struct{})
		c := h.config()
		c.Algorithms, c.ImportRSA = []string{assertion.RS256}, rsaPEM
		result := make(chan error, 2)
		for range cap(result) {
			go func() {
				k, err := assertion.OpenKeys(t.Context(), c)
				if err == nil {
					k.Close()
				}
				result <- err
			}()
		}
		synctest.Wait() // both have seen an empty store
		close(h.store.gate)
		for range cap(result) {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		if n := len(h.store.all()); n != 1 {
			t.Errorf("%d keys are stored", n)
		}
	})
}

func TestKeysOfOtherNodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.rsaKeys(t)
	c := h.config()
	c.Algorithms, c.ImportRSA = []string{assertion.RS256}, pkcs1(otherRSA())
	h.clock.add(time.Minute)
	b := h.open(t, c)
	token := mint(t, h.minter(b, assertion.Barong), keySubject())
	if _, err := a.VerifyBarong(t.Context(), token); err != nil {
		t.Errorf("a key that another node imported: %v", err)
	}

	// Forged signatures do not become a flood of reads.
	forged := token[:len(token)-8] + "AAAAAAAA"
	h.clock.add(time.Minute)
	before := h.store.readCount()
	for range 50 {
		if _, err := a.VerifyBarong(t.Context(), forged); !errors.Is(err, assertion.ErrSignature) {
			t.Fatal(err)
		}
	}
	if n := h.store.readCount() - before; n != 1 {
		t.Errorf("50 forged tokens in no time caused %d reads", n)
	}
	// Who gives up spoils nothing for the next.
	h.clock.add(time.Second)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whether the load begins at all is a coin's choice
		if _, err := a.VerifyBarong(ended, forged); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("who gave up: %v", err)
		}
	}
	if _, err := a.VerifyBarong(t.Context(), forged); !errors.Is(err, assertion.ErrSignature) {
		t.Errorf("after one who gave up: %v", err)
	}
	// Not to be able to look is no answer, at once and within the second.
	h.clock.add(time.Second)
	h.store.failWith(errBroken)
	for range 2 {
		if _, err := a.VerifyBarong(t.Context(), forged); !errors.Is(err, gatehouse.ErrUnavailable) || errors.Is(err, assertion.ErrInvalidToken) {
			t.Errorf("forged token with a failing store: %v", err)
		}
	}
	if _, err := a.VerifyBarong(t.Context(), token); err != nil {
		t.Errorf("a known key needs no store: %v", err)
	}
}

func TestRefreshPublishesKeysOfOtherNodes(t *testing.T) {
	t.Parallel()
	rsaPEM := pkcs1(ourRSA()) // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		a := h.open(t, h.config())
		synctest.Wait()
		_, before := a.JWKS()
		c := h.config()
		c.ImportRSA = rsaPEM
		b := h.open(t, c)
		want, etag := b.JWKS()
		<-time.After(61 * time.Second)
		synctest.Wait()
		got, after := a.JWKS()
		if diff := cmp.Diff(string(want), string(got)); diff != "" || after != etag || after == before {
			t.Errorf("after a minute the nodes publish different sets (-b +a):\n%s", diff)
		}
		a.Close()
		b.Close()
	})
}

func TestSuccessorOfAKeyMadeHere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	config := h.minterConfig(k, assertion.Default)
	config.Reuse = -1
	m := assertion.NewMinter(config)
	first, _ := segments(t, mint(t, m, keySubject()))
	h.store.change(func(r *gatehouse.SigningKey) { r.Retires = h.clock.now() })
	// The node hears of it with the next look at the store.
	h.clock.add(time.Second)
	if _, err := k.VerifyBarong(t.Context(), signed(t, jwt.SigningMethodRS256, ourRSA(), sound())); err == nil {
		t.Fatal("a stranger's token verifies")
	}
	if second, _ := segments(t, mint(t, m, keySubject())); second == first {
		t.Error("the retired key signs")
	}
	if n := len(h.store.all()); n != 2 {
		t.Errorf("%d keys are stored", n)
	}
}

func TestRetirement(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.rsaKeys(t)
	config := h.minterConfig(k, assertion.Barong)
	config.Lifetime = 48 * time.Hour
	token := mint(t, assertion.NewMinter(config), keySubject())
	retires := start.Add(time.Hour)
	h.store.change(func(r *gatehouse.SigningKey) { r.Retires = retires })
	c := h.config()
	c.Algorithms = []string{assertion.RS256}

	open := func(at time.Time) *assertion.Keys {
		h.clock.add(at.Sub(h.clock.now()))
		return h.open(t, c)
	}
	kid := h.store.all()[0].ID
	lists := func(k *assertion.Keys) bool {
		set := jwks(t, k)
		return len(set.Key(kid)) == 1
	}

	before := open(retires.Add(-time.Nanosecond))
	if rows := h.store.all(); len(rows) != 1 || !lists(before) {
		t.Errorf("a key that has not retired was replaced")
	}
	// At its time the running process makes the next one, and honours the last.
	h.clock.add(time.Nanosecond)
	next := mint(t, h.minter(before, assertion.Barong), keySubject())
	jws, err := jose.ParseSignedCompact(next, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(&ourRSA().PublicKey); err == nil {
		t.Error("a retired key signs")
	}
	if _, err := before.VerifyBarong(t.Context(), token); err != nil || !lists(before) {
		t.Errorf("a key that has just retired: %v", err)
	}
	if _, err := open(retires.Add(24*time.Hour-time.Nanosecond)).VerifyBarong(t.Context(), token); err != nil {
		t.Errorf("a key that retired this day: %v", err)
	}
	last := open(retires.Add(24 * time.Hour))
	for _, k := range []*assertion.Keys{last, before} {
		if _, err := k.VerifyBarong(t.Context(), token); !errors.Is(err, assertion.ErrSignature) {
			t.Errorf("a key that retired a day ago: %v", err)
		}
	}
	if lists(last) {
		t.Error("a key that retired a day ago is listed")
	}
}
