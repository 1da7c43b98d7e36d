// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Config is what an [Authority] is made of. All fields but Observer and Now are
// required.
type Config struct {
	Store    Store
	Schemes  []Scheme // the schemes requests may use; names are unique
	Sealer   Sealer
	Replay   ReplayCache
	Limiter  Limiter
	Observer Observer         // nil: nobody watches
	Now      func() time.Time // nil: time.Now
}

// Observer is told every answer of [Authority.Verify]. It must not block: it runs on
// the request's path. The decision is the caller's; an observer does not keep it.
type Observer interface {
	Observe(d *Decision, err error, took time.Duration)
}

// Authority decides about requests and manages keys. It is safe for concurrent use
// and holds no state of its own beyond its fillings.
type Authority struct {
	store    Store
	schemes  []Scheme
	sealer   Sealer
	replay   ReplayCache
	limiter  Limiter
	observer Observer
	clock    clock
	decoys   []Record // by index of schemes
}

// New makes an authority. It seals decoys, so that an unknown key costs what a known
// one costs; an error wraps what the sealer returned. A missing filling or two
// schemes of one name are errors.
func New(ctx context.Context, c Config) (*Authority, error) {
	if c.Store == nil || c.Sealer == nil || c.Replay == nil || c.Limiter == nil || len(c.Schemes) == 0 {
		return nil, errors.New("new authority: store, schemes, sealer, replay cache and limiter are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Authority{
		store: c.Store, schemes: c.Schemes, sealer: c.Sealer, replay: c.Replay, limiter: c.Limiter,
		observer: c.Observer, clock: clock{read: c.Now},
	}
	seen := map[string]bool{}
	for _, s := range c.Schemes {
		if seen[s.Name()] {
			return nil, fmt.Errorf("new authority: two schemes are named %q", s.Name())
		}
		seen[s.Name()] = true
		d, err := a.decoy(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("new authority: %w", err)
		}
		a.decoys = append(a.decoys, d)
	}
	return a, nil
}

// decoy makes a record that no request can prove and that costs as much to check as
// a real one.
func (a *Authority) decoy(ctx context.Context, s Scheme) (Record, error) {
	minted, err := s.Mint("", decoyPrefix)
	if err != nil {
		return Record{}, fmt.Errorf("mint decoy: %w", err)
	}
	k := Key{ID: minted.KeyID, Tenant: DefaultTenant, Prefix: decoyPrefix, Schemes: []string{s.Name()}}
	m, err := a.enclose(ctx, &k, s.Kind(), 1, minted)
	if err != nil {
		return Record{}, err
	}
	k.Materials = []Material{m}
	return Record{Key: k}, nil
}

const decoyPrefix = "decoy"

// scheme finds a scheme by name.
func (a *Authority) scheme(name string) (Scheme, bool) {
	for _, s := range a.schemes {
		if s.Name() == name {
			return s, true
		}
	}
	return nil, false
}

// clock is a clock that never runs backwards: a step back of the system's clock must
// not open a window that was shut.
type clock struct {
	read   func() time.Time
	latest atomic.Int64 // microseconds
}

// now returns the time in UTC, in whole microseconds, the precision stores keep.
func (c *clock) now() time.Time {
	t := c.read().UnixMicro()
	for {
		last := c.latest.Load()
		if t <= last {
			return time.UnixMicro(last).UTC()
		}
		if c.latest.CompareAndSwap(last, t) {
			return time.UnixMicro(t).UTC()
		}
	}
}
