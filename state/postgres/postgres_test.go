// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/postgres"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func open(tb testing.TB, url string, o postgres.Options) *postgres.State {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

// raw runs statements past the state.
func raw(tb testing.TB, url string, texts ...string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	for _, text := range texts {
		_, failed := conn.Exec(tb.Context(), text)
		err = errors.Join(err, failed)
	}
	if err := errors.Join(err, conn.Close(tb.Context())); err != nil {
		tb.Fatal(err)
	}
}

// value reads one number past the state.
func value(tb testing.TB, url, text string) (n int64) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	err = conn.QueryRow(tb.Context(), text).Scan(&n)
	if err := errors.Join(err, conn.Close(context.WithoutCancel(tb.Context()))); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestReplaySuite(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	gatehousetest.ReplayCache(t, func(t *testing.T, now func() time.Time) gatehouse.ReplayCache {
		return open(t, address, postgres.Options{Fresh: true, Now: now})
	})
}

func TestLimiterSuite(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	gatehousetest.Limiter(t, func(t *testing.T, now func() time.Time) gatehouse.Limiter {
		return open(t, address, postgres.Options{Now: now})
	})
}

// TestManyStartAtOnce opens one empty database from several sides, as nodes would that
// start together.
func TestManyStartAtOnce(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	states, errs := make([]*postgres.State, 4), make([]error, 4)
	var wg sync.WaitGroup
	for i := range states {
		wg.Go(func() { states[i], errs[i] = postgres.Open(t.Context(), address, postgres.Options{Fresh: true}) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
		t.Cleanup(func() { _ = states[i].Close() })
		if err := states[i].Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
	now := time.Now()
	for i, s := range states {
		first, err := s.Claim(t.Context(), "k", "1", now, now.Add(time.Minute))
		if err != nil || first != (i == 0) {
			t.Errorf("node %d: %v, %v", i, first, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	address := testenv.Postgres(t)
	for _, o := range []postgres.Options{{MaxWindow: -1}, {MaxAhead: 25 * time.Hour}, {Skew: -1}} {
		var invalid *gatehouse.InvalidError
		if _, err := postgres.Open(t.Context(), address, o); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	open(t, address, postgres.Options{})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	raw(t, address, "INSERT INTO state_version (version_id, is_applied) VALUES (1000, true)")
	if _, err := postgres.Open(t.Context(), address, postgres.Options{}); !errors.Is(err, postgres.ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
	raw(t, address, "ALTER ROLE CURRENT_USER IN DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET default_transaction_read_only = on")
	if _, err := postgres.Open(t.Context(), address, postgres.Options{}); err == nil || errors.Is(err, postgres.ErrNewer) {
		t.Errorf("a server that takes no writes: %v", err)
	}
}

// TestPooler opens the state through a door that refuses startup parameters which PgBouncer
// does not know, and in the mode for a pooler that keeps no prepared statements.
func TestPooler(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = pooler(t, u.Host)
	u.RawQuery += "&default_query_exec_mode=exec"
	var log bytes.Buffer
	s := open(t, u.String(), postgres.Options{Fresh: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	now := time.Now()
	if !claim(t, s, "1", now) || claim(t, s, "1", now) {
		t.Error("not granted once")
	}
	limits := []gatehouse.Limit{{Name: "l", Count: 1, Period: time.Hour}, {Name: "m", Count: 5, Refill: gatehouse.RefillDay}}
	for _, limits := range [][]gatehouse.Limit{limits, limits[:1]} {
		for _, want := range []bool{true, false} {
			if ok, _, err := s.Take(t.Context(), "k", limits); ok != want || err != nil {
				t.Errorf("Take = %v, %v, want %v", ok, err, want)
			}
		}
		if err := errors.Join(s.Refund(t.Context(), "k", limits), s.Purge(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(log.String(), "synchronous_commit") {
		t.Errorf("log %q", &log)
	}
}

// pooler listens until the test ends.
func pooler(t *testing.T, server string) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pool(client, server)
		}
	}()
	return l.Addr().String()
}

func pool(client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	begin := make([]byte, 4096)
	n, err := client.Read(begin)
	if err != nil {
		return
	}
	if bytes.Contains(begin[:n], []byte("synchronous_commit")) {
		refusal, err := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter"}).Encode(nil)
		if err == nil {
			_, _ = client.Write(refusal)
		}
		return
	}
	to, err := net.Dial("tcp4", server)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	if _, err := to.Write(begin[:n]); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, client)
		_ = to.Close()
	}()
	_, _ = io.Copy(client, to)
}
