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
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/client"
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
	file      string // of the database
	store     *sqlite.DB
	authority *gatehouse.Authority
	directory *account.Directory
	limiter   gatehouse.Limiter
	signing   *assertion.Keys
	client    *client.Client
	api       *rest.Handler
	public    http.Handler
	socket    *http.Client
	log       *syncBuffer
	watched   watched
}

// watched is what the authority's observer was told.
type watched struct {
	mu   sync.Mutex
	told []string // reasons, each with the key that was named
}

func (w *watched) Observe(_ *gatehouse.Request, d *gatehouse.Decision, _ error, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, d.Reason.Code()+" "+d.NamedKey())
}

// last is what it was told last.
func (w *watched) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.told) == 0 {
		return ""
	}
	return w.told[len(w.told)-1]
}

func open(t *testing.T) *house {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	h := &house{t: t, log: &syncBuffer{}, file: filepath.Join(dir, "gatehouse.db")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.store, err = sqlite.Open(ctx, h.file, sqlite.Options{})
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
		Store: h.store, Sealer: sealer, Replay: replay, Limiter: limiter, Observer: &h.watched,
		Schemes: []gatehouse.Scheme{
			barong.New(barong.Options{}), bearer.New(ring), httpsig.New(httpsig.Options{}), shield.New(shield.Options{}),
		},
	})
	must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	must(err)
	h.directory, err = account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Sealer: sealer, Limiter: limiter,
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy, Pepper: ring.Derive("recovery-code"),
	})
	must(err)
	h.limiter = limiter
	h.signing = openSigning(t, h.store, sealer)
	h.serve(rest.Config{})
	path := filepath.Join(dir, api.SocketName)
	server := httptest.NewUnstartedServer(h.api.Socket())
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

// serve makes the API with what c says besides.
func (h *house) serve(c rest.Config) {
	h.t.Helper()
	if c.Receipts == nil {
		c.Receipts = h.store
	}
	c.Authority, c.Directory, c.Tenants, c.Usage = h.authority, h.directory, h.store, h.store
	c.Attempts, c.Audit, c.Limiter, c.Log, c.Keyring = h.store, h.store, h.limiter, slog.New(slog.NewTextHandler(h.log, nil)), cmp.Or(c.Keyring, rest.Keyring(&calls{}))
	c.RuleStore, c.Chains, c.Signing, c.Notices = h.store, h.store, &signing{h.signing}, h.store
	if c.Cluster == nil {
		c.Cluster = func(context.Context) api.Cluster { return api.Cluster{Nodes: []api.Node{}} }
	}
	c.Defaults = map[string]func(*gatehouse.NewKey){"shield": func(n *gatehouse.NewKey) {
		d := shield.NewKey(n.Principal, n.Name, n.Scopes...)
		n.Scopes, n.Unused = d.Scopes, cmp.Or(n.Unused, d.Unused)
	}}
	var err error
	if h.api, err = rest.New(c); err != nil {
		h.t.Fatal(err)
	}
	h.public = h.api.Public()
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

// other makes another account.
func (h *house) other() api.Account {
	h.t.Helper()
	a, err := h.client.CreateAccount(h.t.Context(), api.NewAccount{Email: "other@example.com"})
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
	return h.sendWith(line, body)
}

// sendWith is send with further header fields, as "Name: value"; empty ones are left out.
func (h *house) sendWith(line, body string, fields ...string) reply {
	h.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://gatehouse"+target, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range fields {
		if name, value, _ := strings.Cut(f, ": "); value != "" {
			req.Header.Set(name, value)
		}
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
		if got := resp.Header.Get(name); got != want && !(name == "Content-Type" && resp.StatusCode == http.StatusNoContent) {
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
