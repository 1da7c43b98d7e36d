// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// near are the rules that would be for a request if its path had other letters, or no slash
// at its end: what people take for the same path, and a service may not. What the
// explanation tells of already is not among them.
func near(rules gate.Rules, q api.Explain, x *api.Explained) (out []api.OtherRule) {
	told := []string{x.Pattern}
	for _, o := range x.Others {
		told = append(told, o.Pattern)
	}
	path, _, _ := strings.Cut(q.Target, "?")
	slashless := strings.TrimSuffix(path, "/")
	for _, pattern := range slices.Sorted(maps.Keys(rules)) {
		i := strings.Index(pattern, "/")
		if i < 0 || slices.Contains(told, pattern) {
			continue
		}
		folded := pattern[:i] + strings.ToLower(pattern[i:])
		meets := func(pattern, path string) bool { return path != "" && meets(pattern, q.Method, q.Authority, path) }
		why := ""
		switch {
		case meets(pattern, slashless):
			why = "is for the path without the slash at its end"
		case meets(folded, strings.ToLower(path)):
			why = "is for a path with letters of another case"
		case meets(folded, strings.ToLower(slashless)):
			why = "is for a path with letters of another case, and without the slash at its end"
		default:
			continue
		}
		out = append(out, api.OtherRule{Pattern: pattern, Why: why + "; paths are compared exactly"})
	}
	return out
}

// meets reports whether a pattern, where it is the only one, is for a request.
func meets(pattern, method, authority, path string) bool {
	routes, err := gate.Rules{pattern: gate.AnyKey()}.Compile()
	if err != nil {
		return false
	}
	_, found, _ := routes.Find(method, authority, path)
	return found
}
