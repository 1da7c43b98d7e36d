// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The cache holds signed tokens for seconds. Each shard has two generations: entries
// are added to the younger, and the older is dropped whole when the younger is full or
// older than a token may be reused. So memory is bounded, nothing is swept, and an
// entry that is still good is dropped early only under a flood.
const (
	cacheShards     = 16
	cacheGeneration = 512 // entries of one generation of one shard: 16,384 in all
)

// cacheKey names one state of one subject. It is a struct, not joined text, so that
// no two subjects can spell the same.
type cacheKey struct {
	tenant, principal, key, session, scheme string
	body                                    gatehouse.BodyState
	principalVersion, keyVersion            int64
}

// entry is one token, signed or being signed. The fields below done are set before it
// closes and not changed afterwards.
type entry struct {
	done    chan struct{}
	token   string
	signed  time.Time
	expires time.Time
	err     error
}

var errNotSigned = errors.New("not signed")

type cache struct {
	reuse  time.Duration
	seed   maphash.Seed
	shards [cacheShards]shard
}

type shard struct {
	mu     sync.RWMutex
	young  map[cacheKey]*entry
	old    map[cacheKey]*entry
	opened time.Time // when young was empty
}

func newCache(reuse time.Duration) *cache {
	c := &cache{reuse: reuse, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].young = make(map[cacheKey]*entry)
		c.shards[i].old = make(map[cacheKey]*entry)
	}
	return c
}

func (c *cache) shard(k *cacheKey) *shard {
	id := k.key
	if id == "" {
		id = k.principal
	}
	return &c.shards[maphash.String(c.seed, id)%cacheShards]
}

// get returns a token that is signed and still good, else "".
func (c *cache) get(k *cacheKey, now time.Time) string {
	s := c.shard(k)
	s.mu.RLock()
	e := s.find(k)
	s.mu.RUnlock()
	if e == nil || !e.ready() || !e.good(now, c.reuse) {
		return ""
	}
	return e.token
}

// do returns a good token and signs it if there is none. Callers that ask for the same
// at the same time wait for one signature; where that fails, each tries again on its
// own account. An error from waiting wraps gatehouse.ErrUnavailable.
func (c *cache) do(ctx context.Context, k cacheKey, now time.Time, sign func() (string, time.Time, error)) (string, error) {
	s := c.shard(&k)
	for {
		e, mine := s.claim(&k, now, c.reuse)
		if mine {
			return e.fill(now, sign)
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return "", gatehouse.Unavailable("wait for signature", ctx.Err())
		}
		if e.err == nil {
			return e.token, nil
		}
	}
}

// claim returns the entry of k that is good or being signed, or else a new one, which
// the caller must fill. A signature that failed is not good.
func (s *shard) claim(k *cacheKey, now time.Time, reuse time.Duration) (e *entry, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(k); e != nil && (!e.ready() || e.good(now, reuse)) {
		return e, false
	}
	if len(s.young) >= cacheGeneration || now.Sub(s.opened).Abs() >= reuse {
		s.young, s.old = s.old, s.young
		clear(s.young)
		s.opened = now
	}
	e = &entry{done: make(chan struct{})}
	s.young[*k] = e
	return e, true
}

func (s *shard) find(k *cacheKey) *entry {
	if e := s.young[*k]; e != nil {
		return e
	}
	return s.old[*k]
}

// fill signs for everyone who waits.
func (e *entry) fill(now time.Time, sign func() (string, time.Time, error)) (string, error) {
	defer close(e.done)
	e.err = errNotSigned // stays if sign panics
	e.signed = now
	e.token, e.expires, e.err = sign()
	return e.token, e.err
}

func (e *entry) ready() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// good reports whether a signed token may be handed out again. Callers read the clock
// before they meet here, so one may be a little behind the signature; a clock that was
// set back makes the token unusable, for its iat would lie in the future.
func (e *entry) good(now time.Time, reuse time.Duration) bool {
	age := now.Sub(e.signed)
	return e.err == nil && age > -time.Second && age < reuse && now.Before(e.expires)
}
