// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// tables is what nodes share in these tests: each method is one step, as a statement of a
// database is. What the protocol does with a real one is tested in store/postgres; here time
// is made, so that minutes pass in no time.
type tables struct {
	mu      sync.Mutex
	nodes   map[string]Node
	notices map[string]gatehouse.Notice // fresh ones
	acks    map[Ack]bool
	revoked map[string]bool // by key
	read    int
}

func newTables() *tables {
	return &tables{nodes: map[string]Node{}, notices: map[string]gatehouse.Notice{}, acks: map[Ack]bool{}, revoked: map[string]bool{}}
}

// line is the connection of one node to the tables. Each statement may be slow on its way
// and on the way back, and while the line is cut it fails, after a while.
type line struct {
	*tables
	slow time.Duration // up to this, each way
	fill time.Duration // up to this, on the way back of a record
	cut  func() bool
}

var errCut = errors.New("cut")

func (l *line) step(ctx context.Context, do func()) error {
	for range 2 {
		if l.slow > 0 {
			if err := pause(ctx, rand.N(l.slow)); err != nil {
				return err
			}
		}
		if l.cut != nil && l.cut() {
			_ = pause(ctx, time.Second)
			return errCut
		}
		l.mu.Lock()
		do()
		do = func() {}
		l.mu.Unlock()
	}
	return nil
}

func (l *line) Register(ctx context.Context, n *Node) error {
	return l.step(ctx, func() { l.nodes[n.ID] = *n })
}

func (l *line) Beat(ctx context.Context, id string, seen time.Time) (there bool, err error) {
	err = l.step(ctx, func() {
		n, ok := l.tables.nodes[id]
		if there = ok; ok {
			n.Beat, n.Seen = n.Beat+1, seen
			l.tables.nodes[id] = n
		}
	})
	return there, err
}

func (l *line) Nodes(ctx context.Context) (nodes []Node, err error) {
	err = l.step(ctx, func() { nodes = slices.Collect(maps.Values(l.nodes)) })
	return nodes, err
}

func (l *line) Remove(ctx context.Context, id string, beat int64) error {
	return l.step(ctx, func() {
		if beat < 0 || l.nodes[id].Beat == beat {
			delete(l.nodes, id)
		}
	})
}

func (l *line) Fresh(ctx context.Context, since time.Time, limit int) (fresh []gatehouse.Notice, err error) {
	err = l.step(ctx, func() {
		for _, n := range l.notices {
			if !n.Time.Before(since) && len(fresh) < limit {
				fresh = append(fresh, n)
			}
		}
		l.read += len(fresh)
	})
	return fresh, err
}

func (l *line) Retire(ctx context.Context, notices []string) error {
	return l.step(ctx, func() {
		for _, id := range notices {
			delete(l.notices, id)
		}
		maps.DeleteFunc(l.acks, func(a Ack, _ bool) bool { return slices.Contains(notices, a.Notice) })
	})
}

func (l *line) Ack(ctx context.Context, node string, notices []string) error {
	return l.step(ctx, func() {
		for _, id := range notices {
			l.acks[Ack{id, node}] = true
		}
	})
}

func (l *line) Acks(ctx context.Context, notices []string) (acks []Ack, err error) {
	err = l.step(ctx, func() {
		for a := range l.acks {
			if slices.Contains(notices, a.Notice) {
				acks = append(acks, a)
			}
		}
	})
	return acks, err
}

// revoke commits that a key is revoked, with its notice.
func (l *line) revoke(ctx context.Context, key string) ([]gatehouse.Notice, error) {
	n := gatehouse.Notice{ID: newID(), Time: time.Now(), Kind: gatehouse.NoticeKey, Tenant: "t", Subject: key}
	err := l.step(ctx, func() { l.revoked[key], l.notices[n.ID] = true, n })
	return []gatehouse.Notice{n}, err
}

// commit is the step of revoke.
func (t *tables) commit(key string, n gatehouse.Notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked[key], t.notices[n.ID] = true, n
}

// isRevoked reads the record of a key.
func (l *line) isRevoked(ctx context.Context, key string) (revoked bool, err error) {
	err = l.step(ctx, func() { revoked = l.revoked[key] })
	if err == nil && l.fill > 0 {
		err = pause(ctx, rand.N(l.fill))
	}
	return revoked, err
}

// air carries hints, and loses some.
type air struct {
	mu    sync.Mutex
	heard map[chan string]bool
	lose  float64
	slow  time.Duration
	ended int // hints that were given up on their way
}

func (a *air) Hint(ctx context.Context, text string) error {
	err := pause(ctx, a.slow)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.ended++
		return err
	}
	for c := range a.heard {
		if rand.Float64() >= a.lose {
			select {
			case c <- strings.Clone(text):
			default:
			}
		}
	}
	return nil
}

func (a *air) Listen(ctx context.Context, heard func(string)) error {
	c := make(chan string, 64)
	a.mu.Lock()
	a.heard[c] = true
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.heard, c)
		a.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text := <-c:
			heard(text)
		}
	}
}
