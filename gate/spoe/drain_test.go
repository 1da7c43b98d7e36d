// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/spoe"
	"github.com/seed14544106/gatehouse/internal/spop"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request), hold: make(chan struct{})}
	a, addr := serve(t, v, spoe.Options{})
	spoe.SetLull(a, time.Minute)
	busy, idle, silent := dial(t, "tcp", addr), dial(t, "tcp", addr), dial(t, "tcp", addr)
	busy.greet(greeting)
	idle.greet(greeting)
	busy.send(spop.Notify, spop.Fin, 1, question(args()))
	<-v.asked
	drained := make(chan error)
	go func() { drained <- a.Drain(context.Background()) }()
	idle.ends(spop.Normal) // before the other is answered
	busy.send(spop.Notify, spop.Fin, 2, question(args()))
	<-v.asked // HAProxy may not know yet
	close(v.hold)
	if one, two := busy.next(spop.Ack).Stream, busy.next(spop.Ack).Stream; one+two != 3 {
		t.Errorf("answers for %d and %d", one, two)
	}
	busy.ends(spop.Normal)
	silent.ends(spop.Normal)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("a drained agent takes connections")
	}
}

// A connection that was on its way when the agent began to end is answered as well.
func TestDrainTakesTheLast(t *testing.T) {
	t.Parallel()
	l := &lateListener{Listener: listen(t), waits: make(chan struct{}), closed: make(chan struct{})}
	a := spoe.New(newGate(t, &verifier{}), spoe.Options{Log: slog.New(slog.DiscardHandler)})
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	h := dial(t, "tcp", l.Addr().String())
	drained := make(chan error, 1)
	<-l.waits
	go func() { drained <- a.Drain(context.Background()) }()
	h.greet(greeting)
	if got := h.ask(question(args()))["status"]; got != "200" {
		t.Error(got)
	}
	h.ends(spop.Normal)
	if err := errors.Join(<-drained, <-served); err != nil {
		t.Error(err)
	}
}

// lateListener returns its first connection once it is closed.
type lateListener struct {
	net.Listener
	waits  chan struct{} // closed when it has a connection
	closed chan struct{}
}

func (l *lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		close(l.waits)
	}
	<-l.closed
	return c, err
}

func (l *lateListener) Close() error {
	err := l.Listener.Close()
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return err
}

func newGate(t testing.TB, v gate.Verifier) *gate.Gate {
	t.Helper()
	g, err := gate.New(v, gate.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestDrainCutsOff(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request), hold: make(chan struct{})}
	a, addr := serve(t, v, spoe.Options{})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	h.send(spop.Notify, spop.Fin, 1, question(args()))
	<-v.asked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := h.r.ReadByte(); err == nil {
		t.Error("the connection has an answer")
	}
}

// A HAProxy that takes no answers does not hold up Drain: a write may take five seconds.
func TestDrainBesideAStuckWrite(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request)}
	a := spoe.New(newGate(t, v), spoe.Options{Log: slog.New(slog.DiscardHandler)})
	ours, theirs := net.Pipe()
	conns := make(pipes, 1)
	conns <- pipe{theirs}
	go func() { _ = a.Serve(conns) }()
	h := &haproxy{t, ours, bufio.NewReader(ours)}
	h.greet(greeting)
	h.send(spop.Notify, spop.Fin, 1, question(args()))
	<-v.asked
	if _, err := h.r.ReadByte(); err != nil { // the answer has begun, and nobody takes the rest
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if err := a.Drain(ctx); !errors.Is(err, context.Canceled) || time.Since(begun) > 4*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// pipes is a listener of connections that hold one write at a time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error {
	defer func() { _ = recover() }() // it was closed
	close(p)
	return nil
}
func (pipes) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

type pipe struct{ net.Conn }

func (pipe) RemoteAddr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// A process without file descriptors takes connections again when it has some.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	l := &failing{Listener: listen(t)}
	l.left.Store(3)
	a := spoe.New(newGate(t, &verifier{}), spoe.Options{Log: slog.New(slog.DiscardHandler)})
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	h := dial(t, "tcp", l.Addr().String())
	h.greet(greeting)
	if got := h.ask(question(args()))["status"]; got != "200" {
		t.Error(got)
	}
	if err := errors.Join(a.Drain(t.Context()), <-served); err != nil {
		t.Error(err)
	}
	l.left.Store(-1)
	other := spoe.New(newGate(t, &verifier{}), spoe.Options{Log: slog.New(slog.DiscardHandler)})
	if err := other.Serve(l); !errors.Is(err, syscall.EBADF) {
		t.Error(err)
	}
}

// failing is a listener whose Accept fails as often as left says, below zero for good.
type failing struct {
	net.Listener
	left atomic.Int32
}

func (l *failing) Accept() (net.Conn, error) {
	switch n := l.left.Load(); {
	case n < 0:
		return nil, &net.OpError{Op: "accept", Err: syscall.EBADF}
	case n > 0:
		l.left.Add(-1)
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Whoever asks again after Normal must know that nobody has looked at the question.
func TestGoodbyeWhileAsking(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request), hold: make(chan struct{})}
	_, addr := serve(t, v, spoe.Options{})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	h.send(spop.Notify, spop.Fin, 1, question(args()))
	<-v.asked
	h.send(spop.HAProxyDisconnect, spop.Fin, 0, spop.Disconnect{}.Append(nil))
	h.ends(spop.Unknown)
}

// parting is the listener of an agent that ends each of its first connections in place of an
// answer.
type parting struct {
	net.Listener
	code spop.Code
	left atomic.Int32
}

func (l *parting) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.left.Load() <= 0 {
			return c, err
		}
		go l.end(c)
	}
}

func (l *parting) end(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	if f, err := spop.ReadFrame(r, 1<<20); err != nil || f.Type != spop.HAProxyHello {
		return
	}
	w := spop.Welcome{Version: spop.Version, MaxFrame: 16380, Capabilities: []string{spop.Pipelining}}
	if _, err := c.Write(spop.Frame{Type: spop.AgentHello, Flags: spop.Fin, Payload: w.Append(nil)}.Append(nil)); err != nil {
		return
	}
	if f, err := spop.ReadFrame(r, 1<<20); err != nil || f.Type != spop.Notify { // a health check
		return
	}
	l.left.Add(-1)
	d := spop.Disconnect{Code: l.code, Message: "test"}
	if _, err := c.Write(spop.Frame{Type: spop.AgentDisconnect, Flags: spop.Fin, Payload: d.Append(nil)}.Append(nil)); err == nil {
		_, _ = io.Copy(io.Discard, r)
	}
}

// HAProxy asks again where nobody has looked at its question, and nowhere else.
func TestAsksAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		code spop.Code
		ends int32
		want string
	}{
		"one ends":     {spop.Normal, 1, "200"},
		"two end":      {spop.Normal, 2, "200"},
		"all end":      {spop.Normal, 3, "503 unavailable"},
		"one may have": {spop.Unknown, 1, "503 unavailable"},
		"one is slow":  {spop.Timeout, 1, "503 unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &parting{Listener: listen(t), code: row.code}
			l.left.Store(row.ends)
			s := openOn(t, l, patient...)
			s.check(t, s.signed(t, "barong", "GET", "/", ""), row.want)
			s.check(t, s.signed(t, "barong", "GET", "/", ""), "200")
		})
	}
}
