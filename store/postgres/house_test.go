// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"bytes"
	"context"
	"net/netip"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// house is an authority on a store of its own, as a node has it.
type house struct {
	*gatehouse.Authority
	db *postgres.DB
}

var (
	operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	chainKey = bytes.Repeat([]byte{7}, 32)
)

// houses opens a house on each URL, which all lead to one database, and makes the account
// "owner".
func houses(t *testing.T, urls ...string) []*house {
	t.Helper()
	return housesWith(t, postgres.Options{}, urls...)
}

func housesWith(t *testing.T, o postgres.Options, urls ...string) []*house {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	kr, err := seal.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	must(err)
	all := make([]*house, len(urls))
	for i, u := range urls {
		h := &house{db: open(t, u, o)}
		h.db.SignChain(chainKey)
		sealer, err := seal.NewSealer(t.Context(), kr, h.db, time.Now)
		must(err)
		replay, err := memory.OpenReplay(memory.Options{Dir: t.TempDir(), Fresh: true, Now: time.Now})
		must(err)
		t.Cleanup(func() { _ = replay.Close() })
		h.Authority, err = gatehouse.New(t.Context(), gatehouse.Config{
			Store: h.db, Sealer: sealer, Replay: replay, Limiter: memory.NewLimiter(0, time.Now), Schemes: []gatehouse.Scheme{bearer.New(kr)},
		})
		must(err)
		all[i] = h
	}
	owner := account.Account{ID: "owner", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive, Created: time.Now()}
	must(all[0].db.InsertAccount(t.Context(), &owner, nil, gatehouse.NewEvent(operator, time.Now(), "account.create", owner.ID, gatehouse.OutcomeSucceeded)))
	return all
}

// newKey is what is asked for a key with that name.
func newKey(name string) gatehouse.NewKey {
	return gatehouse.NewKey{
		Principal: "owner", Name: name, Schemes: []string{"bearer"}, Scopes: gatehouse.Scopes{"orders:read", "orders:write"},
		Metadata: gatehouse.Metadata{"name": name, "team": "chaos"},
	}
}

// use presents a token.
func (h *house) use(ctx context.Context, token gatehouse.Secret) (gatehouse.Decision, error) {
	return h.Verify(ctx, &gatehouse.Request{
		Method: "GET", Authority: "api.example.com", Target: "/", Peer: netip.MustParseAddr("192.0.2.1"),
		Header: gatehouse.Header{"Authorization": {"Bearer " + token.Reveal()}},
	})
}

// through is the URL of a database behind a proxy.
func through(t *testing.T, text, addr string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = addr
	return u.String()
}
