// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How a key gets a new secret without an outage: Rotate puts new material beside the old,
// which keeps working until the end of grace. The key itself, its id, limits, quotas and
// usage, stays what it is. Until then the rotation can be extended, finished early, or
// cancelled; at the end of grace it is over by itself. Material that has ended goes with
// the next rotation.

// Grace is how long both secrets work.
const (
	MaxGrace = 366 * 24 * time.Hour
	// EndingSoon is how near its expiry a key's requests are told of it.
	EndingSoon = 14 * 24 * time.Hour
)

// Rotation is where a key's rotation stands. The zero value: none is under way.
type Rotation struct {
	Began    time.Time // when the new secret was made, UTC
	Ends     time.Time // when the old one stops, UTC, exclusive
	Outgoing []int64   // versions of the old material
	Incoming []int64   // versions of the new one
}

// Rotation returns where the key's rotation stands at now.
func (k *Key) Rotation(now time.Time) Rotation {
	var r Rotation
	for i := range k.Materials {
		m := &k.Materials[i]
		switch {
		case m.NotAfter.IsZero():
			r.Incoming = append(r.Incoming, m.Version)
			if m.Created.After(r.Began) {
				r.Began = m.Created
			}
		case m.usableAt(now):
			r.Outgoing = append(r.Outgoing, m.Version)
			r.Ends = m.NotAfter
		}
	}
	if len(r.Outgoing) == 0 {
		return Rotation{}
	}
	return r
}

// ending says since when the secret behind m has a successor, and when it stops or the key
// expires, if that is near. Zero: no such thing.
func (k *Key) ending(m *Material, now time.Time) (deprecated, sunset time.Time) {
	if !k.Expires.IsZero() && k.Expires.Sub(now) < EndingSoon {
		sunset = k.Expires
	}
	if m.NotAfter.IsZero() {
		return time.Time{}, sunset
	}
	for i := range k.Materials {
		if other := &k.Materials[i]; other.NotAfter.IsZero() && other.Created.After(deprecated) {
			deprecated = other.Created
		}
	}
	if sunset.IsZero() || m.NotAfter.Before(sunset) {
		sunset = m.NotAfter
	}
	return deprecated, sunset
}

// Rotate gives a key a new secret, shown this once; the old one works until grace is over,
// exactly, or not any more with a grace of zero. The new one works when Rotate returns. A key
// with a public key takes the PEM of the next one instead, and no secret is made; for other
// keys publicKey is empty.
//
// Errors: *[InvalidError] with field "grace" or "public_key"; [ErrConflict] for a key that is
// not active or whose last rotation is under way; [ErrForbidden] for an actor that is a key
// and can less than it, or is the key itself by its old secret; [ErrNotFound], [ErrRepeated], [ErrUnavailable].
func (a *Authority) Rotate(ctx context.Context, actor Actor, keyID string, grace time.Duration, publicKey string) (Created, error) {
	if grace < 0 || grace > MaxGrace {
		return Created{}, &InvalidError{Field: "grace", Problem: "is not between nothing and 366 days"}
	}
	for range updateTries {
		old, err := a.Get(ctx, actor, keyID)
		if err != nil {
			return Created{}, err
		}
		now := a.clock.now()
		if old.State != StateActive || len(old.Rotation(now).Outgoing) > 0 {
			return Created{}, a.orRepeated(ctx, actor, keyID, verbRotate, ErrConflict)
		}
		if !actor.mayLeave(&old) || actor.outgoing(&old) {
			return Created{}, ErrForbidden
		}
		next, err := a.renew(ctx, &old, now, grace, publicKey)
		if err != nil {
			return Created{}, err
		}
		if err := a.keepOnce(ctx, &actor, &next); err != nil {
			return Created{}, err
		}
		err = a.store.UpdateKey(ctx, &next.Key, NewEvent(actor, now, verbRotate, keyID, OutcomeSucceeded, next.Key.describe(&old)...))
		if err == nil {
			next.Key.Version++
			return next, nil
		}
		if !errors.Is(err, ErrConflict) {
			return Created{}, fmt.Errorf("update key: %w", err)
		}
	}
	return Created{}, fmt.Errorf("update key: %w", ErrConflict)
}

// renew is the key with new material, and its old material until the end of grace.
func (a *Authority) renew(ctx context.Context, old *Key, now time.Time, grace time.Duration, publicKey string) (Created, error) {
	schemes, err := a.findSchemes(old.Schemes)
	if err != nil {
		return Created{}, err
	}
	if (publicKey == "") == (old.material(MaterialPublic) != nil) {
		return Created{}, &InvalidError{Field: "public_key", Problem: "is wanted exactly where the key has one"}
	}
	public, err := parsePublic(publicKey, schemes)
	if err != nil {
		return Created{}, err
	}
	var kept []Material
	for _, m := range old.Materials {
		if grace == 0 || !m.NotAfter.IsZero() {
			continue
		}
		m.NotAfter = now.Add(grace)
		kept = append(kept, m)
	}
	k := *old
	k.Updated = now
	return a.mintBeside(ctx, k, schemes, public, kept, old.Version*versionStep)
}

// versionStep is more than the materials of one secret. Versions of material are taken from
// the version of the key, so that none is given twice, not even after a cancelled rotation.
const versionStep = 16

// mintBeside mints a secret for a key that has an id. Its material takes the versions behind
// last; other material stays beside it.
func (a *Authority) mintBeside(ctx context.Context, k Key, schemes []Scheme, public []byte, beside []Material, last int64) (Created, error) {
	minted, err := minter(schemes).Mint(k.ID, k.Prefix)
	if err != nil {
		return Created{}, err
	}
	if public != nil {
		minted = Minted{KeyID: k.ID, Prefix: k.Prefix, public: public}
	}
	made := k
	made.Created = k.Updated
	made.Materials = nil
	if err := a.encloseAll(ctx, &made, schemes, minted, last); err != nil {
		return Created{}, err
	}
	k.Materials = append(made.Materials, beside...)
	return Created{Key: k, Secret: minted.Secret, Token: minted.Token}, nil
}

const (
	verbRotate = "key.rotate"
	verbFinish = "key.rotate.finish"
)

// outgoing reports whether the actor is the key itself and proved it with the secret that is
// on its way out, or that is gone: it could be the one who the rotation shuts out.
func (a *Actor) outgoing(k *Key) bool {
	if a.Kind != ActorKey || a.Via == nil || a.Via.ID != k.ID || a.Material == 0 {
		return false
	}
	i := slices.IndexFunc(k.Materials, func(m Material) bool { return m.Version == a.Material })
	return i < 0 || !k.Materials[i].NotAfter.IsZero()
}

// FinishRotation ends the old secret now. It is in force when it returns. [ErrConflict] where
// no rotation is under way; otherwise as [Authority.Disable].
func (a *Authority) FinishRotation(ctx context.Context, actor Actor, keyID string) (Key, error) {
	return a.rotation(ctx, actor, keyID, verbFinish, func(k *Key, _ time.Time) {
		k.Materials = slices.DeleteFunc(k.Materials, func(m Material) bool { return !m.NotAfter.IsZero() })
	})
}

// CancelRotation takes the new secret away, and the old one stays for good. It is in force
// when it returns. [ErrConflict] where no rotation is under way.
func (a *Authority) CancelRotation(ctx context.Context, actor Actor, keyID string) (Key, error) {
	return a.rotation(ctx, actor, keyID, "key.rotate.cancel", func(k *Key, now time.Time) {
		k.Materials = slices.DeleteFunc(k.Materials, func(m Material) bool { return m.NotAfter.IsZero() || !m.usableAt(now) })
		for i := range k.Materials {
			k.Materials[i].NotAfter = time.Time{}
		}
	})
}

// ExtendRotation moves the end of grace to so long from now, which may be sooner.
// *[InvalidError] with field "grace"; [ErrConflict] where no rotation is under way.
func (a *Authority) ExtendRotation(ctx context.Context, actor Actor, keyID string, grace time.Duration) (Key, error) {
	if grace <= 0 || grace > MaxGrace {
		return Key{}, &InvalidError{Field: "grace", Problem: "is not more than nothing and up to 366 days"}
	}
	return a.rotation(ctx, actor, keyID, "key.rotate.extend", func(k *Key, now time.Time) {
		for i := range k.Materials {
			if m := &k.Materials[i]; !m.NotAfter.IsZero() && m.usableAt(now) {
				m.NotAfter = now.Add(grace)
			}
		}
	})
}

// rotation changes the material of a key whose rotation is under way.
func (a *Authority) rotation(ctx context.Context, actor Actor, keyID, verb string, edit func(*Key, time.Time)) (Key, error) {
	return a.change(ctx, actor, keyID, verb, func(k *Key) error {
		now := a.clock.now()
		if k.State == StateRevoked || len(k.Rotation(now).Outgoing) == 0 {
			return a.orRepeated(ctx, actor, keyID, verb, ErrConflict)
		}
		if !actor.mayLeave(k) || verb != verbFinish && actor.outgoing(k) {
			return ErrForbidden
		}
		k.Materials = slices.Clone(k.Materials)
		edit(k, now)
		return nil
	})
}
