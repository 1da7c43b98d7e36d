// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// A rewrap leaves nothing that depends on another KEK than the primary one:
//
//  1. every tenant and purpose gets a data key under the primary KEK, which new secrets
//     are sealed with from then on;
//  2. all rows are read, batch by batch, and what is sealed with another data key than
//     the newest of its tenant and purpose is sealed again with that one;
//  3. the older data keys are wrapped under the primary KEK. They stay: a key that is in
//     the making meanwhile, or a backup, may hold a secret sealed with one;
//  4. rows are read as in 2 until a whole pass finds nothing.
//
// All data keys are open all the time, so every secret opens before, during and after.
// Each step does nothing where it is done already: after a crash the next start begins
// again, told by a wish that the store keeps from before the first step until after the last.

const (
	defaultBatch = 100
	defaultPause = time.Second // after a failure of the store or Vault, and between passes
)

// Progress is how far a rewrap has come.
type Progress struct {
	KEK     string // what everything comes under; empty: none was begun since the start
	Running bool
	Done    int    // rows read so far in the pass that is under way or was the last
	Total   int    // rows in all, when the pass began
	Sealed  int    // rows that were sealed again, in all passes
	Broken  int    // secrets that do not open, in the last pass; they stay as they are
	Problem string // what keeps it from going on, or ended it; empty: nothing
}

// job is the rewrap of a Keeper.
type job struct {
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu sync.Mutex
	at Progress
}

func (j *job) progress() Progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

func (j *job) running() bool { return j.progress().Running }

func (j *job) update(edit func(*Progress)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	edit(&j.at)
}

// Progress returns how far the last rewrap of this process has come.
func (k *Keeper) Progress() Progress { return k.job.progress() }

// Rewrap begins to bring everything under the primary KEK, in the background, where it is
// not under way already. The wish is durable when it returns. [gatehouse.ErrUnavailable].
func (k *Keeper) Rewrap(ctx context.Context, actor gatehouse.Actor) (Progress, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.job.running() {
		return k.Progress(), nil
	}
	kek := k.keys().primary(kindKEK)
	event := gatehouse.NewEvent(actor, k.c.Sealer.now(), VerbRewrap, kek.id, gatehouse.OutcomeSucceeded, gatehouse.Change{Field: "rewrap", After: "begun"})
	if err := k.c.Rows.SetRewrapWish(ctx, kek.id, event); err != nil {
		return Progress{}, gatehouse.Unavailable("begin rewrap", err)
	}
	k.begin(actor.Tenant, kek.id)
	return k.Progress(), nil
}

// Resume goes on with a rewrap that an earlier process had begun. One that another node
// began, whose primary KEK is not this one's, is left to that node.
// [gatehouse.ErrUnavailable].
func (k *Keeper) Resume(ctx context.Context, tenant string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wish, err := k.c.Rows.RewrapWish(ctx)
	switch {
	case err != nil:
		return gatehouse.Unavailable("read rewrap", err)
	case wish == "" || k.job.running():
		return nil
	case wish != k.keys().primary(kindKEK).id:
		k.c.Log.WarnContext(ctx, "a rewrap was begun for a KEK that is not primary here; it is left to the node where it is", "kek", wish)
		return nil
	}
	k.c.Log.InfoContext(ctx, "rewrap goes on", "kek", wish)
	k.begin(tenant, wish)
	return nil
}

// begin starts the job. The caller holds mu.
func (k *Keeper) begin(tenant, kek string) {
	k.job.update(func(p *Progress) { *p = Progress{KEK: kek, Running: true} })
	k.job.ended.Go(func() {
		err := k.rewrap(k.job.ctx, tenant, kek)
		k.job.update(func(p *Progress) {
			p.Running = false
			if err != nil {
				p.Problem = problemOf(err)
			}
		})
		if err != nil && k.job.ctx.Err() == nil {
			k.c.Log.Error("rewrap ended without having done all", "kek", kek, "error", err)
		}
	})
}

// rewrap does all the steps.
func (k *Keeper) rewrap(ctx context.Context, tenant, kek string) error {
	if err := k.insist(ctx, k.c.Sealer.renew); err != nil {
		return err
	}
	if _, err := k.pass(ctx); err != nil {
		return err
	}
	if err := k.insist(ctx, k.c.Sealer.rewrap); err != nil {
		return err
	}
	for {
		stale, err := k.pass(ctx)
		if err != nil {
			return err
		}
		if stale == 0 {
			break
		}
		if err := rest(ctx, k.pause); err != nil {
			return err
		}
	}
	at := k.Progress()
	actor := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: tenant}
	return k.insist(ctx, func(ctx context.Context) error {
		return k.c.Rows.DropRewrapWish(ctx, kek, gatehouse.NewEvent(actor, k.c.Sealer.now(), VerbRewrap, kek, gatehouse.OutcomeSucceeded,
			gatehouse.Change{Field: "rewrap", Before: "begun", After: "done"}, gatehouse.Change{Field: "rows", After: strconv.Itoa(at.Sealed)},
			gatehouse.Change{Field: "broken", After: strconv.Itoa(at.Broken)}))
	})
}

// insist calls do until it succeeds, ctx ends, or it fails for another reason than a
// dependency that is down.
func (k *Keeper) insist(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrKeyring) || !errors.Is(err, gatehouse.ErrUnavailable) {
			if err == nil {
				k.job.update(func(p *Progress) { p.Problem = "" })
			}
			return err
		}
		k.c.Log.Warn("rewrap waits", "error", err)
		k.job.update(func(p *Progress) { p.Problem = problemOf(err) })
		if err := rest(ctx, k.pause); err != nil {
			return err
		}
	}
}

// problemOf is what people are told of an error; the log has the rest.
func problemOf(err error) string {
	switch {
	case errors.Is(err, ErrKeyring):
		return err.Error()
	case errors.Is(err, gatehouse.ErrUnavailable):
		return "a part that is needed does not answer; it goes on when it does"
	case errors.Is(err, context.Canceled):
		return "the server ends; the next start goes on"
	}
	return "something is wrong here; see the log"
}

// pass reads all rows and seals again what is not sealed with the newest data key. It
// rests as long as it works, so that others have their turn. It returns how many rows were
// stale.
func (k *Keeper) pass(ctx context.Context) (stale int, err error) {
	total := 0
	if err := k.insist(ctx, func(ctx context.Context) (err error) {
		// Nodes that rewrap at once agree on the newest data keys, rather than seal each
		// other's rows again and again.
		if err := k.c.Sealer.refresh(ctx); err != nil {
			return err
		}
		total, err = k.c.Rows.CountRows(ctx)
		return err
	}); err != nil {
		return 0, err
	}
	k.job.update(func(p *Progress) { p.Done, p.Total, p.Broken = 0, total, 0 })
	for after, more := "", true; more; {
		began := time.Now()
		var read, found, broken int
		err := k.insist(ctx, func(ctx context.Context) (err error) {
			broken = 0
			next, n, s, err := k.c.Rows.Reseal(ctx, after, k.c.Batch, k.again(&broken))
			if err == nil {
				after, read, found = next, n, s
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		stale, more = stale+found, after != ""
		k.job.update(func(p *Progress) {
			p.Done, p.Sealed, p.Broken = p.Done+read, p.Sealed+found, p.Broken+broken
			p.Total = max(p.Total, p.Done)
		})
		if err := rest(ctx, time.Since(began)); err != nil {
			return 0, err
		}
	}
	return stale, nil
}

// again seals a secret with the newest data key. One that does not open is counted,
// logged, and left as it is.
func (k *Keeper) again(broken *int) func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error) {
	return func(ctx context.Context, b gatehouse.Binding, old gatehouse.Sealed) (gatehouse.Sealed, error) {
		fresh, err := k.c.Sealer.reseal(ctx, b, old)
		if errors.Is(err, ErrOpen) {
			*broken++
			k.c.Log.WarnContext(ctx, "a sealed secret does not open and stays as it is", "tenant", b.Tenant, "id", b.ID, "error", err)
			return old, nil
		}
		return fresh, err
	}
}

// rest waits for d or the end of ctx.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
