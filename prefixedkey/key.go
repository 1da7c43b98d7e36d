// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package prefixedkey makes, reads and checks prefixed API keys:
//
//	mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG
//	└ prefix  └ short  └ long
//
// The prefix says who issued the key, for people and secret scanners. The short token
// names the key in logs, lists and deny-lists. The long token is the secret, of which
// only a hash is stored. The format is that of Seam's library and its ports to Elixir,
// Rust and Go, whose keys and stored hashes work here. docs/spec/prefixed.md tells where
// the four disagree, what is done then, and which few keys are refused.
package prefixedkey

import (
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
)

// Bounds of the parts of a key, in characters.
const (
	maxPrefix   = 128
	maxShort    = 64
	minLong     = 16
	maxLong     = 512
	checksumLen = 6
)

// ErrKey says that a text, or a [Key], is no prefixed key. It holds nothing of it.
var ErrKey = errors.New("not a key of the form prefix_short_long")

// Key is a prefixed key in its parts, made by [Parse] or [Generate]. It prints with its
// long token left out; the long token leaves only through [Key.Reveal]. The zero value
// is no key: it verifies against nothing. Keys are not to be compared with ==.
type Key struct {
	Prefix string // printable ASCII without space, may hold underscores
	Short  string // letters and digits; public

	// The long token stands behind a pointer, because fmt looks into unexported fields of
	// other structs without asking a method. There it finds an address.
	long *string
}

// Parse reads a key. A Key is taken as well: its parts are checked once more.
//
// The text is split from the right: the long token is what follows the last underscore,
// the short token what stands between the last two, the prefix all before. The prefix has
// 1 to 128 characters of printable ASCII without space, the short token 1 to 64 letters
// and digits, the long token 16 to 512. Nothing is trimmed. [ErrKey].
func Parse[K string | Key](key K) (Key, error) {
	var k Key
	switch v := any(key).(type) {
	case string:
		k = split(v)
	case Key:
		k = v
	}
	if !sound(k.Prefix, k.Short, k.secret()) {
		return Key{}, ErrKey
	}
	return k, nil
}

func split(text string) Key {
	prefix, short, long := cut(text)
	return Key{Prefix: prefix, Short: short, long: &long}
}

func (k Key) secret() string {
	if k.long == nil {
		return ""
	}
	return *k.long
}

// Reveal returns the whole key in clear, for its holder. It is the one exit of the long
// token, so that all uses can be found by name.
func (k Key) Reveal() string { return k.Prefix + "_" + k.Short + "_" + k.secret() }

// HasChecksum reports whether the long token ends in the checksum of everything before
// it, as [Options] describes. It finds typing errors and proves nothing. A key made
// without a checksum has one by chance: once in 57 billion (62 to the power of 6), in
// base58 once in 67 billion.
func (k Key) HasChecksum() bool {
	long := k.secret()
	return hasChecksum(k.Prefix, k.Short, long)
}

func hasChecksum(prefix, short, long string) bool {
	cut := len(long) - checksumLen
	return cut > 0 && long[cut:] == checksum(prefix, short, long[:cut])
}

// Read is [Parse] and [Key.HasChecksum] of a text in one, for who must not wait for the heap:
// what it returns says where the long token is without holding it, for that is what follows
// the short one and an underscore.
//
// Errors: [ErrKey].
func Read(text string) (prefix, short string, checksum bool, err error) {
	prefix, short, long := cut(text)
	if !sound(prefix, short, long) {
		return "", "", false, ErrKey
	}
	return prefix, short, hasChecksum(prefix, short, long), nil
}

func sound(prefix, short, long string) bool {
	return printable(prefix) && len(prefix) <= maxPrefix && alphanumeric(short) && len(short) <= maxShort &&
		alphanumeric(long) && len(long) >= minLong && len(long) <= maxLong
}

// cut cuts a text at its last two underscores. Without two it gives three empty texts.
func cut(text string) (prefix, short, long string) {
	last := strings.LastIndexByte(text, '_')
	middle := strings.LastIndexByte(text[:max(last, 0)], '_')
	if middle < 0 {
		return "", "", ""
	}
	return text[:middle], text[middle+1 : last], text[last+1:]
}

// checksum is CRC-32 (IEEE) over prefix_short_long in six base62 digits, most significant
// first. It walks the table itself: the library's function makes every argument escape.
func checksum(prefix, short, long string) string {
	n := ^uint32(0)
	for _, part := range [...]string{prefix, "_", short, "_", long} {
		for i := range len(part) {
			n = crc32.IEEETable[byte(n)^part[i]] ^ n>>8
		}
	}
	n = ^n
	var out [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

// String returns the key with "[secret]" for its long token. It implements [fmt.Stringer].
func (k Key) String() string { return k.Prefix + "_" + k.Short + "_[secret]" }

// GoString returns what [Key.String] does. It implements [fmt.GoStringer].
func (k Key) GoString() string { return k.String() }

// Format writes what [Key.String] returns, for every verb. It implements [fmt.Formatter].
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue returns what [Key.String] does. It implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns what [Key.String] does, and so does encoding/json. It implements
// [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}
