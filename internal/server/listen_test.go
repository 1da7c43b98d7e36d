// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var silent = slog.New(slog.DiscardHandler)

func TestSocketOfAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	live, err := listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if ln, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "another server answers there") {
		t.Errorf("beside a live socket: %v, %v", ln, err)
	}
	live.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	ln, err := listen("unix:" + path)
	if err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := listen("127.0.0.1:99999"); err == nil {
		t.Error("an impossible port was taken")
	}
}

// openFace listens for HTTP on a free port.
func openFace(t *testing.T, h http.Handler, draining *atomic.Bool) *face {
	t.Helper()
	f := &face{addr: "127.0.0.1:0", serves: func(ln net.Listener) server { return newWeb(ln, h, forStrangers, draining, silent) }}
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	f.prepare()
	return f
}

// A connection that sends half a header, or reads nothing, is closed in time.
func TestLimitsOfAFace(t *testing.T) {
	t.Parallel()
	s := newWeb(nil, http.NotFoundHandler(), forStrangers, &atomic.Bool{}, silent)
	for name, d := range map[string]time.Duration{"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s is %v", name, d)
		}
	}
	if s.ReadHeaderTimeout > s.ReadTimeout || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 1<<16 || s.ErrorLog == nil {
		t.Errorf("header: %v within %v, %d bytes", s.ReadHeaderTimeout, s.ReadTimeout, s.MaxHeaderBytes)
	}
}

// wireClient is one connection, driven by hand.
type wireClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, addr string) *wireClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &wireClient{t, conn, bufio.NewReader(conn)}
}

func (c *wireClient) send(target string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wireClient) read() (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(b)
}

func (c *wireClient) ended() bool {
	_, err := c.r.ReadByte()
	return errors.Is(err, io.EOF)
}

// After SIGTERM what runs is finished, an idle connection brings one more request, and
// no new connection is taken.
func TestDrain(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var draining atomic.Bool
	f := openFace(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
		if r.URL.Path == "/empty" {
			return
		}
		_, _ = io.WriteString(w, "done")
	}), &draining)
	addr := f.listener.Addr().String()
	served, drained := make(chan error, 1), make(chan error, 1)
	go func() { served <- f.serve() }()
	idle, quiet, running := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.send("/")
	quiet.send("/empty")
	for _, c := range []*wireClient{idle, quiet} {
		if resp, _ := c.read(); resp.Close {
			t.Error("a connection is closed before the drain")
		}
	}
	running.send("/slow")
	<-entered

	draining.Store(true)
	go func() { drained <- f.server.Drain(t.Context()) }()
	idle.send("/")
	if resp, body := idle.read(); resp.StatusCode != 200 || body != "done" || !resp.Close {
		t.Errorf("one more request: %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	quiet.send("/empty")
	if resp, body := quiet.read(); resp.StatusCode != 200 || body != "" || !resp.Close {
		t.Errorf("one more request, answered with nothing: %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	if !idle.ended() || !quiet.ended() {
		t.Error("the connection stays open after its last answer")
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("a new connection was taken")
	}
	select {
	case err := <-drained:
		t.Fatalf("drained while a request runs: %v", err)
	default:
	}
	close(release)
	if resp, body := running.read(); resp.StatusCode != 200 || body != "done" || !resp.Close {
		t.Errorf("the running request: %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if !running.ended() || f.server.(*web).open.Load() != 0 {
		t.Errorf("%d connections are open", f.server.(*web).open.Load())
	}
}

// A request that outlives the grace is broken off, and that is an error.
func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	f := openFace(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	}), &atomic.Bool{})
	go func() { _ = f.serve() }()
	c := dial(t, f.listener.Addr().String())
	c.send("/")
	<-entered
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := drainAll(ended, []*face{f}); !errors.Is(err, context.Canceled) {
		t.Errorf("drain: %v", err)
	}
	<-left
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("an answer came")
	}
}
