// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const tenant = gatehouse.DefaultTenant

var (
	noon  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	actor = gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: tenant}
)

// house is a database with an account, and the metrics. Its writes fail while broken is
// not nil, and sizes notes how long the lists were. Where sized is set, usage is not stored.
type house struct {
	*sqlite.DB
	metrics *observe.Metrics
	broken  error
	sizes   []int
	sized   bool
}

func open(t testing.TB) *house {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	a := account.Account{ID: "account-1", Tenant: tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	if err := db.InsertAccount(t.Context(), &a, nil, gatehouse.NewEvent(actor, noon, "account.create", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	return &house{DB: db, metrics: observe.New("v1", "barong")}
}

func (h *house) TouchKeys(ctx context.Context, uses []gatehouse.Use) error {
	h.sizes = append(h.sizes, len(uses))
	return unless(h.broken, func() error { return h.DB.TouchKeys(ctx, uses) })
}

func (h *house) InsertAttempts(ctx context.Context, as []gatehouse.Attempt) error {
	h.sizes = append(h.sizes, len(as))
	return unless(h.broken, func() error { return h.DB.InsertAttempts(ctx, as) })
}

func unless(broken error, write func() error) error {
	if broken != nil {
		return gatehouse.Unavailable("write", broken)
	}
	return write()
}

// keys inserts n keys named k0, k1, … that were last used at a time.
func (h *house) keys(t testing.TB, n int, lastUsed time.Time) []*gatehouse.Key {
	t.Helper()
	var ks []*gatehouse.Key
	var es []*gatehouse.Event
	for i := range n {
		k := &gatehouse.Key{ID: fmt.Sprint("k", i), Tenant: tenant, Principal: "account-1", State: gatehouse.StateActive, LastUsed: lastUsed}
		ks, es = append(ks, k), append(es, gatehouse.NewEvent(actor, noon, "key.create", k.ID, gatehouse.OutcomeSucceeded))
	}
	if err := h.InsertKeys(t.Context(), ks, es); err != nil {
		t.Fatal(err)
	}
	return ks
}

// wantUsed wants every key to be last used at a time.
func (h *house) wantUsed(t *testing.T, want time.Time, ks ...*gatehouse.Key) {
	t.Helper()
	for _, k := range ks {
		got, err := h.GetKey(t.Context(), tenant, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.LastUsed.Equal(want) {
			t.Errorf("%s: last used %v; want %v", k.ID, got.LastUsed, want)
		}
	}
}

func (h *house) wantMetric(t *testing.T, name string, want float64) {
	t.Helper()
	got := lines(t, h.metrics, name+" ")
	if len(got) != 1 || got[0] != fmt.Sprintf("%s %v", name, want) {
		t.Errorf("%q; want %s %v", got, name, want)
	}
}

func mustFlush(t *testing.T, flush func(context.Context) error) {
	t.Helper()
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustFail(t *testing.T, flush func(context.Context) error) {
	t.Helper()
	if err := flush(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Fatalf("Flush: %v; want ErrUnavailable", err)
	}
}

func granted(k *gatehouse.Key, at time.Time) *gatehouse.Decision {
	return &gatehouse.Decision{Granted: true, Scheme: "barong", Time: at, Key: k, Principal: &gatehouse.Principal{ID: k.Principal}}
}
