// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"strings"
	"time"
)

// What a zero field of Policy means.
const (
	DefaultMaxAge = time.Minute
	DefaultSkew   = 5 * time.Second
)

// Policy says which signatures are good enough. The zero value is the strict default;
// another Policy differs in the times, or asks for more. It demands, of every message:
//
//   - keyid and created;
//   - "@method";
//   - "@authority" or "@target-uri";
//   - the whole target: "@path" and "@query", or "@target-uri", or "@request-target".
//     "@path" alone is enough for a target without "?";
//   - "content-digest", unless the body is stated to be none;
//   - a nonce, unless the method is GET, HEAD or OPTIONS.
//
// Only a component without parameters counts.
type Policy struct {
	Tag         string        // only a signature with this tag counts; empty: the message must have exactly one signature
	MaxAge      time.Duration // age at which a signature is too old; 0: DefaultMaxAge
	Skew        time.Duration // how far created may be ahead, exclusive; 0: DefaultSkew
	NonceAlways bool          // demand a nonce for every method
}

// CoverageError says what the policy demands and the signature lacks.
type CoverageError struct {
	// Missing is the component, or the parameter keyid, created or nonce. Where there is
	// a choice it is "@authority", "@path" or "@query".
	Missing string
}

// Error implements error.
func (e *CoverageError) Error() string { return "signature does not cover " + e.Missing }

// demand returns the error for the first thing that s lacks, or nil.
func (p *Policy) demand(m *Message, s *Signature) error {
	missing := ""
	uri := s.Covered("@target-uri")
	whole := uri || s.Covered("@request-target")
	switch {
	case s.KeyID == "":
		missing = "keyid"
	case s.Created.IsZero():
		missing = "created"
	case !s.Covered("@method"):
		missing = "@method"
	case !uri && !s.Covered("@authority"):
		missing = "@authority"
	case !whole && !s.Covered("@path"):
		missing = "@path"
	case !whole && !s.Covered("@query") && strings.Contains(m.Target, "?"):
		missing = "@query"
	case m.Body != BodyNone && !s.Covered("content-digest"):
		missing = "content-digest"
	case s.Nonce == "" && (p.NonceAlways || !isSafe(m.Method)):
		missing = "nonce"
	default:
		return nil
	}
	return &CoverageError{missing}
}

// isSafe reports whether a replay of a request with this method changes nothing.
func isSafe(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// DefaultComponents returns what a signer covers to satisfy every policy, for a message
// with such a body. The caller owns the slice.
func DefaultComponents(body Body) []string {
	names := []string{"@method", "@authority", "@path", "@query"}
	if body != BodyNone {
		names = append(names, "content-digest")
	}
	return names
}
