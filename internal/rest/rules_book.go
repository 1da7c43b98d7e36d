// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// rulesMost is how many route rules a tenant has at most.
const rulesMost = 1000

// ruleBooks are the compiled rules of tenants.
type ruleBooks struct {
	store gatehouse.RuleStore
	mu    sync.Mutex
	books map[string]*ruleBook // by tenant
}

// of is the rules of a tenant as they are stored now: new rules are in force at once, on
// every node. What is kept is only the work of compiling them.
func (rs *ruleBooks) of(ctx context.Context, tenant string) (*ruleBook, error) {
	set, err := rs.store.Rules(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rs.mu.Lock()
	book := rs.books[tenant]
	rs.mu.Unlock()
	if book != nil && book.version == set.Version {
		return book, nil
	}
	table, err := tableOf(&set)
	if err != nil {
		return nil, err
	}
	if book, err = compileRules(table); err != nil {
		return nil, fmt.Errorf("compile rules of tenant %s: %s", tenant, err) // stored rules that cannot be read are no mistake of the caller
	}
	book.version = set.Version
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.books == nil {
		rs.books = map[string]*ruleBook{}
	}
	rs.books[tenant] = book
	return book, nil
}

// Demand implements [Rules].
func (rs *ruleBooks) Demand(ctx context.Context, tenant, method, target string) (Demand, error) {
	book, err := rs.of(ctx, tenant)
	if err != nil {
		return Demand{}, err
	}
	_, rule, denied := book.find(method, target)
	if denied != "" {
		return Demand{Denied: denied}, nil
	}
	all, anyOf := rule.Need()
	return Demand{Open: rule.Open(), All: all, Any: anyOf, Cost: rule.Cost()}, nil
}

// ruleBook is the rules of one tenant, compiled.
type ruleBook struct {
	version  int64
	patterns []string
	rules    gate.Rules
	routes   *gate.Routes // in place of each rule one that demands its place in patterns
}

// find is the rule for a request, and its pattern; denied is the code of what nobody may.
func (b *ruleBook) find(method, target string) (pattern string, rule gate.Rule, denied string) {
	place, found, ok := b.routes.Find(method, target)
	if !ok {
		return "", gate.Rule{}, gatehouse.ReasonAmbiguousPath.Code()
	}
	if !found {
		return "", gate.Rule{}, "no_rule"
	}
	all, _ := place.Need()
	i, _ := strconv.Atoi(string(all[0]))
	return b.patterns[i], b.rules[b.patterns[i]], ""
}

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

// compileRules checks rules and makes them ready. *gatehouse.InvalidError with field
// "rules": as patterns are input, it tells their places in byte order.
func compileRules(table map[string]any) (*ruleBook, error) {
	if len(table) > rulesMost {
		return nil, &gatehouse.InvalidError{Field: "rules", Problem: "more than 1000"}
	}
	b := &ruleBook{patterns: slices.Sorted(maps.Keys(table)), rules: gate.Rules{}}
	places := gate.Rules{}
	for i, pattern := range b.patterns {
		one, err := gate.ParseRules(map[string]any{pattern: table[pattern]})
		if err == nil {
			_, err = one.Compile()
		}
		if err != nil {
			return nil, &gatehouse.InvalidError{Field: "rules", Problem: "number " + strconv.Itoa(i+1) + " by pattern: " + ruleProblem(err)}
		}
		b.rules[pattern], places[pattern] = one[pattern], gate.All(gatehouse.Scope(strconv.Itoa(i)))
	}
	var err error
	if b.routes, err = places.Compile(); err != nil {
		one, other := b.conflict()
		return nil, &gatehouse.InvalidError{Field: "rules", Problem: fmt.Sprintf("numbers %d and %d by pattern both match some path, and neither is more specific", one+1, other+1)}
	}
	return b, nil
}

// conflict is two patterns that cannot stand together.
func (b *ruleBook) conflict() (one, other int) {
	clash := func(patterns ...string) bool {
		rules := gate.Rules{}
		for _, p := range patterns {
			rules[p] = gate.AnyKey()
		}
		_, err := rules.Compile()
		return err != nil
	}
	other = sort.Search(len(b.patterns)-1, func(i int) bool { return clash(b.patterns[:i+1]...) })
	one = slices.IndexFunc(b.patterns[:other], func(p string) bool { return clash(p, b.patterns[other]) })
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
