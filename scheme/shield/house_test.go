// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// house is an authority on its real fillings, with the schemes shield and bearer. Its
// principals are those of the map owners.
type house struct {
	*gatehouse.Authority
	store *sqlite.DB
	now   time.Time
}

// began is when the vectors of the section "states" were made.
var began = time.Date(2026, 11, 21, 20, 50, 57, 0, time.UTC)

var operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}

var owners = map[string]gatehouse.PrincipalState{
	"alice": gatehouse.PrincipalActive, "bob": gatehouse.PrincipalActive, "pending": gatehouse.PrincipalPending,
	"locked": gatehouse.PrincipalLocked, "banned": gatehouse.PrincipalBanned, "deleted": gatehouse.PrincipalDeleted,
}

func holder(principal string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorAccount, Tenant: gatehouse.DefaultTenant, ID: principal}
}

func newHouse(tb testing.TB, o shield.Options) *house {
	tb.Helper()
	dir, ctx := tb.TempDir(), context.Background()
	h := &house{now: began}
	now := func() time.Time { return h.now }
	var err error
	h.store, err = sqlite.Open(ctx, filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	must(tb, err)
	tb.Cleanup(func() { _ = h.store.Close() })
	kr, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	must(tb, err)
	sealer, err := seal.NewSealer(ctx, kr, h.store, now)
	must(tb, err)
	replay, err := memory.OpenReplay(memory.Options{Dir: tb.TempDir(), Fresh: true, Now: now, Capacity: 1 << 12})
	must(tb, err)
	tb.Cleanup(func() { _ = replay.Close() })
	h.Authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Sealer: sealer, Replay: replay, Limiter: memory.NewLimiter(0, now), Now: now,
		Schemes: []gatehouse.Scheme{shield.New(o), bearer.New(kr)},
	})
	must(tb, err)
	for name, state := range owners {
		a := account.Account{
			ID: name, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, UID: "ID" + name, Email: name + "@example.com",
			Role: "member", State: state, Created: began, Updated: began, Version: 1,
		}
		must(tb, h.store.InsertAccount(ctx, &a, nil, gatehouse.NewEvent(operator, began, "account.create", a.ID, gatehouse.OutcomeSucceeded)))
	}
	return h
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// adopt takes over one of Shield's keys, alice's where no other owner is named.
func (h *house) adopt(tb testing.TB, f gatehouse.Foreign) {
	tb.Helper()
	if f.Scheme = shield.Name; f.Principal == "" {
		f.Principal = "alice"
	}
	answers, written, err := h.Adopt(context.Background(), operator, []gatehouse.Foreign{f}, false)
	if err != nil || !written {
		tb.Fatalf("Adopt %s: %+v, %v", f.ID, answers, err)
	}
}

// key makes a key of a principal, as it does itself.
func (h *house) key(tb testing.TB, n gatehouse.NewKey) gatehouse.Created {
	tb.Helper()
	c, err := h.Create(context.Background(), holder(n.Principal), n)
	must(tb, err)
	return c
}

// signed is a request with the test body, signed with a new key's secret.
func signed(c gatehouse.Created) *gatehouse.Request {
	r := carrying(shield.Header(c.Key.ID, shield.Sign(c.Secret.Reveal(), testBody)))
	r.Method, r.Authority, r.Target, r.Peer = "POST", "api.example.com", "/api/ping", netip.MustParseAddr("192.0.2.1")
	return r
}

// verify decides and fails the test on an error.
func (h *house) verify(tb testing.TB, r *gatehouse.Request) gatehouse.Decision {
	tb.Helper()
	d, err := h.Verify(context.Background(), r)
	must(tb, err)
	return d
}

// denied is the reason for which a request is not granted; zero: it is.
func (h *house) denied(tb testing.TB, r *gatehouse.Request) gatehouse.Reason {
	tb.Helper()
	d := h.verify(tb, r)
	if d.Granted == (d.Reason != 0) {
		tb.Fatalf("granted %v for reason %v", d.Granted, d.Reason)
	}
	return d.Reason
}
