// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	owner    = "owner@example.com"
	password = "Ozymandias-8472-kings"
)

var operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}

// house is the API on its real parts, behind a unix socket.
type house struct {
	t         *testing.T
	store     *sqlite.DB
	authority *gatehouse.Authority
	client    *client.Client
	routes    []gate.Route
	socket    *http.Client
	log       *syncBuffer
}

func open(t *testing.T) *house {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	h := &house{t: t, log: &syncBuffer{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.store, err = sqlite.Open(ctx, filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	ring, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	must(err)
	sealer, err := seal.NewSealer(ctx, ring, h.store, time.Now)
	must(err)
	replay, err := memory.OpenReplay(memory.Options{Fresh: true, Capacity: 1 << 12})
	must(err)
	t.Cleanup(func() { _ = replay.Close() })
	limiter := memory.NewLimiter(0, nil)
	h.authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Sealer: sealer, Replay: replay, Limiter: limiter,
		Schemes: []gatehouse.Scheme{
			barong.New(barong.Options{}), bearer.New(ring), httpsig.New(httpsig.Options{}), shield.New(shield.Options{}),
		},
	})
	must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	must(err)
	directory, err := account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Sealer: sealer, Limiter: limiter,
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy, Pepper: ring.Derive("recovery-code"),
	})
	must(err)
	h.routes = rest.New(rest.Config{
		Authority: h.authority, Directory: directory, Tenant: gatehouse.DefaultTenant, Attempts: h.store, Log: slog.New(slog.NewTextHandler(h.log, nil)),
		Defaults: map[string]func(*gatehouse.NewKey){"shield": func(n *gatehouse.NewKey) {
			d := shield.NewKey(n.Principal, n.Name, n.Scopes...)
			n.Scopes, n.Unused = d.Scopes, cmp.Or(n.Unused, d.Unused)
		}},
	}).Routes()
	mux := http.NewServeMux()
	gate.Mount(mux, h.routes)
	path := filepath.Join(dir, api.SocketName)
	server := httptest.NewUnstartedServer(mux)
	must(server.Listener.Close())
	server.Listener, err = net.Listen("unix", path)
	must(err)
	server.Start()
	t.Cleanup(server.Close)
	h.client = client.Socket(path)
	h.socket = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(h.socket.CloseIdleConnections)
	return h
}

// person makes the account that keys in tests belong to.
func (h *house) person() api.Account {
	h.t.Helper()
	a, err := h.client.CreateAccount(h.t.Context(), api.NewAccount{Email: owner, Password: password})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// key makes a key of that account.
func (h *house) key(schemes ...string) api.CreatedKey {
	h.t.Helper()
	k, err := h.client.CreateKey(h.t.Context(), api.NewKey{Owner: owner, Schemes: schemes})
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

// send sends a request, written as a route's pattern is: "GET /v1/keys". Every answer of
// the API must forbid that it is kept.
func (h *house) send(line, body string) reply {
	h.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://gatehouse"+target, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := h.socket.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	kind := "application/json"
	if resp.StatusCode >= 400 {
		kind = api.ProblemType
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": kind} {
		if got := resp.Header.Get(name); got != want {
			h.t.Errorf("%s: %s is %q, want %q", line, name, got, want)
		}
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
