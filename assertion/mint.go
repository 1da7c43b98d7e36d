// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

const defaultReuse = 5 * time.Second

// MinterConfig says what tokens look like.
type MinterConfig struct {
	Keys    *Keys   // required
	Profile Profile // required

	// Issuer and Audience are iss and aud of the Default profile, which requires both.
	// The Barong profile has its own and ignores these.
	Issuer   string
	Audience []string

	// Lifetime is how long a token is good, in whole seconds; a fraction is dropped.
	// Zero: the profile's, 60 s or one hour.
	Lifetime time.Duration

	// Reuse is how long a signed token may be handed out again for the same subject.
	// Zero: 5 s. Negative: never. It is at most half the lifetime.
	Reuse time.Duration

	Now func() time.Time // nil: time.Now
}

// Minter signs tokens. It is safe for concurrent use.
type Minter struct {
	keys     *Keys
	profile  Profile
	issuer   string
	audience []string
	lifetime time.Duration
	now      func() time.Time
	cache    *cache // nil: tokens are not reused
}

// NewMinter makes a Minter. It panics on a configuration that can make no token: no
// Keys, an invalid Profile, the Default profile without Issuer or Audience, a Lifetime
// below zero or of less than a second.
func NewMinter(c MinterConfig) *Minter {
	switch {
	case c.Keys == nil:
		panic("assertion: a minter needs keys")
	case c.Profile != Default && c.Profile != Barong:
		panic("assertion: a minter needs a profile")
	case c.Profile == Default && (c.Issuer == "" || len(c.Audience) == 0):
		panic("assertion: the default profile needs an issuer and an audience")
	case c.Lifetime != 0 && c.Lifetime < time.Second:
		panic("assertion: a token lives for a second at least")
	}
	m := &Minter{
		keys: c.Keys, profile: c.Profile, issuer: c.Issuer, audience: slices.Clone(c.Audience),
		lifetime: c.Lifetime.Truncate(time.Second), now: c.Now,
	}
	if m.lifetime == 0 {
		m.lifetime = c.Profile.lifetime()
	}
	if m.now == nil {
		m.now = time.Now
	}
	reuse := c.Reuse
	if reuse == 0 {
		reuse = defaultReuse
	}
	if reuse = min(reuse, m.lifetime/2); reuse > 0 {
		m.cache = newCache(reuse)
	}
	return m
}

// Mint returns a signed token for a subject whose proof held. Mint decides nothing: it
// must be called only after a grant, with what the decision read.
//
// The token expires after the lifetime, and never after the key: its times are whole
// seconds, so a key in its last second gives a token that has expired. A token is
// reused while it is younger than Reuse and while neither the key nor its principal has
// changed since; records without a version are always signed anew.
//
// A principal without UID or of no kind is a *[gatehouse.InvalidError] with field
// "principal". All other errors wrap [gatehouse.ErrUnavailable]: the signing key could
// not be had before ctx ended, or its store or sealer fails.
func (m *Minter) Mint(ctx context.Context, s Subject) (string, error) {
	now := m.now()
	if m.cache == nil || s.Digest != "" || !s.versioned() {
		return m.mint(ctx, s, now, nil)
	}
	key := s.cacheKey()
	if token := m.cache.get(&key, now); token != "" {
		return token, nil
	}
	return m.mint(ctx, s, now, m.cache)
}

// mint signs a token, through c where there is one. It is apart from Mint so that the
// subject moves to the heap here, and not where a token is reused.
func (m *Minter) mint(ctx context.Context, s Subject, now time.Time, c *cache) (string, error) {
	if s.Principal.UID == "" || (s.Principal.Kind != gatehouse.PrincipalAccount && s.Principal.Kind != gatehouse.PrincipalService) {
		return "", &gatehouse.InvalidError{Field: "principal", Problem: "has no UID or no kind"}
	}
	// Waiting for the signing key is each caller's own; what callers share below is
	// only arithmetic, which no caller can cancel for another.
	sk, err := m.keys.signer(ctx, m.profile.algorithm())
	if err != nil {
		return "", err
	}
	if c == nil {
		token, _, err := m.sign(sk, &s, now)
		return token, err
	}
	return c.do(ctx, s.cacheKey(), now, func() (string, time.Time, error) { return m.sign(sk, &s, now) })
}

// sign makes a token and says when it expires.
func (m *Minter) sign(sk *signingKey, s *Subject, now time.Time) (string, time.Time, error) {
	issued := now.Truncate(time.Second)
	expires := issued.Add(m.lifetime)
	if s.Key != nil && !s.Key.Expires.IsZero() && s.Key.Expires.Before(expires) {
		expires = s.Key.Expires.Truncate(time.Second)
	}
	header, claims := barongHeader, any(nil)
	if m.profile == Barong {
		claims = barongClaims(&s.Principal, issued, expires)
	} else {
		header, claims = sk.header, m.defaultClaims(s, issued, expires)
	}
	token, err := sk.sign(header, claims)
	if err != nil {
		return "", time.Time{}, unavailable("mint assertion", err)
	}
	return token, expires, nil
}

func (s *Subject) cacheKey() cacheKey {
	k := cacheKey{
		tenant: s.Principal.Tenant, principal: s.Principal.ID, principalVersion: s.Principal.Version,
		session: s.Session, scheme: s.Scheme, body: s.Body,
	}
	if s.Key != nil {
		k.key, k.keyVersion = s.Key.ID, s.Key.Version
	}
	return k
}

// versioned reports whether the subject's versions tell one state of it from another.
func (s *Subject) versioned() bool {
	return s.Principal.Version > 0 && (s.Key == nil || s.Key.Version > 0)
}
