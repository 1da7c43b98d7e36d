// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// fleet is several nodes on one database, in a bubble of time, and a consumer that keeps
// every JWK set it has seen.
type fleet struct {
	t     *testing.T
	db    *sqlite.DB
	conf  assertion.KeysConfig
	nodes []*assertion.Keys
	sets  []fetched
}

type fetched struct {
	at  time.Time
	set jose.JSONWebKeySet
}

// newFleet opens nodes, each so much later than the one before.
func newFleet(t *testing.T, every time.Duration, apart ...time.Duration) *fleet {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := &fleet{t: t, db: db}
	f.conf = assertion.KeysConfig{Store: db, Sealer: newSealer(t), Algorithms: []string{assertion.ES256}, Every: every}
	for _, wait := range apart {
		<-time.After(wait)
		f.open()
	}
	return f
}

func (f *fleet) open() {
	k, err := assertion.OpenKeys(f.t.Context(), f.conf)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(k.Close)
	f.nodes = append(f.nodes, k)
	synctest.Wait() // its keys are made
}

func operator() gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
}

// check mints a token on every node, and wants every set that is still good somewhere to
// verify it. It returns the id of the key that signed, which is the same on all nodes.
func (f *fleet) check() string {
	f.t.Helper()
	now := time.Now()
	for _, k := range f.nodes {
		f.sets = append(f.sets, fetched{now, jwks(f.t, k)})
	}
	for now.Sub(f.sets[0].at) > assertion.MaxAge {
		f.sets = f.sets[1:]
	}
	id := ""
	for _, k := range f.nodes {
		m := assertion.NewMinter(assertion.MinterConfig{Keys: k, Profile: assertion.Default, Issuer: "https://id.example", Audience: []string{"a"}})
		jws, err := jose.ParseSignedCompact(mint(f.t, m, keySubject()), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			f.t.Fatal(err)
		}
		kid := jws.Signatures[0].Header.KeyID
		if id == "" {
			id = kid
		}
		if kid != id {
			f.t.Errorf("at %v one node signs with %s, another with %s", now, id, kid)
		}
		for i, s := range f.sets {
			found := s.set.Key(kid)
			if len(found) != 1 {
				f.t.Fatalf("at %v a set that was fetched %v ago lacks the key that signs", now, now.Sub(s.at))
			}
			if i > 0 { // the others hold the same key
				continue
			}
			if _, err := jws.Verify(found[0].Key); err != nil {
				f.t.Error(err)
			}
		}
	}
	return id
}

// lists is what a node says of its keys: state by id.
func (f *fleet) lists(k *assertion.Keys) map[string]assertion.KeyInfo {
	f.t.Helper()
	infos, err := k.List(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	out := map[string]assertion.KeyInfo{}
	for _, i := range infos {
		out[i.ID] = i
	}
	return out
}

func (f *fleet) verbs() map[string]int {
	f.t.Helper()
	events, _, err := f.db.ListEvents(f.t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		f.t.Fatal(err)
	}
	verbs := map[string]int{}
	for _, e := range events {
		verbs[e.Verb]++
	}
	return verbs
}

func TestRotationIsUnnoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 0, 25*time.Second)
		old := f.check()
		<-time.After(3 * time.Minute)
		f.check()
		if err := f.nodes[0].Rotate(t.Context(), operator()); err != nil {
			t.Fatal(err)
		}
		signs := time.Now().Add(10 * time.Minute)
		next := ""
		for id, info := range f.lists(f.nodes[0]) {
			switch {
			case id == old && info.State == assertion.KeyActive && info.Retires.Equal(signs):
			case id != old && info.State == assertion.KeyNext && info.Signs.Equal(signs) && info.Retires.IsZero():
				next = id
			default:
				t.Errorf("after Rotate: %+v", info)
			}
		}
		if err := f.nodes[1].Rotate(t.Context(), operator()); !errors.Is(err, gatehouse.ErrConflict) {
			t.Errorf("Rotate during a rotation: %v", err)
		}
		for range 150 {
			want := next
			if time.Now().Before(signs) {
				want = old
			}
			if got := f.check(); got != want {
				t.Fatalf("%v before its time the key is %s; want %s", time.Until(signs), got, want)
			}
			<-time.After(10 * time.Second)
		}
		for _, k := range f.nodes {
			l := f.lists(k)
			if len(l) != 2 || l[old].State != assertion.KeyRetired || l[next].State != assertion.KeyActive {
				t.Errorf("afterwards: %+v", l)
			}
		}
		// The old one goes when nothing that it signed can be good.
		<-time.After(time.Until(signs.Add(24*time.Hour - 2*time.Minute)))
		if set := jwks(t, f.nodes[1]); len(set.Key(old)) != 1 {
			t.Error("the old key is not published for a day")
		}
		<-time.After(4 * time.Minute)
		for _, k := range f.nodes {
			if l, set := f.lists(k), jwks(t, k); len(l) != 1 || len(set.Keys) != 1 {
				t.Errorf("after a day: %+v", l)
			}
		}
		rows, err := f.db.SigningKeys(t.Context(), gatehouse.DefaultTenant)
		if err != nil || len(rows) != 1 || rows[0].ID != next {
			t.Errorf("stored after a day: %d keys, %v", len(rows), err)
		}
		if v := f.verbs(); v["signing_key.create"] != 2 || v["signing_key.retire"] != 1 || v["signing_key.delete"] != 1 || len(v) != 3 {
			t.Errorf("events: %v", v)
		}
		gatehousetest.Chain(t, f.db, gatehouse.DefaultTenant)
	})
}

func TestRotationByTheClock(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string][]time.Duration{"two nodes": {0, 25 * time.Second}, "two at the same moment": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 6*time.Hour, apart...)
				ids := map[string]bool{}
				for end := time.Now().Add(31 * time.Hour); time.Now().Before(end); <-time.After(167 * time.Second) {
					ids[f.check()] = true
				}
				if len(ids) != 6 {
					t.Errorf("%d keys signed in 31 hours; want 6", len(ids))
				}
				active := 0
				for _, info := range f.lists(f.nodes[0]) {
					if info.State == assertion.KeyActive {
						active++
					} else if info.Retires.IsZero() {
						t.Errorf("left behind: %+v", info)
					}
				}
				if v := f.verbs(); active != 1 || v["signing_key.create"] < 6 || v["signing_key.create"] > 11 || v["signing_key.delete"] == 0 {
					t.Errorf("%d active, events %v", active, v)
				}
			})
		})
	}
}

// noRetire is a store whose process dies before it can retire a key.
type noRetire struct{ *sqlite.DB }

func (noRetire) RetireSigningKey(context.Context, string, string, time.Time, *gatehouse.Event) error {
	return errBroken
}

func TestRotationThatWasBrokenOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 0)
		old := f.check()
		<-time.After(time.Hour)
		c := f.conf
		c.Store = noRetire{f.db}
		dying, err := assertion.OpenKeys(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := dying.Rotate(t.Context(), operator()); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("Rotate: %v", err)
		}
		dying.Close()
		signs := time.Now().Add(10 * time.Minute)
		for range 90 {
			if id := f.check(); (id == old) != time.Now().Before(signs) {
				t.Fatalf("%v after the rotation %s signs", 10*time.Minute-time.Until(signs), id)
			}
			<-time.After(10 * time.Second)
		}
		if l := f.lists(f.nodes[0]); !l[old].Retires.Equal(signs) || l[old].State != assertion.KeyRetired {
			t.Errorf("the old key: %+v", l[old])
		}
	})
}

// A next key signs before its time where there is no other.
func TestNextStepsIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 0)
		old := f.check()
		if err := f.nodes[0].Rotate(t.Context(), operator()); err != nil {
			t.Fatal(err)
		}
		e := gatehouse.NewEvent(operator(), time.Now(), "suite", old, gatehouse.OutcomeSucceeded)
		if err := f.db.DeleteSigningKey(t.Context(), gatehouse.DefaultTenant, old, e); err != nil {
			t.Fatal(err)
		}
		l := f.lists(f.nodes[0])
		f.sets = nil
		if id := f.check(); id == old || len(l) != 1 || l[id].State != assertion.KeyActive {
			t.Errorf("%s signs; %+v", id, l)
		}
	})
}

func TestRotateAnImport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.config()
	c.Algorithms, c.ImportRSA, c.Every = []string{assertion.RS256}, pkcs1(ourRSA()), time.Hour
	k := h.open(t, c)
	h.clock.add(100 * time.Hour)
	if err := k.Rotate(t.Context(), operator()); !errors.Is(err, gatehouse.ErrConflict) {
		t.Errorf("Rotate of an import: %v", err)
	}
	if rows := h.store.all(); len(rows) != 1 || !rows[0].Retires.IsZero() {
		t.Errorf("%d keys, retires %v", len(rows), rows[0].Retires)
	}
	// Without it the next one takes over.
	c.ImportRSA, c.Every = nil, 0
	k = h.open(t, c)
	if err := k.Rotate(t.Context(), operator()); err != nil {
		t.Fatal(err)
	}
	infos, err := k.List(t.Context())
	if err != nil || len(infos) != 2 || infos[0].State != assertion.KeyNext || infos[1].State != assertion.KeyActive || infos[1].Retires.IsZero() {
		t.Errorf("%+v, %v", infos, err)
	}
	if _, err := json.Marshal(infos); err != nil {
		t.Error(err)
	}
}

func TestRotateOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 0)
		actor := operator()
		actor.Once = &gatehouse.Once{ID: "once-1", Request: []byte("hash")}
		if err := f.nodes[0].Rotate(t.Context(), actor); err != nil {
			t.Fatal(err)
		}
		r, err := f.db.Receipt(t.Context(), gatehouse.DefaultTenant, "once-1")
		if err != nil || r.Verb != "signing_key.create" {
			t.Errorf("receipt %+v, %v", r, err)
		}
		<-time.After(20 * time.Minute)
		if err := f.nodes[0].Rotate(t.Context(), actor); !errors.Is(err, gatehouse.ErrRepeated) {
			t.Errorf("the same again: %v", err)
		}
		if v := f.verbs(); v["signing_key.create"] != 2 || v["signing_key.retire"] != 1 {
			t.Errorf("events %v", v)
		}
	})
}

func TestRotationTooOften(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{-1, time.Hour - 1} {
		h := newHouse(t)
		c := h.config()
		c.Every = every
		var invalid *gatehouse.InvalidError
		if _, err := assertion.OpenKeys(t.Context(), c); !errors.As(err, &invalid) || invalid.Field != "every" {
			t.Errorf("every %v: %v", every, err)
		}
	}
}

func TestRotateWithABrokenStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.open(t, h.config())
	mint(t, h.minter(k, assertion.Default), keySubject())
	h.store.failWith(errBroken)
	if err := k.Rotate(t.Context(), operator()); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Rotate: %v", err)
	}
	if _, err := k.List(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("List: %v", err)
	}
}
