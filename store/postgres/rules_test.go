// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// TestRulesAreEverywhereWhenTheyReturn puts rules on one node that others have kept.
func TestRulesAreEverywhereWhenTheyReturn(t *testing.T) {
	t.Parallel()
	for name, hints := range map[string]bool{"hints": true, "no hints": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testenv.Postgres(t)
			o := postgres.Options{Lease: time.Second, NoHints: !hints}
			nodes := []*postgres.DB{open(t, url, o), open(t, url, o), open(t, url, postgres.Options{})} // the last keeps nothing
			inForce := func(when string, version int64, text string) {
				t.Helper()
				for i, n := range nodes {
					if got, err := n.RulesInForce(t.Context(), gatehouse.DefaultTenant); err != nil || got != (gatehouse.RuleSet{Tenant: gatehouse.DefaultTenant, Text: text, Version: version}) {
						t.Errorf("%s, node %d: %+v, %v", when, i, got, err)
					}
				}
			}
			inForce("at first", 0, "")
			for i := range int64(6) {
				set := gatehouse.RuleSet{Tenant: gatehouse.DefaultTenant, Text: strconv.FormatInt(i, 10), Version: i}
				if err := nodes[i%3].PutRules(t.Context(), &set, event("rules")); err != nil {
					t.Fatal(err)
				}
				inForce("put", i+1, set.Text)
			}
			// What was changed past every rule goes unseen: so they were not read again.
			raw(t, url, "UPDATE rules SET text = 'by hand'")
			kept := 0
			for _, n := range nodes[:2] {
				if got, err := n.RulesInForce(t.Context(), gatehouse.DefaultTenant); err != nil {
					t.Error(err)
				} else if got.Text == "5" {
					kept++
				}
			}
			if got, err := nodes[2].RulesInForce(t.Context(), gatehouse.DefaultTenant); err != nil || got.Text != "by hand" || kept == 0 {
				t.Errorf("without a lease %+v, %v; %d answered from what they kept", got, err, kept)
			}
		})
	}
}

// TestRulesAreNeverOld reads rules on nodes while they are put: a read that begins after a put
// has returned never finds what was there before.
func TestRulesAreNeverOld(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	o := postgres.Options{Lease: time.Second}
	nodes := []*postgres.DB{open(t, url, o), open(t, url, o)}
	var acked atomic.Int64
	var readers sync.WaitGroup
	for _, n := range nodes {
		for range 2 {
			readers.Go(func() {
				for {
					least := acked.Load()
					got, err := n.RulesInForce(t.Context(), gatehouse.DefaultTenant)
					if err != nil || got.Version < least {
						t.Errorf("version %d after %d was acknowledged, %v", got.Version, least, err)
						return
					}
					if least == 20 {
						return
					}
				}
			})
		}
	}
	for i := range int64(20) {
		if err := nodes[i%2].PutRules(t.Context(), &gatehouse.RuleSet{Tenant: gatehouse.DefaultTenant, Text: "x", Version: i}, event("rules")); err != nil {
			t.Error(err)
		}
		acked.Store(i + 1)
	}
	readers.Wait()
}
