// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// run polls at intervals, and looks after hints, until ctx ends.
func (k *Keeper) run(ctx context.Context) {
	tick := time.NewTicker(k.o.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.try(ctx, "poll", k.poll)
		case <-k.quick:
			k.try(ctx, "look", k.look)
			if pause(ctx, quickPause) != nil {
				return
			}
		}
	}
}

// try runs a step no longer than a lease. A failure is no more than that: the lease runs out,
// and look-ups ask the database.
func (k *Keeper) try(ctx context.Context, what string, step func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, max(k.o.Lease, time.Second))
	defer cancel()
	if err := step(bounded); err != nil && ctx.Err() == nil {
		k.log.Warn("notices of changes could not be read", "step", what, "error", err)
	}
}

// poll is a full poll (R3).
func (k *Keeper) poll(ctx context.Context) error {
	start := time.Now()
	there, err := k.board.Beat(ctx, k.id(), start)
	if err != nil {
		return err
	}
	if !there { // R6: others took this node for dead
		k.log.Warn("this node was taken for dead; it begins anew")
		k.polled.Store(nil)
		k.drop()
		if err := k.register(ctx); err != nil {
			return err
		}
		if start = time.Now(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fresh, err := k.board.Fresh(ctx, time.Time{}, mostFresh+1)
	if err != nil {
		return err
	}
	last := k.polled.Load()
	if len(fresh) > mostFresh || last == nil || older(*last, longestGap) { // R8
		k.drop()
	}
	if last != nil && k.o.Lease > 0 && older(*last, k.o.Lease) {
		k.losses.Add(1)
	}
	heard := k.apply(fresh)
	if !k.off.Load() {
		k.polled.Store(&start) // the lease begins here, and counts from before the poll
	}
	return k.follow(ctx, heard, fresh)
}

// older reports whether t is at least d ago by either clock.
func older(t time.Time, d time.Duration) bool {
	now := time.Now()
	return now.Sub(t) >= d || now.UnixNano()-t.UnixNano() >= int64(d)
}

// look reads what is new after a hint. It gives no lease (R5).
func (k *Keeper) look(ctx context.Context) error {
	k.mu.Lock()
	since := k.latest
	k.mu.Unlock()
	if !since.IsZero() {
		since = since.Add(-overlap)
	}
	fresh, err := k.board.Fresh(ctx, since, mostFresh)
	if err != nil {
		return err
	}
	return k.ack(ctx, k.apply(fresh))
}

// apply applies the notices that this node has not applied, and returns them.
func (k *Keeper) apply(fresh []gatehouse.Notice) (heard []gatehouse.Notice) {
	k.mu.Lock()
	now := time.Now()
	for i := range fresh {
		n := &fresh[i]
		if _, known := k.seen[n.ID]; known {
			continue
		}
		k.Apply(n)
		k.seen[n.ID] = now
		if n.Time.After(k.latest) && n.Time.Before(now.Add(overlap/2)) {
			k.latest = n.Time
		}
		heard = append(heard, *n)
	}
	k.mu.Unlock()
	if len(heard) > 0 && k.o.Heard != nil {
		k.o.Heard(heard)
	}
	return heard
}

// follow is what a full poll does besides: it acknowledges, removes the dead and retires
// what is old.
func (k *Keeper) follow(ctx context.Context, heard, fresh []gatehouse.Notice) error {
	if err := k.ack(ctx, heard); err != nil {
		return err
	}
	if err := k.bury(ctx); err != nil {
		return err
	}
	return k.retire(ctx, fresh)
}

// ack acknowledges notices that are applied (R5). Those of this node need none: who made
// them has applied them before it waits.
func (k *Keeper) ack(ctx context.Context, heard []gatehouse.Notice) error {
	if len(heard) == 0 || k.o.Lease == 0 {
		return nil
	}
	ids := make([]string, len(heard))
	for i := range heard {
		ids[i] = heard[i].ID
	}
	if err := k.board.Ack(ctx, k.id(), ids); err != nil {
		return err
	}
	k.hint(ctx, hintAcks)
	return nil
}

// bury removes nodes that no longer beat (R6).
func (k *Keeper) bury(ctx context.Context) error {
	nodes, err := k.board.Nodes(ctx)
	if err != nil {
		return err
	}
	var dead []Node
	k.mu.Lock()
	k.nodes = nodes
	before := k.others
	k.others = make(map[string]beatSeen, len(nodes))
	now := time.Now()
	for _, n := range nodes {
		was, known := before[n.ID]
		if !known || was.beat != n.Beat {
			was = beatSeen{n.Beat, now}
		}
		k.others[n.ID] = was
		if n.ID != k.id() && now.Sub(was.since) >= removeAfter {
			dead = append(dead, n)
		}
	}
	k.mu.Unlock()
	for _, n := range dead {
		k.log.Warn("a node that answers no more is left out", "node", n.ID, "name", n.Name, "seen", n.Seen)
		if err := k.board.Remove(ctx, n.ID, n.Beat); err != nil {
			return err
		}
	}
	return nil
}

// retire spares the polls what all nodes have read, or will not miss: a node that has not
// polled for long drops everything (R7, R8).
func (k *Keeper) retire(ctx context.Context, fresh []gatehouse.Notice) error {
	var old []string
	listed := make(map[string]bool, len(fresh))
	k.mu.Lock()
	now := time.Now()
	for i := range fresh {
		listed[fresh[i].ID] = true
		if now.Sub(k.seen[fresh[i].ID]) >= retireAfter {
			old = append(old, fresh[i].ID)
		}
	}
	for id, seen := range k.seen {
		if !listed[id] && now.Sub(seen) >= 2*retireAfter {
			delete(k.seen, id)
		}
	}
	k.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	return k.board.Retire(ctx, old)
}

// The hints. Behind the slash stands the node that sends it, which does not listen to itself.
const (
	hintNotices = "n/"
	hintAcks    = "a/"
)

func (k *Keeper) hint(ctx context.Context, text string) {
	if k.o.Hints == nil {
		return
	}
	if err := k.o.Hints.Hint(ctx, text+k.id()); err != nil && ctx.Err() == nil {
		k.log.Debug("a hint was not sent", "error", err)
	}
}

// sayMade sends hints of this node's changes until ctx ends: one for all that are made while
// another is on its way. No change ends it, which could cost a connection.
func (k *Keeper) sayMade(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.made:
		}
		k.mu.Lock()
		own := k.own
		k.own = nil
		k.mu.Unlock()
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		k.hint(bounded, hintNotices)
		// For others who ask whether it is in force: this node does not wait for it.
		if k.o.Lease > 0 && len(own) > 0 {
			if err := k.board.Ack(bounded, k.id(), own); err != nil && ctx.Err() == nil {
				k.log.Debug("own changes were not acknowledged", "error", err)
			}
		}
		cancel()
	}
}

// listen hears hints until ctx ends.
func (k *Keeper) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.o.Hints.Listen(ctx, func(text string) {
			kind, node, _ := strings.Cut(text, "/")
			switch {
			case node == k.id():
			case kind+"/" == hintNotices:
				wake(k.quick)
			case kind+"/" == hintAcks:
				wake(k.acked)
			}
		})
		if ctx.Err() == nil {
			k.log.Debug("no hints are heard for a moment", "error", err)
		}
		if pause(ctx, relisten) != nil {
			return
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
