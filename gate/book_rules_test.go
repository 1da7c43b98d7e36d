// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/seed14544106/gatehouse"
)

// shelf is a rule store in memory, of which only what is in force counts.
type shelf struct {
	gatehouse.RuleStore
	sets map[string]gatehouse.RuleSet
	err  error
}

func (s *shelf) RulesInForce(_ context.Context, tenant string) (gatehouse.RuleSet, error) {
	return s.sets[tenant], s.err
}

func (s *shelf) put(tenant, text string) {
	s.sets[tenant] = gatehouse.RuleSet{Tenant: tenant, Text: text, Version: s.sets[tenant].Version + 1}
}

func TestBook(t *testing.T) {
	t.Parallel()
	s := &shelf{sets: map[string]gatehouse.RuleSet{}}
	lenient, strict := NewBook(s, AnyKey()), NewBook(s, Rule{})
	ask := func(b *Book, tenant, method, authority, target string) string {
		t.Helper()
		found, err := b.Rule(t.Context(), tenant, method, authority, target)
		switch {
		case err != nil:
			return fmt.Sprint("error ", errors.Is(err, gatehouse.ErrUnavailable))
		case found.Two:
			return "two"
		}
		return fmt.Sprint(found.Rule.told().Outcome, " ", found.Rule.None(), " ", found.Pattern)
	}
	check := func(tenant, method, target, want, wantStrict string) {
		t.Helper()
		if got := ask(lenient, tenant, method, "shop.test", target); got != want {
			t.Errorf("%s %s %s: %s, want %s", tenant, method, target, got, want)
		}
		if got := ask(strict, tenant, method, "shop.test", target); got != wantStrict {
			t.Errorf("%s %s %s, without a rule of last resort: %s, want %s", tenant, method, target, got, wantStrict)
		}
	}
	check("a", "GET", "/x", "key false ", "key true ")
	check("a", "GET", "/x/../y", "two", "two")
	s.put("a", `{"GET /x":"read"}`)
	check("a", "GET", "/x", "scopes false GET /x", "scopes false GET /x")
	check("a", "GET", "/y", "key true ", "key true ")
	check("b", "GET", "/x", "key false ", "key true ")
	s.put("a", `{"GET /x":{"block":true}}`)
	check("a", "GET", "/x", "blocked false GET /x", "blocked false GET /x")
	s.put("a", "") // they are removed
	check("a", "GET", "/x", "key false ", "key true ")
	check("a", "GET", "/x/../y", "two", "two")
	s.put("a", `{}`) // rules that let nobody pass are rules
	check("a", "GET", "/x", "key true ", "key true ")
	for _, broken := range []string{`{`, `{"GET /x":[]}`, `{"/a/{x}/b":"r","/a/b/{y}":"r"}`} {
		s.put("a", broken)
		check("a", "GET", "/x", "error true", "error true")
	}
	s.put("a", `{"GET /x":{"open":true}}`)
	check("a", "GET", "/x", "open false GET /x", "open false GET /x")
	s.err = gatehouse.Unavailable("read rules", errors.New("gone"))
	check("a", "GET", "/x", "error true", "error true")
	if x, err := strict.Explain(t.Context(), "a", "GET", "", "/x"); err == nil {
		t.Errorf("explained as %+v", x)
	}
}

// Who has no rules is told so, which is another thing than rules of which none fits.
func TestBookExplains(t *testing.T) {
	t.Parallel()
	s := &shelf{sets: map[string]gatehouse.RuleSet{}}
	book := NewBook(s, Rule{})
	for _, row := range []struct{ text, target, outcome, pattern string }{
		{"", "/x", "key", ""},
		{`{"/y":"a"}`, "/x", "no_rule", ""},
		{`{"/y":"a"}`, "/y", "scopes", "/y"},
		{`{}`, "/x", "no_rule", ""},
		{"", "/x", "key", ""},
		{"", "/x/../y", "ambiguous_path", ""},
	} {
		if row.text != "" || s.sets["a"].Version > 0 {
			s.put("a", row.text)
		}
		if x, err := book.Explain(t.Context(), "a", "GET", "", row.target); err != nil || x.Outcome != row.outcome || x.Pattern != row.pattern {
			t.Errorf("%q, %s: %+v, %v", row.text, row.target, x, err)
		}
	}
}

func BenchmarkBook(b *testing.B) {
	table := map[string]any{"admin.test/": "admin"}
	for i := range 999 {
		table[fmt.Sprintf("GET /api/v1/service%d/{id}/orders/{order}", i)] = map[string]any{"all": "read write", "roles": []string{"member"}}
	}
	text, err := json.Marshal(table)
	if err != nil {
		b.Fatal(err)
	}
	s := &shelf{sets: map[string]gatehouse.RuleSet{}}
	s.put("a", string(text))
	book := NewBook(s, Rule{})
	for name, row := range map[string]struct {
		authority, target string
		want              bool
	}{"rule": {"shop.test:8080", "/api/v1/service500/7/orders/9?x=1", true}, "none": {"shop.test", "/api/v2/service500/7/orders/9", false}, "host": {"admin.test", "/x", true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				found, err := book.Rule(b.Context(), "a", "GET", row.authority, row.target)
				if err != nil || found.Rule.None() == row.want {
					b.Fatal(found, err)
				}
			}
		})
	}
}
