// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/api"
)

// near are the rules that would be for a request if its path had other letters, or no slash
// at its end: what people take for the same path, and a service may not. What the
// explanation tells of already is not among them.
func (rs Rules) near(q asked, x *api.Explained) (out []api.OtherRule) {
	told := []string{x.Pattern}
	for _, o := range x.Others {
		told = append(told, o.Pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(rs)) {
		if slices.Contains(told, pattern) {
			continue
		}
		if why := q.nearly(pattern); why != "" {
			out = append(out, api.OtherRule{Pattern: pattern, Why: why + "; paths are compared exactly"})
		}
	}
	return out
}

// nearly says what another path would have to be for a pattern to be for it; empty: quite
// another.
func (q asked) nearly(pattern string) string {
	path, _, _ := strings.Cut(q.target, "?")
	slashless := strings.TrimSuffix(path, "/")
	i := strings.Index(pattern, "/")
	folded := pattern[:i] + strings.ToLower(pattern[i:])
	meets := func(pattern, path string) bool {
		return path != "" && asked{q.method, q.authority, path}.meets(pattern)
	}
	switch {
	case meets(pattern, slashless):
		return "is for the path without the slash at its end"
	case meets(folded, strings.ToLower(path)):
		return "is for a path with letters of another case"
	case meets(folded, strings.ToLower(slashless)):
		return "is for a path with letters of another case, and without the slash at its end"
	}
	return ""
}
