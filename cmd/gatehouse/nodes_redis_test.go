// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// switchover is an address behind which one server after another stands.
type switchover struct {
	listener net.Listener
	target   atomic.Pointer[string]
}

func newSwitchover(t *testing.T, target string) *switchover {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &switchover{listener: l}
	s.target.Store(&target)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close() }) // connections end with those who hold them
	return s
}

func (s *switchover) serve(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp4", *s.target.Load())
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

// TestNodesRedis: where Redis keeps the nonces, a signed request is accepted once too, when
// Redis loses its memory, and when a replica takes over that has not heard of everything.
// Revocation does not rest on it.
func TestNodesRedis(t *testing.T) {
	t.Parallel()
	first := testenv.StartRedis(t, "redis-server")
	second := testenv.StartRedisReplica(t, "redis-server", first)
	front := newSwitchover(t, first.Addr())
	var proxies []*testenv.Proxy
	for range fleetSize {
		proxies = append(proxies, testenv.NewProxy(t, front.listener.Addr().String()))
	}
	f := openFleetWith(t, func(i int) []string {
		return []string{"GATEHOUSE_REDIS_URL=" + through(t, first.URL(), proxies[i].Addr())}
	})
	f.ahead = 3 * time.Second // of a window of 5: after a loss nothing is decided until the window is over
	keys := f.signKeys(t)
	t.Run("revoked while a node is cut off from Redis", func(t *testing.T) {
		sum := f.storm(t, revokers, &load{least: sized(40, 1000), sound: true, steer: func(l *load) {
			l.third()
			proxies[2].Cut()
			l.reach(l.least / 2)
			proxies[2].Heal()
		}})
		if sum.failed+sum.unanswered+sum.unknown > 0 {
			t.Errorf("something failed that does not need Redis: %v", sum)
		}
	})
	t.Run("in turn", func(t *testing.T) {
		f.recovered(t, keys)
		s := f.nonces(t, keys, nonceRounds/2)
		s.inTurn()
		s.mustNotRepeat("in turn", len(s.batches)*perBatch*9/10)
	})
	t.Run("cut off", func(t *testing.T) {
		s := f.nonces(t, keys, nonceRounds/5)
		proxies[2].Cut()
		s.inTurn()
		proxies[2].Heal()
		s.inTurn()
		s.mustNotRepeat("one node cut off from Redis", 1)
	})
	t.Run("restarted empty", func(t *testing.T) {
		f.forget(t, keys, func() {
			first.Stop()
			first.Start()
		})
	})
	t.Run("failover", func(t *testing.T) {
		second.Replicate(first)
		f.forget(t, keys, func() {
			second.Promote() // from here on it hears no more
			late := f.nonces(t, keys, 1)
			late.each(func(b int) { late.present(f.nodes[b%len(f.nodes)], b) })
			addr := second.Addr()
			front.target.Store(&addr)
			first.Stop()
			late.inTurn()
			late.mustNotRepeat("that the replica had not heard of", 1)
		})
	})
	t.Run("limits", func(t *testing.T) { f.limitsAlone(t, first, second) })
}

// limitsAlone kills Redis for good while one node stands still, and then lets the others stand
// still. Each admits one share of what three nodes may admit without Redis, and not what it
// would be if those that do not answer were gone. A process that begins has used nothing of a
// share: none begins without Redis.
func (f *fleet) limitsAlone(t *testing.T, servers ...*testenv.RedisServer) {
	t.Helper()
	const most = limitCount + fleetSize*((limitCount+fleetSize-1)/fleetSize)
	tokens, total := f.limited(t), map[string]int64{}
	ask := func(when string, nodes []*node) {
		for name, token := range tokens {
			got := admitted(t, nodes, token, limitAsked/2)
			total[name] += got
			t.Logf("%s, %s: %d admitted by %d nodes", name, when, got, len(nodes))
		}
	}
	two, third := f.nodes[:2], f.nodes[2:]
	f.awaken(t, nil, f.nodes)
	ask("with Redis", f.nodes)
	f.freeze(t, third, two)
	for _, s := range servers {
		s.Stop()
	}
	ask("one stands still", two)
	f.awaken(t, third, f.nodes)
	f.freeze(t, two, third)
	ask("two stand still", third)
	f.awaken(t, two, f.nodes)
	ask("all are back", f.nodes)
	for name, got := range total {
		if got > most || got <= limitCount {
			t.Errorf("%s: %d admitted, want at most %d, and some without Redis", name, got, most)
		}
	}
	third[0].mustNotBegin(t, "redis_url: ")
}

// mustNotBegin kills the node and wants it not to start again, for a reason.
func (n *node) mustNotBegin(t *testing.T, reason string) {
	t.Helper()
	n.Kill()
	n.begin(n.addr, n.Cmd.Env)
	select {
	case <-n.Done:
	case <-time.After(patience):
		t.Fatalf("node %s began, want %s", n.name, reason)
	}
	if n.Err == nil || !strings.Contains(n.log.String(), reason) {
		t.Errorf("node %s: %v, %s, want %s", n.name, n.Err, n.log, reason)
	}
}

// freeze stops nodes, and returns when the others know only of each other.
func (f *fleet) freeze(t *testing.T, nodes, others []*node) {
	t.Helper()
	for _, n := range nodes {
		n.signal(t, syscall.SIGSTOP)
	}
	f.awaken(t, nil, others)
}

// awaken lets nodes go on, and returns when all that are awake know of each other.
func (f *fleet) awaken(t *testing.T, nodes, awake []*node) {
	t.Helper()
	for _, n := range nodes {
		n.signal(t, syscall.SIGCONT)
	}
	for _, n := range awake {
		eventually(t, "node "+n.name+" knows who is awake", func() bool { return n.metric(t, "gatehouse_nodes") == len(awake) })
	}
}

// forget has signed requests accepted, lets lose happen, and presents them again. Then new
// ones are accepted before long.
func (f *fleet) forget(t *testing.T, keys []api.CreatedKey, lose func()) {
	t.Helper()
	f.recovered(t, keys)
	s := f.nonces(t, keys, nonceRounds/2)
	s.each(func(b int) { s.present(f.nodes[b%len(f.nodes)], b) })
	lose()
	s.inTurn()
	s.inTurn()
	s.mustNotRepeat("after the loss", len(s.batches)*perBatch)
	if s.later.Load() == 0 {
		t.Error("after the loss: nobody was told to come back later")
	}
	f.recovered(t, keys)
}

// recovered waits until every node accepts signed requests.
func (f *fleet) recovered(t *testing.T, keys []api.CreatedKey) {
	t.Helper()
	begun := time.Now()
	for _, n := range f.nodes {
		eventually(t, "node "+n.name+" accepts signed requests", func() bool {
			return f.nonces(t, keys[:1], 1).present(n, 0) == perBatch
		})
	}
	t.Logf("signed requests are accepted after %v", time.Since(begun).Round(time.Millisecond))
}
