// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/store/postgres"
)

var _ seal.Rows = (*postgres.DB)(nil)

func TestRows(t *testing.T) {
	t.Parallel()
	gatehousetest.Rows(t, func(t *testing.T) gatehousetest.RowStore {
		return open(t, testenv.Postgres(t), postgres.Options{})
	})
}

// node is a process with a keyring on a shared database.
type node struct {
	db     *postgres.DB
	sealer *seal.Sealer
	keeper *seal.Keeper
}

func startNode(t *testing.T, url, path string) *node {
	t.Helper()
	n := &node{db: open(t, url, postgres.Options{})}
	ring, err := seal.LoadOrCreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	if n.sealer, err = seal.NewSealer(t.Context(), ring, n.db, time.Now); err != nil {
		t.Fatal(err)
	}
	n.keeper = seal.NewKeeper(seal.KeeperConfig{Sealer: n.sealer, Rows: n.db, Audit: n.db, Batch: 7, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(n.keeper.Close)
	return n
}

func binding(id string) gatehouse.Binding {
	return gatehouse.Binding{Purpose: "key-secret", Tenant: gatehouse.DefaultTenant, ID: id, Version: 1}
}

// Two nodes rewrap the same rows at once, and a third opens them all the time.
func TestNodesRewrap(t *testing.T) {
	t.Parallel()
	url, path := testenv.Postgres(t), filepath.Join(t.TempDir(), "keyring")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	operator := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	first := startNode(t, url, path)
	must(first.db.InsertAccount(t.Context(), &account.Account{ID: "a", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}, nil, event("a")))
	const keys = 60
	for i := range keys {
		id := fmt.Sprintf("key-%02d", i)
		sealed, err := first.sealer.Seal(t.Context(), binding(id), []byte(id))
		must(err)
		must(first.db.InsertKey(t.Context(), &gatehouse.Key{
			ID: id, Tenant: gatehouse.DefaultTenant, Principal: "a", State: gatehouse.StateActive,
			Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: sealed.Ref, Data: sealed.Data}},
		}, event(id)))
	}
	_, err := first.keeper.Add(t.Context(), operator, seal.NewKey{ID: "kek-2", Algorithm: "xchacha20-poly1305", Primary: true})
	must(err)
	nodes := []*node{first, startNode(t, url, path), startNode(t, url, path)}
	for _, n := range nodes[:2] {
		_, err := n.keeper.Rewrap(t.Context(), operator)
		must(err)
	}
	opens := func(n *node) (fresh int) {
		for i := range keys {
			id := fmt.Sprintf("key-%02d", i)
			k, err := n.db.GetKey(t.Context(), gatehouse.DefaultTenant, id)
			must(err)
			m := k.Materials[0]
			if got, err := n.sealer.Open(t.Context(), binding(id), gatehouse.Sealed{Ref: m.Ref, Data: m.Data}); err != nil || string(got) != id {
				t.Fatalf("%s opens as %q, %v", id, got, err)
			}
			if m.Data[1] == 2 { // XChaCha20-Poly1305
				fresh++
			}
		}
		return fresh
	}
	for nodes[0].keeper.Progress().Running || nodes[1].keeper.Progress().Running {
		opens(nodes[2])
	}
	for i, n := range nodes {
		if fresh := opens(n); fresh != keys {
			t.Errorf("node %d: %d of %d keys are sealed again; %+v", i, fresh, keys, n.keeper.Progress())
		}
	}
	list, _, err := nodes[2].keeper.List(t.Context())
	must(err)
	for _, k := range list {
		if k.Kind == "kek" && k.ID != "kek-2" && (k.DataKeys != 0 || k.Records != 0) {
			t.Errorf("still under the old KEK: %+v", k)
		}
	}
	if wish, err := first.db.RewrapWish(t.Context()); wish != "" || err != nil {
		t.Errorf("the wish is %q, %v", wish, err)
	}
	chain(t, first.db)
}
