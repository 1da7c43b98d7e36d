// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/arch"
)

const licence = "// Copyright 2026 The Gatehouse Authors\n// SPDX-License-Identifier: Apache-2.0\n\n"

// house is a small set of rules that has every kind of line.
const house = `
floor 2 imports 0          # doors
    door                   > door/inner example.com/web
    door/inner
floor 1 imports 0
    filling/a              > filling/shared test> example.com/fake
    filling/b
    filling/shared
floor 0
    .
    second                 > .
    internal/deep
kit 1 imports 0
    suite                  > example.com/diff
under examples imports public
tests use example.com/diff
`

// parse makes a tree of the module example.org/m from file names and their texts.
func parse(t *testing.T, files map[string]string) *arch.Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.org/m\n\ngo 1.26\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := arch.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestImportsOfSmallTrees(t *testing.T) {
	t.Parallel()
	rules, err := arch.ParseRules(house)
	if err != nil {
		t.Fatal(err)
	}
	const m = "example.org/m"
	for _, tt := range []struct {
		name, file, imports, want string
	}{
		{"down", "door/a.go", m, ""},
		{"down past a folder", "filling/a/a.go", m + "/second", ""},
		{"standard library", "a.go", "net/http", ""},
		{"named neighbour", "door/a.go", m + "/door/inner", ""},
		{"named neighbour on the ground", "second/a.go", m, ""},
		{"named module", "door/a.go", "example.com/web/sub", ""},
		{"example of what is public", "examples/one/main.go", m + "/door", ""},
		{"up", "filling/a/a.go", m + "/door",
			"filling/a/a.go:6: filling/a may not import door: arrows point down only (internal/arch/rules.txt)"},
		{"up from the root", "a.go", m + "/filling/a",
			"a.go:6: . may not import filling/a: arrows point down only (internal/arch/rules.txt)"},
		{"neighbour", "filling/a/a.go", m + "/filling/b",
			"filling/a/a.go:6: filling/a may not import filling/b: packages of one floor do not know each other (internal/arch/rules.txt)"},
		{"neighbour, the other way round", "door/inner/a.go", m + "/door",
			"door/inner/a.go:6: door/inner may not import door: packages of one floor do not know each other (internal/arch/rules.txt)"},
		{"floor out of reach", "door/a.go", m + "/filling/a",
			"door/a.go:6: door may not import filling/a: floor 2 may not import floor 1 (internal/arch/rules.txt)"},
		{"kit in production", "filling/a/a.go", m + "/suite",
			"filling/a/a.go:6: filling/a may not import suite: it is for tests only (internal/arch/rules.txt)"},
		{"kit in an example", "examples/one/main.go", m + "/suite",
			"examples/one/main.go:6: examples/one may not import suite: it is for tests only (internal/arch/rules.txt)"},
		{"internal in an example", "examples/one/main.go", m + "/internal/deep",
			"examples/one/main.go:6: examples/one may not import internal/deep: an example uses only what is public (internal/arch/rules.txt)"},
		{"unnamed module", "door/a.go", "example.com/website",
			"door/a.go:6: door may not import example.com/website: its line does not name that module (internal/arch/rules.txt)"},
		{"module on the ground", "a.go", "example.com/web",
			"a.go:6: . may not import example.com/web: it is built on the standard library (internal/arch/rules.txt)"},
		{"module in an example", "examples/one/main.go", "example.com/web",
			"examples/one/main.go:6: examples/one may not import example.com/web: it is built on the standard library (internal/arch/rules.txt)"},
		{"test module in production", "a.go", "example.com/diff",
			"a.go:6: . may not import example.com/diff: it is built on the standard library (internal/arch/rules.txt)"},
		{"cgo", "a.go", "C", "a.go:6: . may not import C: the binary is built without cgo (internal/arch/rules.txt)"},
		{"package without a line", "attic/a.go", "fmt",
			"attic/a.go: package attic has no line: every package needs one (internal/arch/rules.txt)"},
		{"import of a package without a line", "door/a.go", m + "/attic",
			"door/a.go:6: door may not import attic: package attic has no line (internal/arch/rules.txt)"},

		{"test: kit", "a_test.go", m + "/suite", ""},
		{"test: neighbour", "filling/a/a_test.go", m + "/filling/b", ""},
		{"test: floor out of reach", "door/a_test.go", m + "/filling/a", ""},
		{"test: test module", "a_test.go", "example.com/diff/sub", ""},
		{"test: named module", "filling/a/a_test.go", "example.com/fake", ""},
		{"test: up", "filling/a/a_test.go", m + "/door",
			"filling/a/a_test.go:6: filling/a may not import door: arrows point down only (internal/arch/rules.txt)"},
		{"test: unnamed module", "a_test.go", "example.com/fake",
			"a_test.go:6: . may not import example.com/fake: its line does not name that module (internal/arch/rules.txt)"},
		{"module for tests in production", "filling/a/a.go", "example.com/fake",
			"filling/a/a.go:6: filling/a may not import example.com/fake: its line does not name that module (internal/arch/rules.txt)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := parse(t, map[string]string{tt.file: licence + "package p\n\nimport _ \"" + tt.imports + "\"\n"})
			if got := strings.Join(rules.Imports(tree), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOneSentenceForEachBrokenRule(t *testing.T) {
	t.Parallel()
	rules, err := arch.ParseRules(house)
	if err != nil {
		t.Fatal(err)
	}
	tree := parse(t, map[string]string{
		"filling/b/a.go": "package b\n\nimport _ \"example.org/m/door\"\n",
		"filling/b/b.go": "package b\n\nimport (\n\t_ \"example.org/m/door\"\n\t_ \"example.org/m/filling/a\"\n)\n",
	})
	want := []string{
		"filling/b/a.go:3: filling/b may not import door: arrows point down only (internal/arch/rules.txt)",
		"filling/b/b.go:5: filling/b may not import filling/a: packages of one floor do not know each other (internal/arch/rules.txt)",
	}
	if diff := cmp.Diff(want, rules.Imports(tree)); diff != "" {
		t.Error(diff)
	}
}

func TestParseRulesRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"unknown heading", "room 1", `rules.txt line 1: "room 1" is no heading`},
		{"floor without a number", "floor two", `rules.txt line 1: "two" is no floor`},
		{"floor that imports itself", "floor 1 imports 1", "rules.txt line 1: floor 1 may not import floor 1: arrows point down only"},
		{"floor that looks up", "floor 1 imports 0 2", "rules.txt line 1: floor 1 may not import floor 2: arrows point down only"},
		{"word in place of imports", "floor 1 0", `rules.txt line 1: "0" stands where "imports" is expected`},
		{"package below nothing", "\n  a", "rules.txt line 2: package a stands below no floor"},
		{"package below a list", "tests use x.org/y\n  a", "rules.txt line 2: package a stands below no floor"},
		{"two lines", "floor 0\n a\n a", "rules.txt line 3: package a has two lines"},
		{"names without an arrow", "floor 0\n a b", `rules.txt line 2: "b" stands where ">" is expected`},
		{"arrow up", "floor 1\n a\nfloor 0\n b > a", "rules.txt: b may not name a: arrows point down only"},
		{"arrow to a kit", "kit 0\n a\nfloor 0\n b > a", "rules.txt: b may not name a: it is for tests only"},
		{"arrow into the void", "floor 0\n a > b", "rules.txt: a names b, which has no line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := arch.ParseRules(tt.text); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	tree := parse(t, map[string]string{
		"a.go":                "package a\n",
		"a_windows.go":        "//go:build windows\n\npackage a\n",
		"b/b_test.go":         "package b\n",
		"b/testdata/x.go":     "not go",
		"vendor/x.org/y/y.go": "not go",
		".cache/x.go":         "not go",
		"_attic/x.go":         "not go",
		"b/_x.go":             "not go",
		"nested/go.mod":       "module nested\n",
		"nested/x.go":         "not go",
	})
	var got []string
	for _, f := range tree.Files {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{"a.go", "a_windows.go", "b/b_test.go"}, got); diff != "" {
		t.Error(diff)
	}
	if tree.Module != "example.org/m" {
		t.Errorf("module %q", tree.Module)
	}

	if _, err := arch.Load(fstest.MapFS{}); err == nil {
		t.Error("a tree without go.mod loads")
	}
	bad := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}, "a.go": {Data: []byte("not go")}}
	if _, err := arch.Load(bad); err == nil {
		t.Error("a file that does not parse loads")
	}
}
