// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/oauth"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/scheme/httpsig"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	issuer = "https://id.example"
	tokens = "/oauth2/token"
	look   = "/oauth2/introspect"
	end    = "/oauth2/revoke"
)

var operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}

// minter fills the door's need for tokens with the house's own.
type minter struct{ *assertion.Minter }

func (m minter) Mint(ctx context.Context, g oauth.Grant) (string, time.Time, error) {
	return m.MintGrant(ctx, assertion.Grant{
		Subject: assertion.Subject{Principal: *g.Principal, Key: g.Key, Scheme: bearer.Name},
		Scopes:  g.Scopes, Audience: g.Audience, Lifetime: g.Lifetime,
	})
}

func (m minter) Read(ctx context.Context, token string) (oauth.Claims, bool, error) {
	c, err := m.VerifyDefault(ctx, token)
	if errors.Is(err, assertion.ErrInvalidToken) {
		return oauth.Claims{}, false, nil
	}
	return oauth.Claims{
		Client: c.Key, ID: c.ID, Scopes: c.Scopes, Audience: c.Audience, IssuedAt: c.IssuedAt, NotBefore: c.NotBefore, Expires: c.Expires,
	}, err == nil, err
}

// house is the door on its real parts.
type house struct {
	t      *testing.T
	clock  *gatehousetest.Clock
	store  *sqlite.DB
	auth   *gatehouse.Authority
	minter minter
	keys   *assertion.Keys
	door   oauth.Config
	server *httptest.Server
	log    *syncBuffer
}

// open opens a house, with what else its door shall have.
func open(t *testing.T, more ...func(*oauth.Config)) *house {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	h := &house{t: t, clock: gatehousetest.NewClock(), log: &syncBuffer{}}
	now := h.clock.Now
	var err error
	h.store, err = sqlite.Open(ctx, filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	h.must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	ring, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	h.must(err)
	sealer, err := seal.NewSealer(ctx, ring, h.store, now)
	h.must(err)
	replay, err := memory.OpenReplay(memory.Options{Fresh: true, Capacity: 1 << 12, Now: now})
	h.must(err)
	t.Cleanup(func() { _ = replay.Close() })
	h.auth, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Sealer: sealer, Replay: replay, Limiter: memory.NewLimiter(0, now), Now: now,
		Schemes: []gatehouse.Scheme{barong.New(barong.Options{}), bearer.New(ring), httpsig.New(httpsig.Options{})},
	})
	h.must(err)
	h.keys, err = assertion.OpenKeys(ctx, assertion.KeysConfig{Store: h.store, Sealer: sealer, Algorithms: []string{assertion.ES256}, Now: now})
	h.must(err)
	t.Cleanup(h.keys.Close)
	h.minter = minter{assertion.NewMinter(assertion.MinterConfig{
		Keys: h.keys, Profile: assertion.Default, Issuer: issuer, Audience: []string{"orders"}, Now: now,
	})}
	h.door = oauth.Config{
		Authority: h.auth, Tokens: h.minter, Limiter: memory.NewLimiter(0, now), Issuer: issuer, Audiences: []string{"orders", "https://api.example/v1"},
		Proxies: gate.TrustProxies(netip.MustParsePrefix("127.0.0.0/8")), Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	for _, f := range more {
		f(&h.door)
	}
	door, err := oauth.New(h.door)
	h.must(err)
	mux := http.NewServeMux()
	gate.Mount(mux, door.Routes())
	h.server = httptest.NewServer(mux)
	t.Cleanup(h.server.Close)
	h.person(operator, "owner", "ID0000000001")
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// person makes an account that keys can belong to.
func (h *house) person(by gatehouse.Actor, id, uid string) {
	h.t.Helper()
	at := h.clock.Now()
	h.must(h.store.InsertAccount(context.Background(), &account.Account{
		ID: id, Tenant: by.Tenant, Kind: gatehouse.PrincipalAccount, UID: uid, Email: id + "@example.com", Username: id,
		Role: "member", State: gatehouse.PrincipalActive, Created: at, Updated: at, Version: 1,
	}, nil, gatehouse.NewEvent(by, at, "account.create", id, gatehouse.OutcomeSucceeded)))
}

// key makes a key, of the owner and for bearer tokens where nothing else is asked.
func (h *house) key(n gatehouse.NewKey) gatehouse.Created {
	h.t.Helper()
	n.Principal = cmp.Or(n.Principal, "owner")
	if n.Schemes == nil {
		n.Schemes = []string{bearer.Name}
	}
	c, err := h.auth.Create(context.Background(), operator, n)
	h.must(err)
	return c
}

// with is a bearer key with scopes.
func (h *house) with(scopes ...gatehouse.Scope) gatehouse.Created {
	h.t.Helper()
	return h.key(gatehouse.NewKey{Scopes: scopes})
}

// stranger is a key of another tenant.
func (h *house) stranger(scopes ...gatehouse.Scope) gatehouse.Created {
	h.t.Helper()
	_, err := gatehouse.NewTenants(h.store, h.clock.Now).Create(context.Background(), operator, "other", "", nil)
	h.must(err)
	by := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: "other"}
	h.person(by, "stranger", "ID0000000002")
	c, err := h.auth.Create(context.Background(), by, gatehouse.NewKey{Principal: "stranger", Schemes: []string{bearer.Name}, Scopes: scopes})
	h.must(err)
	return c
}

// state is the stored state of a key.
func (h *house) state(c gatehouse.Created) gatehouse.State {
	h.t.Helper()
	k, err := h.store.GetKey(context.Background(), c.Key.Tenant, c.Key.ID)
	h.must(err)
	return k.State
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
	said   map[string]any
}

// field is a member of the answer.
func (r reply) field(name string) any { return r.said[name] }

// header is fields of a request, name and value in turn.
type header []string

// basic is a client's credentials in the header.
func basic(id, secret string) header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return header{"Authorization", r.Header.Get("Authorization")}
}

func bearerOf(c gatehouse.Created) header {
	return header{"Authorization", "Bearer " + c.Token.Reveal()}
}

// form is a body of parameters, name and value in turn.
func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// post sends a form. Every answer must forbid that it is kept, and be JSON.
func (h *house) post(path string, with header, body string) reply {
	h.t.Helper()
	if !slices.Contains(with, "Content-Type") {
		with = append(header{"Content-Type", "application/x-www-form-urlencoded"}, with...)
	}
	r := h.send(http.MethodPost, path, with, body)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json",
	} {
		if got := r.header.Get(name); got != want {
			h.t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
	if err := json.Unmarshal([]byte(r.body), &r.said); err != nil {
		h.t.Errorf("%s: %v: %s", path, err, r.body)
	}
	return r
}

func (h *house) send(method, path string, with header, body string) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, strings.NewReader(body))
	h.must(err)
	for i := 0; i < len(with); i += 2 {
		req.Header.Add(with[i], with[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	h.must(err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	h.must(err)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(b)}
}

// refused expects an error answer; a 401 must carry a challenge.
func (h *house) refused(what string, r reply, status int, code string) {
	h.t.Helper()
	if r.status != status || r.field("error") != code || r.field("error_description") == "" {
		h.t.Errorf("%s: %d %s; want %d %s", what, r.status, r.body, status, code)
	}
	if challenged := r.header.Get("WWW-Authenticate") != ""; challenged != (status == 401 || status == 403) {
		h.t.Errorf("%s: %d with challenge %q", what, status, r.header.Values("WWW-Authenticate"))
	}
	if late := r.header.Get("Retry-After") != ""; late != (status == 429 || status == 503) {
		h.t.Errorf("%s: %d with Retry-After %q", what, status, r.header.Get("Retry-After"))
	}
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
