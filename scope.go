// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scope is a right: printable characters without space, quotation mark and backslash. In
// ASCII that is a token of RFC 6749 section 3.3; letters beyond it are for scopes that
// come from systems which know them. Scopes are compared byte for byte.
type Scope string

// AnyScope is the wildcard: a key that holds it has every scope.
const AnyScope Scope = "*"

// MaxScopes is how many scopes one key may hold.
const MaxScopes = 64

const maxScopeLen = 128

// Scopes is a set of scopes in the order in which they were given. Nil and empty
// mean: no scopes.
type Scopes []Scope

// ParseScopes makes a set from words. Duplicates are dropped; the first stays.
// A word that is no scope-token, or more than [MaxScopes] words, is an
// *[InvalidError] with field "scopes".
func ParseScopes(words []string) (Scopes, error) {
	if len(words) > MaxScopes {
		return nil, &InvalidError{Field: "scopes", Problem: "more than 64 scopes"}
	}
	var out Scopes
	for _, w := range words {
		if !validScope(w) {
			return nil, &InvalidError{Field: "scopes", Problem: "a scope is 1 to 128 bytes of printable characters without space, quote and backslash"}
		}
		if !slices.Contains(out, Scope(w)) {
			out = append(out, Scope(w))
		}
	}
	return out, nil
}

func validScope(w string) bool {
	if w == "" || len(w) > maxScopeLen || !utf8.ValidString(w) {
		return false
	}
	return !strings.ContainsFunc(w, func(r rune) bool {
		return r == ' ' || r == '"' || r == '\\' || r == utf8.RuneError || !unicode.IsPrint(r)
	})
}

// Has reports whether the set holds s or the wildcard.
func (ss Scopes) Has(s Scope) bool {
	return slices.Contains(ss, s) || slices.Contains(ss, AnyScope)
}

// Covers reports whether the set has every scope of need. Every set covers the
// empty one.
func (ss Scopes) Covers(need Scopes) bool {
	for _, s := range need {
		if !ss.Has(s) {
			return false
		}
	}
	return true
}

// Meets reports whether the set has at least one scope of any. Every set meets the
// empty one.
func (ss Scopes) Meets(any Scopes) bool {
	return len(any) == 0 || slices.ContainsFunc(any, ss.Has)
}

// Strings returns the scopes as words, never nil.
func (ss Scopes) Strings() []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = string(s)
	}
	return out
}
