// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/rest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/store/postgres"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// nodeStore is what a node of these tests keeps everything in.
type nodeStore interface {
	gatehouse.Store
	gatehouse.TenantStore
	gatehouse.ReceiptStore
	gatehouse.UsageStore
	gatehouse.AttemptStore
	gatehouse.AuditStore
	gatehouse.DataKeyStore
	gatehouse.RuleStore
	gatehouse.ChainStore
	account.Store
	account.SessionStore
	account.TicketStore
	Close() error
}

// node is the API of one process, for the operator.
type node struct {
	t     *testing.T
	store nodeStore
	log   *syncBuffer
	face  http.Handler
}

func newNode(t *testing.T, store nodeStore, ring *seal.Keyring, receipts gatehouse.ReceiptStore) *node {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n := &node{t: t, store: store, log: &syncBuffer{}}
	sealer, err := seal.NewSealer(t.Context(), ring, store, time.Now)
	must(err)
	replay, err := memory.OpenReplay(memory.Options{Fresh: true, Capacity: 1 << 12})
	must(err)
	t.Cleanup(func() { _ = replay.Close() })
	limiter := memory.NewLimiter(0, nil)
	authority, err := gatehouse.New(t.Context(), gatehouse.Config{
		Store: store, Sealer: sealer, Replay: replay, Limiter: limiter, Schemes: []gatehouse.Scheme{bearer.New(ring), barong.New(barong.Options{})},
	})
	must(err)
	policy, err := account.Compile(account.DefaultPasswordPolicy())
	must(err)
	directory, err := account.New(account.Config{
		Store: store, Sessions: store, Tickets: store, Audit: store, Sealer: sealer, Limiter: limiter, Policy: policy,
		Hasher: account.NewHasher(account.HasherConfig{MemoryKiB: 8, Time: 1}), Pepper: ring.Derive("recovery-code"),
	})
	must(err)
	h, err := rest.New(rest.Config{
		Authority: authority, Directory: directory, Tenants: store, Receipts: receipts, Usage: store, Attempts: store, Audit: store,
		Limiter: limiter, Log: slog.New(slog.NewTextHandler(n.log, nil)), RuleStore: store, Chains: store, ReceiptKey: ring.Derive("receipt"),
	})
	must(err)
	n.face = h.Socket()
	return n
}

// ask sends a request under an Idempotency-Key to w.
func (n *node) ask(w http.ResponseWriter, line, body, name string) {
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequestWithContext(n.t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Idempotency-Key", name)
	n.face.ServeHTTP(w, r)
}

func (n *node) call(line, body, name string) reply {
	w := httptest.NewRecorder()
	n.ask(w, line, body, name)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// race asks the same of all nodes at once, four times each; of every other round one client
// of each node is gone when its answer comes. It returns the answers that arrived.
func race(nodes []*node, round int, line, body string) []reply {
	var wg sync.WaitGroup
	answers := make([][3]reply, len(nodes))
	name, begin := fmt.Sprintf("%s %d", line, round), make(chan struct{})
	for i, n := range nodes {
		for j := range answers[i] {
			wg.Go(func() {
				<-begin
				answers[i][j] = n.call(line, body, name)
			})
		}
		if round%2 == 0 {
			wg.Go(func() {
				<-begin
				n.ask(gone{http.Header{}}, line, body, name)
			})
		}
	}
	close(begin)
	wg.Wait()
	var all []reply
	for _, some := range answers {
		all = append(all, some[:]...)
	}
	return all
}

// oneSecret wants all answers to be one, but for the secret, which one of them has.
func oneSecret(t *testing.T, what string, answers []reply) (k api.CreatedKey) {
	t.Helper()
	secrets, want := 0, ""
	for _, r := range answers {
		got := created(t, r)
		if got.Secret != "" {
			secrets, k = secrets+1, got
		}
		got.Secret, got.Token = "", ""
		text, _ := json.Marshal(got)
		if want == "" {
			want = string(text)
		}
		if string(text) != want {
			t.Errorf("%s: two answers:\n%s\n%s", what, want, text)
		}
	}
	if secrets != 1 {
		t.Errorf("%s: %d have the secret; want 1", what, secrets)
	}
	return k
}

// However many ask at once, of whichever node, a change happens once, all hear the same, and
// one hears the secret.
func TestOnceOnManyNodes(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) (a, b nodeStore){
		"postgres": func(t *testing.T) (a, b nodeStore) {
			url := testenv.Postgres(t)
			open := func() nodeStore {
				db, err := postgres.Open(t.Context(), url, postgres.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				return db
			}
			return open(), open()
		},
		"sqlite": func(t *testing.T) (a, b nodeStore) {
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db, db
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring, err := seal.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
			if err != nil {
				t.Fatal(err)
			}
			a, b := open(t)
			nodes := []*node{newNode(t, a, ring, a), newNode(t, b, ring, b)}
			if r := nodes[0].call("POST /v1/accounts", `{"email":"`+owner+`"}`, "owner"); r.status != http.StatusCreated {
				t.Fatalf("%d %s", r.status, r.body)
			}
			for round := range 34 { // three races each
				k := oneSecret(t, "create", race(nodes, round, "POST /v1/keys", `{"owner":"`+owner+`","schemes":["bearer"]}`))
				line := "POST /v1/keys/" + k.ID + "/rotate"
				next := oneSecret(t, "rotate", race(nodes, round, line, `{"grace_s":60}`))
				if next.ID != k.ID || next.Secret == k.Secret {
					t.Errorf("rotated %s to %s", k.ID, next.ID)
				}
				for _, r := range race(nodes, round, "POST /v1/keys/"+k.ID+"/rotation/finish", "") {
					if r.status != http.StatusOK {
						t.Errorf("finish: %d %s", r.status, r.body)
					}
				}
			}
			if text := nodes[0].log.String() + nodes[1].log.String(); strings.Contains(text, "level=ERROR") {
				t.Error(text)
			}
		})
	}
}

// A node that dies while it hands over a secret holds it for a while, and not for ever.
func TestClaimOfTheDead(t *testing.T) {
	t.Parallel()
	ring, err := seal.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	dead := &deadReceipts{ReceiptStore: db}
	nodes := []*node{newNode(t, db, ring, dead), newNode(t, db, ring, db)}
	if r := nodes[1].call("POST /v1/accounts", `{"email":"`+owner+`"}`, "owner"); r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	const line, body = "POST /v1/keys", `{"owner":"` + owner + `","schemes":["bearer"]}`
	nodes[0].ask(gone{http.Header{}}, line, body, "one")
	if r := nodes[1].call(line, body, "one"); r.status != http.StatusConflict || r.code(t) != "in_progress" {
		t.Errorf("while it may still be told: %d %s", r.status, r.body)
	}
	if did, err := db.ClaimSecret(t.Context(), gatehouse.DefaultTenant, dead.id, dead.at, dead.at.Add(-2*time.Minute)); !did || err != nil {
		t.Fatal(did, err)
	}
	k := created(t, nodes[1].call(line, body, "one"))
	if k.Secret == "" {
		t.Error("the secret is lost")
	}
	if again := created(t, nodes[0].call(line, body, "one")); again.ID != k.ID || again.Secret != "" {
		t.Errorf("%+v", again)
	}
}

// deadReceipts is the store of a process that dies with a claim.
type deadReceipts struct {
	gatehouse.ReceiptStore
	id string
	at time.Time
}

func (d *deadReceipts) ClaimSecret(ctx context.Context, tenant, id string, seen, at time.Time) (bool, error) {
	if at.IsZero() {
		return false, errors.New("dead")
	}
	d.id, d.at = id, at
	return d.ReceiptStore.ClaimSecret(ctx, tenant, id, seen, at)
}

// A key with a public key has no secret to hand over: its first answer is the first.
func TestOnceWithoutSecret(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	body, _ := json.Marshal(api.NewKey{Owner: owner, Schemes: []string{"httpsig"}, PublicKey: text})
	for i, replayed := range []string{"", "true", "true"} {
		r := h.sendWith("POST /v1/keys", string(body), onceKey)
		if k := created(t, r); r.status != 201 || k.Secret != "" || r.header.Get("Idempotency-Replayed") != replayed {
			t.Errorf("answer %d: %d %v %s", i, r.status, r.header, r.body)
		}
	}
}
