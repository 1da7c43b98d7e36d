// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed14544106/gatehouse"
)

// What a rewrap needs of a Sealer.

// reseal returns a secret sealed with the newest data key of its tenant and purpose; the
// same one where it is. The purpose is that of the data key. [ErrOpen], [ErrKeyring],
// [gatehouse.ErrUnavailable].
func (s *Sealer) reseal(ctx context.Context, b gatehouse.Binding, old gatehouse.Sealed) (gatehouse.Sealed, error) {
	dk, err := s.forRef(ctx, old.Ref)
	if err != nil {
		return gatehouse.Sealed{}, err
	}
	newest, err := s.forOwner(ctx, dk.owner)
	if err != nil {
		return gatehouse.Sealed{}, err
	}
	if newest.id == dk.id {
		return old, nil
	}
	b.Purpose = dk.owner.purpose
	plaintext, ok := dk.open(&b, old.Data)
	if !ok {
		return gatehouse.Sealed{}, fmt.Errorf("open %q of %q: %w", b.Purpose, b.ID, ErrOpen)
	}
	defer clear(plaintext)
	return gatehouse.Sealed{Ref: newest.id, Data: newest.seal(&b, plaintext)}, nil
}

// refresh reads the data keys of the store.
func (s *Sealer) refresh(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.reload(ctx)
}

// renew makes a data key under the primary KEK for every tenant and purpose whose newest
// one is under another.
func (s *Sealer) renew(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	if err := s.reload(ctx); err != nil {
		return err
	}
	primary := s.keyring.keys().primary(kindKEK).id
	s.mu.RLock()
	owners := make([]owner, 0, len(s.newest))
	for o := range s.newest {
		owners = append(owners, o)
	}
	s.mu.RUnlock()
	for _, o := range owners {
		dk, err := s.newestOf(o)
		if err != nil {
			return err
		}
		if dk != nil && dk.kek == primary {
			continue
		}
		if _, err := s.create(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// rewrap wraps all data keys under the primary KEK that are not.
func (s *Sealer) rewrap(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	list, err := s.store.DataKeys(ctx)
	if err != nil {
		return gatehouse.Unavailable("read data keys", err)
	}
	primary := s.keyring.keys().primary(kindKEK)
	for i := range list {
		k := &list[i]
		if k.KEK == primary.id {
			continue
		}
		dk, err := s.opened(ctx, k, nil)
		if err != nil {
			return err
		}
		old := k.KEK
		if err := s.keyring.wrap(ctx, primary, k, dk.key); err != nil {
			return err
		}
		event := dataKeyEvent("datakey.rewrap", k, s.now().UTC().Truncate(time.Microsecond), gatehouse.Change{Field: "kek", Before: old, After: primary.id})
		// Where it is not there any more, another node was faster.
		if err := s.store.RewrapDataKey(ctx, k, old, event); err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
			return gatehouse.Unavailable("rewrap data key", err)
		}
	}
	return s.reload(ctx)
}
