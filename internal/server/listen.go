// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// face is one listener with its server.
type face struct {
	listener net.Listener
	server   *http.Server
	open     atomic.Int64 // connections
	draining *atomic.Bool
}

// newFace listens on addr ("unix:PATH" or host:port).
func newFace(addr string, h http.Handler, draining *atomic.Bool, log *slog.Logger) (*face, error) {
	ln, err := listen(addr)
	if err != nil {
		return nil, err
	}
	f := &face{listener: ln, draining: draining}
	f.server = &http.Server{
		Handler:           f.closing(h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				f.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				f.open.Add(-1)
			}
		},
	}
	return f, nil
}

func listen(addr string) (net.Listener, error) {
	path, ok := cutUnix(addr)
	if !ok {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
		return ln, nil
	}
	// A socket that a killed process left behind answers nobody; one that answers
	// belongs to a server that runs.
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("listen on %s: another server answers there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove stale socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// The directory is 0700: nobody else could reach the socket before this line.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("protect socket: %w", err)
	}
	return ln, nil
}

func cutUnix(addr string) (path string, ok bool) {
	const scheme = "unix:"
	if len(addr) > len(scheme) && addr[:len(scheme)] == scheme {
		return addr[len(scheme):], true
	}
	return "", false
}

// closing ends a connection with the answer that is written while the process drains.
func (f *face) closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last := &lastAnswer{ResponseWriter: w, draining: f.draining}
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

// Unwrap is for [http.ResponseController].
func (w *lastAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serve runs until the listener is closed.
func (f *face) serve() error {
	err := f.server.Serve(f.listener)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// lull is how long an idle connection may still bring a request after SIGTERM.
const lull = time.Second

// drain stops taking connections and lets those that are open finish: each gets one
// more answer, which closes it. Closing idle connections at once, as http.Server does,
// would lose requests that are on their way.
func (f *face) drain(ctx context.Context) error {
	_ = f.listener.Close() // Serve returns; a second Close says only that it is closed
	deadline := time.NewTimer(lull)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for f.open.Load() > 0 {
		select {
		case <-tick.C:
			continue
		case <-deadline.C:
		case <-ctx.Done():
		}
		break
	}
	// Shutdown closes the listener again, where Serve has not returned yet.
	if err := f.server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		_ = f.server.Close()
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// drainAll drains faces side by side and joins their errors.
func drainAll(ctx context.Context, faces []*face) error {
	errs := make([]error, len(faces))
	var wg sync.WaitGroup
	for i, f := range faces {
		wg.Go(func() { errs[i] = f.drain(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
