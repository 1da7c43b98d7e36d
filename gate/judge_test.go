// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

// What a gateway demands besides the rules only narrows.
func TestAnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		r, more Rule
		want    Rule
		denied  bool
	}{
		{name: "nothing", r: All("a"), want: All("a")},
		{name: "open opens nothing", r: AnyKey(), more: Open(), want: AnyKey()},
		{name: "open and scopes", r: Open(), more: All("b"), want: All("b")},
		{name: "open and open", r: Open(), more: Open(), want: Open()},
		{name: "block", r: Open(), more: Block(), denied: true},
		{name: "scopes", r: All("a"), more: All("b"), want: All("a", "b")},
		{name: "key and scopes", r: AnyKey(), more: Any("a", "b"), want: Any("a", "b")},
		{name: "scopes and key", r: All("a"), more: AnyKey(), want: All("a")},
		{name: "two lists", r: Any("a"), more: Any("b"), denied: true},
		{name: "signed stays", r: AnyKey().SignedOnly(), more: All("a"), want: All("a").SignedOnly()},
		{name: "signed comes", r: All("a"), more: AnyKey().SignedOnly(), want: All("a").SignedOnly()},
		{name: "roles of one", r: AnyKey().Roles("x"), more: All("a"), want: All("a").Roles("x")},
		{name: "roles of both", r: All("a").Roles("x", "y"), more: AnyKey().Roles("y", "z"), want: All("a").Roles("y")},
		{name: "no role of both", r: AnyKey().Roles("x"), more: AnyKey().Roles("y"), denied: true},
		{name: "schemes of both", r: AnyKey().Schemes("bearer", "barong"), more: AnyKey().Schemes("barong"), want: AnyKey().Schemes("barong")},
		{name: "no scheme of both", r: AnyKey().Schemes("bearer"), more: AnyKey().Schemes("barong"), denied: true},
		{name: "the dearer", r: AnyKey().Costs(2), more: AnyKey().Costs(5), want: AnyKey().Costs(5)},
	} {
		got, denial := row.r.and(row.more)
		if (denial != nil) != row.denied {
			t.Errorf("%s: denial %v", row.name, denial)
			continue
		}
		if denial != nil && denial.Status != http.StatusForbidden {
			t.Errorf("%s: status %d", row.name, denial.Status)
		}
		if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(Rule{}), cmp.Transformer("scopes", gatehouse.Scopes.Strings)); !row.denied && diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}
