// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a PostgreSQL server of one test, which can be stopped and started. [PostgresServer] makes it. Its
// methods that fail do so with the test, and are called from the test's own goroutine.
type Server struct {
	tb      testing.TB
	cluster *cluster
	process *process // nil while it is stopped
}

// PostgresServer starts a PostgreSQL server for this test alone, as [Postgres] does for all, on a port that it
// keeps when it is stopped and started. It ends with the test. settings are name=value, as after -c; without any,
// nothing acknowledged is lost in a crash.
func PostgresServer(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	c, err := newCluster(settings...)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(c.dir) })
	s := &Server{tb: tb, cluster: c}
	if c.addr, err = lastingAddr(); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	s.Start()
	tb.Cleanup(func() {
		if s.process != nil {
			s.process.stop(syscall.SIGQUIT)
		}
	})
	for _, sql := range []string{
		"CREATE ROLE " + ownerRole + " LOGIN PASSWORD '" + c.password + "'",
		"CREATE DATABASE test OWNER " + ownerRole,
	} {
		if err := c.exec(sql); err != nil {
			tb.Fatalf("testenv: %v", err)
		}
	}
	return s
}

// URL names a database that is empty at first. The role in it owns the database and nothing else.
func (s *Server) URL() string { return s.cluster.url(ownerRole, "test") }

// Admin names the same database, with the role of the administrator.
func (s *Server) Admin() string { return s.cluster.url(adminRole, "test") }

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return s.cluster.addr }

// Stop ends the server and waits for it: SIGINT breaks off what runs and writes everything down, SIGQUIT is a
// crash, after which the next start recovers. A server that is stopped stays so.
func (s *Server) Stop(sig syscall.Signal) {
	s.tb.Helper()
	if s.process == nil {
		return
	}
	_ = s.process.Cmd.Process.Signal(sig) // fails only if it has ended
	select {
	case <-s.process.Done:
	case <-time.After(patience):
		s.tb.Fatalf("testenv: the server has not ended after %v\n%s", patience, s.process.output())
	}
	s.process = nil
}

// Start starts the server where it was and returns once it answers queries. One that runs stays so.
func (s *Server) Start() {
	s.tb.Helper()
	if s.process != nil {
		return
	}
	p, err := s.cluster.launch()
	if err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
	s.process = p
}

// lastingAddr returns a free address of 127.0.0.1 with a port that the system gives to nobody by itself: one for
// a server that is down at times.
func lastingAddr() (string, error) {
	err := errors.New("no try")
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.N(12000)))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", fmt.Errorf("find a lasting port: %w", err)
}
