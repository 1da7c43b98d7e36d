// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
// the request's path. The request and the decision are the caller's; an observer does
// not keep them, and never looks at the request's credentials.
type Observer interface {
	Observe(r *Request, d *Decision, err error, took time.Duration)
}

// Authority decides about requests and manages keys. It is safe for concurrent use
// and holds no state of its own that decides anything.
type Authority struct {
	store    Store
	schemes  []Scheme
	sealer   Sealer
	replay   ReplayCache
	limiter  Limiter
	observer Observer
	clock    clock
	decoys   []Record // by index of schemes; each with one material of every kind

	challenges Header
	sample     atomic.Pointer[string] // id of some key that exists, for balance
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
		observer: c.Observer, clock: clock{read: c.Now}, challenges: Header{},
	}
	seen := map[string]bool{}
	for _, s := range c.Schemes {
		if seen[s.Name()] {
			return nil, fmt.Errorf("new authority: two schemes are named %q", s.Name())
		}
		seen[s.Name()] = true
		for name, values := range s.Challenge() {
			a.challenges[name] = append(a.challenges[name], values...)
		}
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
	if p, ok := s.(PublicScheme); ok {
		minted.public = p.DecoyPublic()
	}
	for i, kind := range s.Kinds() {
		m, err := a.enclose(ctx, &k, kind, int64(i+1), minted)
		if err != nil {
			return Record{}, err
		}
		k.Materials = append(k.Materials, m)
	}
	return Record{Key: k}, nil
}

// WantsBody reports whether the request carries a credential that can only be checked
// fully with the body's bytes: a gate then supplies them, or says that it cannot.
func (a *Authority) WantsBody(r *Request) bool {
	return slices.ContainsFunc(a.schemes, func(s Scheme) bool { return s.WantsBody(r) })
}

// Challenges are the header fields of an answer 401, one challenge for each scheme, in
// the order of the configuration. The map is shared and must not be changed.
func (a *Authority) Challenges() Header { return a.challenges }

// SchemeNames are the names of the schemes, in the order of the configuration.
func (a *Authority) SchemeNames() []string {
	names := make([]string, len(a.schemes))
	for i, s := range a.schemes {
		names[i] = s.Name()
	}
	return names
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

// schemeName is the name of a scheme by its index; empty for -1.
func (a *Authority) schemeName(i int) string {
	if i < 0 {
		return ""
	}
	return a.schemes[i].Name()
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
