// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// With every data key in memory nothing but Reach notices what has become of Vault.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		edit func(*fakeVault)
		want error
	}{
		{"well", func(*fakeVault) {}, nil},
		{"sealed", func(v *fakeVault) { v.sealed = true }, gatehouse.ErrUnavailable},
		{"another token", func(v *fakeVault) { v.tokens = []string{"hvs.another"} }, gatehouse.ErrUnavailable},
		{"nothing in the answer", func(v *fakeVault) { v.raw = `{"data":{"ciphertext":"vault:v1:AAAA"}}` }, ErrKeyring},
	} {
		v, store := newVault(t), &memStore{}
		s := mustSealer(t, inVault(v), store)
		sealed := mustSeal(t, s, binding())
		v.set(row.edit)
		if err := s.Reach(t.Context()); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		wantOpen(t, s, sealed)
	}
}

// A KEK that is no more the primary one still opens what was wrapped under it, and is asked as
// well: for a data key of the store, as it may wrap no more.
func TestReachAsksEveryKEK(t *testing.T) {
	t.Parallel()
	v, store := newVault(t), &memStore{}
	k := inVault(v)
	mustSeal(t, mustSealer(t, k, store), binding())
	l := *k.ring.current.Load()
	l.primary(kindKEK).primary = false
	inline := newEntry(kindKEK, time.Now())
	inline.primary = true
	k = keyringOf(append(l, inline))
	k.UseVault(Vault{Address: v.URL, Token: gatehouse.NewSecret("hvs.right")})
	s := mustSealer(t, k, store)
	before := v.count()
	if err := s.Reach(t.Context()); err != nil || v.count() != before+1 || s.InVault() {
		t.Errorf("%v after %d calls; want one", err, v.count()-before)
	}
	v.set(func(v *fakeVault) { v.sealed = true })
	if err := s.Reach(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("sealed: %v", err)
	}

	file := mustSealer(t, keyringOf(newKeys(time.Now())), &memStore{})
	if err := file.Reach(t.Context()); err != nil || file.InVault() {
		t.Errorf("a keyring in a file: %v, in Vault: %v", err, file.InVault())
	}
}
