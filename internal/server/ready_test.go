// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/seal"
)

// fakeVault answers as the transit engine does, and hides nothing. It can be sealed.
type fakeVault struct {
	*httptest.Server
	sealed atomic.Bool
}

func newFakeVault(t *testing.T) *fakeVault {
	v := &fakeVault{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in, out struct {
			Plaintext  string `json:"plaintext,omitempty"`
			Ciphertext string `json:"ciphertext,omitempty"`
		}
		if v.sealed.Load() || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if in.Plaintext != "" {
			out.Ciphertext = "vault:v1:" + in.Plaintext
		}
		out.Plaintext = strings.TrimPrefix(in.Ciphertext, "vault:v1:")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": out})
	}))
	t.Cleanup(v.Close)
	return v
}

// keyringInVault makes a data directory whose KEK is in Vault.
func keyringInVault(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "keyring")
	if _, err := seal.CreateKeyring(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^(kek\s+\S+\s+)\S+(\s+\S+\s+primary\s+)\S+$`).ReplaceAll(text, []byte("${1}vault-transit${2}vault:transit/gatehouse"))
	if err := errors.Join(os.Chmod(dir, 0o700), os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReadyzTells takes one thing after the other away from a node. It stays in the balancer
// for as long as it can decide on requests, and says in any case what is away.
func TestReadyzTells(t *testing.T) {
	t.Parallel()
	vault, redis := newFakeVault(t), testenv.StartRedis(t, "redis-server")
	address, link := behind(t)
	inRedis := wire(t, settings(t, map[string]string{
		"data": keyringInVault(t), "database_url": address, "redis_url": redis.URL(), "vault.address": vault.URL, "vault.token": "hvs.right",
	}))
	address, other := behind(t)
	inDatabase := wire(t, settings(t, map[string]string{"database_url": address}))
	nothing := func() {}
	for _, row := range []struct {
		name         string
		p            *process
		away, back   func()
		status       int
		want         string
		kekReachable string
	}{
		{"nothing is away", inRedis, nothing, nothing, 200, "ready\nstore: ok\nkeyring: ok\nfeed: ok\nnonces: ok\nlimits: ok", "1"},
		{"Vault is sealed", inRedis, func() { vault.sealed.Store(true) }, func() { vault.sealed.Store(false) },
			200, "ready\nstore: ok\nkeyring: unavailable\nfeed: ok\nnonces: ok\nlimits: ok", "0"},
		{"Redis is stopped", inRedis, redis.Stop, redis.Start, 200, "ready\nstore: ok\nkeyring: ok\nfeed: ok\nnonces: unavailable\nlimits: unavailable", "1"},
		{"PostgreSQL is cut off", inRedis, link.Cut, link.Heal, 503, "not ready\nstore: unavailable\nkeyring: ok\nfeed: unavailable\nnonces: ok\nlimits: ok", "1"},
		{"PostgreSQL is cut off, with nonces and limits in it", inDatabase, other.Cut, other.Heal,
			503, "not ready\nstore: unavailable\nkeyring: ok\nfeed: unavailable\nnonces: unavailable\nlimits: unavailable", "1"},
		{"all is back", inRedis, nothing, nothing, 200, "ready\nstore: ok\nkeyring: ok\nfeed: ok\nnonces: ok\nlimits: ok", "1"},
	} {
		row.away()
		row.p.ready.Store(true)
		tells(t, row.name, row.p, row.status, row.want)
		if w := get(row.p.ops(), "/metrics"); !strings.Contains(w.Body.String(), "\ngatehouse_kek_reachable "+row.kekReachable+"\n") {
			t.Errorf("%s: gatehouse_kek_reachable is not %s", row.name, row.kekReachable)
		}
		row.back()
	}
}

// behind makes a database that can be cut off.
func behind(t *testing.T) (address string, link *testenv.Proxy) {
	t.Helper()
	u, err := url.Parse(testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	link = testenv.NewProxy(t, u.Host)
	u.Host = link.Addr()
	return u.String(), link
}

// tells waits until /readyz says what it should, while the process does what it does within
// half a minute.
func tells(t *testing.T, name string, p *process, status int, want string) {
	t.Helper()
	var w *httptest.ResponseRecorder
	if !within(20*time.Second, func() bool {
		for _, c := range p.chores() {
			if c.interval <= 30*time.Second {
				c.do(t.Context())
			}
		}
		w = get(p.ops(), "/readyz")
		return w.Code == status && w.Body.String() == want+"\n"
	}) {
		t.Fatalf("%s: /readyz says %d %q, want %d %q", name, w.Code, w.Body, status, want)
	}
}

// within asks again and again until ok is true, for so long at most.
func within(most time.Duration, ok func() bool) bool {
	for end := time.Now().Add(most); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// TestReady: a node leaves the balancer where another would do better, and the keyring is blamed
// for what is its own.
func TestReady(t *testing.T) {
	t.Parallel()
	down := gatehouse.Unavailable("ask", errors.New("no route"))
	lacking := gatehouse.Unavailable("open data key", seal.ErrKeyring)
	for _, row := range []struct {
		name        string
		s           standing
		ready, ring bool
	}{
		{"well", standing{}, true, true},
		{"no store", standing{store: down}, false, true},
		{"no store to read the data keys of", standing{store: down, seals: down}, false, true},
		{"neither store nor Vault", standing{store: down, seals: down, vault: down}, false, false},
		{"Vault is down", standing{vault: down}, true, false},
		{"Vault has lost its key", standing{vault: seal.ErrKeyring}, true, false},
		{"a new data key waits for Vault", standing{seals: down}, true, false},
		{"a KEK that other nodes hold is missing", standing{seals: lacking}, false, false},
		{"the same, and no store", standing{store: down, seals: lacking}, false, false},
		{"what was sealed does not open", standing{seals: seal.ErrOpen}, false, false},
		{"no nonces", standing{nonces: down}, true, true},
	} {
		if ring := row.s.ring(true); row.s.ready() != row.ready || ring.OK != row.ring || ring.Kind != "vault" || ring.OK != (ring.Problem == "") {
			t.Errorf("%s: ready %v, keyring %+v; want %v, %v", row.name, row.s.ready(), ring, row.ready, row.ring)
		}
	}
}
