// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse/internal/spop"
)

const (
	helloTime = 5 * time.Second       // from the connection to its hello
	frameTime = 5 * time.Second       // from the first byte of a frame to its last
	writeTime = 5 * time.Second       // of a frame
	checkTime = 10 * time.Second      // of a check; HAProxy's own "timeout processing" is shorter
	idleTime  = 10 * time.Minute      // between frames; HAProxy's own "timeout idle" is shorter
	linger    = time.Second           // after the last word
	quiet     = 50 * time.Millisecond // after leave: what has brought nothing for so long ends
)

// conn is a connection of HAProxy's.
type conn struct {
	agent    *Agent
	net      net.Conn
	r        *bufio.Reader
	maxFrame int // negotiated
	checks   chan struct{}
	pending  sync.WaitGroup // checks that are not answered yet

	writing sync.Mutex // one frame is written at a time

	mu  sync.Mutex
	end time.Time // zero until leave; nothing is read after it
}

func newConn(a *Agent, nc net.Conn) *conn {
	return &conn{agent: a, net: nc, r: bufio.NewReader(nc), maxFrame: a.maxFrame, checks: make(chan struct{}, connChecks)}
}

// serve answers until the connection ends. What ends it is said to HAProxy where it can be.
func (c *conn) serve() {
	defer c.net.Close()
	ctx, cancel := context.WithCancel(c.agent.ctx)
	defer c.pending.Wait()
	defer cancel() // nobody waits for the answers any more
	err := c.greet()
	for err == nil {
		err = c.next(ctx)
	}
	var code spop.Code
	var bye haproxyEnds
	switch {
	case errors.Is(err, errDone):
		return
	case errors.As(err, &bye):
		c.part(c.reply(bye))
		return
	case errors.As(err, &code):
	case errors.Is(err, os.ErrDeadlineExceeded):
		code = spop.Timeout
		if c.leaving() {
			code = spop.Normal
			c.pending.Wait()
		}
	default: // HAProxy is gone
		return
	}
	if code != spop.Normal {
		c.agent.log.Warn("a connection of HAProxy ended", "peer", c.net.RemoteAddr().String(), "error", err)
	}
	c.part(code)
}

// errDone ends a connection of which nothing more is to be said.
var errDone = errors.New("done")

// haproxyEnds is the code with which HAProxy ends a connection.
type haproxyEnds spop.Code

func (haproxyEnds) Error() string { return "HAProxy ends the connection" }

// reply is the code for HAProxy's own. Normal says that what is not answered was not looked
// at: HAProxy hears no answer any more, so that this is true only where none is owed.
func (c *conn) reply(bye haproxyEnds) spop.Code {
	if spop.Code(bye) == spop.Normal && len(c.checks) > 0 {
		return spop.Unknown
	}
	return spop.Code(bye)
}

// greet shakes hands (section 3.2.3 of SPOE.txt).
func (c *conn) greet() error {
	c.waitUntil(helloTime)
	f, err := spop.ReadFrame(c.r, c.maxFrame)
	if err != nil {
		return err
	}
	if f.Type != spop.HAProxyHello || f.Flags&spop.Fin == 0 || f.Stream != 0 || f.ID != 0 {
		return spop.Invalid
	}
	hello, err := spop.ParseHello(f.Payload)
	switch {
	case err != nil:
		return err
	case !hello.Speaks():
		return spop.BadVersion
	case hello.MaxFrame < spop.MinFrame:
		return spop.BadFrameSize
	}
	c.maxFrame = int(min(hello.MaxFrame, uint32(c.maxFrame)))
	w := spop.Welcome{Version: spop.Version, MaxFrame: uint32(c.maxFrame)}
	// Async is not offered: every answer goes where its question came from, and HAProxy
	// then knows at once which questions a broken connection leaves unanswered.
	if slices.Contains(hello.Capabilities, spop.Pipelining) {
		w.Capabilities = []string{spop.Pipelining}
	}
	err = c.write(spop.Frame{Type: spop.AgentHello, Flags: spop.Fin, Payload: w.Append(nil)})
	if err == nil && hello.HealthCheck {
		err = errDone
	}
	return err
}

// next takes a frame.
func (c *conn) next(ctx context.Context) error {
	if err := c.await(); err != nil {
		return err
	}
	c.waitUntil(frameTime)
	f, err := spop.ReadFrame(c.r, c.maxFrame)
	if err != nil {
		return err
	}
	switch f.Type {
	case spop.Notify:
		if f.Flags&spop.Fin == 0 {
			return spop.Fragmented
		}
		return c.ask(ctx, f)
	case spop.Unset:
		return spop.Fragmented
	case spop.HAProxyDisconnect:
		d, err := spop.ParseDisconnect(f.Payload)
		if err != nil {
			return err
		}
		return haproxyEnds(d.Code)
	case spop.HAProxyHello, spop.AgentHello, spop.AgentDisconnect, spop.Ack:
		return spop.Invalid
	}
	return nil // section 3.2.2: what is not known may be skipped
}

// ask has a question answered beside the others, as far as there is room.
func (c *conn) ask(ctx context.Context, f spop.Frame) error {
	messages, err := spop.ParseMessages(f.Payload)
	if err != nil {
		return err
	}
	for _, room := range []chan struct{}{c.checks, c.agent.checks} {
		select {
		case room <- struct{}{}:
		case <-c.agent.ctx.Done():
			return errDone
		}
	}
	c.pending.Go(func() {
		defer func() { <-c.checks; <-c.agent.checks }()
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		f.Payload = c.agent.answer(ctx, messages, len(f.Payload), c.maxFrame)
		f.Type, f.Flags = spop.Ack, spop.Fin
		if err := c.write(f); err != nil {
			_ = c.net.Close() // who reads sees it
		}
	})
	return nil
}

func (c *conn) write(f spop.Frame) error {
	b := f.Append(nil)
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.net.Write(b)
	return err
}

// await waits for a frame. On a connection that is to end it does so until nothing comes any
// more and nothing is left to answer.
func (c *conn) await() error {
	for {
		c.waitUntil(idleTime)
		_, err := c.r.Peek(1)
		busy := len(c.checks) > 0 && c.mayRead()
		if !busy || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// waitUntil bounds the next read: by d, and for a connection that is to end by what is left
// of it.
func (c *conn) waitUntil(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().Add(d)
	if !c.end.IsZero() {
		at = c.end
		if soon := time.Now().Add(quiet); soon.Before(at) {
			at = soon
		}
	}
	_ = c.net.SetReadDeadline(at) // the read says what is wrong
}

// leave lets the connection end when what was asked is answered.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.IsZero() {
		now := time.Now()
		c.end = now.Add(c.agent.lull)
		_ = c.net.SetReadDeadline(now.Add(quiet)) // the read says what is wrong
	}
}

func (c *conn) leaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.end.IsZero()
}

// mayRead reports whether a connection that is to end may still be read.
func (c *conn) mayRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.end)
}

// part says why the connection ends, and lets HAProxy close it: bytes that nobody read
// would take what was said with them.
func (c *conn) part(code spop.Code) {
	d := spop.Disconnect{Code: code, Message: code.Error()}
	if c.write(spop.Frame{Type: spop.AgentDisconnect, Flags: spop.Fin, Payload: d.Append(nil)}) != nil {
		return
	}
	if half, ok := c.net.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(linger)) // the read says what is wrong
	_, _ = io.Copy(io.Discard, c.r)                   // nothing more is heard
}
