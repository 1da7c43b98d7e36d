// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// rulesMost is how many route rules a tenant has at most.
const rulesMost = 1000

// noRules is what is wrong with an empty set: nobody who saves one means what it says.
const noRules = `there are none in it, and no rules at all deny everything; to deny everything say {"/": {"block": true}}, to let any valid key pass at gates remove all rules (DELETE /v1/rules)`

// tableOf is stored rules as plain data.
func tableOf(set *gatehouse.RuleSet) (map[string]any, error) {
	table := map[string]any{}
	if set.Text == "" {
		return table, nil
	}
	if err := json.Unmarshal([]byte(set.Text), &table); err != nil {
		return nil, fmt.Errorf("read rules of tenant %s: %w", set.Tenant, err)
	}
	return table, nil
}

// checkRules checks rules, the schemes that they name being among these.
// *gatehouse.InvalidError with field "rules": as patterns are input, it tells their places in
// byte order.
func checkRules(table map[string]any, schemes []string) error {
	if len(table) == 0 {
		return &gatehouse.InvalidError{Field: "rules", Problem: noRules}
	}
	if len(table) > rulesMost {
		return &gatehouse.InvalidError{Field: "rules", Problem: "more than 1000"}
	}
	patterns, rules := slices.Sorted(maps.Keys(table)), gate.Rules{}
	for i, pattern := range patterns {
		one, err := gate.ParseRules(map[string]any{pattern: table[pattern]})
		if err == nil {
			err = one.CheckSchemes(schemes)
		}
		if err == nil {
			_, err = one.Compile()
		}
		if err != nil {
			return &gatehouse.InvalidError{Field: "rules", Problem: "number " + strconv.Itoa(i+1) + " by pattern: " + ruleProblem(err)}
		}
		rules[pattern] = one[pattern]
	}
	if _, err := rules.Compile(); err != nil {
		one, other := conflict(patterns)
		return &gatehouse.InvalidError{Field: "rules", Problem: fmt.Sprintf("numbers %d and %d by pattern both match some path, and neither is more specific", one+1, other+1)}
	}
	return nil
}

// conflict is two of the patterns that cannot stand together.
func conflict(patterns []string) (one, other int) {
	clash := func(patterns ...string) bool {
		rules := gate.Rules{}
		for _, p := range patterns {
			rules[p] = gate.AnyKey()
		}
		_, err := rules.Compile()
		return err != nil
	}
	other = sort.Search(len(patterns)-1, func(i int) bool { return clash(patterns[:i+1]...) })
	one = slices.IndexFunc(patterns[:other], func(p string) bool { return clash(p, patterns[other]) })
	return one, other
}

// ruleProblem is what is wrong with one rule, without its pattern and the names in it.
func ruleProblem(err error) string {
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return e.Problem
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return "the pattern is no method and path, such as GET /users/{id}"
}
