// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const houseKeys = 20

// fill inserts rows of every kind.
func (h *house) fill() {
	h.t.Helper()
	h.account("a")
	for i := range houseKeys {
		h.key(fmt.Sprintf("key-%02d", i), "pepper")
	}
	b := gatehouse.Binding{Purpose: "signing-key", Tenant: gatehouse.DefaultTenant, ID: "jwk", Version: 1}
	sealed, err := h.sealer.Seal(h.t.Context(), b, []byte("private"))
	h.must(err)
	h.must(h.store.InsertSigningKey(h.t.Context(), &gatehouse.SigningKey{ID: "jwk", Tenant: gatehouse.DefaultTenant, Algorithm: "ES256", Private: sealed}, h.event("jwk")))
}

// opens wants all secrets to open with s.
func (h *house) opens(s *Sealer) {
	h.t.Helper()
	for i := range houseKeys {
		id := fmt.Sprintf("key-%02d", i)
		if got, err := s.Open(h.t.Context(), keyBinding(id), h.sealed(id)); err != nil || string(got) != "secret of "+id {
			h.t.Errorf("%s opens as %q, %v", id, got, err)
		}
	}
	a, err := h.store.Account(h.t.Context(), gatehouse.DefaultTenant, account.ByID, "a")
	h.must(err)
	rows, err := h.store.SigningKeys(h.t.Context(), gatehouse.DefaultTenant)
	h.must(err)
	for _, row := range []struct {
		b      gatehouse.Binding
		sealed gatehouse.Sealed
		want   string
	}{
		{gatehouse.Binding{Purpose: "totp", Tenant: gatehouse.DefaultTenant, ID: "a", Version: 1}, a.TOTP, "totp of a"},
		{gatehouse.Binding{Purpose: "signing-key", Tenant: gatehouse.DefaultTenant, ID: "jwk", Version: 1}, rows[0].Private, "private"},
	} {
		if got, err := s.Open(h.t.Context(), row.b, row.sealed); err != nil || string(got) != row.want {
			h.t.Errorf("%s of %s opens as %q, %v", row.b.Purpose, row.b.ID, got, err)
		}
	}
}

// finish waits for the end of a rewrap.
func (h *house) finish() Progress {
	h.t.Helper()
	h.keeper.job.ended.Wait()
	return h.keeper.Progress()
}

// moved wants nothing to depend on another KEK than this one, and retires all others.
func (h *house) moved(kek string) {
	h.t.Helper()
	for id, k := range h.info() {
		if k.Kind != kindKEK || id == kek {
			continue
		}
		if k.DataKeys != 0 || k.Records != 0 {
			h.t.Errorf("KEK %s still wraps %d data keys with %d records", id, k.DataKeys, k.Records)
		}
		h.must(h.keeper.Retire(h.t.Context(), operator, id))
	}
	if wish, err := h.store.RewrapWish(h.t.Context()); wish != "" || err != nil {
		h.t.Errorf("the wish is still %q, %v", wish, err)
	}
	h.keeper.Close()
	h.start(h.store) // a start opens every data key
	h.opens(h.sealer)
}

// From AES-256-GCM to XChaCha20-Poly1305, by add, primary and rewrap.
func TestRewrap(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	before, err := h.store.GetKey(t.Context(), gatehouse.DefaultTenant, "key-00")
	h.must(err)
	h.add(NewKey{ID: "kek-2", Algorithm: algorithmXChaCha})
	if _, err := h.keeper.SetPrimary(t.Context(), operator, "kek-2"); err != nil {
		t.Fatal(err)
	}
	_, err = h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	p := h.finish()
	if want := (Progress{KEK: "kek-2", Done: houseKeys + 2, Total: houseKeys + 2, Sealed: houseKeys + 2}); p != want {
		t.Errorf("progress %+v; want %+v", p, want)
	}
	for i := range houseKeys {
		if s := h.sealed(fmt.Sprintf("key-%02d", i)); s.Data[1] != algXChaCha20Poly1305 {
			t.Errorf("key %d is sealed with algorithm %d", i, s.Data[1])
		}
	}
	after, err := h.store.GetKey(t.Context(), gatehouse.DefaultTenant, "key-00")
	h.must(err)
	if after.Version != before.Version+1 || !after.Updated.Equal(before.Updated) {
		t.Errorf("version %d after %d, updated %v after %v", after.Version, before.Version, after.Updated, before.Updated)
	}
	wantVerbs(t, h, VerbAdd, VerbPrimary, VerbRewrap, VerbRewrap)
	_, err = h.keeper.Rewrap(t.Context(), operator) // nothing to do
	h.must(err)
	if p := h.finish(); p.Sealed != 0 || p.Running || p.Problem != "" {
		t.Errorf("a second rewrap: %+v", p)
	}
	h.moved("kek-2")
}

// faultyRows fails, stops or interferes with the store beneath.
type faultyRows struct {
	Rows
	before func(after string) error
}

func (f faultyRows) Reseal(ctx context.Context, after string, limit int, again func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (string, int, int, error) {
	if err := f.before(after); err != nil {
		return "", 0, 0, err
	}
	return f.Rows.Reseal(ctx, after, limit, again)
}

// A process that ends in the middle leaves a wish, and the next one goes on.
func TestRewrapIsResumed(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	old := h.ring.keys().primary(kindKEK).id
	h.add(NewKey{ID: "kek-2", Primary: true})
	for batches := 0; ; batches++ {
		h.keeper.Close()
		left := batches
		var stop func()
		h.start(faultyRows{h.store, func(string) error {
			if left--; left < 0 {
				stop()
			}
			return nil
		}})
		stop = h.keeper.job.cancel
		if batches == 0 {
			_, err := h.keeper.Rewrap(t.Context(), operator)
			h.must(err)
		} else {
			h.must(h.keeper.Resume(t.Context(), gatehouse.DefaultTenant))
		}
		p := h.finish()
		h.opens(h.sealer)
		if wish, err := h.store.RewrapWish(t.Context()); err != nil || (wish == "") != (p.Problem == "") {
			t.Fatalf("after %d batches the wish is %q, %v; %+v", batches, wish, err, p)
		}
		if p.Problem == "" {
			break
		}
		if h.info()[old].DataKeys == 0 && batches < 5 {
			t.Errorf("after %d batches nothing is left to do", batches)
		}
	}
	h.moved("kek-2")
}

// A store that is down is waited for; the keyring may not change meanwhile.
func TestRewrapWaits(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	h.add(NewKey{ID: "kek-2", Primary: true})
	h.add(NewKey{ID: "kek-3"})
	h.keeper.Close()
	failed := false
	reached := make(chan struct{})
	h.start(faultyRows{h.store, func(after string) error {
		if after != "" && !failed {
			failed = true
			close(reached)
			return gatehouse.Unavailable("read rows", io.ErrUnexpectedEOF)
		}
		return nil
	}})
	_, err := h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	<-reached
	_, err = h.keeper.SetPrimary(t.Context(), operator, "kek-3")
	h.wantRefused("another primary KEK", err, "a rewrap is under way")
	_, err = h.keeper.Add(t.Context(), operator, NewKey{Primary: true})
	h.wantRefused("a new primary KEK", err, "a rewrap is under way")
	if p, err := h.keeper.Rewrap(t.Context(), operator); err != nil || !p.Running {
		t.Errorf("a second rewrap: %+v, %v", p, err)
	}
	if p := h.finish(); p.Problem != "" || p.Sealed != houseKeys+2 {
		t.Errorf("progress %+v", p)
	}
	h.moved("kek-2")
}

// A secret that does not open stays, and keeps nothing else from being moved.
func TestRewrapLeavesWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	k, err := h.store.GetKey(t.Context(), gatehouse.DefaultTenant, "key-07")
	h.must(err)
	good := k.Materials[1].Data
	k.Materials[1].Data = append([]byte(nil), good...)
	k.Materials[1].Data[40] ^= 1
	h.must(h.store.UpdateKey(t.Context(), &k, h.event(k.ID)))
	h.add(NewKey{ID: "kek-2", Primary: true})
	_, err = h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	if p := h.finish(); p.Broken != 1 || p.Sealed != houseKeys+1 || p.Problem != "" {
		t.Errorf("progress %+v", p)
	}
	k, err = h.store.GetKey(t.Context(), gatehouse.DefaultTenant, "key-07")
	h.must(err)
	k.Materials[1].Data = good
	h.must(h.store.UpdateKey(t.Context(), &k, h.event(k.ID)))
	h.moved("kek-2")
}

// A node whose primary KEK is another leaves the rewrap alone.
func TestRewrapOfAnotherNode(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	h.must(h.store.SetRewrapWish(t.Context(), "kek-elsewhere", h.event("kek-elsewhere")))
	h.must(h.keeper.Resume(t.Context(), gatehouse.DefaultTenant))
	if p := h.finish(); p != (Progress{}) {
		t.Errorf("progress %+v", p)
	}
	if wish, err := h.store.RewrapWish(t.Context()); wish != "kek-elsewhere" || err != nil {
		t.Errorf("the wish is %q, %v", wish, err)
	}
}

// A data key under a KEK that is nowhere ends a rewrap with words that name both.
func TestRewrapNeedsEveryKEK(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.fill()
	lost := gatehouse.DataKey{ID: "LOST", Tenant: "other", Purpose: "totp", KEK: "kek-lost", Wrapped: []byte{1}, Created: h.clock.Now()}
	h.must(h.store.InsertDataKey(t.Context(), &lost, h.event("LOST")))
	h.add(NewKey{ID: "kek-2", Primary: true})
	_, err := h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	p := h.finish()
	if !strings.Contains(p.Problem, "LOST") || !strings.Contains(p.Problem, "kek-lost") {
		t.Errorf("progress %+v", p)
	}
	h.opens(h.sealer)
}

// Keys are made, changed and opened all the time, while everything moves from KEK to KEK
// and into Vault and out.
func TestRewrapUnderLoad(t *testing.T) {
	t.Parallel()
	const most = 100 // keys that each makes
	h := openHouse(t)
	h.fill()
	h.keeper.c.Batch = 50
	h.ring.UseVault(Vault{Address: newVault(t).URL, Token: gatehouse.NewSecret("hvs.right")})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	made := make([]int, 2)
	for g := range made {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if made[g] < most {
					h.key(fmt.Sprintf("new-%d-%04d", g, made[g]), "pepper")
					made[g]++
				}
				id := fmt.Sprintf("new-%d-%04d", g, i%made[g])
				if got, err := h.sealer.Open(t.Context(), keyBinding(id), h.sealed(id)); err != nil || string(got) != "secret of "+id {
					t.Errorf("%s opens as %q, %v", id, got, err)
				}
				h.touch(fmt.Sprintf("key-%02d", i%houseKeys))
			}
		})
	}
	for i, n := range []NewKey{{Algorithm: algorithmXChaCha}, {}, {Source: "vault:team/transit/gatehouse"}, {Algorithm: algorithmXChaCha}} {
		n.ID, n.Primary = fmt.Sprintf("round-%d", i), true
		h.add(n)
		_, err := h.keeper.Rewrap(t.Context(), operator)
		h.must(err)
		if p := h.finish(); p.Problem != "" {
			t.Errorf("%s: %+v", n.ID, p)
		}
	}
	stop()
	load.Wait()
	_, err := h.keeper.Rewrap(t.Context(), operator)
	h.must(err)
	h.finish()
	for g, n := range made {
		for i := range n {
			id := fmt.Sprintf("new-%d-%04d", g, i)
			if got, err := h.sealer.Open(t.Context(), keyBinding(id), h.sealed(id)); err != nil || string(got) != "secret of "+id {
				t.Errorf("%s opens as %q, %v", id, got, err)
			}
		}
	}
	h.moved("round-3")
}

// touch changes a key as Authority does: read, edit, write, and again on a conflict.
func (h *house) touch(id string) {
	for {
		k, err := h.store.GetKey(h.t.Context(), gatehouse.DefaultTenant, id)
		if err == nil {
			k.Name += "."
			err = h.store.UpdateKey(h.t.Context(), &k, h.event(id))
		}
		if !errors.Is(err, gatehouse.ErrConflict) {
			if err != nil {
				h.t.Errorf("update %s: %v", id, err)
			}
			return
		}
	}
}
