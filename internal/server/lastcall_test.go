// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A face takes so many connections and no more, and takes others when some have ended.
func TestMostConnections(t *testing.T) {
	t.Parallel()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := ln.(*lastCall)
	l.most, l.log = 2, slog.New(slog.NewTextHandler(&log, nil))
	taken, ended := make(chan net.Conn, 3), make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			taken <- conn
		}
	}()
	dial(t, l.Addr().String())
	dial(t, l.Addr().String())
	first := <-taken
	<-taken
	if _, err := dial(t, l.Addr().String()).r.ReadByte(); err == nil {
		t.Error("one more than there is room for has an answer")
	}
	_ = first.Close()
	_ = first.Close() // as often as one likes
	dial(t, l.Addr().String())
	<-taken
	if _, err := dial(t, l.Addr().String()).r.ReadByte(); err == nil {
		t.Error("again one more than there is room for has an answer")
	}
	_ = l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "no room for more connections"); got != 2 {
		t.Errorf("said %d times: %s", got, &log)
	}
}

// What is no HTTP has no header: nothing of it is counted, held back or refused.
func TestOtherProtocolsHaveNoHeader(t *testing.T) {
	t.Parallel()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := bytes.Repeat([]byte("\nContent-Length: 1\nTransfer-Encoding: chunked\n"), 1000)
	go func() {
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			_, _ = c.Write(sent)
			_ = c.Close()
		}
	}()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
}

// Who sends one byte on an idle connection does not hold the drain for its whole grace.
func TestDrainWaitsForNoSingleByte(t *testing.T) {
	t.Parallel()
	f := openFace(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), new(atomic.Bool))
	s := f.server.(*web)
	s.lull, s.ReadHeaderTimeout = 0, 50*time.Millisecond
	served := make(chan error, 1)
	go func() { served <- f.serve() }()
	c := dial(t, f.listener.Addr().String())
	c.send("/")
	c.read()
	if _, err := io.WriteString(c.conn, "G"); err != nil {
		t.Fatal(err)
	}
	until(t.Context(), func() bool { return f.listener.(*lastCall).stirring.Load() == 1 })
	grace, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.drain(grace); err != nil || grace.Err() != nil {
		t.Error(err, grace.Err())
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A request of which the beginning has come on an idle connection is answered, though the rest
// takes its time.
func TestDrainWaitsForARequestThatBegan(t *testing.T) {
	t.Parallel()
	shut := make(chan struct{})
	f := openFace(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-shut:
			t.Error("idle connections are closed while a request comes")
		default:
		}
	}), new(atomic.Bool))
	s := f.server.(*web)
	s.lull = 0
	s.RegisterOnShutdown(func() { close(shut) })
	served, drained := make(chan error, 1), make(chan error, 1)
	go func() { served <- f.serve() }()
	c := dial(t, f.listener.Addr().String())
	c.send("/")
	c.read()
	if _, err := io.WriteString(c.conn, "GET / HTTP/1.1\r\nHo"); err != nil {
		t.Fatal(err)
	}
	until(t.Context(), func() bool { return f.listener.(*lastCall).stirring.Load() == 1 })
	go func() { drained <- f.drain(t.Context()) }()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(c.conn, "st: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if resp, _ := c.read(); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	_ = c.conn.Close()
	if err := <-drained; err != nil || s.open.Load() != 0 || f.listener.(*lastCall).stirring.Load() != 0 {
		t.Errorf("%v, %d connections", err, s.open.Load())
	}
}

// tunnel is an open WebSocket through the proxy to a service that repeats lines.
func (g *gated) tunnel(t *testing.T) *wireClient {
	t.Helper()
	c := dial(t, g.proxy)
	upgrade := strings.Replace(g.request("/socket"), "\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 1)
	if _, err := io.WriteString(c.conn, upgrade); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	return c
}

func (c *wireClient) talks(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text+"\n"); err != nil {
		c.t.Error(err)
	}
	if line, err := c.r.ReadString('\n'); line != text+"\n" {
		c.t.Errorf("%q, %v", line, err)
	}
}

var repeats = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
})

// While a face drains a WebSocket lives until it ends, and the face ends with the last of them.
func TestDrainWaitsForWebSockets(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(repeats)
	t.Cleanup(service.Close)
	to, _ := url.Parse(service.URL)
	f := openFace(t, httputil.NewSingleHostReverseProxy(to), new(atomic.Bool))
	go func() { _ = f.serve() }()
	g := &gated{proxy: f.listener.Addr().String()}
	one, two := g.tunnel(t), g.tunnel(t)
	var ended atomic.Bool
	f.server.(*web).RegisterOnShutdown(func() {
		one.talks("hello")
		_ = one.conn.Close()
		for range 100 {
			two.talks("hello")
		}
		ended.Store(true)
		_ = two.conn.Close()
	})
	if err := f.drain(t.Context()); err != nil || !ended.Load() {
		t.Errorf("the face ended before the last WebSocket (%v): %v", ended.Load(), err)
	}
}

// Who does not end by itself is cut when the grace is over, and that is no error.
func TestDrainCutsWebSockets(t *testing.T) {
	t.Parallel()
	g := runGates(t, repeats, map[string]string{"shutdown_grace": "1500ms"})
	c := g.tunnel(t)
	c.talks("hello")
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if !c.ended() {
		t.Error("the WebSocket is open after the process")
	}
}

func TestSeldomly(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := seldomly(slog.New(slog.NewTextHandler(&log, nil))).Handler()
	begin := time.Now()
	say := func(level slog.Level, text string, after time.Duration) {
		if err := h.WithAttrs(nil).Handle(t.Context(), slog.NewRecord(begin.Add(after), level, text, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		say(slog.LevelWarn, "one", time.Duration(i)*100*time.Millisecond)
		say(slog.LevelWarn, "two", time.Duration(i)*time.Second)
		say(slog.LevelError, "three", 0)
	}
	say(slog.LevelWarn, "one", time.Second)
	if got := log.String(); strings.Count(got, "msg=one") != 2 || strings.Count(got, "msg=one left_out=4") != 1 ||
		strings.Count(got, "msg=two") != 5 || strings.Count(got, "msg=three") != 5 || strings.Count(got, "left_out") != 1 {
		t.Error(got)
	}
}

// Strangers do not fill the log of the gates.
func TestStrangersInTheLog(t *testing.T) {
	t.Parallel()
	c := settings(t, map[string]string{"gate.listen": "127.0.0.1:0", "gate.peers": "192.0.2.1/32"})
	var log bytes.Buffer
	p := wire(t, c)
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	h := p.gateFaces(&c)[0].serves(nil).(*web).Handler
	const checks = 100
	for range checks {
		r := httptest.NewRequest(http.MethodGet, "/v1/authz/nginx", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Error(w.Code)
		}
	}
	if got := strings.Count(log.String(), "unknown gateway"); got == 0 || got > checks/2 {
		t.Errorf("said %d times", got)
	}
}
