// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

// remembered is for how long a node that was seen has a share of every limit at least. It may
// only stand still, and what it has admitted counts.
const remembered = time.Hour

// crowd remembers how many nodes were seen at once. The zero value has seen none.
type crowd struct {
	mu   sync.Mutex
	seen []sight // each of fewer nodes than the one before
}

// sight is the last time that so many nodes were seen.
type sight struct {
	nodes int64
	at    time.Time
}

// see notes how many nodes there are.
func (c *crowd) see(nodes int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.seen)
	for i > 0 && c.seen[i-1].nodes <= nodes {
		i--
	}
	c.seen = append(c.seen[:i], sight{nodes, now})
}

// most is how many nodes were seen at once since a time, and at least one.
func (c *crowd) most(since time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if !s.at.Before(since) {
			return s.nodes
		}
	}
	return 1
}

// since is how far back a node's share of a limit looks: so far that the share does not grow
// while what was admitted under it counts.
func since(l *gatehouse.Limit, now time.Time) time.Time {
	at := now.Add(-max(remembered, l.Window()))
	if begin, _ := l.Refill.Span(now); l.Refill != gatehouse.RefillNone && begin.Before(at) {
		return begin
	}
	return at
}
