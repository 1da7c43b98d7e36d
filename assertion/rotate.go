// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// A signing key is next, active, retired, and then deleted. All that nodes agree on is in
// the rows: when a key begins to sign, and when it ends. The next key is stored, and so
// published, long before it begins; the active one ends at that very moment, and stays
// published for as long as anything that it signed may be good.

// MaxAge is how long a consumer may keep the JWK set (Cache-Control, RFC 9111 section
// 5.2.2.1). Rotation counts on it.
const MaxAge = 5 * time.Minute

const (
	// publishBefore is how long a key is published before it signs: until no consumer has
	// a set without it. The five minutes are for nodes that read the store a minute late
	// and for clocks that differ.
	publishBefore = MaxAge + 5*time.Minute
	// leastEvery is the shortest time between two rotations.
	leastEvery = time.Hour
)

// KeyState says where a signing key is in its life.
type KeyState string

// The states of a signing key.
const (
	KeyNext    KeyState = "next"    // published, not signing yet
	KeyActive  KeyState = "active"  // published and signing
	KeyRetired KeyState = "retired" // published, not signing any more
)

// KeyInfo is what may be told of a signing key.
type KeyInfo struct {
	ID        string // RFC 7638 thumbprint, the kid of the JWK set
	Algorithm string
	State     KeyState
	Created   time.Time
	Signs     time.Time // from when on it signs
	Retires   time.Time // when it stops; zero: not planned
}

// List reads the signing keys, newest first. Errors wrap gatehouse.ErrUnavailable.
func (k *Keys) List(ctx context.Context) ([]KeyInfo, error) {
	if err := k.load(ctx, 0); err != nil {
		return nil, err
	}
	set, now := k.set.Load(), k.now()
	var out []KeyInfo
	for _, sk := range set.keys {
		info := KeyInfo{ID: sk.id, Algorithm: sk.alg, State: KeyRetired, Created: sk.created, Signs: sk.begins, Retires: sk.retires}
		switch {
		case sk == set.active(sk.alg, k.prefer, now):
			info.State = KeyActive
		case sk.waits(now):
			info.State = KeyNext
		}
		out = append(out, info)
	}
	return out, nil
}

// Rotate makes the next key of every algorithm and plans when the active one retires: in
// ten minutes, when no consumer has a JWK set without the next any more. A configured
// import is not rotated, nor an algorithm whose next key is there already; where that
// leaves nothing to do, the answer is gatehouse.ErrConflict. Where the actor acts once, the
// first key keeps the receipt. Rotate asks nobody whether the actor may.
//
// gatehouse.ErrRepeated; all other errors wrap gatehouse.ErrUnavailable. What was made
// before an error stays, and takes over in time.
func (k *Keys) Rotate(ctx context.Context, actor gatehouse.Actor) error {
	made, err := k.rotate(ctx, actor, func(*signingKey) bool { return true })
	if err == nil && !made {
		return fmt.Errorf("rotate signing keys: %w", gatehouse.ErrConflict)
	}
	return err
}

// rotate makes the next key where the active one is due.
func (k *Keys) rotate(ctx context.Context, actor gatehouse.Actor, due func(active *signingKey) bool) (made bool, err error) {
	k.rotating.Lock()
	defer k.rotating.Unlock()
	if err := k.load(ctx, 0); err != nil {
		return false, err
	}
	for _, alg := range []string{ES256, RS256} {
		if active := k.rotatable(alg); active == nil || !due(active) {
			continue
		}
		stored, err := k.makeNext(ctx, actor, alg)
		if err != nil {
			return made, err
		}
		if stored {
			made, actor.Once = true, nil
		}
	}
	if !made {
		return false, nil
	}
	if err := k.load(ctx, 0); err != nil {
		return true, err
	}
	actor.Once = nil
	return true, k.settle(ctx, actor, time.Time{})
}

// rotatable returns the active key of an algorithm that may have a next one; nil: none may.
func (k *Keys) rotatable(alg string) *signingKey {
	set, now := k.set.Load(), k.now()
	active := set.active(alg, k.prefer, now)
	waits := func(sk *signingKey) bool { return sk.alg == alg && sk.waits(now) }
	if active == nil || active.id == k.prefer || slices.ContainsFunc(set.keys, waits) {
		return nil
	}
	return active
}

// makeNext stores the next key of an algorithm, unless another node was faster while the
// key was made.
func (k *Keys) makeNext(ctx context.Context, actor gatehouse.Actor, alg string) (bool, error) {
	what := "make next " + alg + " signing key"
	private, err := newPrivateKey(alg)
	if err != nil {
		return false, unavailable(what, err)
	}
	if err := k.load(ctx, 0); err != nil {
		return false, err
	}
	if k.rotatable(alg) == nil {
		return false, nil
	}
	err = k.insert(ctx, k.first(actor, alg), alg, private, "signing_key.create", k.now().Add(publishBefore))
	switch {
	case errors.Is(err, gatehouse.ErrRepeated) && actor.Once == nil: // another node was faster
		return false, nil
	case errors.Is(err, gatehouse.ErrRepeated):
		return false, fmt.Errorf("%s: %w", what, gatehouse.ErrRepeated)
	case err != nil:
		return false, unavailable(what, err)
	}
	return true, nil
}

// settle retires the keys that have a successor, at the moment it begins to sign; of
// successors that begin later than until, nothing is done (zero: of all it is).
func (k *Keys) settle(ctx context.Context, actor gatehouse.Actor, until time.Time) error {
	set := k.set.Load()
	changed := false
	for _, sk := range set.keys {
		next := set.successor(sk)
		if sk.id == k.prefer || !sk.retires.IsZero() || next == nil || !until.IsZero() && next.begins.After(until) {
			continue
		}
		e := k.event(actor, "signing_key.retire", sk.id, gatehouse.Change{Field: "retires", After: next.begins.Format(time.RFC3339)})
		err := k.store.RetireSigningKey(ctx, k.tenant, sk.id, next.begins, e)
		if err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
			return unavailable("retire signing key", err)
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return k.load(ctx, 0)
}

// tend does what is due: it rotates, ends what a rotation left behind, and deletes the keys
// that are published no more.
func (k *Keys) tend(ctx context.Context) error {
	now := k.now()
	if k.every > 0 {
		due := func(active *signingKey) bool { return !now.Before(active.begins.Add(k.every)) }
		if _, err := k.rotate(ctx, k.system(), due); err != nil {
			return err
		}
	}
	// Whoever made a key that signs by now may have died before it retired the last.
	if err := k.settle(ctx, k.system(), now); err != nil {
		return err
	}
	for _, id := range k.set.Load().expired {
		err := k.store.DeleteSigningKey(ctx, k.tenant, id, k.event(k.system(), "signing_key.delete", id))
		if err != nil && !errors.Is(err, gatehouse.ErrNotFound) { // another node was faster
			return unavailable("delete signing key", err)
		}
	}
	return nil
}

func (k *Keys) system() gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: k.tenant}
}

func (k *Keys) event(actor gatehouse.Actor, verb, id string, changes ...gatehouse.Change) *gatehouse.Event {
	return gatehouse.NewEvent(actor, k.now(), verb, id, gatehouse.OutcomeSucceeded, changes...)
}
