// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	schemebarong "github.com/seed14544106/gatehouse/scheme/barong"
)

// through sends a signed request through the gate and returns its status.
func through(p *process, k benchKey, at time.Time) int {
	nonce := strconv.FormatInt(at.UnixMilli(), 10)
	r := httptest.NewRequest(http.MethodGet, "/api/v2/auth/api/v2/peatio/account", nil)
	r.Header.Set("X-Auth-Apikey", k.ID)
	r.Header.Set("X-Auth-Nonce", nonce)
	r.Header.Set("X-Auth-Signature", schemebarong.Sign(k.Secret, nonce, k.ID))
	r.Header.Set("User-Agent", "bot/1")
	w := httptest.NewRecorder()
	p.public().ServeHTTP(w, r)
	return w.Code
}

func TestUsesAndAttemptsThroughTheGate(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	keys, err := benchKeys(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	actor := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: p.tenant}
	get := func(k benchKey) gatehouse.Key {
		t.Helper()
		got, err := p.authority.Get(t.Context(), actor, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	begin := time.Now().Truncate(time.Microsecond)
	if status := through(p, keys[0], begin); status != 200 {
		t.Fatalf("status %d", status)
	}
	if k := get(keys[0]); !k.LastUsed.IsZero() {
		t.Errorf("last used %v before a flush", k.LastUsed)
	}
	forged := keys[1]
	forged.Secret = "0123456789abcdef"
	if status := through(p, forged, begin); status != 401 {
		t.Errorf("forged: status %d", status)
	}
	p.flushLast(t.Context())
	if k := get(keys[0]); k.LastUsed.Before(begin) || k.LastUsed.After(time.Now()) || k.Version != 1 {
		t.Errorf("last used %v, version %d; want now, and 1", k.LastUsed, k.Version)
	}
	if k := get(keys[1]); !k.LastUsed.IsZero() {
		t.Errorf("a forged request used the key at %v", k.LastUsed)
	}
	attempts, err := p.store.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: p.tenant})
	if err != nil || len(attempts) != 1 {
		t.Fatalf("%d attempts, %v; want the forged one", len(attempts), err)
	}
	a := attempts[0]
	if a.Outcome != "invalid_credential" || a.Scheme != "barong" || a.KeyID != keys[1].ID || a.Peer.String() != "192.0.2.1" || a.UserAgent != "bot/1" {
		t.Errorf("attempt %+v", a)
	}
}

// A key that may lie unused for an hour passes after 59 minutes and not after 61.
func TestUnusedKeysAtTheGate(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	keys, err := benchKeys(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, ago := range []time.Duration{59 * time.Minute, 61 * time.Minute} {
		k, err := p.store.GetKey(t.Context(), p.tenant, keys[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		k.Unused = time.Hour
		event := gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: p.tenant}, now, "key.update", k.ID, gatehouse.OutcomeSucceeded)
		// The use first: a change empties the records kept in memory.
		if err := p.store.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: k.ID, Time: now.Add(-ago)}}); err != nil {
			t.Fatal(err)
		}
		if err := p.store.UpdateKey(t.Context(), &k, event); err != nil {
			t.Fatal(err)
		}
	}
	if status := through(p, keys[0], now); status != 200 {
		t.Errorf("unused for 59 minutes: status %d", status)
	}
	if status := through(p, keys[1], now); status != 401 {
		t.Errorf("unused for 61 minutes: status %d", status)
	}
	p.flushLast(t.Context())
	attempts, err := p.store.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: p.tenant, KeyID: keys[1].ID})
	if err != nil || len(attempts) != 1 || attempts[0].Outcome != "key_expired" || attempts[0].Principal == "" {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
}

// What was watched is written at shutdown.
func TestShutdownFlushes(t *testing.T) {
	t.Parallel()
	c := settings(t, map[string]string{"attempts": "all"})
	_, stop := run(t, c)
	cl := client.Socket(filepath.Join(c.Data, api.SocketName))
	if _, err := cl.CreateAccount(t.Context(), api.NewAccount{Email: adminEmail, Password: adminPassword}); err != nil {
		t.Fatal(err)
	}
	k, err := cl.CreateKey(t.Context(), api.NewKey{Owner: adminEmail, Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := cl.Verify(t.Context(), api.Check{Headers: map[string][]string{"Authorization": {"Bearer " + k.Token}}})
	if err != nil || !d.Granted {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	p := wire(t, c)
	stored, err := p.store.GetKey(t.Context(), p.tenant, k.ID)
	if err != nil || stored.LastUsed.Before(k.Created) {
		t.Errorf("last used %v, %v", stored.LastUsed, err)
	}
	attempts, err := p.store.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: p.tenant})
	if err != nil || len(attempts) != 1 || attempts[0].Outcome != "granted" || attempts[0].KeyID != k.ID {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
}

func TestAttemptsArePurged(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, nil))
	now := time.Now().Truncate(time.Microsecond)
	old := gatehouse.Attempt{Time: now.Add(-90*24*time.Hour - time.Second), Tenant: p.tenant, Outcome: "replayed"}
	young := old
	young.Time = old.Time.Add(2 * time.Second)
	if err := p.store.InsertAttempts(t.Context(), []gatehouse.Attempt{old, young}); err != nil {
		t.Fatal(err)
	}
	if err := p.purge(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	got, err := p.store.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: p.tenant})
	if err != nil || len(got) != 1 || !got[0].Time.Equal(young.Time) {
		t.Errorf("attempts %+v, %v", got, err)
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		every(ctx, 30*time.Second, func(context.Context) {
			if at = append(at, time.Since(begin)); len(at) == 3 {
				cancel()
			}
		})
		if !slices.Equal(at, []time.Duration{30 * time.Second, 60 * time.Second, 90 * time.Second}) {
			t.Errorf("called at %v", at)
		}
	})
}
