// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// The more specific pattern wins: a host before none, a method before none, the longer path.
func TestSpecificity(t *testing.T) {
	t.Parallel()
	routes, err := Rules{
		"/": All("all"), "/orders/": All("orders"), "/orders/{id}": All("order"), "GET /orders/{id}": All("get"), "GET /orders/new": All("get-new"),
		"shop.test/": All("shop"), "shop.test/orders/{id}": All("shop-order"), "POST shop.test/orders/{id}": All("shop-post"),
		"GET [2001:db8::1]/": All("six"), "127.0.0.1/": All("four"), "kilo.test/": All("kilo"),
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ method, authority, target, want string }{
		{"GET", "", "/x", "all"}, {"GET", "", "/orders/a/b", "orders"}, {"PUT", "", "/orders/7", "order"}, {"PUT", "", "/orders/new", "order"},
		{"GET", "", "/orders/7", "get"}, {"HEAD", "", "/orders/7", "get"}, {"GET", "", "/orders/new", "get-new"},
		{"GET", "shop.test", "/x", "shop"}, {"GET", "shop.test", "/orders/new", "shop-order"}, {"POST", "shop.test", "/orders/new", "shop-post"}, {"GET", "shop.test", "/orders/a/b", "shop"},
		// The same host in other words.
		{"GET", "SHOP.test", "/x", "shop"}, {"GET", "shop.test.", "/x", "shop"}, {"GET", "shop.test:443", "/x", "shop"}, {"GET", "Shop.Test.:8443", "/x", "shop"}, {"GET", "shop.test:", "/x", "shop"},
		{"GET", "[2001:db8::1]", "/x", "six"}, {"GET", "[2001:DB8::1]:8080", "/x", "six"}, {"GET", "127.0.0.1:80", "/x", "four"}, {"CONNECT", "shop.test:443", "/x", "shop"},
		{"GET", "[2001:db8:0:0::1]:80", "/x", "six"},
		// Other hosts.
		{"GET", "a.shop.test", "/x", "all"}, {"GET", "shop.test.evil", "/x", "all"}, {"GET", "xn--bcher-kva.test", "/x", "all"}, {"GET", "shop_test", "/x", "all"},
	} {
		rule, pattern, found, ok := routes.FindPattern(row.method, row.authority, row.target)
		got := strings.Join(rule.need.Strings(), " ")
		if !found || !ok || got != row.want || pattern == "" {
			t.Errorf("%s %s %s: %s by %q, want %s", row.method, row.authority, row.target, got, pattern, row.want)
		}
	}
}

// What two servers could read as two hosts has no rule: not that of its host, nor one without.
func TestHostsInTwoWays(t *testing.T) {
	t.Parallel()
	routes, err := Rules{"/": Open(), "shop.test/": All("shop"), "[2001:db8::1]/": All("six")}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, authority := range []string{
		"shop.test:x", "shop.test:80:443", "shop.test..", ".shop.test", "shop..test", ".", ":", ":80", "[shop.test]", "[shop.test]:80", "[shop.test", "shop.test]", "shop.test]:80",
		"x@shop.test", " shop.test", "shop.test ", "shop.test/", "shop.test,shop.test", "shop.test\t", "2001:db8::1", "[2001:db8::1", "[2001:db8::1%25eth0]", "[127.0.0.1]", "[::1]:x",
		"b\u00fccher.test", "\u212ailo.test", "adm\u0130n.test", "shop.test\xff", "shop.test\x00", "*", "[]", "shop.test:80 ", "shop.test:-80", "shop.test:+80",
	} {
		if rule, _, _, ok := routes.FindPattern("GET", authority, "/x"); ok {
			t.Errorf("%q: %v", authority, rule)
		}
	}
	for _, method := range []string{"get", "Get", "pOST"} {
		if rule, _, _, ok := routes.FindPattern(method, "shop.test", "/x"); ok {
			t.Errorf("%s: %v", method, rule)
		}
	}
}

func TestHostsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"Shop.test/", "shop.test:80/", "shop.test./", "GET SHOP/", "[::1]:80/", "{host}/", "shop.test"} {
		if _, err := (Rules{pattern: AnyKey()}).Compile(); err == nil || !strings.Contains(err.Error(), "without a host") {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	_, err := Rules{"a.test/{x}/b": AnyKey(), "a.test/b/{y}": AnyKey()}.Compile()
	if err == nil || !strings.Contains(err.Error(), "conflicts with") {
		t.Errorf("two of one host: %v", err)
	}
	if _, err = (Rules{"a.test/{x}/b": AnyKey(), "/b/{y}": AnyKey(), "b.test/b/{y}": AnyKey()}).Compile(); err != nil {
		t.Errorf("of different hosts: %v", err)
	}
}

func TestParseDemands(t *testing.T) {
	t.Parallel()
	type table = map[string]any
	for _, row := range []struct {
		value table
		want  Rule
		err   string
	}{
		{table{"block": true}, Block(), ""},
		{table{"roles": "admin clerk"}, AnyKey().Roles("admin", "clerk"), ""}, {table{"roles": []any{"admin"}, "key": true}, AnyKey().Roles("admin"), ""},
		{table{"schemes": []string{"httpsig"}, "all": "x"}, All("x").Schemes("httpsig"), ""}, {table{"signed": true}, AnyKey().SignedOnly(), ""},
		{table{"any": "x y", "signed": true, "roles": "r", "schemes": "s", "cost": int64(3)}, Any("x", "y").Roles("r").Schemes("s").SignedOnly().Costs(3), ""},
		{table{"block": false}, Rule{}, "none of"}, {table{"block": "yes"}, Rule{}, "none of"}, {table{"pass": true}, Rule{}, "none of"}, {table{"signed": false}, Rule{}, "none of"}, {table{"signed": "true"}, Rule{}, "none of"},
		{table{"role": "x"}, Rule{}, "none of"}, {table{"scheme": "x"}, Rule{}, "none of"},
		{table{"block": true, "open": true}, Rule{}, "a rule has one"}, {table{"block": true, "all": "x"}, Rule{}, "a rule has one"},
		{table{"block": true, "signed": true}, Rule{}, "no open and no blocked"}, {table{"open": true, "roles": "x"}, Rule{}, "no open and no blocked"}, {table{"open": true, "schemes": "x"}, Rule{}, "no open and no blocked"},
		{table{"block": true, "cost": int64(2)}, Rule{}, "no open and no blocked"},
		{table{"roles": ""}, Rule{}, "empty"}, {table{"roles": []any{}}, Rule{}, "empty"}, {table{"roles": []any{""}}, Rule{}, "is a word"}, {table{"roles": []any{"a b"}}, Rule{}, "is a word"}, {table{"roles": true}, Rule{}, "empty"},
		{table{"schemes": []any{1}}, Rule{}, "something other"}, {table{"schemes": nil}, Rule{}, "empty"}, {table{"schemes": []any{"a\tb"}}, Rule{}, "is a word"},
	} {
		got, err := ParseRules(table{"GET /x": row.value})
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%v: error %v, want %q", row.value, err, row.err)
			}
			continue
		}
		if diff := cmp.Diff(Rules{"GET /x": row.want}, got, cmp.AllowUnexported(Rule{})); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", row.value, err, diff)
		}
	}
	rules := Rules{"/a": AnyKey().Schemes("httpsig", "bearer"), "/b": AnyKey().Schemes("htpsig"), "/c": Open()}
	if err := rules.CheckSchemes([]string{"bearer", "httpsig"}); err == nil || err.Error() != `rule "/b": schemes: holds a word that is none of bearer, httpsig` {
		t.Errorf("an unknown scheme: %v", err)
	}
	if err := rules.CheckSchemes([]string{"bearer", "httpsig", "htpsig"}); err != nil {
		t.Error(err)
	}
}

// What a rule demands is in the request whole, and nothing of what was there before.
func TestDemand(t *testing.T) {
	t.Parallel()
	before := gatehouse.Request{Need: gatehouse.Scopes{"x"}, NeedAny: gatehouse.Scopes{"x"}, Roles: []string{"x"}, Schemes: []string{"x"}, Signed: true, Cost: 9}
	full := gatehouse.Request{Need: gatehouse.Scopes{"a"}, Roles: []string{"r"}, Schemes: []string{"s"}, Signed: true, Cost: 2}
	for _, row := range []struct {
		rule Rule
		want gatehouse.Request
	}{{AnyKey(), gatehouse.Request{Cost: 1}}, {Any("a"), gatehouse.Request{NeedAny: gatehouse.Scopes{"a"}, Cost: 1}}, {All("a").Roles("r").Schemes("s").SignedOnly().Costs(2), full}} {
		q := before
		row.rule.Demand(&q)
		if diff := cmp.Diff(row.want, q, cmp.Comparer(func(a, b gatehouse.Header) bool { return len(a) == len(b) }), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Peer" }, cmp.Ignore())); diff != "" {
			t.Errorf("%+v: %s", row.rule, diff)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	rules := Rules{
		"/": All("all"), "/orders/": Any("a", "b"), "/orders/{id}": All("order"), "GET /orders/{id}": AnyKey().Roles("r").Schemes("s").SignedOnly().Costs(3),
		"admin.test/": Block(), "GET shop.test/orders/{id}": Open(), "POST /x": AnyKey(), "/x/": Open(), "/y": AnyKey(), "GET /y/": AnyKey(),
	}
	other := func(pairs ...string) (out []api.OtherRule) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, api.OtherRule{Pattern: pairs[i], Why: pairs[i+1]})
		}
		return out
	}
	const paths, host = "is for more paths", "is for another host"
	for _, row := range []struct {
		rules                     Rules
		method, authority, target string
		want                      api.Explained
	}{
		{rules, "GET", "", "/orders/7?x", api.Explained{
			Outcome: "key", Pattern: "GET /orders/{id}", Roles: []string{"r"}, Schemes: []string{"s"}, Signed: true, Cost: 3,
			Others: other("/", paths, "/orders/", paths, "/orders/{id}", "is for more methods", "GET shop.test/orders/{id}", host, "admin.test/", host),
		}},
		{rules, "GET", "Shop.test:80", "/orders/7", api.Explained{
			Outcome: "open", Pattern: "GET shop.test/orders/{id}",
			Others: other("/", "names no host", "/orders/", "names no host", "/orders/{id}", "names no host", "GET /orders/{id}", "names no host", "admin.test/", host),
		}},
		{rules, "PUT", "", "/orders/a/b", api.Explained{Outcome: "scopes", Pattern: "/orders/", Any: []string{"a", "b"}, Others: other("/", paths, "admin.test/", host)}},
		{Rules{"POST /x": AnyKey(), "/x/": Open(), "a.test/": Block()}, "GET", "", "/x", api.Explained{
			Outcome: "no_rule", Others: other("/x/", "is not for this exact path, which is that of POST /x; add GET /x", "POST /x", "is for another method", "a.test/", host),
		}},
		{Rules{"POST a.test/x/{id}": AnyKey(), "PUT a.test/x/{id}": AnyKey(), "GET a.test/x/{id}/": Open()}, "GET", "a.test", "/x/7", api.Explained{
			Outcome: "no_rule", Others: other(
				"GET a.test/x/{id}/", "is not for this exact path, which is that of POST a.test/x/{id} and PUT a.test/x/{id}; add GET a.test/x/{id}",
				"POST a.test/x/{id}", "is for another method", "PUT a.test/x/{id}", "is for another method"),
		}},
		{Rules{"/y": AnyKey(), "/y/": AnyKey()}, "GET", "", "/y/", api.Explained{
			Outcome: "ambiguous_path", Others: other("/y", "is for the path without the slash at its end", "/y/", "is for the path with the slash at its end"),
		}},
		{rules, "GET", "", "/orders/../x", api.Explained{Outcome: "ambiguous_path"}},
		{Rules{"a.test/": Block(), "/b": AnyKey()}, "GET", "a.test", "/", api.Explained{Outcome: "blocked", Pattern: "a.test/"}},
	} {
		got, err := row.rules.Explain(row.method, row.authority, row.target)
		if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s %s%s: %v\n%s", row.method, row.authority, row.target, err, diff)
		}
	}
}

// Two names are the same host only where they differ in case, port and a dot at the end.
func FuzzHost(f *testing.F) {
	for _, text := range []string{"shop.test", "A\x87.", "SHOP.test.:80", "[::1]:8080", "a:80:90", "\u212a.test", "[", "]:1", ".:", "::1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		host, ok := CanonicalHost(authority)
		if !ok {
			if host != "" {
				t.Errorf("%q is %q and can be read in two ways", authority, host)
			}
			return
		}
		if again, ok := CanonicalHost(host); !ok || again != host {
			t.Errorf("%q is %q, which is %q", authority, host, again)
		}
		if strings.HasPrefix(host, "[") {
			return // an address has many spellings
		}
		if !strings.EqualFold(authority[:len(host)], host) || strings.Trim(strings.TrimPrefix(authority[len(host):], "."), ":0123456789") != "" {
			t.Errorf("%q is %q", authority, host)
		}
		for _, c := range host {
			if c > '~' || c <= ' ' || c == ':' || 'A' <= c && c <= 'Z' {
				t.Errorf("%q is %q", authority, host)
			}
		}
	})
}
