// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package testenv starts real servers for tests, on free ports of 127.0.0.1: PostgreSQL, MariaDB, nginx,
// Redis, Valkey and gatehouse itself.
//
// A package whose tests call [Postgres] or [Binary] hands its tests to [Main]:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
//
// Servers end with the tests. On Linux they also end when the test process is killed. When the tests run
// as root, the servers run as an account without rights. A missing program fails the test; the message
// names the Debian package that has it. Nothing is ever skipped.
package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a server may take to answer. A loaded machine needs seconds.
const patience = 30 * time.Second

// managed says that Main runs the tests, so that what is started for all of them is also ended.
var managed atomic.Bool

// leftovers ends what this process started for all its tests.
var leftovers stack

// stack is a list of functions to call in reverse order. The zero value is empty.
type stack struct {
	mu    sync.Mutex
	funcs []func()
}

func (s *stack) push(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.funcs = append(s.funcs, f)
}

func (s *stack) unwind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.funcs) > 0 {
		last := len(s.funcs) - 1
		s.funcs[last]()
		s.funcs = s.funcs[:last]
	}
}

// Main runs the tests of a package, ends the servers that they share, removes their files, and returns
// the code to exit with.
func Main(m *testing.M) int {
	managed.Store(true)
	defer leftovers.unwind()
	return m.Run()
}

// Nobody is an address where no connection is taken: the system gives its port to no listener. One that was free
// a moment ago may be another test's by now.
const Nobody = "127.0.0.1:1"

// FreeAddr returns an address of 127.0.0.1 with a port that was free a moment ago, and that the system gives to
// no connection by itself. Another test may take it first: where the server can listen on port 0 itself, let it.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	addr, err := lastingAddr()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return addr
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}

// needMain fails the test if nothing would end what it is about to start.
func needMain(tb testing.TB, caller string) {
	tb.Helper()
	if !managed.Load() {
		tb.Fatalf("testenv.%s: the package needs: func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }", caller)
	}
}

// await calls ok every 20 ms until it returns nil. It gives up with the last error of ok after
// [patience], and at once when gone is closed.
func await(gone <-chan struct{}, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("it ended before it answered: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// dial reports whether something accepts connections at addr.
func dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// scratchDir makes an empty folder that belongs to the account, or to this process if it is nil.
func scratchDir(name string, owner *account) (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("make scratch folder: %w", err)
	}
	if owner != nil {
		if err := os.Chown(dir, owner.uid, owner.gid); err != nil {
			return "", fmt.Errorf("make scratch folder: %w", err)
		}
	}
	return dir, nil
}
