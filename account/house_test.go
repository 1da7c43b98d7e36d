// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"cmp"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	password = "Tr0ub4dor-and-3"
	newer    = "C0rrect-horse-9"
	home     = "192.0.2.10"
	agent    = "agent/1"
)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a directory on the real store, sealer and limiter.
type house struct {
	*account.Directory
	t      *testing.T
	ctx    context.Context
	store  *sqlite.DB
	hasher *account.Hasher
	config account.Config
	*clock

	enrolling *factor // for tests that finish later what they began
}

func open(t *testing.T, change ...func(*account.Config)) *house {
	t.Helper()
	h := &house{t: t, ctx: t.Context(), clock: &clock{now: time.Date(2026, 2, 3, 4, 5, 0, 0, time.UTC)}}
	dir := t.TempDir()
	var err error
	h.store, err = sqlite.Open(h.ctx, filepath.Join(dir, "gatehouse.db"), sqlite.Options{Readers: 4})
	h.must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	keyring, err := seal.CreateKeyring(filepath.Join(dir, "keyring"))
	h.must(err)
	sealer, err := seal.NewSealer(h.ctx, keyring, h.store, h.Now)
	h.must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	h.must(err)
	h.hasher = account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1, Queue: 1000})
	h.config = account.Config{
		Store: h.store, Sessions: h.store, Tickets: h.store, Audit: h.store,
		Sealer: sealer, Limiter: memory.NewLimiter(0, h.Now), Hasher: h.hasher, Policy: policy,
		Pepper: []byte("a pepper of at least 16 bytes"), Now: h.Now,
	}
	for _, c := range change {
		c(&h.config)
	}
	h.Directory, err = account.New(h.config)
	h.must(err)
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// is fails the test unless err is want.
func (h *house) is(err, want error) {
	h.t.Helper()
	if !errors.Is(err, want) {
		h.t.Fatalf("error %v, want %v", err, want)
	}
}

// throttled fails the test unless err is a *ThrottledError that says when to come back.
func (h *house) throttled(err error) {
	h.t.Helper()
	var e *account.ThrottledError
	if !errors.As(err, &e) || e.RetryAfter <= 0 {
		h.t.Fatalf("error %v, want throttled", err)
	}
}

var (
	operator = gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: gatehouse.DefaultTenant}
	nobody   = from(home)
)

func from(address string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: gatehouse.DefaultTenant, Address: netip.MustParseAddr(address), UserAgent: agent}
}

// self is the actor of a signed-in person.
func self(a account.Account) gatehouse.Actor {
	actor := from(home)
	actor.Kind, actor.ID = gatehouse.ActorAccount, a.ID
	return actor
}

func secret(text string) gatehouse.Secret { return gatehouse.NewSecret(text) }

// person makes an active account with the password.
func (h *house) person(email string) account.Account {
	h.t.Helper()
	a, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Email: email, State: gatehouse.PrincipalActive, Password: secret(password)})
	h.must(err)
	return a
}

// service makes a service account.
func (h *house) service(owner account.Account) account.Account {
	h.t.Helper()
	a, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Kind: gatehouse.PrincipalService, Owner: owner.ID})
	h.must(err)
	return a
}

func (h *house) read(a account.Account) account.Account {
	h.t.Helper()
	a, err := h.Account(h.ctx, account.ByID, a.ID)
	h.must(err)
	return a
}

func (h *house) signIn(email, password, code string) (account.Opened, error) {
	return h.SignIn(h.ctx, nobody, account.SignInRequest{Email: email, Password: secret(password), Code: code})
}

func (h *house) signedIn(email string) account.Opened {
	h.t.Helper()
	o, err := h.signIn(email, password, "")
	h.must(err)
	return o
}

// factor is a second factor, as its holder has it.
type factor struct {
	h        *house
	secret   []byte
	recovery []string
}

// code is the code of a step that was not used yet: the clock goes on.
func (f *factor) code() string {
	f.h.Add(30 * time.Second)
	return f.now()
}

func (f *factor) now() string { return account.TOTPCode(f.secret, account.TOTPStep(f.h.Now())) }

// wrong is a code of none of the steps that count.
func (f *factor) wrong() string {
	step := account.TOTPStep(f.h.Now())
	for n := range 1_000_000 {
		code := fmt.Sprintf("%06d", n)
		if code != account.TOTPCode(f.secret, step-1) && code != account.TOTPCode(f.secret, step) && code != account.TOTPCode(f.secret, step+1) {
			return code
		}
	}
	return ""
}

// begin enrols the account without turning the factor on.
func (h *house) begin(a account.Account) *factor {
	h.t.Helper()
	uri, err := h.BeginOTP(h.ctx, self(a), a.ID)
	h.must(err)
	u, err := url.Parse(uri)
	h.must(err)
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	h.must(err)
	return &factor{h: h, secret: b}
}

// enrol turns the second factor on.
func (h *house) enrol(a account.Account) *factor {
	h.t.Helper()
	f := h.begin(a)
	codes, err := h.EnableOTP(h.ctx, self(a), a.ID, f.code(), gatehouse.Secret{})
	h.must(err)
	for _, c := range codes {
		f.recovery = append(f.recovery, c.Reveal())
	}
	return f
}

// key gives the account an active key through the store.
func (h *house) key(a account.Account, id string) {
	h.t.Helper()
	k := gatehouse.Key{
		ID: id, Tenant: gatehouse.DefaultTenant, Principal: a.ID, Schemes: []string{"barong"}, State: gatehouse.StateActive,
		Created: h.Now(), Updated: h.Now(),
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "none", Data: []byte("x"), Created: h.Now()}},
	}
	h.must(h.store.InsertKey(h.ctx, &k, gatehouse.NewEvent(operator, h.Now(), "key.create", id, gatehouse.OutcomeSucceeded)))
}

// keyState is the state of a key, and its text.
func (h *house) keyState(id string) string {
	h.t.Helper()
	k, err := h.store.GetKey(h.ctx, gatehouse.DefaultTenant, id)
	h.must(err)
	return k.State.String() + " " + cmp.Or(k.StateText, "-")
}

// events reads the events of an account, oldest first, as "verb outcome kind changes".
func (h *house) events(a account.Account, verbs ...string) []string {
	h.t.Helper()
	events, _, err := h.store.ListEvents(h.ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: a.ID, Verbs: verbs, Oldest: true})
	h.must(err)
	var out []string
	for _, e := range events {
		line := []string{e.Verb, e.Outcome.String(), e.Actor.Kind.String()}
		for _, c := range e.Changes {
			line = append(line, fmt.Sprintf("%s:%s>%s", c.Field, c.Before, c.After))
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

// allEvents reads the whole log.
func (h *house) allEvents() []gatehouse.Event {
	h.t.Helper()
	events, _, err := h.store.ListEvents(h.ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant})
	h.must(err)
	return events
}

// together calls f n times at once and counts what it returns by its text; nil is "ok".
func together(n int, f func(i int) error) map[string]int {
	var (
		mu    sync.Mutex
		count = map[string]int{}
		begin = make(chan struct{})
		wg    sync.WaitGroup
	)
	for i := range n {
		wg.Go(func() {
			<-begin
			text := "ok"
			if err := f(i); err != nil {
				text = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			count[text]++
		})
	}
	close(begin)
	wg.Wait()
	return count
}
