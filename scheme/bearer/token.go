// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer

import (
	"crypto/rand"
	"errors"
	"hash/crc32"
	"strings"
)

// Lengths of the tokens made here, in characters.
const (
	shortLen    = 12
	longLen     = 32
	checksumLen = 6
	maxTokenLen = 256
)

// Token is a printable token in its parts. Long holds the checksum at its end.
type Token struct{ Prefix, Short, Long string }

// ErrToken says that a text is no token. It holds nothing of the text.
var ErrToken = errors.New("not a token of the form prefix_short_long with a sound checksum")

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// ParseToken splits a token and checks its form and checksum. The checksum finds typing
// errors before any store is asked; it proves nothing. [ErrToken].
func ParseToken(text string) (Token, error) {
	if len(text) > maxTokenLen {
		return Token{}, ErrToken
	}
	prefix, rest, ok1 := strings.Cut(text, "_")
	short, long, ok2 := strings.Cut(rest, "_")
	t := Token{Prefix: prefix, Short: short, Long: long}
	if !ok1 || !ok2 || !validPrefix(prefix) || !allBase62(short) || !allBase62(long) || len(long) != longLen+checksumLen {
		return Token{}, ErrToken
	}
	bare := Token{Prefix: prefix, Short: short, Long: long[:longLen]}
	if checksum(bare) != long[longLen:] {
		return Token{}, ErrToken
	}
	return t, nil
}

// checksum is CRC-32 (IEEE) over the whole token so far, in six base62 digits.
func checksum(t Token) string {
	n := uint32(0)
	for _, part := range [...]string{t.Prefix, "_", t.Short, "_", t.Long} {
		n = crc32.Update(n, crc32.IEEETable, []byte(part))
	}
	var out [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

// validPrefix reports whether a prefix is [a-z][a-z0-9]{1,15}.
func validPrefix(p string) bool {
	if len(p) < 2 || len(p) > 16 || p[0] < 'a' || p[0] > 'z' {
		return false
	}
	for i := range len(p) {
		if c := p[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func allBase62(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// random62 draws n base62 characters without bias: bytes that would favour the first
// characters are thrown away.
func random62(n int) string {
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		_, _ = rand.Read(buf[:]) // never fails: crypto/rand documents it
		for _, b := range buf {
			if b < 4*62 && len(out) < n {
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out)
}
