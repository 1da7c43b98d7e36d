// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
)

// node is a node that keeps what it reads, as a store does.
type node struct {
	*Keeper
	line   *line
	mu     sync.Mutex
	kept   map[string]keptState
	before atomic.Int64 // answers from what was kept
}

type keptState struct {
	stamp   uint64
	revoked bool
}

func start(t *testing.T, l *line, o Options) *node {
	t.Helper()
	k, err := Open(t.Context(), l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return &node{Keeper: k, line: l, kept: map[string]keptState{}}
}

// revoked looks a key up.
func (n *node) revoked(ctx context.Context, key string) (bool, error) {
	stamp := n.Stamp()
	if n.Leased(time.Now()) {
		n.mu.Lock()
		kept, ok := n.kept[key]
		n.mu.Unlock()
		if ok && n.Holds(kept.stamp, key, "p", "t") {
			n.before.Add(1)
			return kept.revoked, nil
		}
	}
	revoked, err := n.line.isRevoked(ctx, key)
	if err == nil {
		n.mu.Lock()
		n.kept[key] = keptState{stamp, revoked}
		n.mu.Unlock()
	}
	return revoked, err
}

// revoke revokes a key, and returns when it is in force everywhere.
func (n *node) revoke(ctx context.Context, key string) error {
	notices, err := n.line.revoke(ctx, key)
	if err != nil {
		n.Doubt(notices)
		return err
	}
	n.Own(notices)
	n.Settle(notices)
	return nil
}

func mustBeRevoked(t *testing.T, what string, n *node, key string, want bool) {
	t.Helper()
	if got, err := n.revoked(t.Context(), key); got != want || err != nil {
		t.Errorf("%s: revoked %v, %v; want %v", what, got, err, want)
	}
}

// took runs do and wants it to take from least to most.
func took(t *testing.T, what string, least, most time.Duration, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if d := time.Since(begin); d < least || d > most {
		t.Errorf("%s took %v, want %v to %v", what, d, least, most)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	revoke := func(t *testing.T, n *node, key string) func() {
		return func() {
			if err := n.revoke(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	}
	hints := func() *air { return &air{heard: map[chan string]bool{}} }
	for _, row := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"nobody else", func(t *testing.T) {
			a := start(t, &line{tables: newTables()}, Options{Lease: time.Second})
			took(t, "a change", 0, 20*time.Millisecond, revoke(t, a, "k"))
		}},
		{"hints", func(t *testing.T) {
			tables, o := newTables(), Options{Lease: time.Second, Hints: hints()}
			a, b := start(t, &line{tables: tables}, o), start(t, &line{tables: tables}, o)
			synctest.Wait()
			mustBeRevoked(t, "before", b, "k", false)
			mustBeRevoked(t, "from what was kept", b, "k", false)
			took(t, "a change", 0, 50*time.Millisecond, revoke(t, a, "k"))
			mustBeRevoked(t, "after", b, "k", true)
			if b.before.Load() != 1 {
				t.Errorf("%d answers from what was kept", b.before.Load())
			}
		}},
		{"hints that are slower than the changes", func(t *testing.T) {
			h := hints()
			h.slow = 50 * time.Millisecond
			a := start(t, &line{tables: newTables()}, Options{Lease: time.Second, Hints: h})
			for range 3 {
				took(t, "a change", 0, 20*time.Millisecond, revoke(t, a, "k"))
			}
			<-time.After(time.Second)
			if h.ended > 0 {
				t.Errorf("%d hints were given up", h.ended)
			}
		}},
		{"no hints", func(t *testing.T) {
			tables := newTables()
			a, b := start(t, &line{tables: tables}, Options{Lease: time.Second}), start(t, &line{tables: tables}, Options{Lease: time.Second})
			mustBeRevoked(t, "before", b, "k", false)
			took(t, "a change", 0, 300*time.Millisecond, revoke(t, a, "k"))
			mustBeRevoked(t, "after", b, "k", true)
		}},
		{"a node that is cut off", func(t *testing.T) {
			tables := newTables()
			var cut atomic.Bool
			a := start(t, &line{tables: tables}, Options{Lease: time.Second})
			b := start(t, &line{tables: tables, cut: cut.Load}, Options{Lease: 2 * time.Second})
			mustBeRevoked(t, "before", b, "k", false)
			cut.Store(true)
			mustBeRevoked(t, "under the lease", b, "k", false)
			took(t, "a change", 2*time.Second, 2600*time.Millisecond, revoke(t, a, "k"))
			if r, err := b.revoked(t.Context(), "k"); err == nil {
				t.Errorf("cut off and without a lease it answers %v", r)
			}
			<-time.After(time.Second)
			took(t, "a change when its lease has long run out", 0, 20*time.Millisecond, revoke(t, a, "l"))
			cut.Store(false)
			<-time.After(2 * time.Second)
			mustBeRevoked(t, "after", b, "k", true)
			mustBeRevoked(t, "after", b, "l", true)
			if s := b.Status(); !s.Leased || s.Losses != 1 || len(s.Nodes) != 2 {
				t.Errorf("the status is %+v", s)
			}
		}},
		{"who finds a change made by another waits too", func(t *testing.T) {
			tables := newTables()
			var cut atomic.Bool
			a, b := start(t, &line{tables: tables}, Options{Lease: time.Second}), start(t, &line{tables: tables}, Options{Lease: time.Second})
			c := start(t, &line{tables: tables, cut: cut.Load}, Options{Lease: time.Second})
			mustBeRevoked(t, "before", c, "k", false)
			cut.Store(true)
			inForce := func(key string) func() {
				return func() {
					if err := b.InForce(t.Context(), func(n *gatehouse.Notice) bool { return n.Subject == key }); err != nil {
						t.Error(err)
					}
				}
			}
			var changing sync.WaitGroup
			changing.Go(revoke(t, a, "k"))
			<-time.After(100 * time.Millisecond)
			took(t, "another key", 0, 20*time.Millisecond, inForce("l"))
			took(t, "the same key", 900*time.Millisecond, 1300*time.Millisecond, inForce("k"))
			if r, err := c.revoked(t.Context(), "k"); err == nil {
				t.Errorf("then the node that is cut off answers %v", r)
			}
			changing.Wait()
			took(t, "the same key later", 0, 20*time.Millisecond, inForce("k"))
			cut.Store(false)
		}},
		{"a node that only makes changes", func(t *testing.T) {
			tables := newTables()
			a, b := start(t, &line{tables: tables}, Options{}), start(t, &line{tables: tables}, Options{Lease: time.Second})
			mustBeRevoked(t, "before", b, "k", false)
			took(t, "a change", 0, 300*time.Millisecond, revoke(t, a, "k"))
			mustBeRevoked(t, "after", b, "k", true)
			if len(tables.nodes) != 1 {
				t.Errorf("the nodes are %v", tables.nodes)
			}
		}},
		{"a node that cannot begin", func(t *testing.T) {
			tables, steps := newTables(), 0
			a := start(t, &line{tables: tables}, Options{Lease: time.Second})
			b := &line{tables: tables, cut: func() bool { steps++; return steps == 3 }} // registered, and then cut
			if _, err := Open(t.Context(), b, Options{Lease: time.Second}); err == nil {
				t.Error("it has begun")
			}
			took(t, "a change", 0, 20*time.Millisecond, revoke(t, a, "k"))
		}},
		{"a node that leaves", func(t *testing.T) {
			tables := newTables()
			a, b := start(t, &line{tables: tables}, Options{Lease: time.Second}), start(t, &line{tables: tables}, Options{Lease: time.Second})
			mustBeRevoked(t, "before", b, "k", false)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			took(t, "a change", 0, 20*time.Millisecond, revoke(t, a, "k"))
			mustBeRevoked(t, "after", b, "k", true)
		}},
		{"a commit that comes after its error", func(t *testing.T) {
			tables := newTables()
			a, b := start(t, &line{tables: tables}, Options{Lease: time.Second}), start(t, &line{tables: tables}, Options{Lease: time.Second})
			n := gatehouse.Notice{ID: newID(), Time: time.Now(), Kind: gatehouse.NoticeKey, Tenant: "t", Subject: "k"}
			a.Doubt([]gatehouse.Notice{n})
			mustBeRevoked(t, "before the commit", a, "k", false)
			<-time.After(retireAfter - time.Second)
			tables.commit("k", n)
			<-time.After(3 * time.Second)
			mustBeRevoked(t, "after the commit", a, "k", true)
			mustBeRevoked(t, "elsewhere", b, "k", true)
			tables.mu.Lock()
			defer tables.mu.Unlock()
			if len(tables.notices) != 1 {
				t.Error("the notice is retired as if it had been there since the error")
			}
		}},
		{"nothing can be read", func(t *testing.T) {
			tables := newTables()
			var cut atomic.Bool
			a := start(t, &line{tables: tables, cut: cut.Load}, Options{Lease: time.Second})
			notices, err := a.line.revoke(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			cut.Store(true)
			took(t, "to wait for it", Longest, Longest+Longest/4+200*time.Millisecond, func() { a.Settle(notices) })
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, row.test)
		})
	}
}

// TestRemoved has a node that was cut off so long that others removed it: what it kept is
// gone when it comes back, although its notices were retired meanwhile.
func TestRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tables := newTables()
		var cut atomic.Bool
		a := start(t, &line{tables: tables}, Options{Lease: time.Second})
		b := start(t, &line{tables: tables, cut: cut.Load}, Options{Lease: time.Second})
		mustBeRevoked(t, "before", b, "k", false)
		cut.Store(true)
		if err := a.revoke(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		<-time.After(removeAfter + 5*time.Second)
		tables.mu.Lock()
		nodes, notices := len(tables.nodes), len(tables.notices)
		tables.mu.Unlock()
		if nodes != 1 || notices != 0 {
			t.Errorf("%d nodes and %d fresh notices are left", nodes, notices)
		}
		cut.Store(false)
		<-time.After(3 * time.Second)
		if s := b.Status(); !s.Leased || len(s.Nodes) != 2 {
			t.Errorf("it is not back: %+v", s)
		}
		mustBeRevoked(t, "after", b, "k", true)
	})
}

// TestGap is TestRemoved with a pause that nobody noticed: long enough for the notice to be
// retired, too short to be removed.
func TestGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tables := newTables()
		var cut atomic.Bool
		a := start(t, &line{tables: tables}, Options{Lease: time.Second})
		b := start(t, &line{tables: tables, cut: cut.Load}, Options{Lease: time.Second})
		mustBeRevoked(t, "before", b, "k", false)
		cut.Store(true)
		if err := a.revoke(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		<-time.After(retireAfter + 2*time.Second)
		cut.Store(false)
		<-time.After(2 * time.Second)
		if s := b.Status(); !s.Leased || len(s.Nodes) != 2 {
			t.Errorf("it is not back: %+v", s)
		}
		mustBeRevoked(t, "after", b, "k", true)
	})
}

// TestManyAtOnce drops everything where there are more notices than are read at once.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tables := newTables()
		b := start(t, &line{tables: tables}, Options{Lease: time.Second})
		mustBeRevoked(t, "before", b, "k", false)
		tables.mu.Lock()
		tables.revoked["k"] = true
		for i := range mostFresh + 1 {
			id := fmt.Sprint(i)
			tables.notices[id] = gatehouse.Notice{ID: id, Time: time.Now(), Kind: gatehouse.NoticeKey, Tenant: "t", Subject: id}
		}
		tables.mu.Unlock()
		<-time.After(time.Second)
		mustBeRevoked(t, "after", b, "k", true)
	})
}

// TestNobodyAcceptsAfterwards lets nodes with slow lines, which are cut now and then, revoke
// and look up at random. Whoever begins to look up a key after its revocation was
// acknowledged must not find it good.
func TestNobodyAcceptsAfterwards(t *testing.T) {
	t.Parallel()
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const keys = 400
				tables, hints := newTables(), &air{heard: map[chan string]bool{}, lose: []float64{0, 0.5, 1}[seed%3]}
				var acknowledged [keys]atomic.Bool
				var nodes []*node
				var cuts [4]atomic.Bool
				for i := range cuts {
					l := &line{tables: tables, slow: time.Duration(1+seed*3) * time.Millisecond, fill: time.Duration(1+seed*40) * time.Millisecond}
					if i > 0 {
						l.cut = cuts[i].Load
					}
					nodes = append(nodes, start(t, l, Options{Lease: time.Second, Hints: hints}))
				}
				ctx, stop := context.WithCancel(t.Context())
				var work, background sync.WaitGroup
				background.Go(func() {
					for pause(ctx, rand.N(3*time.Second)) == nil {
						c := &cuts[1+rand.N(3)]
						c.Store(true)
						_ = pause(ctx, rand.N(15*time.Second))
						c.Store(false)
					}
				})
				for range 32 {
					background.Go(func() {
						for pause(ctx, rand.N(5*time.Millisecond)) == nil {
							key, n := rand.N(keys), nodes[rand.N(len(nodes))]
							late := acknowledged[key].Load()
							if revoked, err := n.revoked(ctx, fmt.Sprint(key)); err == nil && late && !revoked {
								t.Errorf("key %d was accepted after its revocation was acknowledged", key)
							}
						}
					})
				}
				for part := range slices.Chunk(rand.Perm(keys), keys/4) {
					work.Go(func() {
						for _, key := range part {
							if nodes[rand.N(len(nodes))].revoke(ctx, fmt.Sprint(key)) == nil {
								acknowledged[key].Store(true)
							}
						}
					})
				}
				work.Wait()
				stop()
				background.Wait()
				before := int64(0)
				for _, n := range nodes {
					before += n.before.Load()
				}
				if before == 0 {
					t.Error("no answer came from what was kept")
				}
			})
		})
	}
}
