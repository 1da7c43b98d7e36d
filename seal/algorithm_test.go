// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/seed14544106/gatehouse"
)

// xchacha returns the keyring with another algorithm of its primary KEK.
func xchacha(k *Keyring) *Keyring {
	return keyringOf(mustParseKeys(strings.Replace(string(k.keys().text()), algorithmAES, algorithmXChaCha, 1)))
}

func mustParseKeys(text string) keys {
	l, err := parseKeys([]byte(text))
	if err != nil {
		panic(err)
	}
	return l
}

// What is sealed under a KEK of XChaCha20-Poly1305 is what the package's documentation
// says, taken apart by hand.
func TestXChaChaFormat(t *testing.T) {
	t.Parallel()
	k, store := xchacha(mustParse(t, vectorKeyring)), &memStore{}
	s := mustSealer(t, k, store)
	sealed := mustSeal(t, s, binding())
	open := func(key, box, additional []byte) []byte {
		t.Helper()
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			t.Fatal(err)
		}
		out, err := aead.Open(nil, box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:], additional)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	stored := &store.keys[1]
	if stored.Wrapped[0] != 1 || len(stored.Wrapped) != 1+24+32+16 {
		t.Errorf("wrapped in %d bytes of format %d", len(stored.Wrapped), stored.Wrapped[0])
	}
	dek := open(k.keys().primary(kindKEK).key, stored.Wrapped[1:], wrapBinding(stored))
	if sealed.Data[0] != 1 || sealed.Data[1] != 2 || len(sealed.Data) != 2+16+24+len(secret)+16 {
		t.Errorf("sealed in %d bytes, % x", len(sealed.Data), sealed.Data[:2])
	}
	key, err := hkdf.Key(sha256.New, dek, sealed.Data[2:18], "gatehouse/v1/xchacha20-poly1305/key-secret", 32)
	if err != nil {
		t.Fatal(err)
	}
	additional := fields("gatehouse.v1", "key-secret", "default", binding().ID, "\x00\x00\x00\x00\x00\x00\x00\x03", sealed.Ref)
	if got := open(key, sealed.Data[18:], additional); !bytes.Equal(got, secret) {
		t.Errorf("opened %q", got)
	}
}

// A record says what it is sealed with; another byte there opens nothing, and a KEK is
// not two keys by having two algorithms.
func TestAlgorithmsAreKeptApart(t *testing.T) {
	t.Parallel()
	aes := newKeyring(time.Now())
	for name, k := range map[string]*Keyring{algorithmAES: aes, algorithmXChaCha: xchacha(aes)} {
		store := &memStore{}
		s := mustSealer(t, k, store)
		sealed := mustSeal(t, s, binding())
		wantOpen(t, s, sealed)
		for alg := range 5 {
			bad := gatehouse.Sealed{Ref: sealed.Ref, Data: bytes.Clone(sealed.Data)}
			bad.Data[1] = byte(alg)
			if _, err := s.Open(t.Context(), binding(), bad); (err == nil) != (bad.Data[1] == sealed.Data[1]) || err != nil && !errors.Is(err, ErrOpen) {
				t.Errorf("%s: with algorithm %d: %v", name, alg, err)
			}
			for _, n := range []int{0, 1, 2, headerSize, headerSize + 1, len(sealed.Data) - len(secret)} {
				if _, err := s.Open(t.Context(), binding(), gatehouse.Sealed{Ref: sealed.Ref, Data: bad.Data[:n]}); !errors.Is(err, ErrOpen) {
					t.Errorf("%s: algorithm %d, cut to %d bytes: %v", name, alg, n, err)
				}
			}
		}
		other := aes
		if name == algorithmAES {
			other = xchacha(aes)
		}
		if _, err := NewSealer(t.Context(), other, store, time.Now); !errors.Is(err, ErrKeyring) {
			t.Errorf("%s read as the other algorithm: %v, want ErrKeyring", name, err)
		}
	}
}
