// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package embedded opens an authority inside a Go program: SQLite, keyring and replay
// journal in one data directory, as the server has them, and every scheme.
//
//	house, err := embedded.Open(ctx, "gatehouse-data", embedded.Options{})
//	…
//	defer house.Close()
//	g, err := gate.New(house.Authority, gate.Options{})
//	…
//	mux.Handle("GET /users", g.Require("users-read")(users))
//
// A server can take the directory over later, and the other way round; one process at a
// time has it.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	sig "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/datadir"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// Options are what can be chosen. The zero value is usable.
type Options struct {
	Barong   barong.Options
	Shield   shield.Options
	HTTPSig  httpsig.Options
	Observer gatehouse.Observer // is told every decision; nil: nobody
	Log      *slog.Logger       // is told what went wrong behind the scenes; nil: slog.Default
}

// House is an open authority. Use [Open].
type House struct {
	Authority *gatehouse.Authority // decides about requests and manages keys
	Accounts  *account.Directory   // whom keys speak for

	log     *slog.Logger
	uses    *observe.Uses
	closers []func() error
	stop    chan struct{}
	stopped chan struct{} // nil: nothing runs
}

// Actor is who acts when the program itself manages keys and accounts.
func (*House) Actor() gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}
}

// Open opens the data directory dir, or makes it (mode 0700). One that others can read,
// that another process has open, or that lacks its keyring, is refused. So are windows of
// schemes that together are longer than two minutes.
func Open(ctx context.Context, dir string, o Options) (_ *House, err error) {
	h := &House{log: o.Log, stop: make(chan struct{})}
	if h.log == nil {
		h.log = slog.Default()
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open authority: %w", err)
			_ = h.Close() // the first error says more
		}
	}()
	early, late := reach(&o)
	if early+late > datadir.MaxWindow {
		return nil, errors.New("the schemes' windows are longer than two minutes")
	}
	data, err := datadir.Open(dir)
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, data.Close)
	store, err := sqlite.Open(ctx, data.Database(), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, store.Close)
	keyring, err := data.Keyring(ctx, store)
	if err != nil {
		return nil, err
	}
	store.SignChain(keyring.Derive("audit-chain"))
	sealer, err := seal.NewSealer(ctx, keyring, store, time.Now)
	if err != nil {
		return nil, err
	}
	replay, err := data.Replay(ctx, store, early)
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, replay.Close)
	limiter, err := data.Limiter()
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, limiter.Close)
	if doubt := limiter.Doubt(); doubt != "" {
		h.log.Warn("limits begin full", "why", doubt)
	}
	if err := h.openAuthority(ctx, &o, store, keyring, sealer, replay, limiter); err != nil {
		return nil, err
	}
	if err := h.openAccounts(store, keyring, sealer); err != nil {
		return nil, err
	}
	if err := store.AppendEvent(ctx, gatehouse.NewEvent(h.Actor(), time.Now(), "system.start", "embedded", gatehouse.OutcomeSucceeded)); err != nil {
		return nil, err
	}
	h.stopped = make(chan struct{})
	go h.noteUses()
	return h, nil
}

// reach is how far ahead of now the time of a credential may lie, and how long ago, in any
// scheme.
func reach(o *Options) (early, late time.Duration) {
	early = max(o.Barong.Window, barong.DefaultWindow, o.HTTPSig.Skew, sig.DefaultSkew) + time.Second
	late = max(o.Barong.Window, barong.DefaultWindow, o.HTTPSig.MaxAge, sig.DefaultMaxAge)
	return early, late
}

func (h *House) openAuthority(ctx context.Context, o *Options, store *sqlite.DB, kr *seal.Keyring, sealer *seal.Sealer, replay *memory.Replay, limiter *memory.Limiter) (err error) {
	h.uses = observe.NewUses(store, observe.New("embedded"))
	watch := observe.Each{h.uses}
	if o.Observer != nil {
		watch = append(watch, o.Observer)
	}
	h.Authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: store, Sealer: sealer, Replay: replay, Limiter: limiter, Observer: watch,
		Schemes: []gatehouse.Scheme{bearer.New(kr), barong.New(o.Barong), shield.New(o.Shield), httpsig.New(o.HTTPSig)},
	})
	return err
}

func (h *House) openAccounts(store *sqlite.DB, kr *seal.Keyring, sealer *seal.Sealer) error {
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	if err != nil {
		return err
	}
	h.Accounts, err = account.New(account.Config{
		Store: store, Sessions: store, Tickets: store, Audit: store, Sealer: sealer, Limiter: memory.NewLimiter(0, nil), Codes: memory.NewLimiter(0, nil),
		Hasher: account.NewHasher(account.HasherConfig{}), Policy: policy, Pepper: kr.Derive("recovery-code"),
	})
	return err
}

// noteInterval is how often the last uses of keys are written.
const noteInterval = 30 * time.Second

func (h *House) noteUses() {
	defer close(h.stopped)
	t := time.NewTicker(noteInterval)
	defer t.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-t.C:
			ctx, cancel := context.WithTimeout(context.Background(), noteInterval)
			if err := h.uses.Flush(ctx); err != nil {
				h.log.Warn("last uses not written", "error", err)
			}
			cancel()
		}
	}
}

// Close ends the use of the directory. It is called once, when nobody asks the authority
// any more.
func (h *House) Close() error {
	var errs []error
	if h.stopped != nil {
		close(h.stop)
		<-h.stopped
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, h.uses.Flush(ctx))
	}
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	return errors.Join(errs...)
}
