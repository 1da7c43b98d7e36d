// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/seed14544106/gatehouse"
)

// Rules say what each route demands, by pattern as http.ServeMux takes it, with or without a
// host: "GET /api/users/{id}", "api.example.com/orders/". As there, the more specific pattern
// wins, one with a host before one without, and their order does not matter. What no pattern
// matches is denied.
//
// The host is the one that the client names. A service that answers under every name gets
// rules without a host, or a client chooses among its rules.
type Rules map[string]Rule

// Rule is what a route demands; [All], [Any], [AnyKey], [Open] and [Block] make one. The
// zero value is no rule, which is an error.
type Rule struct {
	kind      ruleKind
	need, any gatehouse.Scopes
	roles     []string // of which the principal has one; empty: any
	schemes   []string // by which the key is presented; empty: any
	signed    bool     // only schemes that sign
	cost      int64    // zero: 1
}

const maxCost = 1_000_000

type ruleKind uint8

const (
	ruleNone ruleKind = iota
	ruleScopes
	ruleKey
	ruleOpen
	ruleBlock
)

// All demands a key that has all the scopes, at least one.
func All(scopes ...gatehouse.Scope) Rule { return Rule{kind: ruleScopes, need: scopes} }

// Any demands a key that has one of the scopes, of which there is at least one.
func Any(scopes ...gatehouse.Scope) Rule {
	if len(scopes) == 0 {
		return Rule{}
	}
	return Rule{kind: ruleScopes, any: scopes}
}

// AnyKey demands a valid key, whatever its scopes.
func AnyKey() Rule { return Rule{kind: ruleKey} }

// Open demands nothing. Handlers then see a credential as it came, unchecked.
func Open() Rule { return Rule{kind: ruleOpen} }

// Block lets nobody pass: 403 route_not_allowed.
func Block() Rule { return Rule{kind: ruleBlock} }

// Roles returns the rule with roles of which the principal must have one.
func (r Rule) Roles(roles ...string) Rule {
	r.roles = roles
	return r
}

// Schemes returns the rule with names of the schemes by which a key may be presented.
func (r Rule) Schemes(names ...string) Rule {
	r.schemes = names
	return r
}

// SignedOnly returns the rule for schemes that sign: not those that are shown the secret.
func (r Rule) SignedOnly() Rule {
	r.signed = true
	return r
}

// Costs returns the rule with what a request costs under limits and quotas; at least 1.
func (r Rule) Costs(cost int64) Rule {
	r.cost = cost
	return r
}

// Cost is what a request costs under limits and quotas.
func (r Rule) Cost() int64 { return max(r.cost, 1) }

// Open reports whether the rule demands no credential.
func (r Rule) Open() bool { return r.kind == ruleOpen }

// Need are the scopes that a key must have all of, and those of which it must have one,
// as in [gatehouse.Request].
func (r Rule) Need() (all, any gatehouse.Scopes) { return r.need, r.any }

// Blocked reports whether the rule lets nobody pass.
func (r Rule) Blocked() bool { return r.kind == ruleBlock }

// None reports whether it is the zero value: there is no rule.
func (r Rule) None() bool { return r.kind == ruleNone }

// Demand writes into a request what the rule demands of it, in place of what it says.
func (r Rule) Demand(q *gatehouse.Request) {
	q.Need, q.NeedAny, q.Roles, q.Schemes, q.Signed, q.Cost = r.need, r.any, r.roles, r.schemes, r.signed, r.Cost()
}

// met reports whether a key's scopes suffice.
func (r Rule) met(has gatehouse.Scopes) bool { return has.Covers(r.need) && has.Meets(r.any) }

// refuses is why a request that was granted elsewhere does not meet the rule. Zero: it does.
func (r Rule) refuses(d *gatehouse.Decision) gatehouse.Reason {
	switch {
	case r.kind == ruleBlock:
		return gatehouse.ReasonRouteNotAllowed
	case r.signed && !d.Signed, len(r.schemes) > 0 && !slices.Contains(r.schemes, d.Scheme):
		return gatehouse.ReasonSchemeNotAllowed
	case len(r.roles) > 0 && !slices.Contains(r.roles, d.Principal.Role):
		return gatehouse.ReasonRouteNotAllowed
	case !r.met(d.Key.Scopes):
		return gatehouse.ReasonInsufficientScope
	}
	return 0
}

func (r Rule) check() error {
	if r.kind == ruleNone || r.kind == ruleScopes && len(r.need)+len(r.any) == 0 {
		return errors.New("demands nothing; say which scopes, or any key, or open")
	}
	more := len(r.roles)+len(r.schemes) > 0 || r.signed
	if more && (r.kind == ruleOpen || r.kind == ruleBlock) {
		return errors.New("roles, schemes and signed are of no open and no blocked route")
	}
	for _, words := range [][]string{r.roles, r.schemes} {
		if slices.Contains(words, "") || slices.ContainsFunc(words, func(w string) bool { return strings.ContainsFunc(w, unicode.IsSpace) }) {
			return errors.New("a role or a scheme is a word")
		}
	}
	if r.cost < 0 || r.cost > maxCost || r.cost != 0 && (r.kind == ruleOpen || r.kind == ruleBlock) {
		return errors.New("a cost is 1 to 1,000,000, and of no open and no blocked route")
	}
	for _, set := range []gatehouse.Scopes{r.need, r.any} {
		if _, err := gatehouse.ParseScopes(set.Strings()); err != nil {
			return err
		}
	}
	return nil
}

// Routes find the rule of a request. They are safe for concurrent use.
type Routes struct {
	mux     *http.ServeMux
	methods []string // that rules name
}

// entry is a rule as the mux keeps it.
type entry struct {
	http.Handler
	rule Rule
}

// Compile makes routes of rules. A pattern that is none or whose host is none in lower case,
// without a port, two patterns of which neither is more specific, and a rule that demands
// nothing are errors, which name the pattern.
func (rs Rules) Compile() (*Routes, error) {
	patterns := slices.Sorted(maps.Keys(rs))
	routes := newRoutes()
	for i, pattern := range patterns {
		if err := rs[pattern].check(); err != nil {
			return nil, fmt.Errorf("rule %q: %w", pattern, err)
		}
		if method := pattern[:max(strings.IndexAny(pattern, " \t"), 0)]; method != strings.ToUpper(method) {
			return nil, fmt.Errorf("rule %q: the method is not in upper case: requests with such a method have no rule", pattern)
		}
		if host, ok := CanonicalHost(hostOf(pattern)); !ok || host != hostOf(pattern) || !newRoutes().add(pattern, rs[pattern]) {
			return nil, fmt.Errorf("rule %q: the pattern is no method and path, such as GET /users/{id}, with or without a host in lower case before the path", pattern)
		}
		if routes.add(pattern, rs[pattern]) {
			continue
		}
		other := slices.IndexFunc(patterns[:i], func(other string) bool {
			pair := newRoutes()
			return pair.add(other, rs[other]) && !pair.add(pattern, rs[pattern])
		})
		return nil, fmt.Errorf("rule %q: conflicts with %q: both match some path, and neither is more specific", pattern, patterns[other])
	}
	return routes, nil
}

func newRoutes() *Routes { return &Routes{mux: http.NewServeMux()} }

// add registers a rule. The mux panics for a pattern it cannot take.
func (rs *Routes) add(pattern string, rule Rule) (ok bool) {
	defer func() { ok = recover() == nil }()
	rs.mux.Handle(pattern, entry{Handler: http.NotFoundHandler(), rule: rule})
	if method := pattern[:max(strings.IndexAny(pattern, " \t"), 0)]; !slices.Contains(rs.methods, method) {
		rs.methods = append(rs.methods, method)
	}
	return true
}

// Find returns the rule for a method, the host that the client named, and a raw target in
// origin form. found is false where no rule is for it. ok is false for what can be read in two
// ways: a target that [CanonicalPath] refuses, or one with a slash at the end of its path whose
// rule would be another, or none, without it; a host that [CanonicalHost] refuses; a method
// with a lower-case letter, since some services know methods by their letters alone.
func (rs *Routes) Find(method, authority, target string) (rule Rule, found, ok bool) {
	rule, _, found, ok = rs.FindPattern(method, authority, target)
	return rule, found, ok
}

// FindPattern is [Routes.Find], and returns the pattern of the rule.
func (rs *Routes) FindPattern(method, authority, target string) (rule Rule, pattern string, found, ok bool) {
	raw, _, _ := strings.Cut(target, "?")
	path, plainPath := CanonicalPath(raw)
	host, plainHost := CanonicalHost(authority)
	if !plainPath || !plainHost || strings.ContainsFunc(method, func(c rune) bool { return 'a' <= c && c <= 'z' }) {
		return Rule{}, "", false, false
	}
	return rs.find(method, host, raw, path)
}

func (rs *Routes) find(method, host, raw, path string) (rule Rule, pattern string, found, ok bool) {
	plain := rs.match(method, host, path)
	if path == "/" {
		return plain.rule, plain.pattern, plain.known(), true
	}
	// The mux answers a path that is a pattern but for its last slash with a redirect
	// there: the rule is that of the pattern. Where the path itself has a rule, but for
	// another method, there may be a handler that runs without a redirect.
	own := func(method string) bool { return rs.match(method, host, path).exact() }
	if !plain.known() {
		if below := rs.match(method, host, path+"/"); below.known() && !slices.ContainsFunc(rs.methods, own) {
			plain = below
		}
	}
	if strings.HasSuffix(raw, "/") {
		slashed := rs.match(method, host, path+"/")
		if slashed.known() && plain.pattern != slashed.pattern {
			return Rule{}, "", false, false
		}
		plain = slashed
	}
	return plain.rule, plain.pattern, plain.known(), true
}

// match is a rule with its pattern.
type match struct {
	rule    Rule
	pattern string
}

func (m match) known() bool { return m.rule.kind != ruleNone }

// exact reports whether the pattern is that of a path without more below it.
func (m match) exact() bool {
	return m.known() && !strings.HasSuffix(m.pattern, "/") && !strings.HasSuffix(m.pattern, "...}")
}

func (rs *Routes) match(method, host, path string) match {
	h, pattern := rs.mux.Handler(&http.Request{Method: method, Host: host, URL: &url.URL{Host: host, Path: path}})
	e, ok := h.(entry)
	if !ok {
		return match{} // 404, 405, or a redirect
	}
	return match{rule: e.rule, pattern: pattern}
}
