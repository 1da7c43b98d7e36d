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
	// then read bounds the body that a proof covers, which stays in memory meanwhile.
	forServices = limits{header: 5 * time.Second, read: 30 * time.Second, idle: 150 * time.Second, headerBytes: 64 << 10}
)

// web is a server of HTTP that loses no request when it drains.
type web struct {
	*http.Server
	listener net.Listener
	open     atomic.Int64 // connections
	draining *atomic.Bool
}

func newWeb(ln net.Listener, h http.Handler, l limits, draining *atomic.Bool, log *slog.Logger) *web {
	s := &web{listener: ln, draining: draining}
	s.Server = &http.Server{
		Handler:           s.closing(h),
		ReadHeaderTimeout: l.header,
		ReadTimeout:       l.read,
		WriteTimeout:      l.write,
		IdleTimeout:       l.idle,
		MaxHeaderBytes:    l.headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnState: func(_ net.Conn, state http.ConnState) {
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

// closing ends a connection with the answer that is written while the process drains.
func (s *web) closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last := &lastAnswer{ResponseWriter: w, draining: s.draining}
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
	begun    bool
}

func (w *lastAnswer) WriteHeader(status int) {
	if !w.begun && status >= http.StatusOK {
		w.begun = true
		if w.draining.Load() {
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

// Hijack is for [http.ResponseController]. The connection is the handler's own then: no answer
// is left to begin.
func (w *lastAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.begun = w.begun || err == nil
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (w *lastAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// lull is how long an idle connection may still bring a request after SIGTERM.
const lull = time.Second

// Drain stops taking connections and lets those that are open finish: each gets one
// more answer, which closes it. Closing idle connections at once, as http.Server does,
// would lose requests that are on their way.
func (s *web) Drain(ctx context.Context) error {
	_ = s.listener.Close() // Serve returns; a second Close says only that it is closed
	deadline := time.NewTimer(lull)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.open.Load() > 0 {
		select {
		case <-tick.C:
			continue
		case <-deadline.C:
		case <-ctx.Done():
		}
		break
	}
	// Shutdown closes the listener again, where Serve has not returned yet.
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		_ = s.Close()
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}
