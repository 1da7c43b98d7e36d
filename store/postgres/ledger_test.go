// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed14544106/gatehouse"
)

// fate is what is known of a key that was asked for.
type fate struct {
	id    string   // empty: its making was not acknowledged
	now   string   // its name
	verbs []string // of the events it must have
	state gatehouse.State
}

// ledger is what those who change keys know of them, by the names they made them with.
type ledger struct {
	mu    sync.Mutex
	fates map[string]fate
}

func (l *ledger) note(name string, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fates == nil {
		l.fates = map[string]fate{}
	}
	l.fates[name] = f
}

// audit compares all that is stored with the ledger, and with itself: keys, tags, events and
// the chain agree, and nothing is there by half or twice.
func (l *ledger) audit(t *testing.T, h *house, url string) {
	t.Helper()
	chain, _, err := gatehouse.VerifyChain(t.Context(), h.db, gatehouse.DefaultTenant, gatehouse.ChainPoint{}, chainKey)
	if err != nil || !chain.Sound() {
		t.Errorf("the chain: %v, %v", chain.Faults, err)
	}
	verbs := eventsOf(t, h)
	keys, _, err := h.db.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	seen, unsure := map[string]bool{}, 0
	for i := range keys {
		k := &keys[i]
		name := k.Metadata["name"]
		f, asked := l.fates[name]
		if !asked || seen[name] {
			t.Errorf("key %s, %q: nobody asked for it, or it was made twice", k.ID, name)
			continue
		}
		seen[name] = true
		if f.id == "" { // made, and the one who asked never heard of it
			unsure++
			f = fate{id: k.ID, now: name, verbs: []string{"key.create"}, state: gatehouse.StateActive}
		}
		if k.ID != f.id || k.Name != f.now || k.State != f.state || k.Version != int64(len(f.verbs)) || !slices.Equal(verbs[k.ID], f.verbs) {
			t.Errorf("key %s, %q, %v, version %d, events %q; want %+v", k.ID, k.Name, k.State, k.Version, verbs[k.ID], f)
		}
		delete(verbs, k.ID)
		if i%10 != 0 {
			continue
		}
		found, err := h.db.FindKeys(t.Context(), gatehouse.KeySearch{Tenant: gatehouse.DefaultTenant, Text: f.now, Metadata: k.Metadata, Limit: 2})
		if err != nil || len(found) != 1 || found[0].Key.ID != k.ID {
			t.Errorf("a search for %q finds %d keys, %v", f.now, len(found), err)
		}
	}
	for name, f := range l.fates {
		if f.id != "" && !seen[name] {
			t.Errorf("key %s, %q was acknowledged and is not there", f.id, name)
		}
	}
	if len(verbs) > 0 {
		t.Errorf("events of keys that are not there: %v", verbs)
	}
	if torn := tornTags(t, url); len(torn) > 0 {
		t.Errorf("keys whose tags are not theirs: %q", torn)
	}
	t.Logf("%d keys asked for, %d there, %d of them unknown to who asked; %d events", len(l.fates), len(keys), unsure, chain.Events)
}

// eventsOf reads the verbs of the events of each key, oldest first.
func eventsOf(t *testing.T, h *house) map[string][]string {
	t.Helper()
	events, _, err := h.db.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string][]string{}
	for i := range events {
		e := &events[i]
		if len(e.Verb) > 4 && e.Verb[:4] == "key." {
			verbs[e.Subject] = append(verbs[e.Subject], e.Verb)
		}
	}
	return verbs
}

// tornTags are the ids of keys whose row does not say what their rows of tags do.
func tornTags(t *testing.T, url string) (ids []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), `SELECT coalesce(k.id, t.id) FROM keys k FULL JOIN
		(SELECT tenant, id, created, bits, E'\n' || string_agg(tag, E'\n' ORDER BY tag) || E'\n' AS tags FROM key_tags GROUP BY tenant, id, created, bits) t
		ON k.tenant = t.tenant AND k.id = t.id AND k.created = t.created AND k.bits = t.bits
		WHERE k.tags IS DISTINCT FROM t.tags`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// label is a name that no two lives have.
func label(worker, n int) string { return fmt.Sprintf("worker%d life%d", worker, n) }
