// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// A key makes others on one node while it is revoked on another. Whatever it made was made
// before: nothing that it does stands behind its end in the chain of events.
func TestRevokedActorMakesNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	nodes := houses(t, url, url)
	made := 0
	for range 40 {
		c, err := nodes[0].Create(t.Context(), operator, newKey("actor"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := nodes[1].use(t.Context(), c.Token)
		if err != nil || d.Key == nil {
			t.Fatal(d.Reason, err)
		}
		actor := gatehouse.Actor{Kind: gatehouse.ActorKey, ID: c.Key.ID, Tenant: c.Key.Tenant, Via: d.Key, Material: d.Material}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := nodes[0].Revoke(t.Context(), operator, c.Key.ID, ""); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			wg.Go(func() {
				if _, err := nodes[1].Create(t.Context(), actor, newKey("child")); err != nil && !errors.Is(err, gatehouse.ErrForbidden) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		end := int64(0)
		for _, e := range events(t, nodes[0], gatehouse.EventQuery{Subject: c.Key.ID, Verbs: []string{"key.revoke"}}) {
			end = e.Seq
		}
		for _, e := range events(t, nodes[0], gatehouse.EventQuery{ActorID: c.Key.ID}) {
			if made++; e.Seq > end {
				t.Errorf("event %d %s was made by a key that event %d revoked", e.Seq, e.Verb, end)
			}
		}
	}
	if made == 0 || made == 120 {
		t.Logf("%d of 120 were made: no race", made)
	}
}

func events(t *testing.T, h *house, q gatehouse.EventQuery) []gatehouse.Event {
	t.Helper()
	q.Tenant = gatehouse.DefaultTenant
	list, _, err := h.db.ListEvents(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
