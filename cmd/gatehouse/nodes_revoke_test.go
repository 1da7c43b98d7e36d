// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	mathrand "math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

const (
	plainRevokes  = 1000
	mostKeys      = 600 // more than are revoked while something happens
	revokers      = 8
	stormRevokers = 10 // the more, the more revokes are under way at once
	standstill    = 20 * time.Second
	away          = 3 * time.Second // how long a node is away: a multiple of the lease
)

// TestNodesRevoke holds the promise against several nodes: no verification that begins after
// a revoke was acknowledged succeeds, at any node, whatever happens to the others, to the
// database, and to what lies between.
func TestNodesRevoke(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	f.spare = f.bulk(t, 2*plainRevokes+mostKeys)
	t.Run("plain", func(t *testing.T) {
		sum := f.storm(t, revokers, &load{least: plainRevokes})
		if sum.failed+sum.unanswered+sum.unknown > 0 {
			t.Errorf("something failed though nothing was broken: %v", sum)
		}
		hits, misses := f.counted(t, "gatehouse_lookup_hits_total"), f.counted(t, "gatehouse_lookup_misses_total")
		if t.Logf("%d look-ups from memory, %d from the database", hits, misses); hits < plainRevokes {
			t.Error("nodes do not answer from memory: too little to tell")
		}
	})
	few := sized(60, 1000)
	for _, s := range []struct {
		name  string
		steer func(*load)
	}{
		{"a node stopped", (*load).stopNode},
		{"a node restarted", (*load).restartNode},
		{"a node cut off", (*load).cutNode},
		{"a node frozen off", (*load).freezeNode},
		{"a change frozen", (*load).freezeChange},
		{"commits delayed", (*load).delayCommits},
		{"fills delayed", (*load).delayFills},
		{"database restarted", func(l *load) { l.restartDatabase(syscall.SIGINT) }},
		{"database crashed", func(l *load) { l.restartDatabase(syscall.SIGQUIT) }},
	} {
		t.Run(s.name, func(t *testing.T) { f.storm(t, stormRevokers, &load{least: few, steer: s.steer}) })
	}
	t.Run("revoked twice", func(t *testing.T) { f.storm(t, revokers, &load{least: few, twice: true}) })
	t.Run("hints dropped", func(t *testing.T) {
		for _, n := range f.nodes {
			n.end(t)
			n.again(t, "GATEHOUSE_DATABASE_HINTS=false")
		}
		f.storm(t, stormRevokers, &load{least: few})
	})
}

// storm runs a load and judges.
func (f *fleet) storm(t *testing.T, revokers int, l *load) *tally {
	t.Helper()
	l.fleet, l.t, l.keys = f, t, f.take(t, l.least+mostKeys)
	begun := time.Now()
	touched := l.run(revokers)
	revoked := int(l.next.Load())
	took := time.Since(begun)
	judge(t, l.extra)
	sum := judge(t, l.keys[:touched])
	f.spare = append(f.spare, l.keys[touched:]...)
	t.Logf("%v: %v", took.Round(time.Millisecond), sum)
	// Otherwise nothing was proved.
	if sum.granted < revoked || sum.after < revoked || sum.silent != touched-revoked {
		t.Errorf("of %d keys %d were touched and %d were not revoked: too little to tell", revoked, touched, sum.silent)
	}
	return sum
}

// third has the node that things happen to, with what follows of the keys in its memory.
func (l *load) third() *node {
	l.t.Helper()
	n := l.nodes[len(l.nodes)-1]
	l.reach(l.least / 10)
	at := int(l.next.Load())
	l.sweep(n, l.keys[at:min(at+200, len(l.keys))])
	return n
}

// another is a key beside those that are revoked in turn.
func (l *load) another() *tracked {
	l.t.Helper()
	k := l.take(l.t, 1)[0]
	l.extra = append(l.extra, k)
	return k
}

// reach waits until so many revokes are acknowledged.
func (l *load) reach(count int) {
	l.t.Helper()
	grows(l.t, "revokes are acknowledged", &l.acked, int64(count))
}

// later waits. The lease runs by the clock, so that what outlasts it has to as well.
func later(d time.Duration) { <-time.After(d) }

// recovers waits until a node decides again, and lets it decide about all keys.
func (l *load) recovers(n *node) {
	l.t.Helper()
	probe := l.another()
	eventually(l.t, "node "+n.name+" decides again", func() bool {
		l.verify(n, probe)
		return probe.ops[len(probe.ops)-1].out == granted
	})
	l.sweep(n, l.keys[:l.next.Load()])
}

// stopNode stops a node with SIGSTOP while keys are revoked. Requests that wait for it when
// it wakes are about keys that were revoked meanwhile: it believes that no time has passed.
func (l *load) stopNode() {
	n := l.third()
	from, before := int(l.next.Load()), int(l.acked.Load())
	l.away.Store(n)
	n.signal(l.t, syscall.SIGSTOP)
	later(away)
	l.reach(before + stormRevokers + 1) // no more than that many were under way: one was begun since
	gone := l.keys[from:l.next.Load()]
	var waiting sync.WaitGroup
	for range verifiers {
		waiting.Go(func() {
			for range 20 {
				l.verify(n, gone[mathrand.IntN(len(gone))])
			}
		})
	}
	later(away / 30) // the first of each are sent
	n.signal(l.t, syscall.SIGCONT)
	waiting.Wait()
	l.away.Store(nil)
	l.recovers(n)
}

// restartNode kills a node and starts it again, a few times: at once, and with the others having
// given it up. Where no hint tells it of a change, it hears in time only if the others wait for
// it from its first answer on.
func (l *load) restartNode() {
	n := l.third()
	more := func() { l.reach(int(l.acked.Load()) + stormRevokers + 1) }
	for rounds, i := sized(3, 10), 1; i <= rounds; i++ {
		n.Kill()
		if i%2 == 0 {
			more()
		}
		n.revive(l.t, "GATEHOUSE_DATABASE_HINTS="+strconv.FormatBool(i == rounds))
		l.recovers(n)
		more()
	}
}

// cutNode breaks a node's connections to the database, for longer than a lease and for
// shorter than one.
func (l *load) cutNode() {
	n := l.third()
	for _, d := range []time.Duration{away, away / 10, away / 6, away / 4} {
		n.proxy.Cut()
		later(d)
		n.proxy.Heal()
		later(away / 10)
	}
	l.recovers(n)
}

// freezeNode lets nothing pass between a node and the database, as a lost network does.
func (l *load) freezeNode() {
	n := l.third()
	l.away.Store(n)
	for _, d := range []time.Duration{away, away / 5} {
		n.proxy.Freeze()
		later(d)
		n.proxy.Heal()
		later(away / 10)
	}
	l.away.Store(nil)
	l.recovers(n)
}

// freezeChange lets a node stand still in the middle of a change, just before it commits.
// What it holds in the database must not keep the others from revoking for long.
func (l *load) freezeChange() {
	n := l.third()
	l.away.Store(n)
	k := l.another()
	thaw := make(chan struct{})
	defer close(thaw)
	n.proxy.Watch(func(block []byte) testenv.ProxyAct {
		if bytes.Contains(bytes.ToLower(block), []byte("commit")) {
			<-thaw
		}
		return testenv.ProxyPass
	})
	l.loose.Go(func() { l.attempt(n, k, answerTime, "") })
	later(away / 3)
	n.proxy.Watch(nil) // what comes now passes, on other connections
	begun, before, tick := time.Now(), l.acked.Load(), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for l.acked.Load() < before+stormRevokers {
		<-tick.C
		if time.Since(begun) > standstill {
			l.t.Errorf("one node that stands still in a change keeps all others from revoking, for more than %v", standstill)
			break
		}
	}
	l.t.Logf("the others needed %v for %d revokes", time.Since(begun).Round(time.Millisecond), l.acked.Load()-before)
	l.away.Store(nil)
}

// delayCommits has a node's changes become durable after those who asked for them have gone,
// and the node itself knows no longer what became of them.
func (l *load) delayCommits() {
	n := l.third()
	l.hasty.Store(n)
	n.proxy.Watch(func(block []byte) testenv.ProxyAct {
		if bytes.Contains(bytes.ToLower(block), []byte("commit")) {
			later(hangs/2 + mathrand.N(3*hangs/2))
		}
		return testenv.ProxyPass
	})
	l.reach(int(l.acked.Load()) + l.least/2)
	n.proxy.Watch(nil)
	l.hasty.Store(nil)
	l.recovers(n)
}

// delayFills holds back what the database answers a node, now and then: a record that was
// read before a revoke arrives after it, and after others that were read later.
func (l *load) delayFills() {
	n := l.third()
	l.away.Store(n) // its transactions would hold up those of all
	for _, d := range []time.Duration{away / 10, away / 5, away / 3, away / 2} {
		for range 5 {
			n.proxy.Delay(d)
			later(away / 60)
			n.proxy.Delay(0)
			later(away / 30)
		}
	}
	n.proxy.Delay(away / 10)
	later(away / 2)
	n.proxy.Delay(0)
	l.away.Store(nil)
	l.recovers(n)
}

// restartDatabase stops PostgreSQL and starts it again.
func (l *load) restartDatabase(sig syscall.Signal) {
	l.reach(l.least / 10)
	l.pg.Stop(sig)
	later(away / 10)
	l.pg.Start()
	for _, n := range l.nodes {
		l.recovers(n)
	}
}
