// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// ParseRules makes rules of plain data, such as a table of a configuration file, by
// pattern:
//
//	"GET /api/users"      = "users-read"                  # all of these, parted by spaces
//	"POST /api/users"     = ["users-read", "users-write"] # the same as a list
//	"GET /api/users/{id}" = { any = ["users-read", "admin"] }
//	"/api/admin/"         = { all = "admin", any = ["night", "day"] }
//	"GET /api/me"         = { key = true }                # any valid key
//	"GET /health"         = { open = true }               # no credential
//	"POST /api/reports"   = { all = "reports", cost = 10 } # counts as ten requests under limits and quotas
//
// What demands nothing, such as an empty list, is an error. Errors name the pattern.
// Whether the patterns can be read is found out by [Rules.Compile].
func ParseRules(table map[string]any) (Rules, error) {
	rules := Rules{}
	for pattern, value := range table {
		rule, err := parseRule(value)
		if err == nil {
			err = rule.check()
		}
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", pattern, err)
		}
		rules[pattern] = rule
	}
	return rules, nil
}

func parseRule(value any) (Rule, error) {
	table, ok := value.(map[string]any)
	if !ok {
		need, err := parseScopes("all", value)
		return All(need...), err
	}
	var rule Rule
	_, costs := table["cost"]
	alone := len(table) == 1 || len(table) == 2 && costs
	for name, v := range table {
		var err error
		switch flag, _ := v.(bool); {
		case name == "cost":
			rule.cost, err = parseCost(v)
		case name == "all":
			rule.need, err = parseScopes(name, v)
			rule.kind = ruleScopes
		case name == "any":
			rule.any, err = parseScopes(name, v)
			rule.kind = ruleScopes
		case name == "key" && flag && alone:
			rule.kind = ruleKey
		case name == "open" && flag && alone:
			rule.kind = ruleOpen
		default:
			err = &gatehouse.InvalidError{Field: name, Problem: `is none of all, any, key = true, open = true, cost; key and open stand without all and any`}
		}
		if err != nil {
			return Rule{}, err
		}
	}
	return rule, nil
}

// parseScopes reads one text of words, or a list of them; never none.
func parseScopes(field string, value any) (gatehouse.Scopes, error) {
	var list []string
	switch v := value.(type) {
	case string:
		list = strings.Fields(v)
	case []string:
		list = v
	case []any:
		for _, one := range v {
			word, ok := one.(string)
			if !ok {
				return nil, &gatehouse.InvalidError{Field: field, Problem: "holds something other than a scope"}
			}
			list = append(list, word)
		}
	}
	if len(list) == 0 {
		return nil, &gatehouse.InvalidError{Field: field, Problem: "is no scope and no list of scopes, or an empty one"}
	}
	return gatehouse.ParseScopes(list)
}

// parseCost reads a cost: a whole number from 1.
func parseCost(value any) (int64, error) {
	n, ok := value.(int64)
	if f, isFloat := value.(float64); isFloat { // as JSON has numbers
		n, ok = int64(f), f == float64(int64(f))
	}
	if !ok || n < 1 || n > maxCost {
		return 0, &gatehouse.InvalidError{Field: "cost", Problem: "is no number from 1 to 1,000,000"}
	}
	return n, nil
}
