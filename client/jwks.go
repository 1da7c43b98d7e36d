// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
)

// How old a set of keys may be before it is asked for again.
const (
	keysOld    = 5 * time.Minute  // in any case: a key that is withdrawn goes
	keysTooOld = 10 * time.Second // where one is not in it: a new key comes, and forged JWTs cost little
	keysTime   = 5 * time.Second  // that asking may take
	keysMost   = 1 << 20          // bytes
)

// jwks is the ES256 keys of a JWK set (RFC 7517), fetched when they are needed.
type jwks struct {
	url  string
	http *http.Client
	last atomic.Pointer[fetched]
	turn chan struct{} // held while fetching: the others wait for it
}

// fetched is an answer, or that there was none. It is never changed.
type fetched struct {
	keys  map[string]*ecdsa.PublicKey // by kid
	tried time.Time
	err   error // of the last try; the keys are those of the one before
}

// recent reports whether an answer, nil for none, still says what there is to say of a kid.
func (f *fetched) recent(kid string) bool {
	if f == nil {
		return false
	}
	age := keysTooOld
	if f.keys[kid] != nil && f.err == nil {
		age = keysOld
	}
	return time.Since(f.tried) < age
}

// key is the key with a kid; nil: there is none. The error wraps gatehouse.ErrUnavailable:
// it is not known, and newer keys cannot be had. While that is so the known ones count.
func (s *jwks) key(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	f := s.last.Load()
	if !f.recent(kid) {
		var err error
		if f, err = s.newer(ctx, kid); err != nil {
			return nil, gatehouse.Unavailable("fetch signing keys", err)
		}
	}
	if f.keys[kid] == nil && f.err != nil {
		return nil, gatehouse.Unavailable("fetch signing keys", f.err)
	}
	return f.keys[kid], nil
}

// newer fetches the keys unless that was just tried. The error is that of ctx.
func (s *jwks) newer(ctx context.Context, kid string) (*fetched, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turn }()
	f := s.last.Load()
	if f.recent(kid) {
		return f, nil
	}
	next := &fetched{tried: time.Now()}
	if next.keys, next.err = s.fetch(context.WithoutCancel(ctx)); next.err != nil && f != nil {
		next.keys = f.keys
	}
	s.last.Store(next)
	return next, nil
}

func (s *jwks) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Kid, X, Y string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, keysMost)).Decode(&set); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("no key set, but status %d", resp.StatusCode)
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		if k.Kty == "EC" && k.Crv == "P-256" && k.Alg == "ES256" && k.Kid != "" {
			if key := point(k.X, k.Y); key != nil {
				keys[k.Kid] = key
			}
		}
	}
	return keys, nil
}

// point is a public key on P-256 (RFC 7518 section 6.2.1); nil: it is none.
func point(x, y string) *ecdsa.PublicKey {
	a, errX := base64.RawURLEncoding.DecodeString(x)
	b, errY := base64.RawURLEncoding.DecodeString(y)
	if errX != nil || errY != nil || len(a) != 32 || len(b) != 32 {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, a...), b...))
	if err != nil {
		return nil
	}
	return key
}
