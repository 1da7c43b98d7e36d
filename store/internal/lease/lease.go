// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package lease is a node's part in the protocol by which a change is in force on every
// node when it returns: docs/design/revocation.md, whose rules R1 to R10 are named here.
//
// A [Keeper] polls the notices of changes, and while its last poll is younger than the
// lease, records that were read before may answer. Who makes a change calls [Keeper.Settle]
// afterwards, which returns when every node has applied it or no node can hold a lease of
// before. The package knows no SQL: a [Board] is the tables.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Board is the tables that nodes share. Every method is a transaction of its own that sees
// whatever was committed before it began.
type Board interface {
	// Register adds a node.
	Register(ctx context.Context, n *Node) error
	// Beat adds one to the beat of a node and sets when it was seen; ok is false where there
	// is no such node.
	Beat(ctx context.Context, id string, seen time.Time) (ok bool, err error)
	// Nodes reads all nodes.
	Nodes(ctx context.Context) ([]Node, error)
	// Remove takes a node away, where its beat is still the one given; a beat below zero
	// stands for any.
	Remove(ctx context.Context, id string, beat int64) error

	// Fresh reads the fresh notices made since a time, limit at most; the zero time: all.
	Fresh(ctx context.Context, since time.Time, limit int) ([]gatehouse.Notice, error)
	// Retire makes notices no longer fresh and forgets who acknowledged them.
	Retire(ctx context.Context, notices []string) error

	// Ack notes that a node has applied notices.
	Ack(ctx context.Context, node string, notices []string) error
	// Acks reads which nodes have applied which of the notices.
	Acks(ctx context.Context, notices []string) ([]Ack, error)
}

// Node is a process that takes part.
type Node struct {
	ID      string // random, of one run of the process
	Name    string // for people
	Version string
	Shares  string        // where it keeps what all nodes must keep in one place; nothing here looks at it
	Lease   time.Duration // how long it answers from what it has read; zero: it never does
	Started time.Time
	Seen    time.Time // when it last polled, by its own clock
	Beat    int64     // grows with every poll

	Silent time.Duration // in a [Status]: for how long this node has seen its beat stand still
}

// Ack says that a node has applied a notice.
type Ack struct{ Notice, Node string }

// Hinter carries hints between nodes. Any may be lost: they make things faster.
type Hinter interface {
	// Hint sends a text to all nodes.
	Hint(ctx context.Context, text string) error
	// Listen calls heard for every hint, until ctx ends or no more can be heard.
	Listen(ctx context.Context, heard func(text string)) error
}

const (
	// Longest is the longest lease that a node may have.
	Longest = 5 * time.Second

	retireAfter = 10 * time.Second       // R7
	longestGap  = retireAfter / 2        // R8
	removeAfter = 10 * Longest           // R6, for any lease
	quickPause  = 4 * time.Millisecond   // between two looks after hints
	overlap     = 2 * time.Second        // how far a look after a hint reaches back
	mostFresh   = 20_000                 // more than this at once count as a change of everything
	ackPause    = 15 * time.Millisecond  // between two looks for acknowledgements, where no hint comes
	relisten    = 500 * time.Millisecond // until it is tried again to hear hints
)

// Options are the settings of a [Keeper]. The zero value polls and gives no lease.
type Options struct {
	Name    string
	Version string
	Shares  string
	Lease   time.Duration // zero: no lease; [Longest] at most
	Poll    time.Duration // zero: a quarter of the lease; without lease 250 ms
	Hints   Hinter        // nil: none
	Logger  *slog.Logger  // nil: silent

	// Heard is called for notices that were not known yet, once they are applied; nil:
	// nobody. It must not block.
	Heard func([]gatehouse.Notice)
	// Settled is told how long a change took to be in force everywhere, and whether it
	// waited for a lease to run out; nil: nobody.
	Settled func(took time.Duration, waited bool)
}

// Keeper is one node. [Open] makes it.
type Keeper struct {
	Marks

	board Board
	o     Options
	me    atomic.Pointer[string] // id of this node; a registration takes a new one (R9)
	log   *slog.Logger

	polled atomic.Pointer[time.Time] // when the last full poll began that is still good; nil: none
	off    atomic.Bool               // left
	losses atomic.Uint64

	quick chan struct{} // a hint of notices came
	acked chan struct{} // a hint of acknowledgements came, or somebody begins to wait
	made  chan struct{} // this node made notices, and others are to be given a hint
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex
	seen    map[string]time.Time // notices that were applied, and when they were first seen
	latest  time.Time            // time of the latest notice seen, by the clock of its node
	waiting map[*waiter]struct{}
	own     []string            // notices that this node made, and has not acknowledged to others
	others  map[string]beatSeen // by node
	nodes   []Node
}

type beatSeen struct {
	beat  int64
	since time.Time
}

// Open registers a node, polls once and goes on polling until [Keeper.Close]. Without a lease
// and without Heard the node only makes changes: it neither registers nor polls.
func Open(ctx context.Context, board Board, o Options) (*Keeper, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Lease = min(max(o.Lease, 0), Longest)
	if o.Poll <= 0 {
		o.Poll = 250 * time.Millisecond
		if o.Lease > 0 {
			o.Poll = o.Lease / 4
		}
	}
	k := &Keeper{
		board: board, o: o, log: o.Logger, quick: make(chan struct{}, 1), acked: make(chan struct{}, 1), made: make(chan struct{}, 1),
		seen: map[string]time.Time{}, waiting: map[*waiter]struct{}{}, others: map[string]beatSeen{},
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.stop = stop
	k.done.Go(func() { k.watchAcks(running) })
	k.done.Go(func() { k.sayMade(running) })
	if !k.listens() {
		return k, nil
	}
	if err := errors.Join(k.register(ctx), k.poll(ctx)); err != nil {
		return nil, errors.Join(err, k.Close()) // nobody is to wait for this node
	}
	k.done.Go(func() { k.run(running) })
	if o.Hints != nil {
		k.done.Go(func() { k.listen(running) })
	}
	return k, nil
}

// listens reports whether the node has any use of notices. One that has not is no node to
// wait for.
func (k *Keeper) listens() bool { return k.o.Lease > 0 || k.o.Heard != nil }

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// id is the id under which this node is registered.
func (k *Keeper) id() string {
	if me := k.me.Load(); me != nil {
		return *me
	}
	return ""
}

// register adds this node under a new id: whoever removes the one it had must not hit it.
func (k *Keeper) register(ctx context.Context) error {
	now, id := time.Now(), newID()
	k.me.Store(&id)
	return k.board.Register(ctx, &Node{ID: id, Name: k.o.Name, Version: k.o.Version, Shares: k.o.Shares, Lease: k.o.Lease, Started: now, Seen: now})
}

// Leased reports whether what was read before may answer at now (R2). A machine that slept
// may have stopped one of its clocks: both have to agree.
func (k *Keeper) Leased(now time.Time) bool {
	p := k.polled.Load()
	if p == nil {
		return false
	}
	wall := now.UnixNano() - p.UnixNano()
	return now.Sub(*p) < k.o.Lease && wall < int64(k.o.Lease) && wall > -int64(k.o.Lease) && !k.off.Load()
}

// Close ends the polling and gives up the lease, and then the place among the nodes. What
// was read before answers no more. Whoever waits in [Keeper.Settle] goes on to wait for the
// lease.
func (k *Keeper) Close() error {
	if k.off.Swap(true) {
		return nil
	}
	k.polled.Store(nil)
	k.stop()
	k.done.Wait()
	if !k.listens() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), Longest)
	defer cancel()
	return k.board.Remove(ctx, k.id(), -1)
}

// Status is how a node stands.
type Status struct {
	ID      string
	Lease   time.Duration
	Leased  bool
	PollAge time.Duration // since the last good poll began; negative: there was none
	Losses  uint64        // how often a lease ran out before the next poll
	Nodes   []Node        // as of the last poll
}

// Status tells how the node stands.
func (k *Keeper) Status() Status {
	now := time.Now()
	s := Status{ID: k.id(), Lease: k.o.Lease, Leased: k.Leased(now), PollAge: -1, Losses: k.losses.Load()}
	if p := k.polled.Load(); p != nil {
		s.PollAge = now.Sub(*p)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s.Nodes = append(s.Nodes, k.nodes...)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if was, known := k.others[n.ID]; known && was.beat == n.Beat {
			n.Silent = now.Sub(was.since)
		}
	}
	return s
}
