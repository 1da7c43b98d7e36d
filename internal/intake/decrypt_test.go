// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// readVectors reads one of the files that the real Shield made.
func readVectors(tb testing.TB, name string, into any) {
	tb.Helper()
	text, err := os.ReadFile("../../testdata/vectors/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		tb.Fatal(err)
	}
}

type encryptVector struct {
	Title     string `json:"key_title"`
	Key       []byte `json:"key_b64"`
	Driver    string `json:"driver"`
	Digest    string `json:"digest"`
	Plaintext string `json:"plaintext"`
	Stored    string `json:"stored"`
}

func (v *encryptVector) keys() EncryptionKeys {
	return EncryptionKeys{v.Title: {Key: gatehouse.NewSecret(string(v.Key)), Driver: v.Driver, Digest: v.Digest}}
}

type encryptionFile struct {
	Encrypt []encryptVector `json:"encrypt"`
	Errors  []struct {
		Case   string  `json:"case"`
		Input  string  `json:"input"`
		Result *string `json:"result"`
	} `json:"errors"`
	Good   string `json:"good_for_errors"`
	Compat struct {
		Encrypt []encryptVector `json:"encrypt"`
	} `json:"app_encryption_config_ci3_compat"`
}

func readEncryption(tb testing.TB) (f encryptionFile) {
	tb.Helper()
	readVectors(tb, "shield-encryption.json", &f)
	if len(f.Encrypt) != 36 || len(f.Errors) != 13 || len(f.Compat.Encrypt) != 13 {
		tb.Fatalf("%d, %d and %d vectors", len(f.Encrypt), len(f.Errors), len(f.Compat.Encrypt))
	}
	return f
}

func TestOpenVectors(t *testing.T) {
	t.Parallel()
	f := readEncryption(t)
	for i, v := range append(f.Encrypt, f.Compat.Encrypt...) {
		got, err := v.keys().open(v.Stored)
		if err != nil || got.Reveal() != v.Plaintext {
			t.Errorf("vector %d, title %s: %v; the secret is right: %v", i, v.Title, err, got.Reveal() == v.Plaintext)
		}
		// Every byte is authentic.
		data, err := base64.StdEncoding.DecodeString(v.Stored[strings.LastIndex(v.Stored, "$")+1:])
		if err != nil {
			t.Fatal(err)
		}
		for at := range data {
			data[at] ^= 1
			spoiled := "$b6$" + v.Title + "$" + base64.StdEncoding.EncodeToString(data)
			if _, err := v.keys().open(spoiled); err == nil || !strings.Contains(err.Error(), "does not open it") {
				t.Errorf("vector %d with byte %d changed: %v", i, at, err)
			}
			data[at] ^= 1
		}
	}
}

// What Shield refuses in its configuration ends a row here, and no more than the row.
func TestOpenErrorVectors(t *testing.T) {
	t.Parallel()
	f := readEncryption(t)
	k1 := f.Encrypt[0].keys()["k1"]
	with := func(change func(*EncryptionKey)) EncryptionKeys {
		k := k1
		change(&k)
		return EncryptionKeys{"k1": k}
	}
	plain := EncryptionKeys{"k1": k1}
	rows := map[string]struct {
		keys EncryptionKeys
		want string // in the error
	}{
		"decrypt: prefix only":                     {plain, errMalformed.Error()},
		"decrypt: no data":                         {plain, errMalformed.Error()},
		"decrypt: title only":                      {plain, errMalformed.Error()},
		"decrypt: b5 prefix":                       {plain, errNotPlain.Error()},
		"decrypt: unpadded base64":                 {plain, ""},
		"decrypt: trailing newline":                {plain, errMalformed.Error()},
		"decrypt: base64 with space":               {plain, ""},
		"decrypt: leading space":                   {plain, errNotPlain.Error()},
		"config Sodium with 31 bytes: encrypt":     {with(func(k *EncryptionKey) { k.Driver, k.Key = "Sodium", gatehouse.NewSecret(strings.Repeat("x", 31)) }), "32 bytes"},
		"config lower-case digest sha512: decrypt": {with(func(k *EncryptionKey) { k.Digest = "sha512" }), "digest"},
		"config digest MD5: decrypt":               {with(func(k *EncryptionKey) { k.Digest = "MD5" }), "digest"},
		"config empty key: encrypt":                {with(func(k *EncryptionKey) { k.Key = gatehouse.Secret{} }), "is empty"},
		"config key 0: encrypt":                    {with(func(k *EncryptionKey) { k.Key = gatehouse.NewSecret("0") }), "is empty"},
	}
	for _, v := range f.Errors {
		row, ok := rows[v.Case]
		if !ok {
			t.Errorf("no row for %s", v.Case)
			continue
		}
		if v.Input == "" {
			v.Input = f.Good
		}
		got, err := row.keys.open(v.Input)
		switch {
		case row.want == "" && (err != nil || v.Result == nil || got.Reveal() != *v.Result):
			t.Errorf("%s: %v", v.Case, err)
		case row.want != "" && (err == nil || v.Result != nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: error %v, want %s", v.Case, err, row.want)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	f := readEncryption(t)
	of := func(title string) *encryptVector {
		for i := range f.Encrypt {
			if f.Encrypt[i].Title == title {
				return &f.Encrypt[i]
			}
		}
		t.Fatalf("no vector of %s", title)
		return nil
	}
	raw, sodium := of("hexraw"), of("na1")
	decoded := EncryptionKeys{
		"hexraw": {Key: gatehouse.NewSecret("base64:" + base64.StdEncoding.EncodeToString(raw.Key))},
		"na1":    {Key: gatehouse.NewSecret("hex2bin:" + hex.EncodeToString(sodium.Key)), Driver: "Sodium"},
		"other":  {Key: gatehouse.NewSecret("x"), Driver: "openssl"},
	}
	for _, row := range []struct {
		name, stored, want, problem string
	}{
		{"a base64: text is decoded second", raw.Stored, raw.Plaintext, ""},
		{"a hex2bin: text is decoded second", sodium.Stored, sodium.Plaintext, ""},
		{"in clear", "56c85232f0e5b55c05015476cd132c8d", "56c85232f0e5b55c05015476cd132c8d", ""},
		{"in clear, base64", "//////////////////////////////////////////8=", "//////////////////////////////////////////8=", ""},
		{"in clear, not ASCII", "pässwörd🔑", "pässwörd🔑", ""},
		{"nothing", "", "", "missing"},
		{"not UTF-8", "\xff\xfe", "", "neither"},
		{"a hash of a password", "$2y$12$abc", "", "neither"},
		{"unknown title", "$b6$k9$AAAA", "", "no encryption key with the title k9"},
		{"unknown driver", "$b6$other$AAAA", "", "driver"},
		{"key does not fit", "$b6$hexraw$AAAA", "", "does not open it"},
		{"URL-safe base64", "$b6$hexraw$AA-_", "", "no form"},
		{"half padded", "$b6$hexraw$AA=", "", "no form"},
		{"too much padding", "$b6$hexraw$A===", "", "no form"},
		{"a title with a dash", "$b6$hex-raw$AAAA", "", "no form"},
		{"no title", "$b6$$AAAA", "", "no form"},
	} {
		got, err := decoded.open(row.stored)
		if got.Reveal() != row.want || (err == nil) != (row.problem == "") || err != nil && !strings.Contains(err.Error(), row.problem) {
			t.Errorf("%s: error %v, want %q", row.name, err, row.problem)
		}
	}
}

// The arrays of the box are cut from slices: short ones must not panic.
func TestOpenSodiumShort(t *testing.T) {
	t.Parallel()
	if _, ok := openSodium(make([]byte, 31), make([]byte, 100)); ok {
		t.Error("a key of 31 bytes opens")
	}
	if _, ok := openSodium(make([]byte, 32), make([]byte, 23)); ok {
		t.Error("less than a nonce opens")
	}
}

func FuzzOpen(f *testing.F) {
	vectors := readEncryption(f)
	keys := EncryptionKeys{}
	for _, v := range vectors.Encrypt {
		keys[v.Title] = v.keys()[v.Title]
		f.Add(v.Stored)
	}
	f.Add(vectors.Compat.Encrypt[0].Stored)
	f.Fuzz(func(t *testing.T, stored string) {
		got, err := keys.open(stored)
		if err != nil && !got.Empty() {
			t.Error("an error, and a secret")
		}
		_, data, _ := strings.Cut(strings.TrimPrefix(stored, "$b6$"), "$")
		if err != nil && len(data) > 8 && strings.Contains(err.Error(), data) {
			t.Errorf("the error holds what is stored: %v", err)
		}
	})
}
