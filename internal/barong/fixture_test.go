// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/assertion"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/internal/barong"
	"github.com/seed14544106/gatehouse/internal/mail"
	scheme "github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// The example of Barong's own documents. Every house begins at its nonce.
const (
	seedNonce     = "1584524005143"
	seedKID       = "61d025b8573501c2"
	seedSecret    = "2d0b4979c7fe6986daa8e21d1dc0644f"
	seedSignature = "bd42b945e095880e28d046846dbecf655fdf09d95a396a24fe6fe1df42f15d13"
	seedTime      = "2020-03-18T09:33:25Z"
)

const (
	password  = "Ozymandias-8472-kings"
	password2 = "Sandcastle-9311-queens"
	agent     = "seed-test/1.0"
	home      = "203.0.113.9"
)

// house is the door on its real parts.
type house struct {
	t         *testing.T
	mu        sync.Mutex
	at        time.Time
	store     *sqlite.DB
	sealer    *seal.Sealer
	authority *gatehouse.Authority
	directory *account.Directory
	keys      *assertion.Keys
	door      *barong.Door
	url       string
	outbox    string
	log       *syncBuffer
	operator  gatehouse.Actor
}

type options struct {
	repeat     bool
	sealer     *fragile // what keys are sealed with; nil: the sealer itself
	activation map[string]string
	closed     bool // nobody registers
	door       func(*barong.Config)
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// pass moves the clock.
func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

var signingKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

func open(t *testing.T, o options) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{
		t: t, at: time.UnixMilli(1584524005143), outbox: filepath.Join(t.TempDir(), "outbox"), log: &syncBuffer{},
		operator: gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	must(os.Chmod(dir, 0o700))
	var err error
	h.store, err = sqlite.Open(ctx, filepath.Join(dir, "gatehouse.db"), sqlite.Options{})
	must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	ring, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	must(err)
	h.sealer, err = seal.NewSealer(ctx, ring, h.store, h.now)
	must(err)
	replay, err := memory.OpenReplay(memory.Options{Fresh: true, Now: h.now})
	must(err)
	t.Cleanup(func() { _ = replay.Close() })
	limiter := memory.NewLimiter(0, h.now)
	keySealer := gatehouse.Sealer(h.sealer)
	if o.sealer != nil {
		o.sealer.Sealer = h.sealer
		keySealer = o.sealer
	}
	h.authority, err = gatehouse.New(ctx, gatehouse.Config{
		Store: h.store, Schemes: []gatehouse.Scheme{scheme.New(scheme.Options{Repeat: o.repeat})},
		Sealer: keySealer, Replay: replay, Limiter: limiter, Now: h.now,
	})
	must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	must(err)
	h.directory, err = account.New(account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store, Sealer: h.sealer, Limiter: limiter,
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Policy: policy, Pepper: ring.Derive("recovery-code"),
		Issuer: "Gatehouse", Activation: o.activation, NoRegistration: o.closed, Now: h.now,
	})
	must(err)
	h.keys, err = assertion.OpenKeys(ctx, assertion.KeysConfig{Store: h.store, Sealer: h.sealer, Algorithms: []string{assertion.RS256}, ImportRSA: signingKey(), Now: h.now})
	must(err)
	t.Cleanup(h.keys.Close)
	box, err := mail.NewOutbox(h.outbox, "keys@example.com", slog.New(slog.DiscardHandler))
	must(err)
	c := barong.Config{
		Gate: h.authority, Accounts: h.directory, Audit: h.store, Limiter: limiter, Mailer: box,
		Tokens:  tokens{h.keys, assertion.NewMinter(assertion.MinterConfig{Keys: h.keys, Profile: assertion.Barong, Now: h.now})},
		Proxies: gate.TrustProxies(netip.MustParsePrefix("127.0.0.0/8")), Domain: "https://exchange.example/",
		Version: barong.Version{Tag: "v1.2.3", SHA: "abc", Built: "2020-03-18", Name: "1.2.3"},
		Now:     h.now, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if o.door != nil {
		o.door(&c)
	}
	h.door, err = barong.New(c)
	must(err)
	t.Cleanup(h.door.Close)
	server := httptest.NewServer(h.door.Handler())
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// tokens fills the door's need with the process's signing keys, as the server does.
type tokens struct {
	keys   *assertion.Keys
	minter *assertion.Minter
}

func (t tokens) Mint(ctx context.Context, p *gatehouse.Principal, k *gatehouse.Key, session string) (string, error) {
	return t.minter.Mint(ctx, assertion.Subject{Principal: *p, Key: k, Scheme: "barong", Session: session})
}

func (t tokens) Bearer(ctx context.Context, token string) (string, time.Time, error) {
	c, err := t.keys.VerifyBarong(ctx, token)
	return c.UID, c.IssuedAt, tokenError(err)
}

func (t tokens) Sign(ctx context.Context, purpose, email, uid string, life time.Duration) (gatehouse.Secret, string, error) {
	token, id, err := t.keys.SignPurpose(ctx, purpose, assertion.PurposeClaims{Email: email, UID: uid}, life)
	return gatehouse.NewSecret(token), id, err
}

func (t tokens) Verify(ctx context.Context, purpose string, token gatehouse.Secret) (string, string, error) {
	c, err := t.keys.VerifyPurpose(ctx, purpose, token.Reveal())
	return c.ID, c.Email, tokenError(err)
}

func tokenError(err error) error {
	for known, problem := range map[error]barong.TokenProblem{
		assertion.ErrMalformed: barong.TokenMalformed, assertion.ErrEncoding: barong.TokenEncoding, assertion.ErrAlgorithm: barong.TokenAlgorithm,
		assertion.ErrSignature: barong.TokenSignature, assertion.ErrExpired: barong.TokenExpired, assertion.ErrClaims: barong.TokenClaims,
	} {
		if errors.Is(err, known) {
			return &barong.TokenError{Problem: problem}
		}
	}
	return err
}

// reply is an answer, read.
type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) String() string { return fmt.Sprint(r.status, " ", r.body) }

// cookie is the session cookie of an answer; nil: none.
func (r reply) cookie() *http.Cookie {
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		if c.Name == "_barong_session" {
			return c
		}
	}
	return nil
}

// field reads a text of a JSON object, such as "data.url".
func (r reply) field(t *testing.T, name string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	for part := range strings.SplitSeq(name, ".") {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	text, ok := v.(string)
	if !ok {
		t.Fatalf("%v has no text %s", r, name)
	}
	return text
}

// with changes a request before it is sent.
type with func(*http.Request)

func header(name, value string) with { return func(r *http.Request) { r.Header.Add(name, value) } }
func body(kind, text string) with {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
	}
}
func jsonBody(text string) with { return body("application/json", text) }
func from(address string) with {
	return func(r *http.Request) { r.Header.Set("X-Forwarded-For", address) }
}

// session is what a signed-in client holds.
type session struct{ id, csrf string }

func (s session) with(r *http.Request) {
	r.Header.Add("Cookie", "_barong_session="+s.id)
	r.Header.Set("X-CSRF-Token", s.csrf)
}
func (s session) cookieOnly(r *http.Request) { r.Header.Add("Cookie", "_barong_session="+s.id) }

// do sends a request with a raw target.
func (h *house) do(method, target string, change ...with) reply {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	r.URL.Opaque, r.URL.RawQuery = path, query
	r.Header.Set("User-Agent", agent)
	r.Header.Set("X-Forwarded-For", home)
	for _, c := range change {
		c(r)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{answer.StatusCode, string(text), answer.Header}
}

func (h *house) api(method, path string, change ...with) reply {
	h.t.Helper()
	return h.do(method, "/api/v2/barong"+path, change...)
}

// gate asks the gate about a path of the client's, such as "api/v2/peatio/market".
func (h *house) gate(method, path string, change ...with) reply {
	h.t.Helper()
	return h.do(method, "/api/v2/auth/"+path, change...)
}

// expect compares status and body, byte for byte.
func (h *house) expect(what string, got reply, status int, text string) {
	h.t.Helper()
	if got.status != status || got.body != text {
		h.t.Errorf("%s:\n got %v\nwant %d %s", what, got, status, text)
	}
}

func (h *house) refused(what string, got reply, status int, codes ...string) {
	h.t.Helper()
	h.expect(what, got, status, `{"errors":["`+strings.Join(codes, `","`)+`"]}`)
}

// person makes an active account.
func (h *house) person(email string) account.Account {
	h.t.Helper()
	a, err := h.directory.CreateAccount(h.t.Context(), h.operator, account.NewAccount{
		Email: email, State: gatehouse.PrincipalActive, Password: gatehouse.NewSecret(password),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) setState(a account.Account, state gatehouse.PrincipalState) {
	h.t.Helper()
	if err := h.directory.SetState(h.t.Context(), h.operator, a.ID, state); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) signInAs(email string, change ...with) session {
	h.t.Helper()
	got := h.api("POST", "/identity/sessions", append([]with{jsonBody(fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))}, change...)...)
	if got.status != 200 {
		h.t.Fatalf("sign in: %v", got)
	}
	return session{got.cookie().Value, got.field(h.t, "csrf_token")}
}

// factor is a second factor that is on.
type factor struct {
	h      *house
	secret []byte
}

var secretInURI = regexp.MustCompile(`secret=(\w+)`) // as the front end reads it

// code is a fresh code: it waits for the next step.
func (f factor) code() string {
	f.h.pass(30 * time.Second)
	return f.now()
}

func (f factor) now() string { return account.TOTPCode(f.secret, account.TOTPStep(f.h.now())) }

// enrol reads the secret out of what generate_qrcode answers.
func (h *house) enrol(got reply) factor {
	h.t.Helper()
	found := secretInURI.FindStringSubmatch(got.field(h.t, "data.url"))
	if found == nil {
		h.t.Fatalf("no secret in %v", got)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(found[1])
	if err != nil {
		h.t.Fatal(err)
	}
	return factor{h, secret}
}

// protect turns the second factor of a signed-in account on.
func (h *house) protect(s session) factor {
	h.t.Helper()
	f := h.enrol(h.api("POST", "/resource/otp/generate_qrcode", s.with))
	h.expect("enable", h.api("POST", "/resource/otp/enable", s.with, jsonBody(`{"code":"`+f.code()+`"}`)), 201, "200")
	return f
}

// holderOf is an active account with a session and a second factor.
func (h *house) holderOf(email string) (account.Account, session, factor) {
	h.t.Helper()
	a := h.person(email)
	s := h.signInAs(email)
	return a, s, h.protect(s)
}

// key makes a key for an account behind the door's back.
func (h *house) key(a account.Account, n gatehouse.NewKey) (kid, secret string) {
	h.t.Helper()
	n.Principal, n.Schemes = a.ID, []string{"barong"}
	created, err := h.authority.Create(h.t.Context(), h.operator, n)
	if err != nil {
		h.t.Fatal(err)
	}
	return created.Key.ID, created.Secret.Reveal()
}

// seedKey stores the key of Barong's documents.
func (h *house) seedKey(a account.Account) {
	h.t.Helper()
	ctx := h.t.Context()
	sealed, err := h.sealer.Seal(ctx, gatehouse.Binding{Purpose: "key-secret", Tenant: a.Tenant, ID: seedKID, Version: 1}, []byte(seedSecret))
	if err != nil {
		h.t.Fatal(err)
	}
	now := h.now().UTC().Truncate(time.Microsecond)
	k := gatehouse.Key{
		ID: seedKID, Tenant: a.Tenant, Principal: a.ID, Schemes: []string{"barong"}, State: gatehouse.StateActive, Created: now, Updated: now, Version: 1,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: sealed.Ref, Data: sealed.Data, Created: now}},
	}
	if err := h.store.InsertKey(ctx, &k, gatehouse.NewEvent(h.operator, now, "key.import", k.ID, gatehouse.OutcomeSucceeded)); err != nil {
		h.t.Fatal(err)
	}
}

// signed sets the three header fields of a key, for now.
func (h *house) signed(kid, secret string) with {
	return triple(kid, fmt.Sprint(h.now().UnixMilli()), secret)
}

func triple(kid, nonce, secret string) with {
	return func(r *http.Request) {
		r.Header.Set("X-Auth-Apikey", kid)
		r.Header.Set("X-Auth-Nonce", nonce)
		r.Header.Set("X-Auth-Signature", scheme.Sign(secret, nonce, kid))
	}
}

// mails closes the door and reads what was mailed, by recipient.
func (h *house) mails() map[string][]string {
	h.t.Helper()
	h.door.Close()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*.eml"))
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatal(err)
		}
		m, err := netmail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			h.t.Fatal(err)
		}
		words, err := io.ReadAll(m.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		to, err := netmail.ParseAddress(m.Header.Get("To"))
		if err != nil {
			h.t.Fatal(err)
		}
		out[to.Address] = append(out[to.Address], string(words))
	}
	return out
}

var linkInMail = regexp.MustCompile(`https://exchange\.example/accounts/(\w+)\?(\w+)=([^&\s]+)&lang=(\S+)`)

// mailedLink reads the link of the newest mail.
func mailedLink(t *testing.T, texts []string) (page, name, token, lang string) {
	t.Helper()
	if len(texts) == 0 {
		t.Fatal("no mail")
	}
	found := linkInMail.FindStringSubmatch(texts[len(texts)-1])
	if found == nil {
		t.Fatalf("no link in %q", texts)
	}
	token, err := url.QueryUnescape(found[3])
	if err != nil {
		t.Fatal(err)
	}
	return found[1], found[2], token, found[4]
}

// syncBuffer is a log that can be read while it is written.
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
