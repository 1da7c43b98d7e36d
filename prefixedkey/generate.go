// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

const (
	defaultShort = 8
	defaultLong  = 24
	maxNewPrefix = 32

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// Errors of [Generate] for unusable [Options].
var (
	ErrPrefix      = errors.New("the prefix is not 1 to 32 letters and digits")
	ErrShortPrefix = errors.New("the short-token prefix is not letters and digits, or longer than the short token")
	ErrLength      = errors.New("the short token is not 1 to 64 characters, or the long token not 16 to 512")
)

// Options say what [Generate] makes. Prefix is required; the zero value of the rest gives
// keys that all four ports read. Elixir reads no other lengths than 8 and 24.
type Options struct {
	Prefix      string // [A-Za-z0-9]{1,32}
	ShortPrefix string // what the short token begins with, letters and digits; empty: nothing
	ShortLen    int    // characters of the short token, ShortPrefix among them; zero: 8
	LongLen     int    // random characters of the long token; zero: 24
	Base62      bool   // draw from all letters and digits, not from base58, which has no 0 O I l

	// Checksum adds 6 characters to the long token: CRC-32 (IEEE) of everything before
	// them as base62 digits (0-9A-Za-z), most significant first.
	Checksum bool
	// Random is where bytes are drawn from; nil: the system's randomness. Others are for
	// tests.
	Random io.Reader
}

// Generate makes a key. Each character is drawn without bias, so that the long token has
// 5.86 bits for each of its characters, 140 by default; in base62 5.95.
//
// Errors: [ErrPrefix]; [ErrShortPrefix]; [ErrLength]; what Random answers.
func Generate(o Options) (Key, error) {
	o, err := o.checked()
	if err != nil {
		return Key{}, err
	}
	alphabet := base58
	if o.Base62 {
		alphabet = base62
	}
	drawn, err := draw(o.Random, alphabet, o.ShortLen-len(o.ShortPrefix)+o.LongLen)
	if err != nil {
		return Key{}, fmt.Errorf("draw characters: %w", err)
	}
	cut := len(drawn) - o.LongLen
	k := Key{Prefix: o.Prefix, Short: o.ShortPrefix + drawn[:cut]}
	long := drawn[cut:]
	if o.Checksum {
		long += checksum(k.Prefix, k.Short, long)
	}
	k.long = &long
	return k, nil
}

// checked returns the options with their defaults filled in.
func (o Options) checked() (Options, error) {
	if o.ShortLen == 0 {
		o.ShortLen = defaultShort
	}
	if o.LongLen == 0 {
		o.LongLen = defaultLong
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	longest := maxLong
	if o.Checksum {
		longest -= checksumLen
	}
	switch {
	case !alphanumeric(o.Prefix) || len(o.Prefix) > maxNewPrefix:
		return o, ErrPrefix
	case o.ShortLen < 1 || o.ShortLen > maxShort || o.LongLen < minLong || o.LongLen > longest:
		return o, ErrLength
	case o.ShortPrefix != "" && !alphanumeric(o.ShortPrefix) || len(o.ShortPrefix) > o.ShortLen:
		return o, ErrShortPrefix
	}
	return o, nil
}

// draw draws n characters. Bytes that would favour the first characters of the alphabet
// are thrown away.
func draw(random io.Reader, alphabet string, n int) (string, error) {
	fair := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return "", err
		}
		for _, b := range buf {
			if int(b) < fair && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
