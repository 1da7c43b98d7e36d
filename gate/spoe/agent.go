// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package spoe is a gate for HAProxy: an agent of its stream processing offload engine.
// HAProxy describes each request in one frame and is told in one what to do with it. The
// contract is docs/spec/spoe.md, a configuration is deploy/haproxy.
package spoe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/spop"
)

// Options are what an [Agent] is made with. The zero value is usable.
type Options struct {
	Peers    []netip.Prefix // who may ask; nil: loopback. On a Unix socket everybody whom its mode lets in
	Proxies  gate.Proxies   // whose word on the client's address and scheme counts; zero: nobody's
	MaxFrame int            // bytes of a frame, and so of header and body of a request together; zero: 64 KiB
	Log      *slog.Logger   // is told who was turned away and what broke; nil: slog.Default

	// Seen is told of each check: the code of its denial, empty where it was allowed, and how
	// long it took. Nil: nobody is.
	Seen func(code string, took time.Duration)
}

const (
	defaultMaxFrame = 64 << 10
	maxConns        = 1024
	maxChecks       = 1024 // at a time, of all connections: with their frames, what the agent holds in memory
	connChecks      = 64   // at a time, of one connection; HAProxy's own bound is 20
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Agent answers HAProxy. Use [New]. It is safe for concurrent use.
type Agent struct {
	gate     *gate.Gate
	peers    []netip.Prefix
	proxies  gate.Proxies
	maxFrame int
	log      *slog.Logger
	seen     func(string, time.Duration)
	checks   chan struct{} // has room for maxChecks
	lull     time.Duration // how long a connection goes on at most after leave

	ctx  context.Context // of every check
	stop context.CancelFunc

	mu        sync.Mutex
	draining  bool
	listeners []net.Listener
	conns     map[*conn]bool
	running   sync.WaitGroup // of listeners and conns
}

// New makes an agent that asks g. It panics for a MaxFrame below 256.
func New(g *gate.Gate, o Options) *Agent {
	a := &Agent{
		gate: g, peers: o.Peers, proxies: o.Proxies, maxFrame: cmp.Or(o.MaxFrame, defaultMaxFrame), log: o.Log, seen: o.Seen,
		checks: make(chan struct{}, maxChecks), lull: time.Second, conns: map[*conn]bool{},
	}
	if a.maxFrame < spop.MinFrame {
		panic("spoe: MaxFrame is below what the protocol demands, 256")
	}
	if a.peers == nil {
		a.peers = loopback
	}
	if a.seen == nil {
		a.seen = func(string, time.Duration) {}
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// Serve takes connections from l until Drain, and then returns nil. It closes l. Every
// other error is the listener's; one that passes, such as that of a process without file
// descriptors, it waits out.
func (a *Agent) Serve(l net.Listener) error {
	defer l.Close()
	if !a.begin(l) {
		return nil
	}
	defer a.running.Done()
	var wait time.Duration
	for {
		c, err := l.Accept()
		if err == nil {
			wait = 0
			a.admit(c)
			continue
		}
		a.mu.Lock()
		draining := a.draining
		a.mu.Unlock()
		if draining {
			return nil
		}
		if !passes(err) {
			return fmt.Errorf("serve HAProxy: %w", err)
		}
		wait = min(max(2*wait, leastWait), mostWait)
		a.log.Error("no connection of HAProxy can be taken", "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-a.ctx.Done():
		}
	}
}

// How long Serve waits after an error of its listener that passes, as package net/http does.
const (
	leastWait = 5 * time.Millisecond
	mostWait  = time.Second
)

func passes(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	//lint:ignore SA1019 of Accept it says what is meant here, and net/http asks it too
	return ok && e.Temporary()
}

// begin notes a listener, on which Drain waits; false: the agent has ended.
func (a *Agent) begin(l net.Listener) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.draining {
		a.running.Add(1)
		a.listeners = append(a.listeners, l)
	}
	return !a.draining
}

// admit begins a connection of a peer that may ask, and closes any other.
func (a *Agent) admit(nc net.Conn) {
	if !a.knows(nc.RemoteAddr()) {
		a.log.Warn("a stranger asked the agent for HAProxy", "peer", nc.RemoteAddr().String())
		_ = nc.Close() // nothing was said
		return
	}
	c := newConn(a, nc)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.conns) == maxConns {
		_ = nc.Close() // nothing was said
		return
	}
	if a.draining { // it was on its way; questions may wait for it
		c.leave()
	}
	a.conns[c] = true
	a.running.Go(func() {
		c.serve()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.conns, c)
	})
}

func (a *Agent) knows(remote net.Addr) bool {
	if remote.Network() == "unix" {
		return true
	}
	peer, err := netip.ParseAddrPort(remote.String())
	return err == nil && slices.ContainsFunc(a.peers, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

// Drain ends the agent: no connection is taken any more, and each that is open is answered
// until it is quiet, for a second at most. Then HAProxy is told that the connection ends: what
// is not answered by then was not looked at. When ctx is done, all is cut off; the error is
// ctx's.
func (a *Agent) Drain(ctx context.Context) error {
	a.mu.Lock()
	a.draining = true
	for _, l := range a.listeners {
		_ = l.Close() // Serve sees it
	}
	open := slices.Collect(maps.Keys(a.conns))
	a.mu.Unlock()
	for _, c := range open {
		c.leave()
	}
	done := make(chan struct{})
	go func() {
		a.running.Wait()
		close(done)
	}()
	defer a.stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.conns {
		_ = c.net.Close() // who waits for it sees it
	}
	return errors.Join(errors.New("drain agent: requests were cut off"), ctx.Err())
}
