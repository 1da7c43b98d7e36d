// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"
)

func TestRecordKeyIsHKDF(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), keySize, 2*keySize).Draw(t, "secret")
		salt := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "salt")
		info := rapid.StringN(0, -1, 300).Draw(t, "info")
		want, err := hkdf.Key(sha256.New, secret, salt, info, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := recordKey(secret, salt, info); !bytes.Equal(got[:], want) {
			t.Errorf("got %x, want %x", got, want)
		}
	})
}
