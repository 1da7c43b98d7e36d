// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a target, and spoils them on command. [NewProxy] makes it; its methods
// are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	tasks    sync.WaitGroup // one for the listener, and those of each connection

	mu    sync.Mutex
	moved sync.Cond // the mode has changed, or a pair is broken
	mode  proxyMode
	delay time.Duration
	watch func([]byte) ProxyAct
	pairs map[*pair]bool
}

// ProxyAct is what becomes of a block of bytes from a client.
type ProxyAct int

// What a watcher may ask for. The zero value passes the block on.
const (
	ProxyPass      ProxyAct = iota
	ProxyCutBefore          // the connection breaks, and the target never sees the block
	ProxyCutAfter           // the target sees the block and then the end; the client loses the answer
)

type proxyMode int

const (
	proxyOpen proxyMode = iota
	proxyCut
	proxyFrozen
)

// NewProxy listens on a port of 127.0.0.1 until the test ends and passes connections on to target, host:port.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	p := &Proxy{target: target, listener: listener, pairs: make(map[*pair]bool)}
	p.moved.L = &p.mu
	p.tasks.Go(p.accept)
	tb.Cleanup(func() {
		_ = p.listener.Close() // nobody is left to hear of it
		p.Cut()
		p.tasks.Wait()
	})
	return p
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut breaks all connections, and new ones as soon as they come, until [Proxy.Heal].
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = proxyCut
	for c := range p.pairs {
		c.breakUp()
	}
	p.moved.Broadcast()
}

// Freeze lets no byte pass either way, nor the end of a connection. New connections are accepted and hang.
func (p *Proxy) Freeze() { p.turn(proxyFrozen) }

// Heal ends Cut and Freeze. What was frozen passes on.
func (p *Proxy) Heal() { p.turn(proxyOpen) }

func (p *Proxy) turn(mode proxyMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	p.moved.Broadcast()
}

// Delay holds each block of bytes from the target for d from now on; zero: not at all.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Watch shows f each block of bytes from a client before it is passed on, of several connections at once. A
// block is what one read returned: a small message comes whole. f must not keep it. nil: nobody watches.
func (p *Proxy) Watch(f func(fromClient []byte) ProxyAct) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = f
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil { // and else there are too many files open: the next may fare better
			p.tasks.Go(func() { p.serve(conn.(*net.TCPConn)) })
		}
	}
}

// serve joins a client to the target until both have ended.
func (p *Proxy) serve(client *net.TCPConn) {
	c := &pair{client: client, gone: make(chan struct{})}
	p.enlist(c)
	defer p.dismiss(c)
	if !p.mayPass(c) {
		return // the proxy was cut
	}
	target, err := net.DialTimeout("tcp4", p.target, patience)
	if err != nil {
		p.breakUp(c)
		return
	}
	if !p.join(c, target.(*net.TCPConn)) {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { p.pump(c, c.target, c.client, p.up) })
	ways.Go(func() { p.pump(c, c.client, c.target, p.down) })
	ways.Wait()
}

// pump copies blocks from one side to the other, until the one ends or the connection breaks.
func (p *Proxy) pump(c *pair, to, from *net.TCPConn, pass func(*pair, []byte) error) {
	block := make([]byte, 32<<10)
	for {
		n, err := from.Read(block)
		if !p.mayPass(c) {
			return
		}
		if n > 0 {
			err = errors.Join(err, pass(c, block[:n]))
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite() // fails where the other side has gone too
			return
		case err != nil:
			p.breakUp(c)
			return
		}
	}
}

// up passes a block from the client on, or does what the watcher asks for. Its error ends the connection; io.EOF
// ends the target's side once it has read what came before.
func (p *Proxy) up(c *pair, block []byte) error {
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	act := ProxyPass
	if watch != nil {
		act = watch(block)
	}
	switch act {
	case ProxyCutBefore:
		return net.ErrClosed
	case ProxyCutAfter:
		c.mute.Store(true)
		_, err := c.target.Write(block)
		reset(c.client)
		return errors.Join(err, io.EOF)
	}
	_, err := c.target.Write(block)
	return err
}

// down passes a block from the target on.
func (p *Proxy) down(c *pair, block []byte) error {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-c.gone:
		}
	}
	if c.mute.Load() || !p.mayPass(c) {
		return nil
	}
	_, err := c.client.Write(block)
	return err
}

// pair is a client's connection and the one to the target. Its fields but mute change under the proxy's lock.
type pair struct {
	client, target *net.TCPConn  // target is nil until it is dialled
	mute           atomic.Bool   // the client gets no answer any more
	gone           chan struct{} // closed when the connection is broken
	broken         bool
}

func (p *Proxy) enlist(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pairs[c] = true
	if p.mode == proxyCut {
		c.breakUp()
	}
}

// join gives the pair its target, and reports whether it still stands.
func (p *Proxy) join(c *pair, target *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.target = target
	if c.broken {
		reset(target)
	}
	return !c.broken
}

// mayPass waits while the proxy is frozen, and reports whether the connection still stands.
func (p *Proxy) mayPass(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == proxyFrozen && !c.broken {
		p.moved.Wait()
	}
	return !c.broken
}

func (p *Proxy) breakUp(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.breakUp()
}

// dismiss closes what is left of a pair, and lets arrive what is under way.
func (p *Proxy) dismiss(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
	_ = c.client.Close() // it may be closed, here and below
	if c.target != nil {
		_ = c.target.Close()
	}
}

func (c *pair) breakUp() {
	if c.broken {
		return
	}
	c.broken = true
	close(c.gone)
	reset(c.client)
	if c.target != nil {
		reset(c.target)
	}
}

// reset closes a connection so that the other end sees it break.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // it may be closed, here and below
	_ = conn.Close()
}
