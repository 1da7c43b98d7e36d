// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// inVault is a keyring whose primary KEK is in the server.
func inVault(v *fakeVault) *Keyring {
	l := newKeys(time.Now())
	kek := l.primary(kindKEK)
	kek.algorithm, kek.source, kek.key = algorithmVault, "vault:team/transit/gatehouse", nil
	k := keyringOf(l)
	k.UseVault(Vault{Address: v.URL, Token: gatehouse.NewSecret("hvs.right")})
	return k
}

func TestVaultWrapsDataKeys(t *testing.T) {
	t.Parallel()
	v, store := newVault(t), &memStore{}
	k := inVault(v)
	s := mustSealer(t, k, store)
	sealed := mustSeal(t, s, binding())
	if sealed.Data[1] != algAES256GCM {
		t.Errorf("sealed with algorithm %d", sealed.Data[1])
	}
	for _, dk := range store.keys {
		if text := string(dk.Wrapped); !strings.HasPrefix(text, "\x02vault:v1:") {
			t.Errorf("wrapped as %q", text)
		}
	}
	before := v.count()
	for range 10 {
		wantOpen(t, s, sealed)
		mustSeal(t, s, binding())
	}
	if n := v.count() - before; n != 0 {
		t.Errorf("%d calls for requests", n)
	}
	again := mustSealer(t, mustReparse(t, k), store)
	wantOpen(t, again, sealed)
	if n := v.count() - before; n != len(store.keys) {
		t.Errorf("a start makes %d calls for %d data keys", n, len(store.keys))
	}
	// A data key that was moved to another owner does not open: Vault checks what it is
	// bound to.
	store.keys[1].Tenant = "other"
	if _, err := NewSealer(t.Context(), k, store, time.Now); !errors.Is(err, ErrKeyring) || errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("a data key of another tenant: %v, want ErrKeyring", err)
	}
}

// mustReparse returns the keyring as its file would give it back.
func mustReparse(t *testing.T, k *Keyring) *Keyring {
	t.Helper()
	again := mustParse(t, string(k.keys().text()))
	again.ring.vault = k.ring.vault
	return again
}

// Whatever Vault answers, a start fails with one line that says why and holds no token.
func TestVaultRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		edit func(*fakeVault)
		kek  func(*entry)
		want string
		down bool // ErrUnavailable
	}{
		{"403", func(v *fakeVault) { v.tokens = []string{"hvs.another"} }, nil, "Vault answers 403: the token is not valid", true},
		{"404", nil, func(e *entry) { e.source = "vault:other/gatehouse" }, "Vault answers 404: nothing is at this path", true},
		{"503", func(v *fakeVault) { v.sealed = true }, nil, "Vault answers 503: it is sealed, or down for maintenance: Vault is sealed", true},
		{"400, another key", func(v *fakeVault) { v.key = randomBytes(keySize) }, nil, "cipher: message authentication failed", false},
		{"400, no such key", nil, func(e *entry) { e.source = "vault:team/transit/none" }, "encryption key not found", false},
		{"no JSON", func(v *fakeVault) { v.raw = "<h1>welcome</h1>" }, nil, "the answer is not Vault's", true},
		{"a key of another size", func(v *fakeVault) { v.raw = `{"data":{"plaintext":"AAAA"}}` }, nil, "does not open under its KEK", false},
		{"nothing in the answer", func(v *fakeVault) { v.raw = `{"data":{}}` }, nil, "does not open under its KEK", false},
	} {
		v, store := newVault(t), &memStore{}
		k := inVault(v)
		mustSealer(t, k, store)
		if row.edit != nil {
			v.set(row.edit)
		}
		if row.kek != nil {
			row.kek(k.keys().primary(kindKEK))
		}
		_, err := NewSealer(t.Context(), k, store, time.Now)
		wantRefusal(t, row.name, err, row.want, row.down)
	}
}

func wantRefusal(t *testing.T, name string, err error, want string, down bool) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	text := err.Error()
	if !strings.Contains(text, want) || strings.Contains(text, "hvs.") || strings.Contains(text, "\n") {
		t.Errorf("%s: %q, want one line with %q", name, text, want)
	}
	if errors.Is(err, gatehouse.ErrUnavailable) != down || errors.Is(err, ErrKeyring) == down {
		t.Errorf("%s: %v; unavailable: want %v", name, err, down)
	}
}

// While Vault is down what is open stays open, and nothing new is made.
func TestVaultOutage(t *testing.T) {
	t.Parallel()
	v, store := newVault(t), &memStore{}
	k := inVault(v)
	s, behind := mustSealer(t, k, store), mustSealer(t, k, store)
	sealed := mustSeal(t, s, binding())
	v.set(func(v *fakeVault) { v.sealed = true })
	wantOpen(t, s, sealed)
	other := binding()
	other.Tenant = "other"
	if _, err := s.Seal(t.Context(), other, secret); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Seal for a new tenant: %v, want ErrUnavailable", err)
	}
	if _, err := behind.Open(t.Context(), binding(), sealed); !errors.Is(err, gatehouse.ErrUnavailable) || errors.Is(err, ErrOpen) {
		t.Errorf("Open with a data key that is not in memory: %v, want ErrUnavailable", err)
	}
	v.set(func(v *fakeVault) { v.sealed = false })
	mustSeal(t, s, other)
	behind.now = func() time.Time { return time.Now().Add(failedFor) } // the failure is not asked about for a second
	wantOpen(t, behind, sealed)
}

func TestVaultProbe(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	k := inVault(v)
	kek := k.keys().primary(kindKEK)
	if err := k.ring.vault.probe(t.Context(), kek); err != nil {
		t.Errorf("a good KEK: %v", err)
	}
	v.set(func(v *fakeVault) { v.unbound = true })
	var invalid *gatehouse.InvalidError
	if err := k.ring.vault.probe(t.Context(), kek); !errors.As(err, &invalid) || invalid.Field != "source" {
		t.Errorf("a Vault that ignores associated data: %v", err)
	}
	v.set(func(v *fakeVault) { v.sealed = true })
	if err := k.ring.vault.probe(t.Context(), kek); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("a sealed Vault: %v", err)
	}
}

func TestVaultAddressAndToken(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	file := filepath.Join(t.TempDir(), "token")
	for _, row := range []struct {
		name    string
		address string
		token   string
		content string // of the token file
		want    string // in the error; empty: none
	}{
		{"nothing", "", "hvs.right", "", "vault.address: is not set"},
		{"no URL", "vault.example.com", "hvs.right", "", "vault.address: is no http or https URL"},
		{"another scheme", "ftp://vault.example.com", "hvs.right", "", "vault.address: is no http or https URL"},
		{"in clear", "http://vault.example.com:8200", "hvs.right", "", "not loopback"},
		{"no token", v.URL, "", "", "vault.token: is not set"},
		{"a token", v.URL, "hvs.right", "", ""},
		{"a file", v.URL + "/", "", "hvs.right\n", ""},
		{"an empty file", v.URL, "", "\n", "holds no token"},
		{"a file of two lines", v.URL, "", "hvs.right\nhvs.right", "holds no token"},
		{"a wrong token", v.URL, "hvs.wrong", "", "403"},
	} {
		k := inVault(v)
		vault := Vault{Address: row.address, Token: gatehouse.NewSecret(row.token)}
		if row.content != "" {
			vault.TokenFile = file
			if err := os.WriteFile(file, []byte(row.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k.UseVault(vault)
		_, err := k.ring.vault.encrypt(t.Context(), k.keys().primary(kindKEK), secret, nil)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.want != "" && (!errors.Is(err, gatehouse.ErrUnavailable) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hvs.")):
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

// The token goes to no other host, and a server that hangs does not hang the caller.
func TestVaultStrays(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer other.Close()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/team/transit/encrypt") {
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	k := inVault(&fakeVault{Server: server})
	kek := k.keys().primary(kindKEK)
	if _, err := k.ring.vault.encrypt(t.Context(), kek, secret, nil); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirect: %v", err)
	}
	if len(asked) != 0 {
		t.Error("the redirect was followed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := k.ring.vault.decrypt(ctx, kek, "vault:v1:AAAA", nil); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
}
