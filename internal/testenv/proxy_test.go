// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// echo answers each line with itself, and hands what it has read to the channel.
func echo(t *testing.T) (addr string, heard <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					lines <- line
					_, _ = io.WriteString(conn, line)
				}
			}()
		}
	}()
	return l.Addr().String(), lines
}

// caller is a client of the proxy.
type caller struct {
	*testing.T
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, p *Proxy) caller {
	t.Helper()
	conn, err := net.Dial("tcp4", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return caller{t, conn, bufio.NewReader(conn)}
}

// refuses wants a new connection to fail or to break at once.
func refuses(t *testing.T, p *Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp4", p.Addr())
	if err != nil {
		return // it broke before the dialler knew
	}
	defer conn.Close()
	caller{t, conn, bufio.NewReader(conn)}.breaks()
}

func (c caller) say(line string) {
	c.Helper()
	if _, err := io.WriteString(c, line); err != nil {
		c.T.Error(err)
	}
}

func (c caller) hears(want string) {
	c.Helper()
	if got, err := c.in.ReadString('\n'); err != nil || got != want {
		c.T.Errorf("heard %q, %v; want %q", got, err, want)
	}
}

// breaks wants the connection to have ended without a word.
func (c caller) breaks() {
	c.Helper()
	if got, err := c.in.ReadString('\n'); err == nil || got != "" {
		c.T.Errorf("heard %q", got)
	}
}

// waits wants silence for a while.
func (c caller) waits() {
	c.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var late net.Error
	if b, err := c.in.ReadByte(); !errors.As(err, &late) || !late.Timeout() {
		c.T.Errorf("heard %q, %v; want silence", b, err)
	}
	_ = c.SetReadDeadline(time.Time{})
}

func TestProxyCutAndHeal(t *testing.T) {
	t.Parallel()
	addr, _ := echo(t)
	p := NewProxy(t, addr)
	before := call(t, p)
	before.say("one\n")
	before.hears("one\n")
	p.Cut()
	before.breaks()
	refuses(t, p)
	p.Heal()
	after := call(t, p)
	after.say("two\n")
	after.hears("two\n")
}

func TestProxyFreezeAndHeal(t *testing.T) {
	t.Parallel()
	addr, heard := echo(t)
	p := NewProxy(t, addr)
	before := call(t, p)
	before.say("one\n")
	before.hears("one\n")
	p.Freeze()
	after := call(t, p)
	before.say("two\n")
	after.say("three\n")
	before.waits()
	after.waits()
	if len(heard) != 1 {
		t.Errorf("%d lines have passed, want the one before", len(heard))
	}
	p.Heal()
	before.hears("two\n")
	after.hears("three\n")
	p.Freeze()
	p.Cut()
	before.breaks()
	after.breaks()
}

func TestProxyDelay(t *testing.T) {
	t.Parallel()
	addr, _ := echo(t)
	p := NewProxy(t, addr)
	c := call(t, p)
	const delay = 60 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	c.say("one\n")
	c.hears("one\n")
	if took := time.Since(begin); took < delay {
		t.Errorf("the answer took %v, less than %v", took, delay)
	}
}

func TestProxyWatch(t *testing.T) {
	t.Parallel()
	addr, heard := echo(t)
	p := NewProxy(t, addr)
	p.Watch(func(block []byte) ProxyAct {
		switch {
		case strings.Contains(string(block), "before"):
			return ProxyCutBefore
		case strings.Contains(string(block), "after"):
			return ProxyCutAfter
		}
		return ProxyPass
	})
	c := call(t, p)
	c.say("one\n")
	c.hears("one\n")
	c.say("before\n")
	c.breaks()
	c = call(t, p)
	c.say("after\n")
	c.breaks()
	for _, want := range []string{"one\n", "after\n"} {
		if got := <-heard; got != want {
			t.Errorf("the target heard %q, want %q", got, want)
		}
	}
	p.Watch(nil)
	c = call(t, p)
	c.say("before\n")
	c.hears("before\n")
}

func TestProxyWithoutTarget(t *testing.T) {
	t.Parallel()
	refuses(t, NewProxy(t, Nobody))
}
