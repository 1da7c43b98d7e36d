// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// openNodes opens nodes of one database, and makes an account for keys.
func openNodes(t *testing.T, url string, options ...postgres.Options) []*postgres.DB {
	t.Helper()
	var nodes []*postgres.DB
	for _, o := range options {
		nodes = append(nodes, open(t, url, o))
	}
	a := account.Account{ID: "owner", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	if err := nodes[0].InsertAccount(t.Context(), &a, nil, event("owner")); err != nil {
		t.Fatal(err)
	}
	return nodes
}

func insert(t *testing.T, db *postgres.DB, id string) gatehouse.Key {
	t.Helper()
	k := gatehouse.Key{
		ID: id, Tenant: gatehouse.DefaultTenant, Principal: "owner", Schemes: []string{"bearer"}, State: gatehouse.StateActive, Version: 1,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialDigest, Ref: "pepper", Data: make([]byte, 32)}},
	}
	if err := db.InsertKey(t.Context(), &k, event(id)); err != nil {
		t.Fatal(err)
	}
	return k
}

func stateOf(t *testing.T, db *postgres.DB, id string) gatehouse.State {
	t.Helper()
	rec, err := db.Lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Key.State
}

// TestChangeIsEverywhereWhenItReturns changes keys on one node that another has kept.
func TestChangeIsEverywhereWhenItReturns(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		hints bool
	}{{"hints", true}, {"no hints", false}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := postgres.Options{Lease: time.Second, NoHints: !row.hints}
			nodes := openNodes(t, testenv.Postgres(t), o, o, o)
			var took []time.Duration
			for i := range 20 {
				k := insert(t, nodes[0], "key"+string(rune('a'+i)))
				for range 2 {
					for _, n := range nodes {
						if s := stateOf(t, n, k.ID); s != gatehouse.StateActive {
							t.Fatalf("a new key is %v", s)
						}
					}
				}
				k.State = gatehouse.StateRevoked
				begin := time.Now()
				if err := nodes[i%3].UpdateKey(t.Context(), &k, event(k.ID)); err != nil {
					t.Fatal(err)
				}
				took = append(took, time.Since(begin))
				for _, n := range nodes {
					if s := stateOf(t, n, k.ID); s != gatehouse.StateRevoked {
						t.Errorf("after the acknowledgement the key is %v", s)
					}
				}
			}
			for _, n := range nodes {
				if _, hits, _ := n.Sharing(); hits < 20 {
					t.Errorf("%d look-ups were answered from what was kept", hits)
				}
			}
			t.Log(took)
		})
	}
}

// TestPurgedNotices purges notices whose clock seems far behind: those that a node may not have
// read yet stay.
func TestPurgedNotices(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	for _, row := range []struct {
		name  string
		o     postgres.Options
		prior string // a statement
		want  int
	}{
		{"nobody polls", postgres.Options{}, "SELECT 1", 0},
		{"fresh", postgres.Options{Lease: time.Second}, "SELECT 1", 2},
		{"retired", postgres.Options{Lease: time.Second}, "UPDATE notices SET fresh = 0", 0},
	} {
		db := open(t, url, row.o)
		tenant := gatehouse.Tenant{Name: row.name, TenantBrief: gatehouse.TenantBrief{State: gatehouse.TenantActive}, Version: 1}
		if err := errors.Join(db.InsertTenant(t.Context(), &tenant, event(row.name)), db.UpdateTenant(t.Context(), &tenant, event(row.name))); err != nil {
			t.Fatal(err)
		}
		raw(t, url, row.prior)
		if err := db.PurgeExpired(t.Context(), time.Now().Add(2*gatehouse.KeepNotices)); err != nil {
			t.Fatal(err)
		}
		if notices, err := db.Notices(t.Context(), row.name, time.Time{}); len(notices) != row.want || err != nil {
			t.Errorf("%s: %d notices are left, %v", row.name, len(notices), err)
		}
	}
}

// TestAdministratorsOfSeveralNodes lets all administrators step down at once, on nodes that know
// nothing of each other's turns: one stays.
func TestAdministratorsOfSeveralNodes(t *testing.T) {
	t.Parallel()
	nodes := openNodes(t, testenv.Postgres(t), postgres.Options{}, postgres.Options{}, postgres.Options{})
	for round := range 10 {
		all := make([]account.Account, len(nodes)*2)
		for i := range all {
			id := fmt.Sprintf("chief-%d-%d", round, i)
			all[i] = account.Account{ID: id, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, Role: "superadmin", PasswordHash: "phc", State: gatehouse.PrincipalActive, Version: 1}
			if err := nodes[0].InsertAccount(t.Context(), &all[i], nil, event(id)); err != nil {
				t.Fatal(err)
			}
		}
		stayed, calls := make([]error, len(all)), sync.WaitGroup{}
		for i, a := range all {
			calls.Go(func() {
				a.State = gatehouse.PrincipalBanned
				stayed[i] = nodes[i%len(nodes)].UpdateAccount(t.Context(), &a, account.Effects{KeepAdministrator: true}, event(a.ID))
			})
		}
		calls.Wait()
		left := 0
		for i, err := range stayed {
			switch {
			case errors.Is(err, account.ErrLastAdministrator):
				left++
				if err := nodes[0].UpdateAccount(t.Context(), &account.Account{ID: all[i].ID, Tenant: all[i].Tenant, Kind: all[i].Kind, State: gatehouse.PrincipalBanned, Version: 1}, account.Effects{}, event(all[i].ID)); err != nil {
					t.Fatal(err)
				}
			case err != nil:
				t.Error(err)
			}
		}
		if left != 1 {
			t.Fatalf("%d administrators stayed; want 1", left)
		}
	}
}
