// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

func TestNewRecoveryCodes(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Z2-7]{4}(-[A-Z2-7]{4}){5}$`)
	codes := append(NewRecoveryCodes(), NewRecoveryCodes()...)
	if len(codes) != 20 {
		t.Fatalf("%d codes in two sets", len(codes))
	}
	seen := make(map[string]bool)
	for _, code := range codes {
		if !form.MatchString(code) {
			t.Errorf("%q has another form", code)
		}
		normal, ok := NormalizeRecoveryCode(code)
		if !ok || normal != strings.ReplaceAll(code, "-", "") {
			t.Errorf("%q normalizes to %q, %v", code, normal, ok)
		}
		if seen[normal] {
			t.Error("a code comes twice")
		}
		seen[normal] = true
	}
}

func TestNormalizeRecoveryCode(t *testing.T) {
	t.Parallel()
	const normal = "ABCDEFGHIJKLMNOPQRST2347"
	for _, s := range []string{
		normal, "ABCD-EFGH-IJKL-MNOP-QRST-2347", "abcdefghijklmnopqrst2347", "Abcd-efgh-ijkl-mnop-qrst-2347",
	} {
		if got, ok := NormalizeRecoveryCode(s); got != normal || !ok {
			t.Errorf("%q: %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", normal[1:], normal + "A", " " + normal, normal + "\n", normal[:23] + " ",
		"ABCD EFGH IJKL MNOP QRST 2347", "ABCD_EFGH_IJKL_MNOP_QRST_2347",
		"ABCD-EFGHIJKLMNOPQRST2347",     // some dashes
		"ABCDEFGH--IJKL-MNOP-QRST-2347", // out of place
		"ABCD-EFGH-IJKL-MNOP-QRST-234-", // in the place of a letter
		"-----------------------------", "------------------------",
		normal[:23] + "0", normal[:23] + "1", normal[:23] + "8", normal[:23] + "9", normal[:23] + "=",
		normal[:22] + "é", normal[:22] + "ſ", // U+017F upper-cases to S elsewhere
		strings.Repeat(normal, 1000),
	} {
		if got, ok := NormalizeRecoveryCode(s); ok || got != "" {
			t.Errorf("%q is accepted as %q", s, got)
		}
	}
}

func TestHashRecoveryCode(t *testing.T) {
	t.Parallel()
	pepper := []byte("0123456789abcdef0123456789abcdef")
	const id, code = "account-1", "ABCDEFGHIJKLMNOPQRST2347"
	base := HashRecoveryCode(pepper, id, code)
	// Computed with openssl dgst -mac over the fields, each after its 64-bit length.
	if got, want := hex.EncodeToString(base), "6a1edec4a02df8beb655be85e4d80cecd3130a7baf21eba4049d9c018cc578de"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, other := range map[string][]byte{
		"another account":  HashRecoveryCode(pepper, "account-2", code),
		"another code":     HashRecoveryCode(pepper, id, "BBCDEFGHIJKLMNOPQRST2347"),
		"another pepper":   HashRecoveryCode(pepper[1:], id, code),
		"a shifted border": HashRecoveryCode(pepper, id+"A", code[1:]),
		"an empty account": HashRecoveryCode(pepper, "", id+code),
		"exchanged fields": HashRecoveryCode(pepper, code, id),
	} {
		if bytes.Equal(base, other) {
			t.Errorf("%s gives the same hash", name)
		}
	}
	if !bytes.Equal(base, HashRecoveryCode(pepper, id, code)) {
		t.Error("the hash is not stable")
	}
	defer func() {
		if recover() == nil {
			t.Error("no pepper, no panic")
		}
	}()
	HashRecoveryCode(nil, id, code)
}

func FuzzNormalizeRecoveryCode(f *testing.F) {
	f.Add("ABCD-EFGH-IJKL-MNOP-QRST-2347")
	f.Add("abcdefghijklmnopqrst2347")
	f.Add("ABCD-EFGH-IJKL-MNOP-QRST-234\xff")
	form := regexp.MustCompile(`^[A-Z2-7]{24}$`)
	f.Fuzz(func(t *testing.T, s string) {
		normal, ok := NormalizeRecoveryCode(s)
		if !ok {
			if normal != "" {
				t.Errorf("%q is refused, and yet %q", s, normal)
			}
			return
		}
		if !form.MatchString(normal) || !strings.EqualFold(strings.ReplaceAll(s, "-", ""), normal) {
			t.Errorf("%q normalizes to %q", s, normal)
		}
		for _, again := range []string{normal, groupRecoveryCode(normal)} {
			if got, ok := NormalizeRecoveryCode(again); got != normal || !ok {
				t.Errorf("%q: %q, %v", again, got, ok)
			}
		}
	})
}
