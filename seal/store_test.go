// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/seed14544106/gatehouse"
)

// memStore is a gatehouse.DataKeyStore in memory: the sealer is under test here, not the
// store. It copies what it takes and gives.
type memStore struct {
	mu     sync.Mutex
	keys   []gatehouse.DataKey // in the order of insertion
	events []gatehouse.Event
	reads  int
	fail   error         // what every call returns, if set
	gate   chan struct{} // if set, DataKeys receives from it after it has read
}

func cloneKey(k gatehouse.DataKey) gatehouse.DataKey {
	k.Wrapped = bytes.Clone(k.Wrapped)
	return k
}

func (m *memStore) DataKeys(ctx context.Context) ([]gatehouse.DataKey, error) {
	out, err := m.read()
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, err
}

func (m *memStore) read() ([]gatehouse.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.fail != nil {
		return nil, m.fail
	}
	var out []gatehouse.DataKey
	for _, k := range slices.Backward(m.keys) {
		out = append(out, cloneKey(k))
	}
	slices.SortStableFunc(out, func(a, b gatehouse.DataKey) int { return cmp.Compare(b.Created.UnixMicro(), a.Created.UnixMicro()) })
	return out, nil
}

func (m *memStore) InsertDataKey(_ context.Context, k *gatehouse.DataKey, e *gatehouse.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if slices.ContainsFunc(m.keys, func(o gatehouse.DataKey) bool { return o.ID == k.ID }) {
		return gatehouse.ErrExists
	}
	m.keys = append(m.keys, cloneKey(*k))
	m.events = append(m.events, *e)
	return nil
}

func (m *memStore) RewrapDataKey(_ context.Context, k *gatehouse.DataKey, oldKEK string, e *gatehouse.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	i := slices.IndexFunc(m.keys, func(o gatehouse.DataKey) bool { return o.ID == k.ID && o.KEK == oldKEK })
	if i < 0 {
		return gatehouse.ErrNotFound
	}
	m.keys[i].KEK, m.keys[i].Wrapped = k.KEK, bytes.Clone(k.Wrapped)
	m.events = append(m.events, *e)
	return nil
}

// count returns how often the keys were read and how many there are.
func (m *memStore) count() (reads, keys int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads, len(m.keys)
}
