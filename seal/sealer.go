// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"crypto/rand"
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

	// A Ref that the store did not know is not asked for again within unknownFor, and
	// unknownMax of them are remembered. The wait never hides a good Ref: a data key is
	// in the store before its first Sealed leaves Seal.
	unknownFor = time.Second
	unknownMax = 1024
	maxRefSize = 64 // bytes; data keys made here have ids of 26
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

	mu      sync.RWMutex
	byID    map[string]*dataKey
	newest  map[owner]*dataKey // the data key that new secrets are sealed with
	unknown map[string]time.Time
}

// NewSealer reads all data keys of the store and unwraps them. In an empty store it makes
// one, so that the keyring is bound to the store from the first start on. It refuses,
// with ErrKeyring, a keyring that does not open every data key, and with
// [gatehouse.ErrUnavailable] a store that fails. now is the clock; it stamps data keys
// and their events.
func NewSealer(ctx context.Context, kr *Keyring, store gatehouse.DataKeyStore, now func() time.Time) (*Sealer, error) {
	s := &Sealer{
		keyring: kr, store: store, now: now,
		turn:    make(chan struct{}, 1),
		byID:    map[string]*dataKey{},
		newest:  map[owner]*dataKey{},
		unknown: map[string]time.Time{},
	}
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if len(s.byID) == 0 {
		if _, err := s.create(ctx, owner{gatehouse.DefaultTenant, canaryPurpose}); err != nil {
			return nil, err
		}
		// Another node may have begun at the same time with another keyring: of the two,
		// the later one sees the earlier one's data key here.
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
	}
	for _, dk := range s.byID {
		if dk.err != nil {
			return nil, dk.err
		}
	}
	return s, nil
}

// Seal implements [gatehouse.Sealer]. The first secret of a tenant and purpose makes
// their data key, which is a change in the store. An empty plaintext, and a binding
// without purpose, tenant or id, is refused. Errors wrap [gatehouse.ErrUnavailable]
// where the store failed or ctx ended.
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
// until this one starts again with a keyring that does;
// [gatehouse.ErrUnavailable] when the store failed or ctx ended.
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
	if dk := s.newestOf(o); dk != nil {
		return dk, nil
	}
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	if dk := s.newestOf(o); dk != nil {
		return dk, nil
	}
	// Another node may have made one. Where two make one at once, both stay: each
	// Sealed says which opens it.
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if dk := s.newestOf(o); dk != nil {
		return dk, nil
	}
	return s.create(ctx, o)
}

// forRef returns the data key with this id. An id that is not known yet may be another
// node's new data key, so the store is read again, once.
func (s *Sealer) forRef(ctx context.Context, id string) (*dataKey, error) {
	dk, unknown := s.lookup(id)
	if dk == nil && !unknown && len(id) <= maxRefSize {
		var err error
		if dk, err = s.find(ctx, id); err != nil {
			return nil, err
		}
	}
	switch {
	case dk == nil:
		return nil, fmt.Errorf("no data key %.64q: %w", id, ErrOpen)
	case dk.err != nil:
		return nil, gatehouse.Unavailable("open data key", dk.err)
	}
	return dk, nil
}

// find reads the store for a data key that is not in memory; nil when it is not there
// either. Whoever waits for the turn shares a read that began meanwhile, so that a
// flood of unknown ids costs two reads, not one each.
func (s *Sealer) find(ctx context.Context, id string) (*dataKey, error) {
	before := s.begun.Load()
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	dk, unknown := s.lookup(id)
	if dk != nil || unknown {
		return dk, nil
	}
	if s.done <= before {
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
		dk, _ = s.lookup(id)
	}
	if dk == nil {
		s.forget(id)
	}
	return dk, nil
}

func (s *Sealer) newestOf(o owner) *dataKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.newest[o]
}

// lookup returns the data key with this id, if known, and otherwise whether the store
// was found not to have it just now.
func (s *Sealer) lookup(id string) (dk *dataKey, unknown bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if dk := s.byID[id]; dk != nil {
		return dk, false
	}
	asked, unknown := s.unknown[id]
	return nil, unknown && s.now().Sub(asked).Abs() < unknownFor
}

// forget remembers that the store does not have this id.
func (s *Sealer) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unknown) >= unknownMax {
		clear(s.unknown)
	}
	s.unknown[id] = s.now()
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

// reload reads the store and unwraps what is new. The caller has the turn. A data key
// that does not unwrap spoils only itself.
func (s *Sealer) reload(ctx context.Context) error {
	read := s.begun.Add(1)
	list, err := s.store.DataKeys(ctx)
	if err != nil {
		return gatehouse.Unavailable("read data keys", err)
	}
	s.done = read
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.newest)
	for i := range list {
		k := &list[i]
		dk := s.byID[k.ID]
		if dk == nil {
			dk = &dataKey{id: k.ID, owner: owner{k.Tenant, k.Purpose}}
			dk.key, dk.err = s.keyring.unwrap(k)
			s.byID[k.ID] = dk
		}
		if s.newest[dk.owner] == nil && dk.err == nil {
			s.newest[dk.owner] = dk // the list is newest first
		}
	}
	return nil
}

// create makes the data key of o and stores it. The caller has the turn.
func (s *Sealer) create(ctx context.Context, o owner) (*dataKey, error) {
	kek := s.keyring.primary(kindKEK)
	if kek == nil {
		return nil, fmt.Errorf("%w: it is empty", ErrKeyring)
	}
	dk := &dataKey{id: rand.Text(), owner: o, key: randomBytes(keySize)}
	now := s.now().UTC().Truncate(time.Microsecond)
	stored := &gatehouse.DataKey{ID: dk.id, Tenant: o.tenant, Purpose: o.purpose, KEK: kek.id, Created: now}
	stored.Wrapped = kek.wrap(stored, dk.key)

	actor := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: o.tenant}
	event := gatehouse.NewEvent(actor, now, "datakey.create", dk.id, gatehouse.OutcomeSucceeded,
		gatehouse.Change{Field: "purpose", After: o.purpose}, gatehouse.Change{Field: "kek", After: kek.id})
	if err := s.store.InsertDataKey(ctx, stored, event); err != nil {
		return nil, gatehouse.Unavailable("insert data key", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[dk.id] = dk
	s.newest[o] = dk
	return dk, nil
}
