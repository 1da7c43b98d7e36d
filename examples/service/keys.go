// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// How old the keys may be before they are asked for again.
const (
	old        = 5 * time.Minute // in any case: a key that is withdrawn goes
	tooOld     = time.Minute     // when none fits: a new key comes, and forged tokens cost little
	afterError = 5 * time.Second
)

// keySet is the RS256 keys of a JWK set (RFC 7517), fetched when they are needed.
type keySet struct {
	url string
	now func() time.Time

	mu    sync.Mutex // held while fetching: the others wait for the answer
	keys  []*rsa.PublicKey
	etag  string
	asked time.Time
	err   error // of the last fetch
}

// any reports whether a key fits. Barong's tokens name no key: all are tried. An error
// means that none fits and newer keys cannot be had.
func (s *keySet) any(fits func(*rsa.PublicKey) bool) (bool, error) {
	for _, age := range []time.Duration{old, tooOld} {
		keys, err := s.get(age)
		for _, k := range keys {
			if fits(k) {
				return true, nil
			}
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// get returns the keys, fetched anew if they are as old as age.
func (s *keySet) get(age time.Duration) ([]*rsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		age = afterError
	}
	if s.now().Sub(s.asked) >= age {
		s.asked, s.err = s.now(), s.fetch()
	}
	return s.keys, s.err
}

func (s *keySet) fetch() error {
	req, err := http.NewRequest(http.MethodGet, s.url, nil)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	if s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil
	}
	var set struct {
		Keys []struct{ Alg, N, E string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&set); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch keys: no key set, but status %d", resp.StatusCode)
	}
	s.keys, s.etag = nil, resp.Header.Get("ETag")
	for _, k := range set.Keys {
		n, _ := base64.RawURLEncoding.DecodeString(k.N)
		if k.Alg == "RS256" && k.E == "AQAB" && len(n) >= 256 { // 65537, 2048 bits
			s.keys = append(s.keys, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
		}
	}
	return nil
}
