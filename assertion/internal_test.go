// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The example of RFC 7638 section 3.1.
func TestThumbprintOfTheRFC(t *testing.T) {
	t.Parallel()
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	b, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		t.Fatal(err)
	}
	got, err := thumbprint(&rsa.PublicKey{N: new(big.Int).SetBytes(b), E: 65537})
	if err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("%s, %v", got, err)
	}
}

// Nodes publish the same bytes whatever order their stores give to equal times.
func TestKeySetOrder(t *testing.T) {
	t.Parallel()
	var keys []*signingKey
	for i := range 4 {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sk, err := newSigningKey(ES256, private)
		if err != nil {
			t.Fatal(err)
		}
		sk.created = time.Unix(int64(i/2), 0)
		keys = append(keys, sk)
	}
	one, err := newKeySet(slices.Clone(keys))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(keys)
	two, err := newKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	if string(one.jwks) != string(two.jwks) || one.etag != two.etag {
		t.Error("the order of the rows shows")
	}
	if got := one.active(ES256, "", time.Unix(9, 0)); got.created != time.Unix(1, 0) {
		t.Errorf("the active key is of %v", got.created)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache(5 * time.Second)
	now := time.Unix(1e9, 0)
	count := func() (n int) {
		for i := range c.shards {
			n += len(c.shards[i].young) + len(c.shards[i].old)
		}
		return n
	}
	const limit = cacheShards * 2 * cacheGeneration
	for i := range 3 * limit {
		k := cacheKey{key: fmt.Sprint(i)}
		if _, err := c.do(t.Context(), k, now, func() (string, time.Time, error) { return "token", now.Add(time.Minute), nil }); err != nil {
			t.Fatal(err)
		}
		if c.get(&k, now) == "" {
			t.Fatalf("entry %d is lost at once", i)
		}
	}
	if n := count(); n > limit || n < limit/4 {
		t.Errorf("%d entries, limit %d", n, limit)
	}
}

func TestCachePanicLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := newCache(5 * time.Second)
	now := time.Unix(1e9, 0)
	k := cacheKey{key: "k"}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.do(t.Context(), k, now, func() (string, time.Time, error) { panic("on purpose") })
	}()
	token, err := c.do(t.Context(), k, now, func() (string, time.Time, error) { return "token", now.Add(time.Minute), nil })
	if token != "token" || err != nil {
		t.Errorf("%q, %v", token, err)
	}
}

func TestCacheFailureIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(5 * time.Second)
		now := time.Now()
		k := cacheKey{key: "k"}
		broken := errors.New("broken on purpose")
		release := make(chan struct{})
		first := make(chan error, 1)
		go func() {
			_, err := c.do(t.Context(), k, now, func() (string, time.Time, error) {
				<-release
				return "", time.Time{}, broken
			})
			first <- err
		}()
		synctest.Wait()

		// Those who wait: one gives up, the others get a token of their own making, once.
		gaveUp := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := c.do(ctx, k, now, nil)
			gaveUp <- err
		}()
		var signatures atomic.Int32
		waiters := make(chan string, 5)
		for range cap(waiters) {
			go func() {
				token, err := c.do(t.Context(), k, now, func() (string, time.Time, error) {
					return fmt.Sprint("token", signatures.Add(1)), now.Add(time.Minute), nil
				})
				if err != nil {
					t.Error(err)
				}
				waiters <- token
			}()
		}
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		if c.get(&k, now) != "" {
			t.Error("a token before there is one")
		}
		close(release)
		if err := <-first; !errors.Is(err, broken) {
			t.Errorf("who signed: %v", err)
		}
		for range cap(waiters) {
			if token := <-waiters; token != "token1" {
				t.Errorf("a waiter got %q", token)
			}
		}
		if c.get(&k, now) != "token1" {
			t.Error("the token is not kept")
		}
	})
}
