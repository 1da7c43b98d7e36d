// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	type options = prefixedkey.Options
	for name, row := range map[string]struct {
		o    options
		want string // form of the key
		err  error
	}{
		"default":            {options{Prefix: "acme"}, `^acme_[1-9A-HJ-NP-Za-km-z]{8}_[1-9A-HJ-NP-Za-km-z]{24}$`, nil},
		"base62":             {options{Prefix: "A1", Base62: true}, `^A1_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}$`, nil},
		"lengths":            {options{Prefix: "a", ShortLen: 1, LongLen: 512}, `^a_\w_\w{512}$`, nil},
		"checksum":           {options{Prefix: "a", Checksum: true}, `^a_\w{8}_\w{30}$`, nil},
		"longest checksum":   {options{Prefix: "a", LongLen: 506, Checksum: true}, `^a_\w{8}_\w{512}$`, nil},
		"short prefix":       {options{Prefix: "a", ShortPrefix: "0OIl"}, `^a_0OIl\w{4}_\w{24}$`, nil},
		"whole short prefix": {options{Prefix: "a", ShortPrefix: "12345678"}, `^a_12345678_\w{24}$`, nil},
		"longest prefix":     {options{Prefix: x("p", 32)}, `^p{32}_`, nil},

		"no prefix":             {options{}, "", prefixedkey.ErrPrefix},
		"prefix too long":       {options{Prefix: x("p", 33)}, "", prefixedkey.ErrPrefix},
		"underscore":            {options{Prefix: "my_co"}, "", prefixedkey.ErrPrefix},
		"hyphen":                {options{Prefix: "my-co"}, "", prefixedkey.ErrPrefix},
		"not ASCII":             {options{Prefix: "ünï"}, "", prefixedkey.ErrPrefix},
		"newline":               {options{Prefix: "acme\n"}, "", prefixedkey.ErrPrefix},
		"short prefix too long": {options{Prefix: "a", ShortPrefix: "123456789"}, "", prefixedkey.ErrShortPrefix},
		"short prefix with _":   {options{Prefix: "a", ShortPrefix: "a_b"}, "", prefixedkey.ErrShortPrefix},
		"short negative":        {options{Prefix: "a", ShortLen: -1}, "", prefixedkey.ErrLength},
		"short too long":        {options{Prefix: "a", ShortLen: 65}, "", prefixedkey.ErrLength},
		"long too short":        {options{Prefix: "a", LongLen: 15}, "", prefixedkey.ErrLength},
		"long negative":         {options{Prefix: "a", LongLen: -1}, "", prefixedkey.ErrLength},
		"long too long":         {options{Prefix: "a", LongLen: 513}, "", prefixedkey.ErrLength},
		"no room for checksum":  {options{Prefix: "a", LongLen: 507, Checksum: true}, "", prefixedkey.ErrLength},
		"no randomness":         {options{Prefix: "a", Random: iotest.ErrReader(io.ErrNoProgress)}, "", io.ErrNoProgress},
		"too little randomness": {options{Prefix: "a", Random: bytes.NewReader(make([]byte, 63))}, "", io.ErrUnexpectedEOF},
	} {
		k, err := prefixedkey.Generate(row.o)
		if !errors.Is(err, row.err) || row.err != nil && (k.Prefix != "" || k.Short != "" || k.Reveal() != "__") {
			t.Errorf("%s: %v, %v", name, k, err)
			continue
		}
		if err != nil {
			continue
		}
		if !regexp.MustCompile(row.want).MatchString(k.Reveal()) {
			t.Errorf("%s: the key is not %s", name, row.want)
		}
		if again, err := prefixedkey.Parse(k.Reveal()); err != nil || again.Hash() != k.Hash() || !prefixedkey.Verify(again, k.Hash()) {
			t.Errorf("%s: read back as %v, %v", name, again, err)
		}
		if k.HasChecksum() != row.o.Checksum {
			t.Errorf("%s: HasChecksum = %v", name, k.HasChecksum())
		}
	}
}

// The bytes that are drawn decide the key, and those that would favour a character are
// thrown away.
func TestRandom(t *testing.T) {
	t.Parallel()
	block := append([]byte{255, 232, 0, 57, 58, 231}, make([]byte, 58)...)
	k, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "a", Random: bytes.NewReader(block)})
	if want := "a_1z1z1111_" + strings.Repeat("1", 24); err != nil || k.Reveal() != want {
		t.Errorf("a key of known bytes is another: %v", err)
	}
	block = append([]byte{255, 248, 0, 61, 62, 247}, make([]byte, 58)...)
	k, err = prefixedkey.Generate(prefixedkey.Options{Prefix: "a", Base62: true, Checksum: true, Random: bytes.NewReader(block)})
	if want := "a_0z0z0000_" + strings.Repeat("0", 24) + "0TGPhN"; err != nil || k.Reveal() != want {
		t.Errorf("a key of known bytes is another: %v", err)
	}
}

// Every character is as frequent as any other, at every place of the short token.
func TestUniform(t *testing.T) {
	t.Parallel()
	for _, wide := range []bool{false, true} {
		n := map[bool]int{false: 58, true: 62}[wide]
		const keys = 20_000
		random := rand.NewChaCha8([32]byte{1})
		var count [8][256]int
		for range keys {
			k, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "a", Base62: wide, Random: random})
			if err != nil {
				t.Fatal(err)
			}
			for place := range count {
				count[place][k.Short[place]]++
			}
		}
		for place := range count {
			chi, seen := 0.0, 0
			for _, c := range count[place] {
				if c == 0 {
					continue
				}
				seen++
				want := float64(keys) / float64(n)
				chi += (float64(c) - want) * (float64(c) - want) / want
			}
			// For 61 degrees of freedom chi-squared exceeds 120 once in 100,000 times. The
			// randomness is the same in every run.
			if seen != n || chi > 120 {
				t.Errorf("base%d, place %d: %d characters, chi-squared %.0f", n, place, seen, chi)
			}
		}
	}
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	k, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "acme", Checksum: true})
	if err != nil {
		t.Fatal(err)
	}
	whole := k.Reveal()
	for i := range whole {
		b := []byte(whole)
		for _, c := range []byte("a0Z") {
			b[i] = c
			if bad, err := prefixedkey.Parse(string(b)); string(b) != whole && err == nil && bad.HasChecksum() {
				t.Errorf("one wrong character at %d is not found", i)
			}
		}
	}
	if (prefixedkey.Key{}).HasChecksum() {
		t.Error("the zero Key has a checksum")
	}
}

func TestOtherHashes(t *testing.T) {
	t.Parallel()
	// Of the documented long token, computed by another implementation.
	for h, want := range map[crypto.Hash]string{
		crypto.SHA224:     "04299944884cb80181651421747e316c89011cf56dd9239f9b04727f",
		crypto.SHA256:     hash,
		crypto.SHA384:     "2ffae1cb8e52150d7c81fc9e42593a38e1388dd433439e700d6a3c4e39df3dba63110a8f21f008ad0a36d58ee3caa618",
		crypto.SHA512:     "75db848280b1efebda5e830f1a6a23c771e687987ae2de1e52c15400cc373945c745928cc51bc3363f18872af965e5db36488e317e0dc2a29d04a44b44d60fc4",
		crypto.SHA512_224: "e1a0995c21421913fc6ca57b31ea0ee2fa09b83c12bbc78005d87bb6",
		crypto.SHA512_256: "6be3ae190d91a6f8bf9c1cf50fb8df5aa0f65909ff4e2221ba2851d95db1d292",
	} {
		if !prefixedkey.VerifyWith(h, text, want) || !prefixedkey.VerifyWith(h, text, strings.ToUpper(want)) {
			t.Errorf("%v does not verify", h)
		}
		if h != crypto.SHA256 && (prefixedkey.Verify(text, want) || prefixedkey.VerifyWith(h, text, hash)) {
			t.Errorf("%v verifies as SHA-256", h)
		}
		if prefixedkey.VerifyWith(h, text, "") || prefixedkey.VerifyWith(h, text, want[2:]) || prefixedkey.VerifyWith(h, text, want+"00") {
			t.Errorf("%v verifies with a hash of another length", h)
		}
	}
	for _, h := range []crypto.Hash{0, crypto.MD5, crypto.SHA1, crypto.SHA3_256, 99} {
		if prefixedkey.VerifyWith(h, text, hash) || prefixedkey.VerifyWith(h, text, "") {
			t.Errorf("hash function %d verifies", uint(h))
		}
	}
}
