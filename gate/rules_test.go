// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

func TestRules(t *testing.T) {
	t.Parallel()
	rules := Rules{
		"GET /api/users":          All("list"),
		"GET /api/users/{id}":     All("read"),
		"PUT /api/users/{id}":     All("read", "write"),
		"GET /api/users/me":       AnyKey(),
		"/api/":                   All("api"),
		"/admin/":                 All("admin"),
		"GET /health":             Open(),
		"OPTIONS /api/":           Open(),
		"/files/{path...}":        Any("f", "g"),
		"GET /only/{$}":           All("only"),
		"GET /caf\u00e9/a b":      All("cafe"),
		"POST /x/{id}/send":       All("send"),
		"DELETE /tree/{id}/leaf/": All("leaf"),
	}
	for _, row := range []struct{ method, target, want string }{
		{"GET", "/api/users", "list"}, {"HEAD", "/api/users", "list"}, {"GET", "/api/users?x=/../y", "list"},
		{"POST", "/api/users", "api"}, {"get", "/api/users", "ambiguous"},
		{"GET", "/api/users/7", "read"}, {"GET", "/api/us%65rs/7", "read"}, {"GET", "/api/users/%37", "read"}, {"PUT", "/api/users/7", "read write"},
		{"GET", "/api/users/me", "key"}, {"GET", "/api/users/m%65", "key"}, {"GET", "/api/users/Me", "read"},
		{"GET", "/api/users/7/x", "api"}, {"GET", "/api", "api"}, {"GET", "/api/", "api"}, {"DELETE", "/api/x", "api"},
		{"GET", "/apix", "none"}, {"GET", "/API/users", "none"}, {"GET", "/", "none"}, {"GET", "/nowhere", "none"}, {"GET", "/nowhere/", "none"},
		{"GET", "/admin", "admin"}, {"GET", "/admin/", "admin"}, {"GET", "/admin/x/", "admin"}, {"BREW", "/admin/pot", "admin"},
		{"GET", "/health", "open"}, {"POST", "/health", "none"}, {"GET", "/health/", "none"},
		{"OPTIONS", "/api/users/7", "open"}, {"OPTIONS", "/health", "none"},
		{"GET", "/files/a/b", "any f g"}, {"GET", "/files/", "any f g"}, {"GET", "/files", "any f g"},
		{"GET", "/only/", "only"}, {"GET", "/only", "only"}, {"GET", "/only/x", "none"},
		{"GET", "/caf%C3%A9/a%20b", "cafe"}, {"GET", "/caf%c3%a9/a%20b", "cafe"},
		{"POST", "/x/1/send", "send"}, {"POST", "/x/1/sen", "none"}, {"DELETE", "/tree/1/leaf", "leaf"}, {"DELETE", "/tree/1/leaf/2", "leaf"},
		// A slash at the end would make it another rule: some routers see none.
		{"GET", "/api/users?/", "list"}, {"GET", "/api/users/?x", "ambiguous"},
		{"GET", "/api/users/", "ambiguous"}, {"GET", "/api/users/7/", "ambiguous"}, {"GET", "/api/users/me/", "ambiguous"},
		// Two servers could read two paths.
		{"GET", "//api/users", "ambiguous"}, {"GET", "/health/../admin", "ambiguous"}, {"GET", "/health/%2e%2e/admin", "ambiguous"}, {"GET", "/health%2f..%2fadmin", "ambiguous"},
		{"GET", "/api/users%2F7", "ambiguous"}, {"GET", "/api/users\\7", "ambiguous"}, {"GET", "/api/users/7;x", "ambiguous"}, {"GET", "/api/users/%00", "ambiguous"},
		{"GET", "/api//users", "ambiguous"}, {"GET", "/./health", "ambiguous"}, {"GET", "/health%23", "ambiguous"}, {"GET", "/health%3fx", "none"}, {"GET", "/%68ealth", "open"},
		{"OPTIONS", "*", "ambiguous"}, {"CONNECT", "/admin/x", "admin"},
	} {
		j := &judge{say: granted}
		g := newGate(t, j, Options{Rules: rules})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.RequestURI = row.method, row.target
		if u, err := r.URL.Parse(row.target); err == nil && !strings.HasPrefix(row.target, "//") {
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		}
		w := httptest.NewRecorder()
		g.Protect(echo).ServeHTTP(w, r)
		if got := outcome(w, j); got != row.want {
			t.Errorf("%s %s: %s, want %s", row.method, row.target, got, row.want)
		}
	}
}

// outcome is the rule that a request met.
func outcome(w *httptest.ResponseRecorder, j *judge) string {
	switch {
	case w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), `"code":"ambiguous_path"`) && j.asked.Load() == 0:
		return "ambiguous"
	case w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), `"code":"no_rule"`) && j.asked.Load() == 0:
		return "none"
	case w.Code != http.StatusOK:
		return w.Body.String()
	case j.asked.Load() == 0:
		return "open"
	case len(j.last.NeedAny) > 0:
		return "any " + strings.Join(j.last.NeedAny.Strings(), " ")
	case len(j.last.Need) == 0:
		return "key"
	}
	return strings.Join(j.last.Need.Strings(), " ")
}

// A path that has a rule of its own does not fall under that of the same path with a
// slash, whatever the method is.
func TestNoRuleByASlash(t *testing.T) {
	t.Parallel()
	routes, err := Rules{"GET /x": All("a"), "/x/": Open(), "/": All("b"), "POST /y/": All("y"), "GET /u/{id}": All("u"), "/u/me/": Open(), "/z/{rest...}": All("z"), "POST /z/y/": All("zy")}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ method, target, want string }{
		{"GET", "/x", "a"}, {"HEAD", "/x", "a"}, {"POST", "/x", "none"}, {"DELETE", "/x?q", "none"}, {"CONNECT", "/x", "none"}, {"get", "/x", "ambiguous"},
		{"GET", "/x/", "ambiguous"}, {"POST", "/x/", "ambiguous"}, {"POST", "/x/1", "open"}, {"POST", "/x/1/", "open"},
		{"POST", "/u/me", "none"}, {"GET", "/u/me", "u"}, {"POST", "/u/me/x", "open"},
		// A pattern that takes all below it is not the path's own.
		{"POST", "/y", "y"}, {"POST", "/y/", "y"}, {"POST", "/y/1", "y"}, {"GET", "/y", "b"}, {"PUT", "/y", "b"},
		{"POST", "/z/y", "zy"}, {"GET", "/z/y", "z"}, {"GET", "/z/y/", "z"},
	} {
		rule, found, ok := routes.Find(row.method, "", row.target)
		got := strings.Join(rule.need.Strings(), " ")
		switch {
		case !ok:
			got = "ambiguous"
		case !found:
			got = "none"
		case rule.Open():
			got = "open"
		}
		if got != row.want {
			t.Errorf("%s %s: %s, want %s", row.method, row.target, got, row.want)
		}
	}
}

// Other gates ask with the target as the client sent it.
func TestFind(t *testing.T) {
	t.Parallel()
	routes, err := Rules{"GET /users": All("x"), "/": Open()}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"/users": "x", "/users?a=/b/": "x", "/users?": "x", "/": "open", "/?/users": "open", "/other/?": "open", "/users/?": "-", "/users//": "-", "": "-"} {
		rule, found, ok := routes.Find(http.MethodGet, "", target)
		got := "-"
		if all, _ := rule.Need(); ok && found && rule.Open() {
			got = "open"
		} else if ok && found {
			got = strings.Join(all.Strings(), " ")
		}
		if got != want {
			t.Errorf("%q: %s, want %s", target, got, want)
		}
	}
}

// What the client sent and what the handler sees must both be plain.
func TestRulesHoldForWhatTheHandlerSees(t *testing.T) {
	t.Parallel()
	g := newGate(t, &judge{say: granted}, Options{Rules: Rules{"GET /users": All("x"), "/": All("y")}})
	for target, path := range map[string]string{"/a/../users": "/users", "/users": "/a/../users"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RequestURI, r.URL.Path = target, path
		w := httptest.NewRecorder()
		g.Protect(echo).ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "ambiguous_path") {
			t.Errorf("target %s, path %s: %d", target, path, w.Code)
		}
	}
	// Below a prefix that another handler took away, patterns are those of the rest.
	w := get(http.StripPrefix("/v1", g.Protect(echo)), "/v1/users")
	if w.Code != http.StatusOK {
		t.Errorf("behind StripPrefix: %d %s", w.Code, w.Body)
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	t.Parallel()
	ok := All("a")
	for _, row := range []struct {
		rules Rules
		want  string
	}{
		{Rules{"/a/{x}/b": ok, "/a/b/{y}": ok}, `rule "/a/{x}/b": conflicts with "/a/b/{y}"`},
		{Rules{"GET /a/{x}": ok, "GET /a/{y}": ok}, `conflicts with`},
		{Rules{"GET /x": ok, "GET /{": ok}, `rule "GET /{": the pattern is no method and path`},
		{Rules{"": ok}, "no method and path"}, {Rules{"GET": ok}, "no method and path"}, {Rules{"Host.test/": ok}, "no method and path"}, {Rules{"GET host.test:80/": ok}, "no method and path"}, {Rules{"host.test./": ok}, "no method and path"},
		{Rules{"GET /a//b": ok}, "no method and path"}, {Rules{"GET /a/../b": ok}, "no method and path"}, {Rules{"GE T /": ok}, "no method and path"},
		{Rules{"/": Rule{}}, "demands nothing"}, {Rules{"/": All()}, "demands nothing"}, {Rules{"/": Any()}, "demands nothing"},
		{Rules{"/": All("two words")}, "scopes"}, {Rules{"/": Any("")}, "scopes"},
	} {
		_, err := row.rules.Compile()
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: error %v, want %q", row.rules, err, row.want)
		}
	}
	// No rules at all let nobody in.
	w := get(newGate(t, &judge{say: granted}, Options{Rules: Rules{}}).Protect(echo), "/")
	if w.Code != http.StatusForbidden {
		t.Errorf("empty rules: %d", w.Code)
	}
}

func TestParseRules(t *testing.T) {
	t.Parallel()
	list := []any{"a", "b"}
	for _, row := range []struct {
		value any
		want  Rule
		err   string
	}{
		{"users-read", All("users-read"), ""}, {" a  b ", All("a", "b"), ""}, {list, All("a", "b"), ""}, {[]string{"a"}, All("a"), ""}, {"a a", All("a"), ""}, {"open", All("open"), ""},
		{map[string]any{"all": "a b"}, All("a", "b"), ""}, {map[string]any{"any": list}, Any("a", "b"), ""},
		{map[string]any{"all": "x", "any": list}, Rule{kind: ruleScopes, need: gatehouse.Scopes{"x"}, any: gatehouse.Scopes{"a", "b"}}, ""},
		{map[string]any{"open": true}, Open(), ""}, {map[string]any{"key": true}, AnyKey(), ""},
		{map[string]any{"all": "a", "cost": int64(5)}, All("a").Costs(5), ""}, {map[string]any{"key": true, "cost": 5.0}, AnyKey().Costs(5), ""},
		{map[string]any{"open": true, "cost": int64(5)}, Rule{}, "no open and no blocked route"}, {map[string]any{"cost": int64(5)}, Rule{}, "demands nothing"},
		{map[string]any{"key": true, "open": true, "cost": int64(5)}, Rule{}, "a rule has one"}, {map[string]any{"all": "a", "key": true, "cost": int64(5)}, Rule{}, "a rule has one"},
		{map[string]any{"all": "a", "cost": int64(0)}, Rule{}, "cost"}, {map[string]any{"all": "a", "cost": 1.5}, Rule{}, "cost"}, {map[string]any{"all": "a", "cost": "5"}, Rule{}, "cost"},
		{"", Rule{}, "empty"}, {" ", Rule{}, "empty"}, {nil, Rule{}, "empty"}, {true, Rule{}, "empty"}, {7, Rule{}, "empty"}, {[]any{}, Rule{}, "empty"}, {[]any{"a", 1}, Rule{}, "something other"},
		{[]any{"a b"}, Rule{}, "scopes"}, {map[string]any{}, Rule{}, "demands nothing"}, {map[string]any{"all": []any{}}, Rule{}, "empty"}, {map[string]any{"any": ""}, Rule{}, "empty"},
		{map[string]any{"open": false}, Rule{}, "none of"}, {map[string]any{"open": "true"}, Rule{}, "none of"}, {map[string]any{"open": true, "all": "a"}, Rule{}, "a rule has one"},
		{map[string]any{"key": true, "open": true}, Rule{}, "a rule has one"}, {map[string]any{"key": true, "all": "a"}, Rule{}, "a rule has one"}, {map[string]any{"al": "a"}, Rule{}, "none of"}, {map[string]any{"all": map[string]any{}}, Rule{}, "empty"},
	} {
		got, err := ParseRules(map[string]any{"GET /x": row.value})
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) || !strings.Contains(err.Error(), `rule "GET /x"`) {
				t.Errorf("%v: error %v, want %q", row.value, err, row.err)
			}
			continue
		}
		if diff := cmp.Diff(Rules{"GET /x": row.want}, got, cmp.AllowUnexported(Rule{})); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", row.value, err, diff)
		}
	}
}

// Whatever a rule's text is, it opens nothing: a rule without scopes is asked for by
// name only.
func FuzzParseRules(f *testing.F) {
	f.Add("GET /api/users/{id}", "users-read")
	f.Add("/", "open key *")
	f.Add("GET a.test/", "signed")
	f.Add("POST /a/{b...}", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		for _, value := range []any{text, []any{text}, map[string]any{"all": text}, map[string]any{"any": text}, map[string]any{text: true}} {
			rules, err := ParseRules(map[string]any{pattern: value})
			if err != nil {
				continue
			}
			all, any := rules[pattern].Need()
			if named := slices.Contains([]string{"open", "key", "block", "signed"}, text); len(all)+len(any) == 0 && !named {
				t.Errorf("%q demands nothing", text)
			}
			if words := strings.Fields(text); len(all) > 0 && !slices.ContainsFunc(words, func(w string) bool { return all.Has(gatehouse.Scope(w)) }) {
				t.Errorf("%q demands %v", text, all)
			}
			routes, err := rules.Compile()
			if err != nil {
				continue
			}
			for _, host := range []string{"", "a.test", hostOf(pattern)} {
				rule, _, _ := routes.Find(http.MethodGet, host, "/a")
				if rule.Open() && text != "open" || rule.signed && text != "signed" {
					t.Errorf("%q: %+v", text, rule)
				}
			}
			if _, found, ok := routes.Find(http.MethodGet, "", "/a/../b"); found || ok {
				t.Errorf("%q: an ambiguous path has a rule", pattern)
			}
		}
	})
}
