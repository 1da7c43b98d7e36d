// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"maps"
	"slices"
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
//	"/internal/"          = { block = true }              # nobody
//	"POST /api/reports"   = { all = "reports", cost = 10 } # counts as ten requests under limits and quotas
//	"/api/accounts/"      = { roles = ["admin", "clerk"] } # a principal of one of these roles
//	"POST /api/payments"  = { all = "pay", signed = true } # by a scheme that signs
//	"admin.example.com/"  = { key = true, schemes = "httpsig" } # by one of these schemes, on this host only
//
// Words are one text, parted by spaces, or a list. With roles, schemes and signed any key
// will do that meets them, unless all or any ask for scopes too. What demands nothing, such
// as an empty list, is an error. Errors name the pattern. Whether the patterns can be read
// is found out by [Rules.Compile], and whether the schemes exist by [Rules.CheckSchemes].
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
	for name, v := range table {
		if err := rule.parseWord(name, v); err != nil {
			return Rule{}, err
		}
	}
	if scopes := len(rule.need)+len(rule.any) > 0; scopes && rule.kind != ruleNone {
		return Rule{}, &gatehouse.InvalidError{Field: rule.kind.String(), Problem: alone}
	} else if scopes {
		rule.kind = ruleScopes
	}
	if rule.kind == ruleNone && (len(rule.roles)+len(rule.schemes) > 0 || rule.signed) {
		rule.kind = ruleKey
	}
	return rule, nil
}

const alone = "is one of key, open and block: a rule has one of them, and then neither all nor any"

// parseWord reads one member of a rule's table.
func (r *Rule) parseWord(name string, v any) (err error) {
	flag, _ := v.(bool)
	switch {
	case name == "all":
		r.need, err = parseScopes(name, v)
	case name == "any":
		r.any, err = parseScopes(name, v)
	case name == "roles":
		r.roles, err = parseWords(name, v)
	case name == "schemes":
		r.schemes, err = parseWords(name, v)
	case name == "cost":
		r.cost, err = parseCost(v)
	case name == "signed" && flag:
		r.signed = true
	case name == ruleKey.String() && flag:
		err = r.become(ruleKey)
	case name == ruleOpen.String() && flag:
		err = r.become(ruleOpen)
	case name == ruleBlock.String() && flag:
		err = r.become(ruleBlock)
	default:
		err = &gatehouse.InvalidError{Field: name, Problem: "is none of all, any, roles, schemes, signed = true, key = true, open = true, block = true, cost"}
	}
	return err
}

// become is for the words of which a rule has one at most.
func (r *Rule) become(kind ruleKind) error {
	if r.kind != ruleNone {
		return &gatehouse.InvalidError{Field: kind.String(), Problem: alone}
	}
	r.kind = kind
	return nil
}

// String is the word of the kind in a rule's table; empty: it has none.
func (k ruleKind) String() string {
	switch k {
	case ruleKey:
		return "key"
	case ruleOpen:
		return "open"
	case ruleBlock:
		return "block"
	}
	return ""
}

// parseScopes reads scopes; never none.
func parseScopes(field string, value any) (gatehouse.Scopes, error) {
	words, err := parseWords(field, value)
	if err != nil {
		return nil, err
	}
	return gatehouse.ParseScopes(words)
}

// parseWords reads one text of words, or a list of them; never none.
func parseWords(field string, value any) ([]string, error) {
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
				return nil, &gatehouse.InvalidError{Field: field, Problem: "holds something other than a word"}
			}
			list = append(list, word)
		}
	}
	if len(list) == 0 {
		return nil, &gatehouse.InvalidError{Field: field, Problem: "is no word and no list of words, or an empty one"}
	}
	return list, nil
}

// CheckSchemes checks that the schemes that rules name are among these. The error names the
// pattern.
func (rs Rules) CheckSchemes(names []string) error {
	for _, pattern := range slices.Sorted(maps.Keys(rs)) {
		for _, name := range rs[pattern].schemes {
			if !slices.Contains(names, name) {
				return fmt.Errorf("rule %q: %w", pattern, &gatehouse.InvalidError{Field: "schemes", Problem: "holds a word that is none of " + strings.Join(names, ", ")})
			}
		}
	}
	return nil
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
