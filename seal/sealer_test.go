// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
)

var secret = []byte("a shared secret")

func binding() gatehouse.Binding {
	return gatehouse.Binding{Purpose: "key-secret", Tenant: gatehouse.DefaultTenant, ID: "61d025b8573501c2", Version: 3}
}

func mustSealer(t testing.TB, k *Keyring, store gatehouse.DataKeyStore) *Sealer {
	t.Helper()
	s, err := NewSealer(context.Background(), k, store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSeal(t testing.TB, s *Sealer, b gatehouse.Binding) gatehouse.Sealed {
	t.Helper()
	sealed, err := s.Seal(context.Background(), b, secret)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantOpen(t *testing.T, s *Sealer, sealed gatehouse.Sealed) {
	t.Helper()
	if got, err := s.Open(t.Context(), binding(), sealed); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("Open = %q, %v", got, err)
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	gatehousetest.Sealer(t, func(t *testing.T) gatehouse.Sealer {
		return mustSealer(t, newKeyring(time.Now()), &memStore{})
	})
}

func TestVector(t *testing.T) {
	t.Parallel()
	wrapped, _ := hex.DecodeString("01c8c9cacbcccdcecfd0d1d2d3711903b8e2a99d471c5575d5726b857b90f69edb701ede5395d0419aa6ecd59683d0a9a08fb7aa0710d766314f634b91")
	data, _ := hex.DecodeString("0101969798999a9b9c9d9e9fa0a1a2a3a4a5dcdddedfe0e1e2e3e4e5e6e775948da3bbadb6ad752565a40e171ea19f3c40d830cd7847e8a403e44ec40a")
	store := &memStore{keys: []gatehouse.DataKey{{ID: "dek-1", Tenant: "default", Purpose: "key-secret", KEK: "kek-1", Wrapped: wrapped}}}
	s := mustSealer(t, mustParse(t, vectorKeyring), store)
	wantOpen(t, s, gatehouse.Sealed{Ref: "dek-1", Data: data})
	if sealed := mustSeal(t, s, binding()); sealed.Ref != "dek-1" || len(sealed.Data) != len(data) {
		t.Errorf("Seal does not use the data key that is there, or another format: %v", sealed)
	}
}

func TestDataKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	store := &memStore{}
	now := time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	k := newKeyring(now)
	s, err := NewSealer(t.Context(), k, store, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := s.Seal(context.Background(), binding(), secret); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(store.keys) != 2 || len(store.events) != 2 {
		t.Fatalf("%d data keys, %d events; want the canary and one more", len(store.keys), len(store.events))
	}
	for i, purpose := range []string{"canary", "key-secret"} {
		dk, e := store.keys[i], store.events[i]
		if dk.Purpose != purpose || dk.Tenant != gatehouse.DefaultTenant || dk.KEK != k.keys().primary(kindKEK).id ||
			!dk.Created.Equal(now.Truncate(time.Microsecond)) || dk.Created.Location() != time.UTC {
			t.Errorf("data key %+v", dk)
		}
		if e.Actor.Kind != gatehouse.ActorSystem || e.Tenant != dk.Tenant || e.Verb != "datakey.create" ||
			e.Subject != dk.ID || e.Outcome != gatehouse.OutcomeSucceeded || !e.Time.Equal(dk.Created) {
			t.Errorf("event %+v", e)
		}
		if bytes.Contains(dk.Wrapped, s.byID[dk.ID].key) || strings.Contains(fmt.Sprintf("%+v %#v", s, s), fmt.Sprint(s.byID[dk.ID].key)) {
			t.Error("a data key is in clear in the store or in print")
		}
	}
	other := binding()
	other.Tenant = "other"
	if mustSeal(t, s, other).Ref == mustSeal(t, s, binding()).Ref {
		t.Error("two tenants share a data key")
	}
}

func TestRestartOpens(t *testing.T) {
	t.Parallel()
	k, store := newKeyring(time.Now()), &memStore{}
	sealed := mustSeal(t, mustSealer(t, k, store), binding())
	again := mustSealer(t, mustParse(t, string(k.keys().text())), store)
	wantOpen(t, again, sealed)
	if mustSeal(t, again, binding()).Ref != sealed.Ref {
		t.Error("a restart made another data key")
	}
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	k, store := newKeyring(time.Now()), &memStore{}
	a, b := mustSealer(t, k, store), mustSealer(t, k, store)
	sealed := mustSeal(t, a, binding())
	wantOpen(t, b, sealed)
	before, _ := store.count()
	for range 10 {
		wantOpen(t, b, sealed)
	}
	if reads, _ := store.count(); reads != before {
		t.Errorf("%d reads for a data key in memory", reads-before)
	}
	other := binding()
	other.Purpose = "totp"
	if mustSeal(t, a, other).Ref != mustSeal(t, b, other).Ref {
		t.Error("the second node did not look for the first one's data key")
	}
}

// Two nodes that make the data key of one owner at the same time both go on.
func TestTwoNodesRace(t *testing.T) {
	t.Parallel()
	k, store := newKeyring(time.Now()), &memStore{}
	nodes := []*Sealer{mustSealer(t, k, store), mustSealer(t, k, store)}
	o := owner{binding().Tenant, binding().Purpose}
	for _, s := range nodes {
		if _, err := s.create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	x, y := mustSeal(t, nodes[0], binding()), mustSeal(t, nodes[1], binding())
	if x.Ref == y.Ref {
		t.Fatal("the nodes did not make a data key each")
	}
	third := mustSealer(t, k, store)
	for _, s := range append(nodes, third) {
		wantOpen(t, s, x)
		wantOpen(t, s, y)
	}
	if got, newest := mustSeal(t, third, binding()).Ref, store.keys[2].ID; got != newest {
		t.Errorf("a later start seals with %s, not with the newest data key %s", got, newest)
	}
}

func TestStartRefusesWrongKeyring(t *testing.T) {
	t.Parallel()
	k := newKeyring(time.Now())
	kek := k.keys().primary(kindKEK)
	otherBytes := mustParse(t, string(k.keys().text()))
	otherBytes.keys().primary(kindKEK).key[0] ^= 1
	for name, bad := range map[string]*Keyring{"another KEK": newKeyring(time.Now()), "other bytes": otherBytes, "zero": {}} {
		canary, used := &memStore{}, &memStore{}
		mustSealer(t, k, canary)
		mustSeal(t, mustSealer(t, k, used), binding())
		for _, store := range []*memStore{canary, used} {
			s, err := NewSealer(t.Context(), bad, store, time.Now)
			if !errors.Is(err, ErrKeyring) || errors.Is(err, gatehouse.ErrUnavailable) || s != nil {
				t.Fatalf("%s: %v, want ErrKeyring", name, err)
			}
			if text := err.Error(); !strings.Contains(text, kek.id) || strings.Contains(text, "\n") {
				t.Errorf("%s: %q, want one line that names KEK %s", name, text, kek.id)
			}
		}
	}
	if _, err := NewSealer(t.Context(), &Keyring{}, &memStore{}, time.Now); !errors.Is(err, ErrKeyring) {
		t.Errorf("zero keyring, empty store: %v, want ErrKeyring", err)
	}
}

func TestStartRefusesChangedDataKey(t *testing.T) {
	t.Parallel()
	k := newKeyring(time.Now())
	two := rotated(k, kindKEK)
	for name, change := range map[string]func(*gatehouse.DataKey){
		"id":      func(d *gatehouse.DataKey) { d.ID += "x" },
		"tenant":  func(d *gatehouse.DataKey) { d.Tenant = "other" },
		"purpose": func(d *gatehouse.DataKey) { d.Purpose = "totp" },
		"border":  func(d *gatehouse.DataKey) { d.Tenant, d.Purpose = d.Tenant+"k", "ey-secret" },
		"kek":     func(d *gatehouse.DataKey) { d.KEK = two.keys().primary(kindKEK).id },
		"bytes":   func(d *gatehouse.DataKey) { d.Wrapped[len(d.Wrapped)-1] ^= 1 },
		"format":  func(d *gatehouse.DataKey) { d.Wrapped[0]++ },
		"cut":     func(d *gatehouse.DataKey) { d.Wrapped = d.Wrapped[:20] },
		"none":    func(d *gatehouse.DataKey) { d.Wrapped = nil },
		"short": func(d *gatehouse.DataKey) {
			_ = k.wrap(t.Context(), k.keys().primary(kindKEK), d, make([]byte, 16))
		},
	} {
		store := &memStore{}
		mustSeal(t, mustSealer(t, k, store), binding())
		change(&store.keys[1])
		if _, err := NewSealer(t.Context(), two, store, time.Now); !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: %v, want ErrKeyring", name, err)
		}
	}
}

// Of two nodes that first start together with two keyrings one comes up, now and ever
// after, and the other says what to do.
func TestTwoKeyringsOneStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memStore{gate: make(chan struct{})}
		rings, errs := []*Keyring{newKeyring(time.Now()), newKeyring(time.Now())}, make([]error, 2)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = NewSealer(context.Background(), rings[i], store, time.Now) })
		}
		synctest.Wait() // both have read the empty store
		for range errs {
			store.gate <- struct{}{}
		}
		synctest.Wait() // both have tried to make the canary
		close(store.gate)
		wg.Wait()
		if errs[0] != nil {
			rings[0], rings[1], errs[0], errs[1] = rings[1], rings[0], errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], ErrKeyring) || !strings.Contains(errs[1].Error(), "copy the keyring") {
			t.Errorf("%v; want one that comes up, and ErrKeyring", errs)
		}
		if _, err := NewSealer(context.Background(), rings[0], store, time.Now); err != nil {
			t.Errorf("the next start of the first: %v", err)
		}
		if _, err := NewSealer(context.Background(), rings[1], store, time.Now); !errors.Is(err, ErrKeyring) {
			t.Errorf("the next start of the other: %v", err)
		}
	})
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	fault := io.ErrUnexpectedEOF
	k, store := newKeyring(time.Now()), &memStore{}
	s, peer := mustSealer(t, k, store), mustSealer(t, k, store)
	sealed := mustSeal(t, s, binding())
	store.fail = fault
	want := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, fault) || errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v, want ErrUnavailable and the cause", what, err)
		}
	}
	_, err := NewSealer(t.Context(), k, store, time.Now)
	want("NewSealer", err)
	_, err = peer.Seal(t.Context(), binding(), secret)
	want("Seal", err)
	_, err = peer.Open(t.Context(), binding(), sealed)
	want("Open", err)
	wantOpen(t, s, sealed) // from memory

	store.fail = nil
	wantOpen(t, peer, sealed) // a failed read is not remembered as "not there"
	_, err = NewSealer(t.Context(), k, insertFails{store: &memStore{}, err: fault}, time.Now)
	want("NewSealer, insert", err)
}

// insertFails is a store that reads but does not write.
type insertFails struct {
	store *memStore
	err   error
}

func (f insertFails) DataKeys(ctx context.Context) ([]gatehouse.DataKey, error) {
	return f.store.DataKeys(ctx)
}

func (f insertFails) InsertDataKey(context.Context, *gatehouse.DataKey, *gatehouse.Event) error {
	return f.err
}

func (f insertFails) RewrapDataKey(context.Context, *gatehouse.DataKey, string, *gatehouse.Event) error {
	return f.err
}

func TestUnknownRefsDoNotHammerTheStore(t *testing.T) {
	t.Parallel()
	k, store := newKeyring(time.Now()), &memStore{}
	now := time.Now()
	s, err := NewSealer(t.Context(), k, store, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	data := mustSeal(t, s, binding()).Data
	open := func(ref string) {
		t.Helper()
		if _, err := s.Open(t.Context(), binding(), gatehouse.Sealed{Ref: ref, Data: data}); !errors.Is(err, ErrOpen) || errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%v, want ErrOpen", err)
		}
	}
	before, _ := store.count()
	more := func() int { n, _ := store.count(); return n - before }
	for range 100 {
		open("gone")
	}
	open(strings.Repeat("x", maxRefSize+1))
	if more() != 1 {
		t.Errorf("%d reads, want 1", more())
	}
	now = now.Add(failedFor)
	if open("gone"); more() != 2 {
		t.Errorf("%d reads, want a second one after a while", more())
	}
	now = now.Add(-time.Hour) // a clock that is set back must not hide the ref for an hour
	if open("gone"); more() != 3 {
		t.Errorf("%d reads, want a third one", more())
	}
	for i := range 3 * failedMax {
		open(fmt.Sprint("gone ", i))
	}
	if len(s.failed) > failedMax {
		t.Errorf("%d unknown refs in memory", len(s.failed))
	}
}

// Waiters share a read that began after they came, and a good new ref among them is found.
func TestUnknownRefsShareReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, store := newKeyring(time.Now()), &memStore{}
		peer, s := mustSealer(t, k, store), mustSealer(t, k, store)
		store.gate = make(chan struct{})
		before, _ := store.count()
		var wg sync.WaitGroup
		open := func(ref string, data []byte) {
			wg.Go(func() {
				_, err := s.Open(context.Background(), binding(), gatehouse.Sealed{Ref: ref, Data: data})
				if good := data != nil; good != (err == nil) {
					t.Errorf("ref %s: %v", ref, err)
				}
			})
		}
		open("first", nil)
		synctest.Wait() // its read has begun
		for i := range 100 {
			open(fmt.Sprint("gone ", i), nil)
		}
		dk, err := peer.create(context.Background(), owner{binding().Tenant, binding().Purpose})
		if err != nil {
			t.Fatal(err)
		}
		b := binding()
		open(dk.id, dk.seal(&b, secret))
		synctest.Wait() // all others wait for the turn

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.Open(ctx, binding(), gatehouse.Sealed{Ref: "patience"}); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrUnavailable and DeadlineExceeded", err)
		}
		close(store.gate)
		wg.Wait()
		if reads, _ := store.count(); reads-before != 2 {
			t.Errorf("%d reads, want 2", reads-before)
		}
	})
}

// Whoever waits while another makes the data key uses that one, or gives up in time.
func TestSealWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memStore{}
		s := mustSealer(t, newKeyring(time.Now()), store)
		store.gate = make(chan struct{})
		before, _ := store.count()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.Seal(context.Background(), binding(), secret); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // one reads, the others wait
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.Seal(ctx, binding(), secret); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrUnavailable and DeadlineExceeded", err)
		}
		close(store.gate)
		wg.Wait()
		if reads, keys := store.count(); reads-before != 1 || keys != 2 {
			t.Errorf("%d reads, %d data keys; want 1 and 2", reads-before, keys)
		}
	})
}

func TestSealRefusesIncompleteBinding(t *testing.T) {
	t.Parallel()
	store := &memStore{}
	s := mustSealer(t, newKeyring(time.Now()), store)
	for _, b := range []gatehouse.Binding{
		{}, {Tenant: "default", ID: "x"}, {Purpose: "totp", ID: "x"}, {Purpose: "totp", Tenant: "default"},
	} {
		if _, err := s.Seal(t.Context(), b, secret); err == nil {
			t.Errorf("%+v: sealed", b)
		}
	}
	if _, keys := store.count(); keys != 1 {
		t.Errorf("%d data keys; a refusal made one", keys)
	}
}

func TestSealedEmptySecretDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := mustSealer(t, newKeyring(time.Now()), &memStore{})
	ref := mustSeal(t, s, binding()).Ref
	b := binding()
	if got, err := s.Open(t.Context(), b, gatehouse.Sealed{Ref: ref, Data: s.byID[ref].seal(&b, nil)}); !errors.Is(err, ErrOpen) || got != nil {
		t.Errorf("Open = %v, %v; want ErrOpen", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	s := mustSealer(f, mustParse(f, vectorKeyring), &memStore{})
	good := mustSeal(f, s, binding())
	f.Add(good.Ref, good.Data)
	f.Add("good", good.Data[:len(good.Data)-1])
	f.Add("good", []byte{recordVersion, algAES256GCM})
	f.Add("good", append([]byte{recordVersion, algXChaCha20Poly1305}, good.Data[2:]...))
	f.Add("", []byte{})
	f.Add("\xff", []byte{recordVersion, algAES256GCM})
	f.Fuzz(func(t *testing.T, ref string, data []byte) {
		if ref == "good" {
			ref = good.Ref // so that the fuzzer, which cannot guess it, gets past it
		}
		got, err := s.Open(context.Background(), binding(), gatehouse.Sealed{Ref: ref, Data: data})
		if ref == good.Ref && bytes.Equal(data, good.Data) {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, ErrOpen) || got != nil || strings.ContainsAny(err.Error(), "\n\r\x00") {
			t.Errorf("Open = %v, %v; want ErrOpen", got, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	s := mustSealer(b, newKeyring(time.Now()), &memStore{})
	sealed := mustSeal(b, s, binding())
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(ctx, binding(), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s := mustSealer(b, newKeyring(time.Now()), &memStore{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Seal(ctx, binding(), secret); err != nil {
			b.Fatal(err)
		}
	}
}
