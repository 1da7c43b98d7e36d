// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// reload reads the store and unwraps what is new. The caller has the turn. A data key
// that does not unwrap spoils only itself.
func (s *Sealer) reload(ctx context.Context) error {
	read := s.begun.Add(1)
	list, err := s.store.DataKeys(ctx)
	if err != nil {
		return gatehouse.Unavailable("read data keys", err)
	}
	s.done = read
	if slices.ContainsFunc(list, s.lacks) {
		// A keyring that was copied here since the start may hold it.
		s.keyring.follow()
	}
	opened, errs := make([]*dataKey, len(list)), make([]error, len(list))
	var down error // a Vault that does not answer is not asked for every data key
	for i := range list {
		opened[i], errs[i] = s.opened(ctx, &list[i], down)
		if errors.Is(errs[i], gatehouse.ErrUnavailable) {
			down = errs[i]
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = s.now()
	clear(s.newest)
	for i := range list {
		k := &list[i]
		if errs[i] != nil {
			s.fail(k.ID, errs[i])
		} else {
			s.byID[k.ID] = opened[i]
			delete(s.failed, k.ID)
		}
		if o := (owner{k.Tenant, k.Purpose}); s.newest[o] == "" {
			s.newest[o] = k.ID // the list is newest first
		}
	}
	return nil
}

// lacks reports whether a data key is under a KEK that the keyring does not hold.
func (s *Sealer) lacks(k gatehouse.DataKey) bool { return s.keyring.keys().byID(kindKEK, k.KEK) == nil }

// opened returns a data key of the store in clear, from memory where it is there. down is
// the answer for those of a Vault that is down; nil: ask.
func (s *Sealer) opened(ctx context.Context, k *gatehouse.DataKey, down error) (*dataKey, error) {
	s.mu.RLock()
	dk := s.byID[k.ID]
	s.mu.RUnlock()
	kek := s.keyring.keys().byID(kindKEK, k.KEK)
	switch {
	case dk != nil && dk.kek == k.KEK:
		return dk, nil
	case dk != nil: // it was wrapped again
		moved := *dk
		moved.kek = k.KEK
		if kek != nil {
			moved.algorithm = kek.recordAlgorithm()
		}
		return &moved, nil
	case down != nil && kek != nil && kek.algorithm == algorithmVault:
		return nil, down
	}
	key, algorithm, err := s.keyring.unwrap(ctx, k)
	if err != nil {
		return nil, err
	}
	return &dataKey{id: k.ID, owner: owner{k.Tenant, k.Purpose}, kek: k.KEK, algorithm: algorithm, created: k.Created, key: key}, nil
}

// create makes a data key of o and stores it. The caller has the turn.
func (s *Sealer) create(ctx context.Context, o owner) (*dataKey, error) {
	return s.createAs(ctx, rand.Text(), o)
}

// createAs is create with an id. gatehouse.ErrExists where it is taken.
func (s *Sealer) createAs(ctx context.Context, id string, o owner) (*dataKey, error) {
	kek := s.keyring.keys().primary(kindKEK)
	if kek == nil {
		return nil, fmt.Errorf("%w: it is empty", ErrKeyring)
	}
	// Whatever the clock says, it is newer than the one before.
	now := s.now().UTC().Truncate(time.Microsecond)
	s.mu.RLock()
	if last := s.byID[s.newest[o]]; last != nil && !now.After(last.created) {
		now = last.created.Add(time.Microsecond)
	}
	s.mu.RUnlock()
	dk := &dataKey{id: id, owner: o, kek: kek.id, algorithm: kek.recordAlgorithm(), created: now, key: randomBytes(keySize)}
	stored := &gatehouse.DataKey{ID: dk.id, Tenant: o.tenant, Purpose: o.purpose, Created: now}
	if err := s.keyring.wrap(ctx, kek, stored, dk.key); err != nil {
		return nil, err
	}
	err := s.store.InsertDataKey(ctx, stored, dataKeyEvent("datakey.create", stored, now,
		gatehouse.Change{Field: "purpose", After: o.purpose}, gatehouse.Change{Field: "kek", After: kek.id}))
	switch {
	case errors.Is(err, gatehouse.ErrExists):
		return nil, err
	case err != nil:
		return nil, gatehouse.Unavailable("insert data key", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[dk.id] = dk
	s.newest[o] = dk.id
	return dk, nil
}

func dataKeyEvent(verb string, k *gatehouse.DataKey, now time.Time, changes ...gatehouse.Change) *gatehouse.Event {
	actor := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: k.Tenant}
	return gatehouse.NewEvent(actor, now, verb, k.ID, gatehouse.OutcomeSucceeded, changes...)
}
