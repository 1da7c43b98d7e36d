// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
)

func TestNewPrimaryKEK(t *testing.T) {
	t.Parallel()
	old, store := newKeyring(time.Now()), &memStore{}
	behind := mustSealer(t, old, store)
	sealed := mustSeal(t, behind, binding())

	k := rotated(old, kindKEK)
	s := mustSealer(t, k, store)
	wantOpen(t, s, sealed)
	b := binding()
	b.Tenant = "other"
	fresh := mustSeal(t, s, b)
	if got := store.keys[len(store.keys)-1].KEK; got != k.keys().primary(kindKEK).id {
		t.Errorf("a new data key is wrapped by %s, not by the primary KEK", got)
	}

	// A process that still has the old keyring cannot open it, and that is its own
	// failure, not the ciphertext's. The rest goes on.
	_, err := behind.Open(t.Context(), b, fresh)
	if !errors.Is(err, ErrKeyring) || !errors.Is(err, gatehouse.ErrUnavailable) || errors.Is(err, ErrOpen) {
		t.Errorf("%v, want ErrKeyring and ErrUnavailable", err)
	}
	wantOpen(t, behind, sealed)
	// Nor does it seal behind the other's back.
	_, err = behind.Seal(t.Context(), b, secret)
	if text := fmt.Sprint(err); !errors.Is(err, ErrKeyring) || !strings.Contains(text, k.keys().primary(kindKEK).id) || !strings.Contains(text, "copy the keyring") {
		t.Errorf("%v, want ErrKeyring that names the KEK and what to do", err)
	}
}

// A node learns within half a minute that another one made a newer data key.
func TestNewerDataKeyIsTaken(t *testing.T) {
	t.Parallel()
	k, store, clock := newKeyring(time.Now()), &memStore{}, gatehousetest.NewClock()
	s, err := NewSealer(t.Context(), k, store, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	old := mustSeal(t, s, binding()).Ref
	clock.Advance(time.Second)
	peer, err := NewSealer(t.Context(), k, store, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	dk, err := peer.create(t.Context(), owner{binding().Tenant, binding().Purpose})
	if err != nil {
		t.Fatal(err)
	}
	if got := mustSeal(t, s, binding()).Ref; got != old {
		t.Errorf("sealed with %s at once, not with %s", got, old)
	}
	clock.Advance(freshFor)
	if got := mustSeal(t, s, binding()).Ref; got != dk.id {
		t.Errorf("sealed with %s after half a minute, not with %s", got, dk.id)
	}
	clock.Advance(-time.Hour) // a clock that is set back
	if newer, err := s.create(t.Context(), dk.owner); err != nil || !newer.created.After(dk.created) {
		t.Errorf("the newest data key is older than the one before: %v", err)
	}
}

// node is another process on the store of the house, with a copy of its keyring.
func (h *house) node() *house {
	h.t.Helper()
	text, err := os.ReadFile(h.path)
	h.must(err)
	n := *h
	n.path = filepath.Join(h.t.TempDir(), "keyring")
	h.must(os.WriteFile(n.path, text, 0o600))
	n.start(h.store)
	return &n
}

// The order of the documentation: add on every node, then primary, then rewrap on one,
// then retire on every node.
func TestTwoNodesRotate(t *testing.T) {
	t.Parallel()
	a := openHouse(t)
	a.fill()
	b := a.node()
	old := a.ring.keys().primary(kindKEK).id
	file := filepath.Join(t.TempDir(), "kek")
	a.must(os.WriteFile(file, randomBytes(keySize), 0o600))
	for _, n := range []*house{a, b} {
		n.add(NewKey{ID: "kek-2", Source: "file:" + file})
	}
	for _, n := range []*house{a, b} {
		_, err := n.keeper.SetPrimary(t.Context(), operator, "kek-2")
		a.must(err)
		a.opens(n.sealer)
	}
	_, err := a.keeper.Rewrap(t.Context(), operator)
	a.must(err)
	if p := a.finish(); p.Problem != "" || p.Sealed != houseKeys+2 {
		t.Errorf("progress %+v", p)
	}
	a.opens(b.sealer)
	a.clock.Advance(freshFor)
	late, err := b.sealer.Seal(t.Context(), keyBinding("late"), secret)
	a.must(err)
	if own, err := a.sealer.Seal(t.Context(), keyBinding("late"), secret); err != nil || own.Ref != late.Ref {
		t.Errorf("the nodes seal with %s and %s, %v", own.Ref, late.Ref, err)
	}
	for _, n := range []*house{a, b} {
		a.must(n.keeper.Retire(t.Context(), operator, old))
		n.onDisk()
		a.opens(n.sealer)
	}
	if got, err := a.sealer.Open(t.Context(), keyBinding("late"), late); err != nil || string(got) != string(secret) {
		t.Errorf("what the other node sealed opens as %q, %v", got, err)
	}
}

// A node that was forgotten fails with words that help, and works again when it has the
// KEK, without a new start.
func TestForgottenNode(t *testing.T) {
	t.Parallel()
	a := openHouse(t)
	a.fill()
	b := a.node()
	file := filepath.Join(t.TempDir(), "kek")
	a.must(os.WriteFile(file, randomBytes(keySize), 0o600))
	a.add(NewKey{ID: "kek-2", Source: "file:" + file, Primary: true})
	_, err := a.keeper.Rewrap(t.Context(), operator)
	a.must(err)
	a.finish()

	helps := func(what string, err error, down bool) {
		t.Helper()
		text := fmt.Sprint(err)
		if !errors.Is(err, ErrKeyring) || errors.Is(err, gatehouse.ErrUnavailable) != down || errors.Is(err, ErrOpen) ||
			!strings.Contains(text, `KEK "kek-2"`) || !strings.Contains(text, "copy the keyring") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = b.sealer.Open(t.Context(), keyBinding("key-00"), a.sealed("key-00"))
	helps("open", err, true)
	_, err = b.sealer.Seal(t.Context(), keyBinding("new"), secret)
	helps("seal", err, true)
	ring, err := LoadKeyring(b.path)
	a.must(err)
	_, err = NewSealer(t.Context(), ring, a.store, a.clock.Now)
	helps("start", err, false)
	_, err = b.keeper.Rewrap(t.Context(), operator)
	a.must(err)
	if p := b.finish(); !strings.Contains(p.Problem, `"kek-2"`) {
		t.Errorf("a rewrap there: %+v", p)
	}

	b.add(NewKey{ID: "kek-2", Source: "file:" + file})
	a.clock.Advance(failedFor)
	a.opens(b.sealer)
}

// A running node goes on when the keyring of another is copied over its own, and takes no
// file that lacks what it holds.
func TestCopiedKeyring(t *testing.T) {
	t.Parallel()
	a := openHouse(t)
	a.fill()
	b := a.node()
	before, err := os.ReadFile(b.path)
	a.must(err)
	pepper := a.add(NewKey{Kind: kindPepper}).ID
	a.add(NewKey{ID: "kek-2", Primary: true})
	_, err = a.keeper.Rewrap(t.Context(), operator)
	a.must(err)
	a.finish()
	copied, err := os.ReadFile(a.path)
	a.must(err)

	foreign := newKeyring(time.Now()).keys()
	for _, row := range []struct {
		what string
		text []byte
		good bool
	}{
		{"as it was", before, false},
		{"of strangers", append(foreign, *a.ring.keys().byID(kindKEK, "kek-2")).text(), false},
		{"spoiled", []byte("gatehouse-keyring 1\nkek"), false},
		{"of the other node", copied, true},
	} {
		a.must(os.WriteFile(b.path, row.text, 0o600))
		b.ring.ring.followed = time.Time{}
		a.clock.Advance(failedFor)
		_, err := b.sealer.Open(t.Context(), keyBinding("key-00"), a.sealed("key-00"))
		if (err == nil) != row.good || err != nil && (!errors.Is(err, ErrKeyring) || !errors.Is(err, gatehouse.ErrUnavailable)) {
			t.Errorf("a keyring %s: %v", row.what, err)
		}
		b.ring.ring.followed = time.Time{}
		if _, ok := b.ring.PepperByID(pepper); ok != row.good {
			t.Errorf("a keyring %s: pepper %v", row.what, ok)
		}
	}
	a.opens(b.sealer)
	a.must(b.keeper.Retire(t.Context(), operator, a.oldKEK(t)))
	b.onDisk()
}

// oldKEK is the KEK that is not primary.
func (h *house) oldKEK(t *testing.T) string {
	t.Helper()
	e := h.ring.keys().first(func(e *entry) bool { return e.kind == kindKEK && !e.primary })
	if e == nil {
		t.Fatal("there is one KEK")
	}
	return e.id
}

// A Keeper without a batch size has one.
func TestKeeperDefaults(t *testing.T) {
	t.Parallel()
	k := NewKeeper(KeeperConfig{Log: slog.New(slog.DiscardHandler)})
	defer k.Close()
	if k.c.Batch != defaultBatch || k.pause != defaultPause {
		t.Errorf("batch %d, pause %v", k.c.Batch, k.pause)
	}
}
