// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Explain says which of the rules is for a request, and why others are not that come near; the
// last of these are for what people take for the same path, and a service may not.
// authority is the host that the client names, target raw. Errors are those of
// [Rules.Compile].
func (rs Rules) Explain(method, authority, target string) (api.Explained, error) {
	routes, err := rs.Compile()
	if err != nil {
		return api.Explained{}, err
	}
	q := asked{method, authority, target}
	rule, winner, found, ok := routes.FindPattern(method, authority, target)
	out := api.Explained{Outcome: gatehouse.ReasonAmbiguousPath.Code()}
	switch {
	case ok && found:
		out = rule.told()
		out.Pattern = winner
	case ok:
		out.Outcome = gatehouse.ReasonNoRule.Code()
	}
	if _, plain := CanonicalPath(target); !plain {
		return out, nil // whatever the rules are
	}
	var claims []string
	if ok && !found {
		claims = q.claims(routes, rs)
	}
	for _, other := range slices.Sorted(maps.Keys(rs)) {
		if why := q.why(other, winner, claims, ok); other != winner && why != "" {
			out.Others = append(out.Others, api.OtherRule{Pattern: other, Why: why})
		}
	}
	out.Others = append(out.Others, rs.near(q, &out)...)
	return out, nil
}

// WhyAmbiguous says, for people, what the outcome ambiguous_path is about: what of a request can
// be read in two ways.
func WhyAmbiguous(method, authority string) string {
	if _, plain := CanonicalHost(authority); !plain {
		return "the host can be read in two ways"
	}
	if strings.ContainsFunc(method, unicode.IsLower) {
		return "the method is not in upper case"
	}
	return "the path can be read in two ways"
}

// told is what the rule demands, on the wire.
func (r Rule) told() api.Explained {
	out := api.Explained{Outcome: "scopes", All: r.need.Strings(), Any: r.any.Strings(), Roles: r.roles, Schemes: r.schemes, Signed: r.signed, Cost: r.cost}
	switch {
	case r.kind == ruleOpen:
		out.Outcome = "open"
	case r.kind == ruleBlock:
		out.Outcome = "blocked"
	case len(r.need)+len(r.any) == 0:
		out.Outcome = "key"
	}
	return out
}

// asked is a request that is asked about.
type asked struct{ method, authority, target string }

// meets reports whether a pattern, where it is the only one, is for the request.
func (q asked) meets(pattern string) bool {
	routes, err := Rules{pattern: AnyKey()}.Compile()
	if err != nil {
		return false
	}
	_, found, _ := routes.Find(q.method, q.authority, q.target)
	return found
}

// claims are the patterns that are for the request's path with another method.
func (q asked) claims(routes *Routes, rs Rules) (out []string) {
	for _, pattern := range slices.Sorted(maps.Keys(rs)) {
		if method := methodOf(pattern); method != "" {
			if _, winner, _, _ := routes.FindPattern(method, q.authority, q.target); winner == pattern {
				out = append(out, pattern)
			}
		}
	}
	return out
}

// why says why a pattern lost against the winner, empty for none, or against what claims the
// path for other methods; one is false where the target can be read in two ways. Empty: it does
// not come near.
func (q asked) why(pattern, winner string, claims []string, one bool) string {
	path, _, _ := strings.Cut(q.target, "?")
	slashless := q
	slashless.target = strings.TrimRight(path, "/")
	switch meets := q.meets(pattern); {
	case !one && meets:
		return "is for the path with the slash at its end"
	case !one && slashless.target != "" && slashless.meets(pattern):
		return "is for the path without the slash at its end"
	case meets && winner == "":
		return q.givesWay(claims)
	case meets && hostOf(winner) != "" && hostOf(pattern) == "":
		return "names no host"
	case meets && shape(winner) == shape(pattern):
		return "is for more methods"
	case meets:
		return "is for more paths"
	}
	other := q
	if other.method = methodOf(pattern); other.method != "" && other.meets(pattern) {
		return "is for another method"
	}
	other = q
	if other.authority = hostOf(pattern); other.authority != "" && other.meets(pattern) {
		return "is for another host"
	}
	return ""
}

// givesWay says what claims the path, and which rule is missing beside it.
func (q asked) givesWay(claims []string) string {
	text := "is not for this exact path"
	if len(claims) == 0 {
		return text
	}
	own := q.method + claims[0][len(methodOf(claims[0])):]
	return text + ", which is that of " + strings.Join(claims, " and ") + "; add " + own
}

// methodOf is the method of a pattern; empty: it has none.
func methodOf(pattern string) string {
	return pattern[:max(strings.IndexAny(pattern, " \t"), 0)]
}

var wildcard = regexp.MustCompile(`\{[^}.$]*`)

// shape is the path of a pattern without the names of its wildcards: patterns of one shape
// are for the same paths.
func shape(pattern string) string {
	path := strings.TrimLeft(pattern[len(methodOf(pattern)):], " \t")
	return wildcard.ReplaceAllString(path[len(hostOf(pattern)):], "{")
}
