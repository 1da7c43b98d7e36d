// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package assertion_test

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/assertion"
)

// start is the instant of the tests' clock, with a fraction that tokens drop.
var start = time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC)

// clock is a hand-set clock.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// store keeps signing keys in memory. It can be told to fail and to hold inserts back.
type store struct {
	mu     sync.Mutex
	rows   []gatehouse.SigningKey
	events []gatehouse.Event
	reads  int
	fail   error
	gate   chan struct{} // inserts wait until it closes; nil: they do not
	stuck  bool          // they wait even when their context ends
	onRead func(n int)   // called, locked, before the n-th read answers
}

func (s *store) SigningKeys(ctx context.Context, tenant string) ([]gatehouse.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if err := cmp.Or(s.fail, ctx.Err()); err != nil {
		return nil, err
	}
	if s.onRead != nil {
		s.onRead(s.reads)
	}
	var out []gatehouse.SigningKey
	for _, r := range s.rows {
		if r.Tenant == tenant {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b gatehouse.SigningKey) int { return b.Created.Compare(a.Created) })
	return out, nil
}

func (s *store) InsertSigningKey(ctx context.Context, k *gatehouse.SigningKey, e *gatehouse.Event) error {
	s.mu.Lock()
	gate, done := s.gate, ctx.Done()
	if s.stuck {
		done = nil
	}
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-done:
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if slices.ContainsFunc(s.rows, func(r gatehouse.SigningKey) bool { return r.ID == k.ID }) {
		return gatehouse.ErrExists
	}
	s.rows = append(s.rows, *k)
	s.events = append(s.events, *e)
	return nil
}

func (s *store) RetireSigningKey(ctx context.Context, tenant, id string, retires time.Time, e *gatehouse.Event) error {
	return s.edit(ctx, id, e, func(i int) { s.rows[i].Retires = retires })
}

func (s *store) DeleteSigningKey(ctx context.Context, tenant, id string, e *gatehouse.Event) error {
	return s.edit(ctx, id, e, func(i int) { s.rows = slices.Delete(s.rows, i, i+1) })
}

func (s *store) edit(ctx context.Context, id string, e *gatehouse.Event, change func(i int)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmp.Or(s.fail, ctx.Err()); err != nil {
		return err
	}
	i := slices.IndexFunc(s.rows, func(r gatehouse.SigningKey) bool { return r.ID == id })
	if i < 0 {
		return gatehouse.ErrNotFound
	}
	change(i)
	s.events = append(s.events, *e)
	return nil
}

func (s *store) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *store) all() []gatehouse.SigningKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

func (s *store) change(f func(r *gatehouse.SigningKey)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rows {
		f(&s.rows[i])
	}
}

func (s *store) readCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// sealer is AES-GCM with the binding as associated data.
type sealer struct {
	aead cipher.AEAD
	mu   sync.Mutex
	fail error
	ids  []string // of what was sealed
}

func newSealer(t testing.TB) *sealer {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return &sealer{aead: aead}
}

func (s *sealer) Seal(_ context.Context, b gatehouse.Binding, plaintext []byte) (gatehouse.Sealed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return gatehouse.Sealed{}, s.fail
	}
	s.ids = append(s.ids, b.ID)
	return gatehouse.Sealed{Ref: "dek", Data: s.aead.Seal(nil, nil, plaintext, fmt.Appendf(nil, "%#v", b))}, nil
}

func (s *sealer) Open(_ context.Context, b gatehouse.Binding, sealed gatehouse.Sealed) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	return s.aead.Open(nil, nil, sealed.Data, fmt.Appendf(nil, "%#v", b))
}

func (s *sealer) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *sealer) sealedIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

var errBroken = errors.New("broken on purpose")

// Making an RSA key is slow, so that tests share two.
var (
	ourRSA   = sync.OnceValue(newRSA)
	otherRSA = sync.OnceValue(newRSA)
)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func pkcs1(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// house is what a test's keys live in.
type house struct {
	store  *store
	sealer *sealer
	clock  *clock
}

func newHouse(t testing.TB) *house {
	return &house{store: &store{}, sealer: newSealer(t), clock: newClock()}
}

func (h *house) config() assertion.KeysConfig {
	return assertion.KeysConfig{Store: h.store, Sealer: h.sealer, Algorithms: []string{assertion.ES256}, Now: h.clock.now}
}

// open opens keys that end with the test.
func (h *house) open(t testing.TB, c assertion.KeysConfig) *assertion.Keys {
	t.Helper()
	k, err := assertion.OpenKeys(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// rsaKeys opens keys whose RS256 key is ourRSA.
func (h *house) rsaKeys(t testing.TB) *assertion.Keys {
	t.Helper()
	c := h.config()
	c.Algorithms, c.ImportRSA = []string{assertion.RS256}, pkcs1(ourRSA())
	return h.open(t, c)
}

func (h *house) minter(k *assertion.Keys, p assertion.Profile) *assertion.Minter {
	return assertion.NewMinter(h.minterConfig(k, p))
}

func (h *house) minterConfig(k *assertion.Keys, p assertion.Profile) assertion.MinterConfig {
	return assertion.MinterConfig{Keys: k, Profile: p, Issuer: "https://id.example", Audience: []string{"orders"}, Now: h.clock.now}
}

func account() gatehouse.Principal {
	return gatehouse.Principal{
		ID: "acc1", Tenant: "default", Kind: gatehouse.PrincipalAccount, UID: "ID0123456789", Email: "a<b>&c@example.com",
		Username: "alice", Role: "member", Level: 3, State: gatehouse.PrincipalActive, Referral: "17", Version: 1,
	}
}

func keySubject() assertion.Subject {
	return assertion.Subject{
		Principal: account(), Scheme: "bearer",
		Key: &gatehouse.Key{ID: "k1", Tenant: "default", Principal: "acc1", Scopes: gatehouse.Scopes{"read", "write"}, Version: 1},
	}
}

func mint(t testing.TB, m *assertion.Minter, s assertion.Subject) string {
	t.Helper()
	token, err := m.Mint(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
