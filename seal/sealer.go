// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
)

// ErrOpen: the ciphertext is damaged, or was sealed for another binding, or names a data
// key that the store does not have. It is never a failed dependency.
var ErrOpen = errors.New("sealed secret does not open")

const (
	// canaryPurpose is the purpose of the data key made in an empty store, by which the
	// next start notices another keyring although nothing was sealed yet.
	canaryPurpose = "canary"
	canaryID      = "canary"

	// A data key that could not be had is not asked for again within failedFor, and
	// failedMax of them are remembered. The wait never hides a good Ref: a data key is
	// in the store before its first Sealed leaves Seal.
	failedFor  = time.Second
	failedMax  = 1024
	maxRefSize = 64 // bytes; data keys made here have ids of 26

	// Secrets are sealed with the newest data key that was there so long ago. Another node
	// may have made a newer one, under a newer KEK.
	freshFor = 30 * time.Second
)

// Sealer is a [gatehouse.Sealer] that keeps its data keys in a store, wrapped under the
// primary KEK of a keyring. It is made by [NewSealer] and safe for concurrent use.
type Sealer struct {
	keyring *Keyring
	store   gatehouse.DataKeyStore
	now     func() time.Time

	// turn is held by whoever reads or writes the store: one at a time.
	turn  chan struct{}
	begun atomic.Int64 // reads of the store so far
	done  int64        // the last of them that succeeded; guarded by turn

	mu     sync.RWMutex
	read   time.Time // when the store was last read
	byID   map[string]*dataKey
	newest map[owner]string   // id of the data key that new secrets are sealed with; perhaps in failed
	failed map[string]failure // by id
}

// failure says why a data key could not be had.
type failure struct {
	at  time.Time
	err error
}

// NewSealer reads all data keys of the store and unwraps them. In an empty store it makes
// one, so that the keyring is bound to the store from the first start on. It refuses,
// with ErrKeyring, a keyring that does not open every data key, and with
// [gatehouse.ErrUnavailable] a store that fails. now is the clock; it stamps data keys
// and their events.
func NewSealer(ctx context.Context, kr *Keyring, store gatehouse.DataKeyStore, now func() time.Time) (*Sealer, error) {
	s := &Sealer{
		keyring: kr, store: store, now: now,
		turn:   make(chan struct{}, 1),
		byID:   map[string]*dataKey{},
		newest: map[owner]string{},
		failed: map[string]failure{},
	}
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if len(s.newest) == 0 {
		// Another node may begin at the same time with another keyring. There is one canary,
		// so the store says whose the first was, and nothing of the other's is left in it.
		_, err := s.createAs(ctx, canaryID, owner{gatehouse.DefaultTenant, canaryPurpose})
		if err != nil && !errors.Is(err, gatehouse.ErrExists) {
			return nil, err
		}
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
	}
	for _, f := range s.failed {
		return nil, f.err
	}
	return s, nil
}

// Seal implements [gatehouse.Sealer]. The first secret of a tenant and purpose makes
// their data key, which is a change in the store. An empty plaintext, and a binding
// without purpose, tenant or id, is refused. Errors wrap [gatehouse.ErrUnavailable]
// where the store or Vault failed or ctx ended, and [ErrKeyring] besides where another
// process made a newer data key under a KEK that this one does not hold.
func (s *Sealer) Seal(ctx context.Context, b gatehouse.Binding, plaintext []byte) (gatehouse.Sealed, error) {
	if len(plaintext) == 0 {
		return gatehouse.Sealed{}, errors.New("seal: nothing to seal")
	}
	if b.Purpose == "" || b.Tenant == "" || b.ID == "" {
		return gatehouse.Sealed{}, errors.New("seal: binding without purpose, tenant or id")
	}
	dk, err := s.forOwner(ctx, owner{b.Tenant, b.Purpose})
	if err != nil {
		return gatehouse.Sealed{}, err
	}
	return gatehouse.Sealed{Ref: dk.id, Data: dk.seal(&b, plaintext)}, nil
}

// Open implements [gatehouse.Sealer]. The caller owns the plaintext, which is never
// empty. ErrOpen; ErrKeyring together with [gatehouse.ErrUnavailable] when a data key
// made meanwhile by another process is wrapped by a KEK that this one does not hold,
// until it does, see [LoadKeyring]; [gatehouse.ErrUnavailable] when the store or Vault failed or ctx ended.
func (s *Sealer) Open(ctx context.Context, b gatehouse.Binding, sealed gatehouse.Sealed) ([]byte, error) {
	dk, err := s.forRef(ctx, sealed.Ref)
	if err != nil {
		return nil, err
	}
	if plaintext, ok := dk.open(&b, sealed.Data); ok {
		return plaintext, nil
	}
	return nil, fmt.Errorf("open %q of %q: %w", b.Purpose, b.ID, ErrOpen)
}

// forOwner returns the data key that o's new secrets are sealed with.
func (s *Sealer) forOwner(ctx context.Context, o owner) (*dataKey, error) {
	if dk, err := s.newestOf(o); dk != nil || err != nil {
		return dk, err
	}
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	if dk, err := s.newestOf(o); dk != nil || err != nil {
		return dk, err
	}
	// Another node may have made one. Where two make one at once, both stay: each
	// Sealed says which opens it.
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if dk, err := s.newestOf(o); dk != nil || err != nil {
		return dk, err
	}
	return s.create(ctx, o)
}

// forRef returns the data key with this id. An id that is not known yet may be another
// node's new data key, so the store is read again, once.
func (s *Sealer) forRef(ctx context.Context, id string) (*dataKey, error) {
	dk, err := s.lookup(id)
	if dk != nil || err != nil {
		return dk, err
	}
	if len(id) > maxRefSize {
		return nil, noDataKey(id)
	}
	// Whoever waits for the turn shares a read that began meanwhile, so that a flood of
	// unknown ids costs two reads, not one each.
	before := s.begun.Load()
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	if dk, err := s.lookup(id); dk != nil || err != nil {
		return dk, err
	}
	if s.done <= before {
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
		if dk, err := s.lookup(id); dk != nil || err != nil {
			return dk, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(id, noDataKey(id))
	return nil, noDataKey(id)
}

func noDataKey(id string) error { return fmt.Errorf("no data key %.64q: %w", id, ErrOpen) }

// newestOf returns the data key that o's new secrets are sealed with, as lookup does;
// nil without an error also where the store was not read for long.
func (s *Sealer) newestOf(o owner) (*dataKey, error) {
	s.mu.RLock()
	id, read := s.newest[o], s.read
	s.mu.RUnlock()
	if id == "" || s.now().Sub(read).Abs() >= freshFor {
		return nil, nil
	}
	return s.lookup(id)
}

// lookup returns the data key with this id from memory. The error says why it could not
// be had just now. Neither: the store must be asked.
func (s *Sealer) lookup(id string) (*dataKey, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if dk := s.byID[id]; dk != nil {
		return dk, nil
	}
	f, ok := s.failed[id]
	switch {
	case !ok || s.now().Sub(f.at).Abs() >= failedFor:
		return nil, nil
	case errors.Is(f.err, ErrOpen):
		return nil, f.err
	}
	return nil, gatehouse.Unavailable("open data key", f.err)
}

// fail remembers why a data key could not be had. The caller holds mu.
func (s *Sealer) fail(id string, err error) {
	if len(s.failed) >= failedMax {
		clear(s.failed)
	}
	s.failed[id] = failure{s.now(), err}
}

// take waits for the turn to use the store.
func (s *Sealer) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return gatehouse.Unavailable("wait for data keys", ctx.Err())
	}
}

func (s *Sealer) release() { <-s.turn }
