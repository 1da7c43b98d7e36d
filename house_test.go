// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// house is an authority on its real fillings, in a directory of its own.
type house struct {
	*gatehouse.Authority
	store   *sqlite.DB
	replay  *memory.Replay
	limiter *memory.Limiter
	sealer  *seal.Sealer
	owner   account.Account
	path    string // of the database file
}

func newHouse(tb testing.TB, now func() time.Time) *house {
	tb.Helper()
	return newHouseOn(tb, now, sqlite.Options{})
}

func newHouseOn(tb testing.TB, now func() time.Time, o sqlite.Options) *house {
	tb.Helper()
	dir := tb.TempDir()
	h := &house{path: filepath.Join(dir, "gatehouse.db")}
	ctx := context.Background()
	var err error
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	h.store, err = sqlite.Open(ctx, h.path, o)
	must(err)
	tb.Cleanup(func() { _ = h.store.Close() })
	kr, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	must(err)
	h.sealer, err = seal.NewSealer(ctx, kr, h.store, now)
	must(err)
	h.replay, err = memory.OpenReplay(memory.Options{Dir: tb.TempDir(), Fresh: true, Now: now, Capacity: 1 << 17})
	must(err)
	tb.Cleanup(func() { _ = h.replay.Close() })
	h.limiter = memory.NewLimiter(0, now)
	h.Authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Sealer: h.sealer, Replay: h.replay, Limiter: h.limiter, Now: now,
		Schemes: []gatehouse.Scheme{barong.New(barong.Options{}), bearer.New(kr), shield.New(shield.Options{}), httpsig.New(httpsig.Options{})},
	})
	must(err)
	h.owner = account.Account{
		ID: "owner", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, UID: "ID0000000001", Email: "owner@example.com",
		Role: "member", State: gatehouse.PrincipalActive, Created: now().UTC(), Updated: now().UTC(), Version: 1,
	}
	must(h.store.InsertAccount(ctx, &h.owner, nil, gatehouse.NewEvent(operator, now(), "account.create", h.owner.ID, gatehouse.OutcomeSucceeded)))
	return h
}

var operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}

// key makes a key of the owner.
func (h *house) key(tb testing.TB, n gatehouse.NewKey) gatehouse.Created {
	tb.Helper()
	n.Principal = h.owner.ID
	c, err := h.Create(context.Background(), operator, n)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// setOwner changes the owner's state.
func (h *house) setOwner(tb testing.TB, state gatehouse.PrincipalState) {
	tb.Helper()
	a, err := h.store.Account(context.Background(), gatehouse.DefaultTenant, account.ByID, h.owner.ID)
	if err != nil {
		tb.Fatal(err)
	}
	a.State = state
	if err := h.store.UpdateAccount(context.Background(), &a, account.Effects{}, gatehouse.NewEvent(operator, time.Now(), "account.state", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		tb.Fatal(err)
	}
}

// triple is a request with Barong's three header fields.
func triple(c gatehouse.Created, at time.Time) *gatehouse.Request {
	nonce := strconv.FormatInt(at.UnixMilli(), 10)
	return &gatehouse.Request{Method: "GET", Authority: "api.example.com", Target: "/", Peer: netip.MustParseAddr("192.0.2.1"), Header: gatehouse.Header{
		barong.HeaderKey:       {c.Key.ID},
		barong.HeaderNonce:     {nonce},
		barong.HeaderSignature: {barong.Sign(c.Secret.Reveal(), nonce, c.Key.ID)},
	}}
}

// token is a request with a bearer token.
func token(c gatehouse.Created) *gatehouse.Request {
	return &gatehouse.Request{Method: "GET", Authority: "api.example.com", Target: "/", Peer: netip.MustParseAddr("192.0.2.1"), Header: gatehouse.Header{
		"Authorization": {"Bearer " + c.Token.Reveal()},
	}}
}

// verify decides and fails the test on an error.
func (h *house) verify(tb testing.TB, r *gatehouse.Request) gatehouse.Decision {
	tb.Helper()
	d, err := h.Verify(context.Background(), r)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
