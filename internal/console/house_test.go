// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	door "github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/console"
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
	email    = "admin@example.com"
	password = "Ozymandias-8472-kings"
	form     = "application/x-www-form-urlencoded"
	cookie   = "_barong_session" // of the API and the door
	site     = "https://keys.example"
)

var system = gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}

// house is the console on its real parts: the API, Barong's door, the store. Its clock stands
// still until [house.pass] moves it.
type house struct {
	t         testing.TB
	mu        sync.Mutex
	at        time.Time
	database  string // the file of the store
	store     *sqlite.DB
	authority *gatehouse.Authority
	directory *account.Directory
	signing   *assertion.Keys
	sealer    *seal.Sealer
	keeper    *seal.Keeper                      // of the keyring
	cluster   func(context.Context) api.Cluster // nil: the API does not tell
	proxies   gate.Proxies
	mailbox   *mailbox
	door      *door.Door
	console   console.Config
	handler   http.Handler
	log       syncBuffer
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// pass moves the clock of accounts and sessions.
func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func open(t testing.TB) *house {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	h := &house{t: t, at: time.Now(), mailbox: &mailbox{letters: make(chan letter, 64)}, proxies: gate.TrustProxies(netip.MustParsePrefix("192.0.2.0/24"))}
	var err error
	h.database = filepath.Join(dir, "gatehouse.db")
	h.store, err = sqlite.Open(ctx, h.database, sqlite.Options{})
	h.must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	ring, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	h.must(err)
	sealer, err := seal.NewSealer(ctx, ring, h.store, time.Now)
	h.must(err)
	h.sealer = sealer
	h.keeper = seal.NewKeeper(seal.KeeperConfig{Sealer: sealer, Rows: h.store, Audit: h.store})
	t.Cleanup(h.keeper.Close)
	replay, err := memory.OpenReplay(memory.Options{Fresh: true, Capacity: 1 << 12})
	h.must(err)
	t.Cleanup(func() { _ = replay.Close() })
	limiter := memory.NewLimiter(0, h.now)
	h.authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Sealer: sealer, Replay: replay, Limiter: limiter,
		Schemes: []gatehouse.Scheme{barong.New(barong.Options{}), bearer.New(ring), httpsig.New(httpsig.Options{}), shield.New(shield.Options{})},
	})
	h.must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	h.must(err)
	h.directory, err = account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Sealer: sealer, Limiter: limiter, Now: h.now,
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy, Pepper: ring.Derive("recovery-code"),
	})
	h.must(err)
	h.signing, err = assertion.OpenKeys(ctx, assertion.KeysConfig{Store: h.store, Sealer: sealer, Algorithms: []string{assertion.RS256}, ImportRSA: signingKey()})
	h.must(err)
	t.Cleanup(h.signing.Close)
	h.mount(limiter)
	return h
}

// mount makes the doors and the console, as the server does.
func (h *house) mount(limiter gatehouse.Limiter) {
	h.t.Helper()
	log := slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	native, err := rest.New(rest.Config{
		Authority: h.authority, Directory: h.directory, Tenants: h.store, Receipts: h.store, Usage: h.store, Attempts: h.store, Audit: h.store,
		Limiter: limiter, Log: log, Proxies: h.proxies, RuleStore: h.store, Notices: h.store, Chains: h.store, Signing: signing{h.signing}, Sessions: h.session,
		Keyring: ring{keeper: h.keeper}, Cluster: h.cluster,
	})
	h.must(err)
	minter := assertion.NewMinter(assertion.MinterConfig{Keys: h.signing, Profile: assertion.Barong})
	h.door, err = door.New(door.Config{
		Gate: h.authority, Accounts: h.directory, Audit: h.store, Limiter: limiter, Mailer: h.mailbox, Tokens: tokens{h.signing, minter},
		Proxies: h.proxies, SessionName: cookie, Domain: site, Now: h.now, Logger: log,
	})
	h.must(err)
	h.t.Cleanup(h.door.Close)
	h.console = console.Config{
		Directory: h.directory, Tenant: gatehouse.DefaultTenant, Proxies: h.proxies, API: native.Public(), Door: h.door.Handler(),
		Cookie: cookie, Schemes: h.authority.SchemeNames(), Name: "Gatehouse", PublicURL: site, MailServer: "mail.example.com:587", Log: log,
	}
	pages, err := console.New(h.console)
	h.must(err)
	mux := http.NewServeMux()
	mux.Handle("/v1/", native.Public())
	mux.Handle("/api/v2/", h.door.Handler())
	gate.Mount(mux, pages.Routes())
	h.handler = mux
}

// session finds whose session a request to the API carries, as the server does.
func (h *house) session(r *http.Request) (account.Account, error) {
	cookies := r.CookiesNamed(cookie)
	if len(cookies) != 1 {
		return account.Account{}, account.ErrNoSession
	}
	id := gatehouse.NewSecret(cookies[0].Value)
	s, a, err := h.directory.FindSession(r.Context(), id)
	if err != nil {
		return account.Account{}, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Csrf-Token")), []byte(s.CSRF)) != 1 {
		return account.Account{}, gatehouse.ErrForbidden
	}
	actor := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: a.ID, Tenant: a.Tenant, Address: h.proxies.Peer(r), UserAgent: r.UserAgent()}
	if _, err := h.directory.CheckSession(r.Context(), actor, id, s); err != nil {
		return account.Account{}, err
	}
	if !a.State.MayAct() {
		return account.Account{}, account.ErrInactive
	}
	return a, nil
}

// person makes an active account of the role, with the password of this file; empty: a member.
func (h *house) person(email, role string) account.Account {
	h.t.Helper()
	a, err := h.directory.CreateAccount(h.t.Context(), system, account.NewAccount{
		Email: email, Role: role, State: gatehouse.PrincipalActive, Password: gatehouse.NewSecret(password),
	})
	h.must(err)
	return a
}

// events are the newest events about a subject, such as an account's id, newest first.
func (h *house) events(subject string) []gatehouse.Event {
	h.t.Helper()
	events, _, err := h.store.ListEvents(h.t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: subject, Limit: 50})
	h.must(err)
	return events
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
	h.hygienic(method+" "+target, w.Header())
	if got := w.Header()["Set-Cookie"]; got != nil {
		h.t.Errorf("%s %s: cookies %q", method, target, got)
	}
	return w.Result()
}

// hygienic fails the test where an answer lacks what every page carries.
func (h *house) hygienic(what string, header http.Header) {
	h.t.Helper()
	for name, want := range map[string]string{
		"Cache-Control":              "no-store",
		"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"Referrer-Policy":            "same-origin",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := header.Get(name); got != want {
			h.t.Errorf("%s: %s is %q", what, name, got)
		}
	}
}

// sendSetup sends the form of the first administrator.
func (h *house) sendSetup(token, email, password string) *http.Response {
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

// letter is a mail.
type letter struct{ to, subject, text string }

// mailbox keeps the mail that the door sends.
type mailbox struct{ letters chan letter }

// Send implements the door's mailer.
func (m *mailbox) Send(ctx context.Context, to, subject, text string) error {
	select {
	case m.letters <- letter{to, subject, text}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// letter waits for the next mail. It fails the test where it is for another address.
func (h *house) letter(to string) letter {
	h.t.Helper()
	select {
	case l := <-h.mailbox.letters:
		if l.to != to {
			h.t.Fatalf("a mail to %s, want one to %s", l.to, to)
		}
		return l
	case <-time.After(10 * time.Second):
		h.t.Fatalf("no mail to %s", to)
	}
	panic("unreachable")
}

// link is the link in a mail, as a path of the console.
func (l letter) link(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(l.text, site)
	if !found {
		t.Fatalf("no link in %q", l.text)
	}
	link, _, _ := strings.Cut(rest, "\n")
	return link
}

var signingKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

// signing is the signing keys as the API sees them.
type signing struct{ keys *assertion.Keys }

func (s signing) List(ctx context.Context) ([]api.SigningKey, error) {
	infos, err := s.keys.List(ctx)
	var out []api.SigningKey
	for _, k := range infos {
		out = append(out, api.SigningKey{ID: k.ID, Algorithm: k.Algorithm, State: string(k.State), Created: k.Created, Signs: &k.Signs})
	}
	return out, err
}

func (s signing) Rotate(ctx context.Context, actor gatehouse.Actor) error {
	return s.keys.Rotate(ctx, actor)
}

// tokens fills the door's need with the signing keys.
type tokens struct {
	keys   *assertion.Keys
	minter *assertion.Minter
}

func (t tokens) Mint(ctx context.Context, p *gatehouse.Principal, k *gatehouse.Key, session string) (string, error) {
	return t.minter.Mint(ctx, assertion.Subject{Principal: *p, Key: k, Scheme: "barong", Session: session})
}

func (t tokens) Bearer(ctx context.Context, token string) (string, time.Time, error) {
	c, err := t.keys.VerifyBarong(ctx, token)
	return c.UID, c.IssuedAt, err
}

func (t tokens) Sign(ctx context.Context, purpose, email, uid string, life time.Duration) (gatehouse.Secret, string, error) {
	token, id, err := t.keys.SignPurpose(ctx, purpose, assertion.PurposeClaims{Email: email, UID: uid}, life)
	return gatehouse.NewSecret(token), id, err
}

func (t tokens) Verify(ctx context.Context, purpose string, token gatehouse.Secret) (string, string, error) {
	c, err := t.keys.VerifyPurpose(ctx, purpose, token.Reveal())
	for known, problem := range map[error]door.TokenProblem{
		assertion.ErrMalformed: door.TokenMalformed, assertion.ErrEncoding: door.TokenEncoding, assertion.ErrAlgorithm: door.TokenAlgorithm,
		assertion.ErrSignature: door.TokenSignature, assertion.ErrExpired: door.TokenExpired, assertion.ErrClaims: door.TokenClaims,
	} {
		if errors.Is(err, known) {
			return "", "", &door.TokenError{Problem: problem}
		}
	}
	return c.ID, c.Email, err
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
