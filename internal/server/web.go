// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// limits are what a face bears of who connects. A time of zero is no limit.
type limits struct {
	header      time.Duration // until the header is there
	read        time.Duration // until the body is there, from the same moment
	write       time.Duration // until the answer is taken
	idle        time.Duration // between two requests
	headerBytes int
}

var (
	// Whoever comes: short requests, short answers.
	forStrangers = limits{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second, idle: 60 * time.Second, headerBytes: 16 << 10}

	// Gateways hand on a client's whole header and add to it; nginx takes 32 KiB of a client.
	// They must be the first to close an idle connection, or now and then they ask on one
	// that just closes: nginx keeps them for 60 s, Traefik for 90 s, Caddy for 120 s.
	forGateways = limits{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second, idle: 150 * time.Second, headerBytes: 64 << 10}

	// What services are sent and answer may take as long as it wants, such as a stream: once
	// the gate has let a request pass, the proxy moves the deadlines while bytes move. Until
	// then read bounds the body that a proof covers, which stays in memory meanwhile. Cookies and
	// tokens of browsers have room in what nginx takes of a client.
	forServices = limits{header: 5 * time.Second, read: 30 * time.Second, idle: 150 * time.Second, headerBytes: 32 << 10}
)

// web is a server of HTTP that loses no request when it drains.
type web struct {
	*http.Server
	listener net.Listener
	open     atomic.Int64 // connections
	tunnels  atomic.Int64 // connections that went over to another protocol, such as WebSocket
	cut      func()       // ends what runs, tunnels too
	draining *atomic.Bool
	lull     time.Duration // how long an idle connection may still bring a request after SIGTERM
	log      *slog.Logger
}

func newWeb(ln net.Listener, h http.Handler, l limits, draining *atomic.Bool, log *slog.Logger) *web {
	if l, ok := ln.(*lastCall); ok {
		l.http = true
	}
	all, cut := context.WithCancel(context.Background())
	s := &web{listener: ln, draining: draining, cut: cut, lull: time.Second, log: log}
	s.Server = &http.Server{
		Handler:           s.closing(h),
		ReadHeaderTimeout: l.header,
		ReadTimeout:       l.read,
		WriteTimeout:      l.write,
		IdleTimeout:       l.idle,
		MaxHeaderBytes:    l.headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return all },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ConnState: func(conn net.Conn, state http.ConnState) {
			if c, ok := conn.(*counted); ok {
				c.rests(state == http.StateIdle)
			}
			switch state {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
			}
		},
	}
	return s
}

// connKey is that of the connection in the context of its requests.
type connKey struct{}

// closing ends a connection with the answer that is written while the process drains, and where
// a Content-Length may have stood beside a Transfer-Encoding: the header came in one piece with
// the request before.
func (s *web) closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last := &lastAnswer{ResponseWriter: w, draining: s.draining, tunnels: &s.tunnels}
		if c, ok := r.Context().Value(connKey{}).(*counted); ok {
			last.closes = !c.header.over() && len(r.TransferEncoding) > 0
		}
		defer last.end()
		h.ServeHTTP(last, r)
		if !last.begun { // an answer of which nothing was written, such as a gate's
			last.WriteHeader(http.StatusOK)
		}
	})
}

// lastAnswer says at the last moment that the connection ends: a request that came
// before SIGTERM may be answered after it.
type lastAnswer struct {
	http.ResponseWriter
	draining *atomic.Bool
	tunnels  *atomic.Int64
	closes   bool // though nothing drains
	begun    bool
	hijacked bool
}

func (w *lastAnswer) WriteHeader(status int) {
	if !w.begun && status >= http.StatusOK {
		w.begun = true
		if w.closes || w.draining.Load() {
			w.Header().Set("Connection", "close")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *lastAnswer) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Hijack is for [http.ResponseController]. The connection is the handler's own then, for as long
// as it runs: no answer is left to begin.
func (w *lastAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.tunnels.Add(1) // before the server forgets the connection: a drain sees the one or the other
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		w.tunnels.Add(-1)
		return nil, nil, err
	}
	w.begun, w.hijacked = true, true
	return conn, rw, nil
}

// end is called when the handler has returned.
func (w *lastAnswer) end() {
	if w.hijacked {
		w.tunnels.Add(-1)
	}
}

// Unwrap is for [http.ResponseController].
func (w *lastAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Drain stops taking connections and lets those that are open finish: each gets one
// more answer, which closes it. Closing idle connections at once, as http.Server does,
// would lose requests that are on their way; one of which the beginning has come is waited
// for after the lull too, for as long as a header may take: net/http counts so only from the
// fourth byte on, and who sends one must not hold the drain. Tunnels end by themselves, or with ctx, which is no error: they
// have no end of their own.
func (s *web) Drain(ctx context.Context) error {
	defer s.cut()
	_ = s.listener.Close() // Serve returns; a second Close says only that it is closed
	l, _ := s.listener.(*lastCall)
	lulled := time.Now().Add(s.lull)
	until(ctx, func() bool {
		now := time.Now()
		return s.open.Load() == 0 || now.After(lulled) && (l == nil || l.stirring.Load() == 0 || now.After(lulled.Add(s.ReadHeaderTimeout)))
	})
	// Shutdown closes the listener again, where Serve has not returned yet.
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		_ = s.Close()
		return fmt.Errorf("drain: %w", err)
	}
	if until(ctx, func() bool { return s.tunnels.Load() == 0 }); s.tunnels.Load() > 0 {
		s.log.Info("connections of another protocol, such as WebSocket, are cut", "connections", s.tunnels.Load())
	}
	return nil
}

// until waits until a condition holds, or for the end of ctx.
func until(ctx context.Context, holds func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
