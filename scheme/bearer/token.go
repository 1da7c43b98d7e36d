// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package bearer

import (
	"cmp"
	"errors"
	"strings"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

// Lengths of the tokens made here, in characters.
const (
	shortLen    = 12
	longLen     = 32
	checksumLen = 6
)

// notBase58 are the letters and digits that no port puts into a long token of the length
// of ours: three draw from base58, the fourth makes 24 characters. One of them, at least,
// is in every long token made here.
const notBase58 = "0OIl"

// Token is a printable token in its parts. Long holds the checksum at its end.
type Token struct{ Prefix, Short, Long string }

// ErrToken says that a text is no token. It holds nothing of the text.
var ErrToken = errors.New("not a token of the form prefix_short_long with a sound checksum")

// ParseToken splits a token of our own form and checks its checksum, which finds typing
// errors and proves nothing. Tokens of other systems are refused. [ErrToken].
func ParseToken(text string) (Token, error) {
	t, ours, err := readToken(text)
	if err != nil || !ours {
		return Token{}, ErrToken
	}
	return t, nil
}

// readToken splits a token, whoever made it. Only a token that no port can have made is
// refused for its checksum. [ErrToken].
func readToken(text string) (t Token, ours bool, err error) {
	prefix, short, checked, err := prefixedkey.Read(text)
	if err != nil {
		return Token{}, false, ErrToken
	}
	t = Token{Prefix: prefix, Short: short, Long: text[len(prefix)+len(short)+2:]}
	if !validPrefix(t.Prefix) || len(t.Short) != shortLen || len(t.Long) != longLen+checksumLen {
		return t, false, nil
	}
	ours = checked
	if !ours && strings.ContainsAny(t.Long, notBase58) {
		return Token{}, false, ErrToken
	}
	return t, ours, nil
}

// newToken makes a token with a new long part, and a new short part where keyID is empty.
func newToken(keyID, prefix string) (Token, error) {
	o := prefixedkey.Options{
		Prefix: prefix, ShortPrefix: keyID, ShortLen: cmp.Or(len(keyID), shortLen),
		LongLen: longLen, Base62: true, Checksum: validPrefix(prefix),
	}
	if !o.Checksum {
		o.Prefix = DefaultPrefix // the checksum would cover the prefix; the rest does not know it
	}
	for {
		k, err := prefixedkey.Generate(o)
		if err != nil {
			return Token{}, err
		}
		t := Token{Prefix: prefix, Short: k.Short, Long: k.Reveal()[len(k.Prefix)+len(k.Short)+2:]}
		if strings.ContainsAny(t.Long, notBase58) {
			return t, nil
		}
	}
}

// readable reports whether a token with this prefix and key id is read back as such.
func readable(prefix, keyID string) bool {
	k, err := prefixedkey.Parse(prefix + "_" + keyID + "_" + strings.Repeat("1", longLen))
	return err == nil && k.Prefix == prefix && k.Short == keyID
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

// String returns the token in clear, for its holder.
func (t Token) String() string { return t.Prefix + "_" + t.Short + "_" + t.Long }
