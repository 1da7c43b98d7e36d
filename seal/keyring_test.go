// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vectorKeyring and the other vectors of this package were made with Python's
// cryptography 48, from the formats in the package's documentation.
const vectorKeyring = `gatehouse-keyring 1
# a comment

kek kek-1 aes-256-gcm 2026-01-31T12:00:00Z primary AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
pepper pepper-1 hmac-sha-256 2026-01-31T12:00:00Z primary ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=
root root-1 hkdf-sha-256 2026-01-31T12:00:00Z primary QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=
`

func mustParse(t testing.TB, text string) *Keyring {
	t.Helper()
	l, err := parseKeys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return keyringOf(l)
}

func newKeyring(now time.Time) *Keyring { return keyringOf(newKeys(now)) }

// rotated returns the keyring with a new primary key of a kind; the old one stays active.
func rotated(k *Keyring, kind string) *Keyring {
	l := slices.Clone(k.keys())
	for i := range l {
		l[i].primary = l[i].primary && l[i].kind != kind
	}
	return keyringOf(append(l, *newKeys(time.Now()).primary(kind)))
}

func TestKeyringFromVector(t *testing.T) {
	t.Parallel()
	k := mustParse(t, vectorKeyring)
	want := make([]byte, keySize)
	for i := range want {
		want[i] = byte(32 + i)
	}
	if id, key := k.PrimaryPepper(); id != "pepper-1" || !bytes.Equal(key, want) {
		t.Errorf("PrimaryPepper = %q, %x", id, key)
	}
	const derived = "c9520dc9980355bef40c0138cf4ab26e69ef5f13ba6354ab2dc87827a9c1c3ca"
	if got := hex.EncodeToString(k.Derive("session")); got != derived {
		t.Errorf("Derive = %s, want %s", got, derived)
	}
}

func TestKeyringTextIsRead(t *testing.T) {
	t.Parallel()
	k := rotated(rotated(newKeyring(time.Now()), kindKEK), kindPepper)
	once := mustParse(t, string(k.keys().text()))
	if string(once.keys().text()) != string(k.keys().text()) {
		t.Error("print of parse of print differs")
	}
	for _, kind := range kinds {
		if diff := cmp.Diff(k.keys().primary(kind.name), once.keys().primary(kind.name), cmp.AllowUnexported(entry{})); diff != "" {
			t.Error(kind.name, diff)
		}
	}
	if len(once.keys()) != 5 {
		t.Errorf("%d keys, want 5", len(once.keys()))
	}
	crlf := strings.ReplaceAll(vectorKeyring, "\n", "\r\n")
	if string(mustParse(t, crlf).keys().text()) != string(mustParse(t, vectorKeyring).keys().text()) {
		t.Error("CRLF reads differently")
	}
}

func TestKeyringRefuses(t *testing.T) {
	t.Parallel()
	const (
		kek    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
		pepper = "pepper pepper-1 hmac-sha-256 2026-01-31T12:00:00Z primary ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
		root   = "root root-1 hkdf-sha-256 2026-01-31T12:00:00Z primary QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=\n"
	)
	for _, row := range []struct{ name, old, new string }{
		{"empty", vectorKeyring, ""},
		{"other header", "keyring 1", "keyring 2"},
		{"no header", "gatehouse-keyring 1\n", ""},
		{"unknown kind", "kek kek-1", "dek kek-1"},
		{"unknown algorithm", "aes-256-gcm", "aes-128-gcm"},
		{"algorithm of another kind", "aes-256-gcm", "hmac-sha-256"},
		{"a word more", kek, kek + " retired"},
		{"a word less", " " + kek, ""},
		{"unknown rank", "00Z primary AA", "00Z retired AA"},
		{"no time", "2026-01-31T12:00:00Z primary AA", "yesterday primary AA"},
		{"no such day", "2026-01-31T12:00:00Z primary AA", "2026-02-31T12:00:00Z primary AA"},
		{"time with a zone", "2026-01-31T12:00:00Z primary AA", "2026-01-31T12:00:00+01:00 primary AA"},
		{"short key", kek, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="},
		{"long key", kek, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"},
		{"key not base64", kek, strings.Replace(kek, "A", "!", 1)},
		{"key without padding", kek, strings.TrimSuffix(kek, "=")},
		{"key with stray bits", kek, strings.Replace(kek, "Hh8=", "Hh9=", 1)},
		{"key as id", "kek kek-1", "kek " + kek},
		{"upper-case id", "kek-1", "KEK-1"},
		{"same id twice", "pepper-1", "kek-1"},
		{"no kek", "kek kek-1 aes-256-gcm", "pepper p2 hmac-sha-256"},
		{"no primary", "primary AA", "active AA"},
		{"two primaries", "root root-1", strings.Replace(pepper, "pepper-1", "pepper-2", 1) + "root root-1"},
		{"no pepper", pepper, ""},
		{"no root", root, ""},
		{"two roots", root, root + strings.NewReplacer("root-1", "root-2", "primary", "active").Replace(root)},
	} {
		text := strings.Replace(vectorKeyring, row.old, row.new, 1)
		if text == vectorKeyring {
			t.Fatalf("%s: the row changes nothing", row.name)
		}
		k, err := parseKeys([]byte(text))
		if err == nil || k != nil {
			t.Errorf("%s: accepted", row.name)
			continue
		}
		noKeyIn(t, err, []byte(text))
		if strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: more than one line: %q", row.name, err)
		}
	}
}

// noKeyIn fails when the error holds a word of the file that may be a key.
func noKeyIn(t *testing.T, err error, file []byte) {
	t.Helper()
	for _, word := range strings.Fields(string(file)) {
		if len(word) >= 20 && word != "2026-01-31T12:00:00Z" && strings.Contains(err.Error(), word) {
			t.Errorf("the error %q holds %q", err, word)
		}
	}
}

func TestPepperByID(t *testing.T) {
	t.Parallel()
	old := newKeyring(time.Now())
	oldID, oldKey := old.PrimaryPepper()
	k := rotated(old, kindPepper)
	newID, newKey := k.PrimaryPepper()
	if newID == oldID || bytes.Equal(newKey, oldKey) {
		t.Error("the primary pepper is the old one")
	}
	for id, want := range map[string][]byte{oldID: oldKey, newID: newKey} {
		got, ok := k.PepperByID(id)
		if !ok || !bytes.Equal(got[:], want) {
			t.Errorf("PepperByID(%s) = %x, %v", id, got, ok)
		}
	}
	for _, id := range []string{"", "unknown", k.keys().primary(kindKEK).id, k.keys().primary(kindRoot).id} {
		if key, ok := k.PepperByID(id); ok || key != [32]byte{} {
			t.Errorf("PepperByID(%q) found a key", id)
		}
	}
	clear(newKey)
	if _, again := k.PrimaryPepper(); bytes.Equal(again, newKey) {
		t.Error("the caller's copy is the keyring's own")
	}
}

func TestDerive(t *testing.T) {
	t.Parallel()
	k := newKeyring(time.Now())
	session := k.Derive("session")
	if len(session) != 32 || bytes.Equal(session, k.Derive("recovery-code")) || bytes.Equal(session, newKeyring(time.Now()).Derive("session")) {
		t.Error("derived keys do not depend on purpose and root")
	}
	if !bytes.Equal(session, rotated(rotated(k, kindKEK), kindPepper).Derive("session")) {
		t.Error("a new primary KEK or pepper changes derived keys")
	}
}

func TestZeroKeyringGivesNoKey(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(){
		"Derive":         func() { new(Keyring).Derive("session") },
		"PrimaryPepper":  func() { new(Keyring).PrimaryPepper() },
		"Derive nothing": func() { newKeyring(time.Now()).Derive("") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			use()
		}()
	}
}

func TestKeyringDoesNotPrint(t *testing.T) {
	t.Parallel()
	k := newKeyring(time.Now())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{k, *k, []*Keyring{k}, struct{ K Keyring }{*k}} {
			text := fmt.Sprintf(verb, v)
			for _, e := range k.keys() {
				for _, secret := range []string{
					base64.StdEncoding.EncodeToString(e.key), hex.EncodeToString(e.key),
					string(e.key), strings.Trim(fmt.Sprint(e.key), "[]"), e.id,
				} {
					if strings.Contains(text, secret) {
						t.Errorf("%s of %T prints a key: %q", verb, v, text)
					}
				}
			}
		}
	}
	if got := fmt.Sprint(k); got != "[keyring]" {
		t.Errorf("prints %q", got)
	}
}

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte(vectorKeyring))
	f.Add(newKeys(time.Unix(0, 0)).text())
	f.Add([]byte("gatehouse-keyring 1\nkek"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseKeys(text)
		if err != nil {
			noKeyIn(t, err, text)
			return
		}
		printed := k.text()
		again, err := parseKeys(printed)
		if err != nil || !bytes.Equal(again.text(), printed) || len(again) != len(k) {
			t.Errorf("what was read does not read back: %v", err)
		}
	})
}
