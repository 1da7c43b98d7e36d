// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

const (
	crashes      = 50
	crashClients = 4
)

// made is a key whose making was acknowledged, and what its maker knows of it.
type made struct {
	kid, secret, token     string
	lastNonce              int64               // of the barong scheme
	used                   map[string][]string // the last headers that were granted; nil: none
	askedRevoke, wasRevoke bool                // revoking was asked for, was acknowledged
}

// headers makes a credential that was not used before.
func (m *made) headers() map[string][]string {
	if m.token != "" {
		return map[string][]string{"Authorization": {"Bearer " + m.token}}
	}
	m.lastNonce = max(m.lastNonce+1, time.Now().UnixMilli())
	nonce := strconv.FormatInt(m.lastNonce, 10)
	return map[string][]string{"X-Auth-Apikey": {m.kid}, "X-Auth-Nonce": {nonce}, "X-Auth-Signature": {barong.Sign(m.secret, nonce, m.kid)}}
}

// crowd is clients that make, use and revoke keys until the server dies under them.
type crowd struct {
	t      *testing.T
	s      *server
	owner  string
	mu     sync.Mutex
	left   int // acknowledgements until the server is killed
	killed bool
	keys   []*made
}

// acknowledged counts an answer, and kills the server after the last that it shall give.
func (c *crowd) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.killed = true
		_ = c.s.Cmd.Process.Kill()
	}
}

// failed reports whether err says that the server is dead. Any other error is a defect.
func (c *crowd) failed(what string, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && !c.killed {
		c.t.Errorf("%s: %v", what, err)
	}
	return err != nil
}

// churn lets one client work until the server is dead.
func (c *crowd) churn(ctx context.Context, mine []*made) {
	admin := c.s.client()
	schemes := []string{"barong", "bearer"}
	for {
		k, err := admin.CreateKey(ctx, api.NewKey{Owner: c.owner, Schemes: schemes[:1]})
		if c.failed("create", err) {
			return
		}
		m := &made{kid: k.ID, secret: k.Secret, token: k.Token}
		c.mu.Lock()
		c.keys = append(c.keys, m)
		c.mu.Unlock()
		c.acknowledged()
		mine = append(mine, m)
		schemes[0], schemes[1] = schemes[1], schemes[0]

		if m = mine[rand.IntN(len(mine))]; !m.askedRevoke {
			if c.failed("verify", c.use(ctx, m)) {
				return
			}
		}
		if m = mine[rand.IntN(len(mine))]; rand.IntN(2) == 0 && !m.askedRevoke {
			m.askedRevoke = true
			if _, err := admin.RevokeKey(ctx, m.kid, ""); c.failed("revoke", err) {
				return
			}
			m.wasRevoke = true
			c.acknowledged()
		}
	}
}

// use verifies a key that must be good.
func (c *crowd) use(ctx context.Context, m *made) error {
	h := m.headers()
	d, err := c.s.client().Verify(ctx, api.Check{Method: "GET", Target: "/", Headers: h})
	if err == nil && !d.Granted {
		c.t.Errorf("key %s, acknowledged and not revoked: %s", m.kid, d.Reason)
	}
	if err == nil && m.token == "" {
		m.used = h
	}
	return err
}

// check says whether a key is what was acknowledged, after a crash.
func (c *crowd) check(ctx context.Context, m *made) {
	c.t.Helper()
	admin := c.s.client()
	if m.used != nil {
		d, err := admin.Verify(ctx, api.Check{Method: "GET", Target: "/", Headers: m.used})
		if err != nil || d.Granted {
			c.t.Errorf("key %s: a nonce that was used before the crash: granted %v, %v", m.kid, d.Granted, err)
		}
		m.used = nil
	}
	d, err := admin.Verify(ctx, api.Check{Method: "GET", Target: "/", Headers: m.headers()})
	switch {
	case err != nil:
		c.t.Errorf("key %s: %v", m.kid, err)
	case m.wasRevoke && (d.Granted || d.Reason != "key_revoked"):
		c.t.Errorf("key %s, revoked: granted %v, %s", m.kid, d.Granted, d.Reason)
	case !m.askedRevoke && !d.Granted:
		c.t.Errorf("key %s, acknowledged and not revoked: %s", m.kid, d.Reason)
	case m.askedRevoke && !m.wasRevoke && !d.Granted && d.Reason != "key_revoked":
		c.t.Errorf("key %s, perhaps revoked: %s", m.kid, d.Reason)
	}
}

// TestCrash kills the server with SIGKILL, again and again, while clients make, use and
// revoke keys. What was acknowledged has happened; what was not has happened wholly or
// not at all; and the audit log says so.
func TestCrash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := serve(t, t.TempDir(), "", readyKey(t))
	owner, err := s.client().CreateAccount(ctx, api.NewAccount{Email: "crash@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var all []*made
	for range crashes {
		c := &crowd{t: t, s: s, owner: owner.UID, left: 1 + rand.IntN(40)}
		var wg sync.WaitGroup
		for i := range crashClients {
			var mine []*made // keys of earlier rounds: each client has its own
			for j := i; j < len(all); j += crashClients {
				mine = append(mine, all[j])
			}
			wg.Go(func() { c.churn(ctx, mine) })
		}
		wg.Wait()
		<-s.Done
		s = s.restart()
		c.s = s
		all = append(all, c.keys...)
		for _, m := range all[max(0, len(all)-50):] {
			c.check(ctx, m)
		}
		if t.Failed() {
			return
		}
	}
	c := &crowd{t: t, s: s}
	for _, m := range all {
		c.check(ctx, m)
	}
	t.Logf("%d crashes, %d keys acknowledged", crashes, len(all))
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.Done
	checkHistory(t, filepath.Join(s.data(), "gatehouse.db"), all)
}

// checkHistory compares keys with events: each key was created once, each revoked key
// revoked once, and no event is about a change that did not happen.
func checkHistory(t *testing.T, path string, all []*made) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	keys, _, err := db.ListKeys(t.Context(), gatehouse.KeyQuery{Tenant: gatehouse.DefaultTenant})
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := db.ListEvents(t.Context(), gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	created, revoked := map[string]int{}, map[string]int{}
	var prev []byte
	for i, e := range events {
		if e.Seq != int64(i+1) || !bytes.Equal(e.Prev, prev) || !bytes.Equal(e.Hash, e.ChainHash()) {
			t.Errorf("event %d (%s) breaks the chain", e.Seq, e.Verb)
		}
		prev = e.Hash
		switch e.Verb {
		case "key.create":
			created[e.Subject]++
		case "key.revoke":
			revoked[e.Subject]++
		}
	}
	for _, k := range keys {
		want := 0
		if k.State == gatehouse.StateRevoked {
			want = 1
		}
		if created[k.ID] != 1 || revoked[k.ID] != want {
			t.Errorf("key %s, %s: created %d times, revoked %d times", k.ID, k.State, created[k.ID], revoked[k.ID])
		}
	}
	if len(keys) != len(created) || len(keys) < len(all) {
		t.Errorf("%d keys, %d of them acknowledged, %d created in the audit log", len(keys), len(all), len(created))
	}
}
