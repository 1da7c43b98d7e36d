// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

const (
	verifiers   = 32
	think       = 150 * time.Millisecond // mean time between two verifications of a worker: a saturated machine is slow, and proves less
	near        = 24                     // keys on either side of the one that is revoked next, which are verified
	hangs       = 200 * time.Millisecond
	giveUp      = 5 * time.Second
	betweenSlow = 20 * time.Millisecond // attempts to revoke where the one before failed
)

// load is workers that verify keys at random nodes, while others revoke the keys one after
// another at random nodes. It writes down everything.
type load struct {
	*fleet
	t     *testing.T
	keys  []*tracked  // more than it needs
	least int         // of them are revoked, and more while steer is under way
	steer func(*load) // what happens meanwhile; it returns when all is well again; nil: nothing
	extra []*tracked  // other keys that something was done to
	sound bool        // steer breaks nothing that a revoke needs
	twice bool        // each key is revoked at all nodes at once, by people without patience

	mu     sync.Mutex
	next   atomic.Int64         // index of the key to revoke next; changes under mu
	acked  atomic.Int64         // acknowledged revokes
	calm   atomic.Bool          // steer has returned
	away   atomic.Pointer[node] // a node that is slow now: hardly anybody revokes there
	hasty  atomic.Pointer[node] // a node where nobody waits long for a revoke
	loose  sync.WaitGroup       // verifications that nobody waits for
	enough chan struct{}        // closed when the workers may go
}

// run runs the load to its end, and returns how many keys were touched.
func (l *load) run(revokers int) (touched int) {
	l.t.Helper()
	l.enough = make(chan struct{})
	var workers, rest sync.WaitGroup
	for range verifiers {
		workers.Go(l.verifier)
	}
	for range revokers {
		rest.Go(l.revoker)
	}
	if l.steer != nil {
		l.steer(l)
	}
	l.calm.Store(true)
	rest.Wait()
	close(l.enough)
	workers.Wait()
	l.loose.Wait()
	touched = min(int(l.next.Load())+near, len(l.keys))
	for _, n := range l.nodes {
		l.sweep(n, l.keys[:touched])
	}
	return touched
}

// verifier is one worker.
func (l *load) verifier() {
	for {
		select {
		case <-l.enough:
			return
		case <-time.After(mathrand.N(2 * think)):
		}
		n := l.nodes[mathrand.IntN(len(l.nodes))]
		if n.enter() {
			l.verify(n, l.keys[l.around()])
			n.leave()
		}
	}
}

// around picks a key that is revoked about now.
func (l *load) around() int {
	i := int(l.next.Load()) - near + mathrand.IntN(2*near)
	return min(max(i, 0), len(l.keys)-1)
}

// verify verifies a key at a node.
func (l *load) verify(n *node, k *tracked) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	o := op{node: n.name, call: l.now()}
	var d api.Decision
	status := n.call(ctx, "/v1/verify", presents(k.token), &d)
	o.ret = l.now()
	o.out = l.told(k, status, &d)
	k.add(o)
}

// told is what a node told of a key.
func (l *load) told(k *tracked, status int, d *api.Decision) outcome {
	switch {
	case status == 0:
		return unanswered
	case status >= http.StatusInternalServerError:
		return failed
	case status == http.StatusOK && d.Problem != nil && d.Problem.Status >= http.StatusInternalServerError:
		return failed
	case status == http.StatusOK && d.Granted:
		return granted
	case status == http.StatusOK && d.Reason == "key_revoked":
		return refused
	}
	l.t.Errorf("key %s: status %d, %s", k.kid, status, d.Reason)
	return unanswered
}

// sweep verifies keys at a node, a hundred at a time.
func (l *load) sweep(n *node, keys []*tracked) {
	l.t.Helper()
	for part := range slices.Chunk(keys, 100) {
		var in api.Checks
		for _, k := range part {
			in.Checks = append(in.Checks, presents(k.token))
		}
		call := l.now()
		var out api.Decisions
		if status := n.call(l.t.Context(), "/v1/verify/batch", in, &out); status != http.StatusOK || len(out.Decisions) != len(part) {
			l.t.Errorf("node %s: status %d to %d keys at once, %d answers", n.name, status, len(part), len(out.Decisions))
			return
		}
		ret := l.now()
		for i, k := range part {
			k.add(op{node: n.name, call: call, ret: ret, out: l.told(k, http.StatusOK, &out.Decisions[i])})
		}
	}
}

// draw takes the next key to revoke; nil: there are enough.
func (l *load) draw() *tracked {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := int(l.next.Load())
	if i >= l.least && l.calm.Load() || i >= len(l.keys) {
		return nil
	}
	l.next.Add(1)
	return l.keys[i]
}

// revoker revokes keys. It has every node read a key before, so that each could answer from
// memory, and asks every node the moment that it is told of success.
func (l *load) revoker() {
	for k := l.draw(); k != nil; k = l.draw() {
		l.everywhere(k)
		if l.twice {
			l.revokeTwice(k)
		} else {
			l.revoke(k)
		}
	}
}

// everywhere verifies a key at every node at once. It does not wait for a node that hangs.
func (l *load) everywhere(k *tracked) {
	var wg sync.WaitGroup
	for _, n := range l.nodes {
		if !n.enter() {
			continue
		}
		wg.Add(1)
		l.loose.Go(func() {
			defer n.leave()
			defer wg.Done()
			l.verify(n, k)
		})
	}
	all := make(chan struct{})
	go func() {
		wg.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(hangs):
	}
}

// revoke revokes a key at a random node, and goes on to others until one says that it is
// done.
func (l *load) revoke(k *tracked) {
	within := giveUp
	if l.steer == nil || l.sound { // nothing hangs; a machine may be slow
		within = answerTime
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		n := l.nodes[mathrand.IntN(len(l.nodes))]
		if n == l.away.Load() && mathrand.IntN(10) > 0 {
			continue
		}
		patient := within
		if n == l.hasty.Load() {
			patient = hangs / 2
		}
		if l.attempt(n, k, patient, "") {
			return
		}
		<-time.After(betweenSlow)
	}
	l.t.Errorf("key %s: not revoked within %v", k.kid, patience)
}

// revokeTwice lets somebody begin to revoke a key who does not wait for the answer, and then
// others, elsewhere, at once. The revoke that finds the key revoked promises as much as the
// one that did it.
func (l *load) revokeTwice(k *tracked) {
	order := mathrand.Perm(len(l.nodes))
	name := []string{"", rand.Text()}[mathrand.IntN(2)] // with an Idempotency-Key it is one request, sent again
	l.attempt(l.nodes[order[0]], k, time.Duration(1+mathrand.IntN(20))*time.Millisecond, name)
	var told atomic.Bool
	var wg sync.WaitGroup
	for _, i := range order[1:] {
		wg.Go(func() {
			if l.attempt(l.nodes[i], k, answerTime, name) {
				told.Store(true)
			}
		})
	}
	wg.Wait()
	if !told.Load() {
		l.revoke(k)
	}
}

// attempt tries to revoke a key at a node, and reports whether it was told so. Then it asks
// every node.
func (l *load) attempt(n *node, k *tracked, within time.Duration, name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	o := op{revoke: true, node: n.name, call: l.now()}
	var out api.Key
	status := n.callOnce(ctx, fmt.Sprintf("/v1/keys/%s/revoke", k.kid), name, api.Revoke{}, &out)
	o.ret = l.now()
	switch {
	case status == http.StatusOK && out.State == "revoked":
		o.out = done
	case status >= http.StatusInternalServerError:
		o.out = failed
	case status == http.StatusOK, status != 0 && status != http.StatusConflict:
		l.t.Errorf("key %s: revoke: status %d, %s", k.kid, status, out.State)
	}
	k.add(o)
	if o.out == unanswered && n == l.hasty.Load() {
		later(hangs / 10) // the node sees that nobody waits any more
		l.everywhere(k)   // and what it reads now is what it believes afterwards
	}
	if o.out != done {
		return false
	}
	l.acked.Add(1)
	l.everywhere(k)
	return true
}
