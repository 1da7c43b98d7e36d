// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Metadata is what the keepers of a key note about it, such as plan=gold or team=billing. It
// decides nothing. Nil and empty mean: none.
type Metadata map[string]string

const (
	maxPairs    = 32
	maxPairName = 64
	maxPairText = 512
)

// Check checks metadata: at most 32 pairs; names of 1 to 64 letters, digits and "-_.";
// values of at most 512 bytes without control characters. *[InvalidError] with field
// "metadata".
func (m Metadata) Check() error {
	if len(m) > maxPairs {
		return &InvalidError{Field: "metadata", Problem: "more than 32 pairs"}
	}
	for name, value := range m {
		if name == "" || len(name) > maxPairName || !only(name, "-_.") {
			return &InvalidError{Field: "metadata", Problem: "a name is 1 to 64 letters, digits and -_."}
		}
		if len(value) > maxPairText || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return &InvalidError{Field: "metadata", Problem: "a value is at most 512 bytes of text without control characters"}
		}
	}
	return nil
}

// String is the pairs by name, as name=value with spaces between them.
func (m Metadata) String() string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + m[name])
	}
	return b.String()
}
