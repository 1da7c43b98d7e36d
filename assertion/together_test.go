// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// together is a store whose nodes all begin to insert at the same moment.
type together struct {
	gatehouse.SigningKeyStore
	ready *sync.WaitGroup
}

func (s *together) InsertSigningKey(ctx context.Context, k *gatehouse.SigningKey, e *gatehouse.Event) error {
	s.ready.Done()
	s.ready.Wait()
	return s.SigningKeyStore.InsertSigningKey(ctx, k, e)
}

// Nodes that make a key at the same moment make one. A second would sign at once, and be in
// the JWK set of its own node only.
func TestNodesMakeOneKey(t *testing.T) {
	t.Parallel()
	const nodes = 3
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store := &together{db, &sync.WaitGroup{}}
	count := func(want int) {
		t.Helper()
		if rows, err := db.SigningKeys(t.Context(), gatehouse.DefaultTenant); err != nil || len(rows) != want {
			t.Errorf("%d keys are stored; want %d: %v", len(rows), want, err)
		}
	}
	keys, first := make([]*assertion.Keys, nodes), make([]string, nodes)
	store.ready.Add(nodes)
	var all sync.WaitGroup
	sealer := newSealer(t)
	for i := range keys {
		all.Go(func() {
			k, err := assertion.OpenKeys(t.Context(), assertion.KeysConfig{Store: store, Sealer: sealer, Algorithms: []string{assertion.ES256}})
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(k.Close)
			m := assertion.NewMinter(assertion.MinterConfig{Keys: k, Profile: assertion.Default, Issuer: "https://id.example", Audience: []string{"a"}})
			if _, err := m.Mint(t.Context(), keySubject()); err != nil {
				t.Error(err)
			}
			set, _ := k.JWKS()
			keys[i], first[i] = k, string(set)
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	count(1)
	if first[0] != first[1] || first[0] != first[2] {
		t.Errorf("the nodes publish different sets: %s", first)
	}

	store.ready.Add(nodes)
	errs := make([]error, nodes)
	for i, k := range keys {
		all.Go(func() { errs[i] = k.Rotate(t.Context(), operator()) })
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, gatehouse.ErrConflict):
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d nodes have rotated", made, nodes)
	}
	count(2)
}
