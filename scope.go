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

// The management scopes: what a key may do to keys, accounts and the rest through the native
// API. The wildcard does not hold for them; a key has one only by name.
const (
	ScopeKeysRead     Scope = "keys:read"
	ScopeKeysCreate   Scope = "keys:create"
	ScopeKeysUpdate   Scope = "keys:update"
	ScopeKeysRotate   Scope = "keys:rotate"
	ScopeKeysRevoke   Scope = "keys:revoke"
	ScopeKeysDelete   Scope = "keys:delete"
	ScopeKeysImport   Scope = "keys:import"
	ScopeKeysVerify   Scope = "keys:verify"
	ScopeRevocations  Scope = "revocations:read"
	ScopeAccountsRead Scope = "accounts:read"
	ScopeAccounts     Scope = "accounts:write"
	ScopeTenantsRead  Scope = "tenants:read"
	ScopeTenants      Scope = "tenants:write"
	ScopeRulesRead    Scope = "rules:read"
	ScopeRules        Scope = "rules:write"
	ScopeUsageRead    Scope = "usage:read"
	ScopeAuditRead    Scope = "audit:read"
	ScopeSigning      Scope = "signing:write"
	ScopeSystem       Scope = "system:read"
)

// ManagementScope is a management scope and what it allows.
type ManagementScope struct {
	Scope Scope
	Text  string // what it allows, in words
}

var managementScopes = []ManagementScope{
	{ScopeKeysRead, "list and read keys and the state of their rotation"},
	{ScopeKeysCreate, "make keys that can no more than the caller's own"},
	{ScopeKeysUpdate, "change, disable and enable keys"},
	{ScopeKeysRotate, "rotate keys: begin, extend, finish, cancel"},
	{ScopeKeysRevoke, "revoke keys"},
	{ScopeKeysDelete, "delete revoked keys"},
	{ScopeKeysImport, "take over keys of another system"},
	{ScopeKeysVerify, "ask for decisions about requests, and for what a token stands for"},
	{ScopeRevocations, "follow the list of what was revoked"},
	{ScopeAccountsRead, "list and read accounts and service accounts"},
	{ScopeAccounts, "make and change accounts and service accounts"},
	{ScopeTenantsRead, "list and read tenants; in the default tenant"},
	{ScopeTenants, "make, change and remove tenants; in the default tenant"},
	{ScopeRulesRead, "read the route rules and ask which one is for a request"},
	{ScopeRules, "replace the route rules, or remove them"},
	{ScopeUsageRead, "read usage and the hygiene report"},
	{ScopeAuditRead, "read and check the audit log, and read attempts"},
	{ScopeSigning, "read and rotate the signing keys; in the default tenant"},
	{ScopeSystem, "read how the server and its keyring stand; in the default tenant"},
}

// ManagementScopes lists the management scopes in the order of the documentation. The slice
// is the caller's.
func ManagementScopes() []ManagementScope { return slices.Clone(managementScopes) }

// Manages reports whether s is a management scope.
func (s Scope) Manages() bool {
	return slices.ContainsFunc(managementScopes, func(m ManagementScope) bool { return m.Scope == s })
}

// Holds reports whether the set holds s by name; the wildcard does not count.
func (ss Scopes) Holds(s Scope) bool { return slices.Contains(ss, s) }

// mayPassOn reports whether a holder of the set may give another the scopes: it covers them,
// and holds by name those that manage.
func (ss Scopes) mayPassOn(scopes Scopes) bool {
	return ss.Covers(scopes) && !slices.ContainsFunc(scopes, func(s Scope) bool { return s.Manages() && !ss.Holds(s) })
}
