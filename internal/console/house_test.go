// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/console"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	email    = "admin@example.com"
	password = "Ozymandias-8472-kings"
	form     = "application/x-www-form-urlencoded"
)

// house is the console on its real parts.
type house struct {
	t         *testing.T
	store     *sqlite.DB
	directory *account.Directory
	handler   http.Handler
	log       bytes.Buffer
}

func open(t *testing.T) *house {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	h := &house{t: t}
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
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	must(err)
	h.directory, err = account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Sealer: sealer, Limiter: memory.NewLimiter(0, nil),
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy, Pepper: ring.Derive("recovery-code"),
	})
	must(err)
	mux := http.NewServeMux()
	proxies := gate.TrustProxies(netip.MustParsePrefix("192.0.2.0/24"))
	log := slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pages, err := console.New(console.Config{
		Directory: h.directory, Tenant: gatehouse.DefaultTenant, Proxies: proxies, API: http.NotFoundHandler(), Door: http.NotFoundHandler(),
		Cookie: "_session", Name: "Gatehouse", Log: log,
	})
	must(err)
	gate.Mount(mux, pages.Routes())
	h.handler = mux
	return h
}

// token is a new setup token.
func (h *house) token() string {
	h.t.Helper()
	token, err := h.directory.IssueSetup(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return token.Reveal()
}

func (h *house) accounts() []account.Account {
	h.t.Helper()
	as, _, err := h.directory.List(h.t.Context(), account.Query{Limit: 10})
	if err != nil {
		h.t.Fatal(err)
	}
	return as
}

// send sends a request and checks what every answer of the page must carry.
func (h *house) send(method, target, kind, body string) *http.Response {
	h.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	for name, want := range map[string]string{
		"Cache-Control":              "no-store",
		"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"Referrer-Policy":            "no-referrer",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			h.t.Errorf("%s %s: %s is %q", method, target, name, got)
		}
	}
	if got := w.Header()["Set-Cookie"]; got != nil {
		h.t.Errorf("%s %s: cookies %q", method, target, got)
	}
	return w.Result()
}

// post sends the form.
func (h *house) post(token, email, password string) *http.Response {
	h.t.Helper()
	return h.send("POST", "/setup", form, url.Values{"token": {token}, "email": {email}, "password": {password}}.Encode())
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
