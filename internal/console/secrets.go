// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"strings"
	"unicode"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

// typedFields are the fields of queries that people type or paste something into.
var typedFields = []string{"text", "find", "owner", "subject", "actor", "verb", "role", "scope"}

// withoutSecrets is where the same is asked with the key ids alone of tokens that were pasted
// into a search, so that no secret stays in the address or on the page; empty: there are none.
func (v *visit) withoutSecrets() (to string) {
	if v.changes() {
		return ""
	}
	q, found := v.r.URL.Query(), false
	for _, field := range typedFields {
		if text, had := withoutTokens(q.Get(field)); had {
			q.Set(field, text)
			found = true
		}
	}
	if !found {
		return ""
	}
	at := *v.r.URL
	at.RawQuery = q.Encode()
	return at.RequestURI()
}

// withoutTokens puts the key ids in the places of the tokens of a text, and reports whether it
// had any. "Bearer" before them goes: it is how a header field has them.
func withoutTokens(text string) (without string, had bool) {
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
	for i, word := range words {
		if _, kid, _, err := prefixedkey.Read(word); err == nil {
			words[i], had = kid, true
		}
	}
	if had && strings.EqualFold(words[0], "Bearer") {
		words = words[1:]
	}
	return strings.Join(words, " "), had
}
