// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/arch"
)

func TestDocsOfSmallTrees(t *testing.T) {
	t.Parallel()
	const pkg = "// Package p holds.\npackage p\n\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"all said", pkg + `// K is a key.
type K struct{}

// An Only is one.
type Only int

// Open opens.
func (k *K) Open() {}

// New makes.
func New() K { return K{} }

// Limits of the house.
const (
	A = 1
	B = 2
)

const (
	// C is three.
	C = 3
	d = 4
)

// E is a variable.
var E = 1

func (h hidden) Shown() {}

type hidden int
`, nil},
		{"no package comment", "package p\n", []string{"p.go: package . has no package comment"}},
		{"package comment of another form", "// This is p.\npackage p\n", []string{"p.go: package . has no package comment"}},
		{"comment of the file is none of the package", "// Package p holds.\n\npackage p\n", []string{"p.go: package . has no package comment"}},
		{"type", pkg + "type K int\n", []string{`p.go:4: type K has no doc comment that begins with "K"`}},
		{"type in a group", pkg + "// Group.\ntype (\n\tK int\n)\n", []string{`p.go:6: type K has no doc comment that begins with "K"`}},
		{"function", pkg + "// Makes a key.\nfunc New() {}\n", []string{`p.go:5: function New has no doc comment that begins with "New"`}},
		{"longer word", pkg + "// Newer makes.\nfunc New() {}\n", []string{`p.go:5: function New has no doc comment that begins with "New"`}},
		{"name alone", pkg + "// New\nfunc New() {}\n", nil},
		{"directive alone", pkg + "//go:noinline\nfunc New() {}\n", []string{`p.go:5: function New has no doc comment that begins with "New"`}},
		{"method", pkg + "// K is.\ntype K[T any] int\n\nfunc (k *K[T]) Open() {}\n", []string{`p.go:7: method K.Open has no doc comment that begins with "Open"`}},
		{"constant", pkg + "const A = 1\n", []string{`p.go:4: const A has no doc comment that begins with "A"`}},
		{"constant in a bare group", pkg + "const (\n\tA = 1\n\tb = 2\n)\n", []string{`p.go:5: const A has no doc comment that begins with "A"`}},
		{"variables", pkg + "// All of them.\nvar a, B, C int\n", []string{`p.go:5: var B has no doc comment that begins with "B"`}},
		{"command", "// Command p runs.\npackage main\n\nfunc Run() {}\n", nil},
		{"bare command", "package main\n", []string{"p.go: package . has no package comment"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := parse(t, map[string]string{"p.go": tt.text, "p_test.go": "package p\n\nfunc TestX() {}\n"})
			if diff := cmp.Diff(tt.want, arch.Docs(tree)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("one file speaks for the package", func(t *testing.T) {
		t.Parallel()
		tree := parse(t, map[string]string{"q/a.go": "package q\n", "q/doc.go": "// Package q holds.\npackage q\n", "r/a_test.go": "package r\n"})
		if got := arch.Docs(tree); got != nil {
			t.Error(got)
		}
	})
}

func TestSizesOfSmallTrees(t *testing.T) {
	t.Parallel()
	function := func(lines int) string {
		return "package p\n\n// F does.\nfunc F() {\n" + strings.Repeat("\tprintln()\n", lines-2) + "}\n"
	}
	file := func(lines int) string { return "package p\n" + strings.Repeat("\n", lines-1) }
	iface := func(methods int) string {
		var b strings.Builder
		b.WriteString("package p\n\ntype I interface {\n\tE\n")
		for i := range methods {
			fmt.Fprintf(&b, "\tM%d()\n", i)
		}
		return b.String() + "}\n"
	}
	for _, tt := range []struct{ name, file, text, want string }{
		{"file at the limit", "p.go", file(500), ""},
		{"file above", "p.go", file(501), "p.go: the file has 501 lines: the limit is 500"},
		{"test file above", "p_test.go", file(501), ""},
		{"function at the limit", "p.go", function(80), ""},
		{"function above", "p.go", function(81), "p.go:4: function F has 81 lines: the limit is 80"},
		{"test function above", "p_test.go", function(81), ""},
		{"interface at the limit", "p.go", iface(8), ""},
		{"interface above", "p.go", iface(9), "p.go:3: interface I has 9 methods: the limit is 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(arch.Sizes(parse(t, map[string]string{tt.file: tt.text})), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestHabitsOfSmallTrees(t *testing.T) {
	t.Parallel()
	const sleep = "package p\n\nimport \"time\"\n\nfunc wait() { time.Sleep(1) }\n"
	for _, tt := range []struct{ name, file, text, want string }{
		{"good", "store/a.go", licence + "package store\n", ""},
		{"sleep outside of tests", "p/a.go", licence + sleep, ""},
		{"sleep in a test", "p/a_test.go", licence + sleep,
			"p/a_test.go:8: a test may not call time.Sleep: wait for an event, or for a timer of a synctest bubble"},
		{"talk of sleep in a test", "p/a_test.go", licence + "package p\n\n// no time.Sleep( here\nconst s = \"time.Sleep(1)\"\n", ""},
		{"banned folder", "x/util/a.go", licence + "package good\n", "x/util/a.go: no package is named util: name what it holds"},
		{"banned package", "x/a.go", licence + "package common\n", "x/a.go: no package is named common: name what it holds"},
		{"banned in both", "http/a.go", licence + "package http\n", "http/a.go: no package is named http: name what it holds"},
		{"no header", "p/a.go", "package p\n", "p/a.go: the file does not begin with the licence header and a blank line"},
		{"header that is the package comment", "p/a.go", strings.TrimSpace(licence) + "\npackage p\n",
			"p/a.go: the file does not begin with the licence header and a blank line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(arch.Habits(parse(t, map[string]string{tt.file: tt.text})), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
