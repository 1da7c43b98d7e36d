// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Redis starts a Redis server of the test's own and returns its URL, redis://:password@host:port. What
// [StartRedis] says holds for it.
func Redis(tb testing.TB) string {
	tb.Helper()
	return StartRedis(tb, "redis-server").URL()
}

// Valkey is [Redis] with a Valkey server.
func Valkey(tb testing.TB) string {
	tb.Helper()
	return StartRedis(tb, "valkey-server").URL()
}

// RedisServer is a Redis or Valkey server of one test. It is not safe for concurrent use, but for Do.
type RedisServer struct {
	tb       testing.TB
	program  string // path
	args     []string
	as       *account
	dir      string // holds the settings, the data and the log
	addr     string
	password string
	p        *process // nil: stopped
}

// StartRedis starts a server that ends with the test: redis-server or valkey-server. It listens on
// 127.0.0.1, asks for a password and keeps nothing on the disk. settings are lines of its configuration
// file, such as "appendonly yes"; they come last and so win.
func StartRedis(tb testing.TB, name string, settings ...string) *RedisServer {
	tb.Helper()
	return startRedis(tb, name, rand.Text(), settings)
}

func startRedis(tb testing.TB, name, password string, settings []string, args ...string) *RedisServer {
	tb.Helper()
	path, err := program(name, name)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	as, err := unprivileged("redis", "valkey", "nobody")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	dir, err := scratchDir("redis", as)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &RedisServer{tb: tb, program: path, args: args, as: as, dir: dir, password: password}
	if err := s.serve(settings); err != nil {
		tb.Fatalf("testenv: start %s: %v", name, err)
	}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("%s at %s:\n%s", name, s.addr, tail(filepath.Join(s.dir, "log")))
		}
	})
	return s
}

// serve writes the configuration and starts the server on a free port.
func (s *RedisServer) serve(settings []string) error {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		bus, err := freeAddr()
		if err != nil {
			return err
		}
		s.addr = addr
		if err := s.configure(bus, settings); err != nil {
			return err
		}
		if err = s.launch(); err == nil {
			return nil
		}
		lost := s.p != nil && s.p.lostPort()
		s.Stop()
		if attempt == attempts || !lost {
			return fmt.Errorf("%w\n%s", err, tail(filepath.Join(s.dir, "log")))
		}
	}
}

// configure writes the file that the server reads, and that Sentinel and CONFIG REWRITE write.
func (s *RedisServer) configure(bus string, settings []string) error {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("configure redis: %w", err)
	}
	lines := []string{"bind " + host, "port " + port, "dir " + s.dir, "requirepass " + s.password, "protected-mode no"}
	if len(s.args) == 0 { // a Sentinel does not know these
		lines = append(lines, "masterauth "+s.password, `save ""`, "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
	}
	for _, line := range append(lines, settings...) {
		if line == "cluster-enabled yes" {
			_, busPort, _ := net.SplitHostPort(bus)
			lines = append(lines, "cluster-port "+busPort)
		}
	}
	text := strings.Join(append(lines, settings...), "\n") + "\n"
	if err := os.WriteFile(s.conf(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configure redis: %w", err)
	}
	if s.as != nil {
		if err := os.Chown(s.conf(), s.as.uid, s.as.gid); err != nil {
			return fmt.Errorf("configure redis: %w", err)
		}
	}
	return nil
}

func (s *RedisServer) conf() string { return filepath.Join(s.dir, "conf") }

// launch runs the server and returns once it answers.
func (s *RedisServer) launch() error {
	cmd := exec.Command(s.program, append([]string{s.conf()}, s.args...)...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC"}
	p, err := start(cmd, filepath.Join(s.dir, "log"), s.as, syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.p = p
	return await(p.Done, func(ctx context.Context) error { // also while it loads its data
		_, err := s.do(ctx, "PING")
		return err
	})
}

// URL is redis://:password@host:port.
func (s *RedisServer) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.password), Host: s.addr}
	return u.String()
}

// Addr is host:port. It stays the same after [RedisServer.Start].
func (s *RedisServer) Addr() string { return s.addr }

// Dir is the folder of the server's data.
func (s *RedisServer) Dir() string { return s.dir }

// Stop kills the server. Without "appendonly yes" its data is gone.
func (s *RedisServer) Stop() {
	if s.p != nil {
		s.p.stop(syscall.SIGKILL)
		s.p = nil
	}
}

// Start starts a stopped server again, on its port and with what is on the disk.
func (s *RedisServer) Start() {
	s.tb.Helper()
	if err := s.launch(); err != nil {
		s.tb.Fatalf("testenv: start %s again: %v\n%s", s.program, err, tail(filepath.Join(s.dir, "log")))
	}
}

// Freeze stops the server's process without ending it; its connections stay open.
func (s *RedisServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *RedisServer) Thaw() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.p.Cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("testenv: signal redis: %v", err)
	}
}

// Do sends one command and returns the answer: of an array one element a line.
func (s *RedisServer) Do(command ...string) string {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := s.do(ctx, command...)
	if err != nil {
		s.tb.Fatalf("testenv: redis: %s: %v", strings.Join(command, " "), err)
	}
	return answer
}

// Flush forgets all data, as an operator does.
func (s *RedisServer) Flush() { s.Do("FLUSHALL") }

// Replicate makes the server a replica of another and returns once it has its data.
func (s *RedisServer) Replicate(primary *RedisServer) {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(primary.addr)
	s.Do("REPLICAOF", host, port)
	s.Await("master_link_status:up", "INFO", "replication")
}

// Promote makes a replica a primary.
func (s *RedisServer) Promote() { s.Do("REPLICAOF", "NO", "ONE") }

// Await sends the command until its answer holds the text.
func (s *RedisServer) Await(text string, command ...string) {
	s.tb.Helper()
	err := await(s.p.Done, func(ctx context.Context) error {
		answer, err := s.do(ctx, command...)
		if err == nil && !strings.Contains(answer, text) {
			err = fmt.Errorf("%s: got %q, want %q in it", strings.Join(command, " "), answer, text)
		}
		return err
	})
	if err != nil {
		s.tb.Fatalf("testenv: redis: %v", err)
	}
}

// tail is the end of a log.
func tail(log string) string { return (&process{log: log}).output() }

// StartRedisReplica starts a replica of primary, with its data and its password.
func StartRedisReplica(tb testing.TB, name string, primary *RedisServer) *RedisServer {
	tb.Helper()
	s := startRedis(tb, name, primary.password, nil)
	s.Replicate(primary)
	return s
}
