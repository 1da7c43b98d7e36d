// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// waiter is a change that is committed and not yet in force everywhere.
type waiter struct {
	notices []string
	begun   time.Time
	longest time.Duration // the longest lease among the nodes, once they were read
	done    chan struct{} // closed when every node has applied it
	read    chan struct{} // closed when the nodes were read for the first time
}

// Own applies notices of this node's own changes. It is called after they were committed and
// before anybody is told.
func (k *Keeper) Own(notices []gatehouse.Notice) { k.apply(notices) }

// Doubt is Own for notices of which nobody knows whether they were committed. They may be
// later, and records that are read until then are of before: so they do not count as applied,
// and are applied again when they are read.
func (k *Keeper) Doubt(notices []gatehouse.Notice) {
	for i := range notices {
		k.Apply(&notices[i])
	}
}

// Settle returns when the committed notices are in force on every node: each has
// acknowledged them, or no lease of before can be in force any more (R4). It takes
// [Longest] and a little at most, whatever fails.
func (k *Keeper) Settle(notices []gatehouse.Notice) {
	begin := time.Now()
	ids := idsOf(notices)
	k.mu.Lock()
	k.own = append(k.own, ids...)
	k.mu.Unlock()
	wake(k.made)
	waited := !k.settle(ids, begin)
	if k.o.Settled != nil {
		k.o.Settled(time.Since(begin), waited)
	}
}

// InForce is Settle for notices that anybody committed before the call, of which relevant
// tells. Retired ones are older than any lease.
func (k *Keeper) InForce(ctx context.Context, relevant func(*gatehouse.Notice) bool) error {
	fresh, err := k.board.Fresh(ctx, time.Time{}, mostFresh+1)
	if err != nil {
		return err
	}
	begun := time.Now()
	if len(fresh) > mostFresh { // not all of them were read
		k.settle([]string{""}, begun) // which nobody acknowledges
		return nil
	}
	k.apply(fresh)
	fresh = slices.DeleteFunc(fresh, func(n gatehouse.Notice) bool { return !relevant(&n) })
	if len(fresh) == 0 {
		return nil
	}
	// They were committed before this node first saw them.
	first := time.Time{}
	k.mu.Lock()
	for i := range fresh {
		if seen := k.seen[fresh[i].ID]; seen.After(first) {
			first = seen
		}
	}
	k.mu.Unlock()
	k.settle(idsOf(fresh), first)
	return nil
}

func idsOf(notices []gatehouse.Notice) []string {
	ids := make([]string, len(notices))
	for i := range notices {
		ids[i] = notices[i].ID
	}
	return ids
}

// settle waits for notices that were committed before a time, and reports whether every
// node has acknowledged them; otherwise no lease of before that time can be in force.
func (k *Keeper) settle(notices []string, begun time.Time) bool {
	w := &waiter{notices: notices, begun: begun, longest: Longest, done: make(chan struct{}), read: make(chan struct{})}
	k.mu.Lock()
	k.waiting[w] = struct{}{}
	k.mu.Unlock()
	wake(k.acked)
	defer func() {
		k.mu.Lock()
		delete(k.waiting, w)
		k.mu.Unlock()
	}()
	return k.wait(w)
}

// wait reports whether every node has acknowledged; otherwise all leases of before have run
// out.
func (k *Keeper) wait(w *waiter) bool {
	t := time.NewTimer(horizon(Longest) - time.Since(w.begun))
	defer t.Stop()
	select {
	case <-w.done:
		return true
	case <-t.C:
		return false
	case <-w.read:
	}
	k.mu.Lock()
	rest := horizon(w.longest) - time.Since(w.begun)
	k.mu.Unlock()
	t.Reset(max(rest, 0))
	select {
	case <-w.done:
		return true
	case <-t.C:
		return false
	}
}

// horizon is how long to wait for a lease to run out on a node whose clock is slower: a
// quarter is more than any clock is slewed by.
func horizon(lease time.Duration) time.Duration { return lease + lease/4 }

// watchAcks looks for acknowledgements while somebody waits.
func (k *Keeper) watchAcks(ctx context.Context) {
	for {
		if !k.anybody() {
			select {
			case <-ctx.Done():
				return
			case <-k.acked:
			}
		}
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		err := k.lookForAcks(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			k.log.Warn("acknowledgements could not be read", "error", err)
		}
		t := time.NewTimer(ackPause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-k.acked:
		case <-t.C:
		}
		t.Stop()
	}
}

func (k *Keeper) anybody() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.waiting) > 0
}

// lookForAcks reads the nodes, and then what they have applied, for all who wait. Whoever
// waits has committed before, so these reads see any node that could miss it.
func (k *Keeper) lookForAcks(ctx context.Context) error {
	var waiting []*waiter
	var ids []string
	k.mu.Lock()
	for w := range k.waiting {
		waiting = append(waiting, w)
		ids = append(ids, w.notices...)
	}
	k.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	asked := time.Now()
	nodes, err := k.board.Nodes(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	nodes = slices.DeleteFunc(nodes, func(n Node) bool { return n.ID == k.id() || n.Lease == 0 || k.lapsed(&n, asked) })
	k.mu.Unlock()
	applied := map[Ack]bool{}
	if len(nodes) > 0 {
		acks, err := k.board.Acks(ctx, ids)
		if err != nil {
			return err
		}
		for _, a := range acks {
			applied[a] = true
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range waiting {
		k.judge(w, nodes, applied)
	}
	return nil
}

// lapsed reports whether a node in a list that was asked for at a time cannot hold a lease
// of before: this node has seen its beat stand still for so long. Every poll that gives a
// lease moves the beat first, so none did in between, and a later one reads what was
// committed. It is what R6 rests on.
func (k *Keeper) lapsed(n *Node, asked time.Time) bool {
	was, known := k.others[n.ID]
	return known && was.beat == n.Beat && asked.Sub(was.since) >= horizon(n.Lease)
}

// judge ends the waiting of a change that all nodes have applied.
func (k *Keeper) judge(w *waiter, nodes []Node, applied map[Ack]bool) {
	if _, waits := k.waiting[w]; !waits {
		return
	}
	all := true
	longest := time.Duration(0)
	for _, n := range nodes {
		longest = max(longest, n.Lease)
		for _, id := range w.notices {
			all = all && applied[Ack{id, n.ID}]
		}
	}
	if all {
		delete(k.waiting, w)
		close(w.done)
		return
	}
	if w.longest == Longest { // the first time
		select {
		case <-w.read:
		default:
			w.longest = longest
			close(w.read)
		}
	}
}
