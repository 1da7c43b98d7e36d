// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// face is one listener with its server.
type face struct {
	addr     string // "unix:PATH" or host:port; empty: there is none
	serves   func(net.Listener) server
	says     string // what the greeting says before the address; empty: nothing
	listener net.Listener
	server   server
}

// server is what serves a listener. Drain takes no new connection, finishes what runs and
// returns. Serve returns then, or when its listener is closed.
type server interface {
	Serve(net.Listener) error
	Drain(context.Context) error
}

// open listens. Who comes waits for serve.
func (f *face) open() (err error) {
	f.listener, err = listen(f.addr)
	return err
}

// prepare makes the server, once the faces are open: what it serves may tell their addresses.
func (f *face) prepare() { f.server = f.serves(f.listener) }

// serve runs until the listener is closed.
func (f *face) serve() error {
	err := f.server.Serve(f.listener)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// drain accepts who waits, takes nobody new, and finishes what runs.
func (f *face) drain(ctx context.Context) error {
	if l, ok := f.listener.(*lastCall); ok {
		l.leave(ctx)
	}
	return f.server.Drain(ctx)
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

func listen(addr string) (net.Listener, error) {
	path, ok := cutUnix(addr)
	if !ok {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
		return newLastCall(ln.(*net.TCPListener)), nil
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
