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

	"github.com/seed14544106/gatehouse"
)

// Rules say what each route demands, by pattern as http.ServeMux takes it, without a
// host: "GET /api/users/{id}". As there, the more specific pattern wins, and their order
// does not matter. What no pattern matches is denied.
type Rules map[string]Rule

// Rule is what a route demands; [All], [Any], [AnyKey] and [Open] make one. The zero
// value is no rule, which is an error.
type Rule struct {
	kind      ruleKind
	need, any gatehouse.Scopes
	cost      int64 // zero: 1
}

const maxCost = 1_000_000

type ruleKind uint8

const (
	ruleNone ruleKind = iota
	ruleScopes
	ruleKey
	ruleOpen
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

// met reports whether a key's scopes suffice.
func (r Rule) met(has gatehouse.Scopes) bool { return has.Covers(r.need) && has.Meets(r.any) }

func (r Rule) check() error {
	if r.kind == ruleNone || r.kind == ruleScopes && len(r.need)+len(r.any) == 0 {
		return errors.New("demands nothing; say which scopes, or any key, or open")
	}
	if r.cost < 0 || r.cost > maxCost || r.cost != 0 && r.kind == ruleOpen {
		return errors.New("a cost is 1 to 1,000,000, and of no open route")
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

// Compile makes routes of rules. A pattern that is none or has a host, two patterns of
// which neither is more specific, and a rule that demands nothing are errors, which name
// the pattern.
func (rs Rules) Compile() (*Routes, error) {
	patterns := slices.Sorted(maps.Keys(rs))
	routes := newRoutes()
	for i, pattern := range patterns {
		if err := rs[pattern].check(); err != nil {
			return nil, fmt.Errorf("rule %q: %w", pattern, err)
		}
		if hasHost(pattern) || !newRoutes().add(pattern, rs[pattern]) {
			return nil, fmt.Errorf("rule %q: the pattern is no method and path, such as GET /users/{id}", pattern)
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

// hasHost reports whether a pattern has a host: a client could name another one.
func hasHost(pattern string) bool {
	path := pattern[strings.IndexAny(pattern, " \t")+1:]
	return !strings.HasPrefix(strings.TrimLeft(path, " \t"), "/")
}

// add registers a rule. The mux panics for a pattern it cannot take.
func (rs *Routes) add(pattern string, rule Rule) (ok bool) {
	defer func() { ok = recover() == nil }()
	rs.mux.Handle(pattern, entry{Handler: http.NotFoundHandler(), rule: rule})
	if method := pattern[:max(strings.IndexAny(pattern, " \t"), 0)]; !slices.Contains(rs.methods, method) {
		rs.methods = append(rs.methods, method)
	}
	return true
}

// Find returns the rule for a method and a raw target in origin form. found is false
// where no rule is for it. ok is false for a target that can be read in two ways: one
// that [CanonicalPath] refuses, or one with a slash at the end of its path whose rule
// would be another, or none, without it.
func (rs *Routes) Find(method, target string) (rule Rule, found, ok bool) {
	raw, _, _ := strings.Cut(target, "?")
	path, ok := CanonicalPath(raw)
	if !ok {
		return Rule{}, false, false
	}
	plain := rs.match(method, path)
	if path == "/" {
		return plain.rule, plain.known(), true
	}
	// The mux answers a path that is a pattern but for its last slash with a redirect
	// there: the rule is that of the pattern. Where the path itself has a rule, but for
	// another method, there may be a handler that runs without a redirect.
	own := func(method string) bool { return rs.match(method, path).exact() }
	if !plain.known() && !slices.ContainsFunc(rs.methods, own) {
		plain = rs.match(method, path+"/")
	}
	if strings.HasSuffix(raw, "/") {
		slashed := rs.match(method, path+"/")
		if slashed.known() && plain.pattern != slashed.pattern {
			return Rule{}, false, false
		}
		plain = slashed
	}
	return plain.rule, plain.known(), true
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

func (rs *Routes) match(method, path string) match {
	h, pattern := rs.mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}})
	e, ok := h.(entry)
	if !ok {
		return match{} // 404, 405, or a redirect
	}
	return match{rule: e.rule, pattern: pattern}
}
