// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/state/memory"
)

// claim is what a caller asks for.
type claim struct {
	nonce         string
	signed, until time.Time
}

// model is a replay cache and all that it granted.
type model struct {
	o       memory.Options
	clock   *gatehousetest.Clock
	r       *memory.Replay
	granted []claim
	latest  time.Time // the clock's latest time in this life of the cache
	highest time.Time // and in all its lives
}

func (m *model) open(t *rapid.T) {
	r, err := memory.OpenReplay(m.o)
	if err != nil {
		t.Fatal(err)
	}
	m.r, m.latest = r, m.clock.Now()
}

func (m *model) close(t *rapid.T) {
	if err := m.r.Close(); err != nil {
		t.Fatal(err)
	}
}

// try claims and holds the answer to the plain rules.
func (m *model) try(t *rapid.T, c claim) {
	if now := m.clock.Now(); now.After(m.latest) {
		m.latest = now
	}
	now := m.latest
	if now.After(m.highest) {
		m.highest = now
	}
	ok, err := m.r.Claim(context.Background(), "k", c.nonce, c.signed, c.until)
	if errors.Is(err, memory.ErrTooFar) {
		return // after a step back of the clock
	}
	floor, _ := m.r.Floor()
	above := c.signed.After(floor)
	if after := gatehouse.RetryAfter(err); after > 0 && !above && !now.After(floor) && c.until.After(now) {
		if left := floor.Sub(now); after < left || after > left+time.Millisecond {
			t.Fatalf("%v before the floor: %v", left, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	live := slices.ContainsFunc(m.granted, func(g claim) bool { return g.nonce == c.nonce && g.until.After(now) })
	if ok && slices.Contains(m.granted, c) {
		t.Fatalf("granted twice: %v", c)
	}
	roomy := m.o.Capacity == 1000 // nothing is dropped early
	if ok && (!above || !c.until.After(now) || live && roomy) {
		t.Fatalf("granted: %v at %v, live %v, floor %v", c, now, live, floor)
	}
	// A claim that ends no later than one that has expired at any time may be one that was
	// forgotten.
	forgotten := slices.ContainsFunc(m.granted, func(g claim) bool { return !c.until.After(g.until) && !g.until.After(m.highest) })
	if !ok && (above || !now.After(floor)) && c.until.After(now) && !live && !forgotten {
		t.Fatalf("refused without a reason: %v at %v, floor %v", c, now, floor)
	}
	if ok {
		m.granted = append(m.granted, c)
	}
}

// TestReplayModel walks at random through claims, time, clock jumps and restarts: never
// twice; and while there is room, refused only for a reason.
func TestReplayModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "replay")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{clock: gatehousetest.NewClock()}
		m.o = memory.Options{Dir: dir, Fresh: true, Capacity: rapid.SampledFrom([]int{2, 10, 1000}).Draw(t, "capacity"), Now: m.clock.Now}
		m.open(t)
		defer func() { m.close(t) }()
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				now := m.clock.Now()
				m.try(t, claim{
					nonce:  fmt.Sprint(rapid.IntRange(0, 8).Draw(t, "nonce")),
					signed: now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "signed")) * time.Second),
					until:  now.Add(time.Duration(rapid.IntRange(-1, 60).Draw(t, "until")) * time.Second),
				})
			},
			"replay": func(t *rapid.T) {
				if len(m.granted) > 0 {
					m.try(t, rapid.SampledFrom(m.granted).Draw(t, "claim"))
				}
			},
			"wait": func(t *rapid.T) {
				m.clock.Advance(time.Duration(rapid.IntRange(0, 30_000).Draw(t, "ms")) * time.Millisecond)
			},
			"clock back": func(t *rapid.T) {
				m.clock.Advance(-time.Duration(rapid.IntRange(0, 120).Draw(t, "s")) * time.Second)
			},
			"restart": func(t *rapid.T) {
				m.close(t)
				m.open(t)
			},
		})
	})
}
