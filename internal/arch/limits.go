// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"slices"
)

// The hard limits of the house. Test files are exempt.
const (
	MaxFileLines        = 500
	MaxFuncLines        = 80
	MaxInterfaceMethods = 8
)

const header = "// Copyright 2026 The Gatehouse Authors\n// SPDX-License-Identifier: Apache-2.0\n\n"

// bannedNames say nothing about what a package holds, or hide one of the standard library.
var bannedNames = []string{"util", "common", "core", "types", "errors", "http", "handler"}

// Sizes returns one sentence for each file, function and interface above its hard limit.
func Sizes(t *Tree) []string {
	var broken []string
	report := func(n ast.Node, what string, has, limit int, unit string) {
		if has > limit {
			broken = append(broken, fmt.Sprintf("%s: %s has %d %s: the limit is %d", t.at(n.Pos()), what, has, unit, limit))
		}
	}
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		if n := bytes.Count(f.Source, []byte("\n")); n > MaxFileLines {
			broken = append(broken, fmt.Sprintf("%s: the file has %d lines: the limit is %d", f.Path, n, MaxFileLines))
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				// From the func keyword: the doc comment is not what makes a function long.
				start, end := t.fset.Position(n.Type.Pos()).Line, t.fset.Position(n.End()).Line
				report(n.Name, "function "+n.Name.Name, end-start+1, MaxFuncLines, "lines")
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok {
					report(n, "interface "+n.Name.Name, methods(i), MaxInterfaceMethods, "methods")
				}
			}
			return true
		})
	}
	return broken
}

// methods counts the methods that an interface names itself, not those that it embeds.
func methods(i *ast.InterfaceType) int {
	n := 0
	for _, m := range i.Methods.List {
		n += len(m.Names)
	}
	return n
}

// Habits returns one sentence for each file without the licence header, each package with a name that
// says nothing, and each test that sleeps.
func Habits(t *Tree) []string {
	var broken []string
	named := map[string]bool{}
	for _, f := range t.Files {
		if !bytes.HasPrefix(f.Source, []byte(header)) {
			broken = append(broken, f.Path+": the file does not begin with the licence header and a blank line")
		}
		for _, name := range []string{f.Syntax.Name.Name, path.Base(f.Dir)} {
			if slices.Contains(bannedNames, name) && !named[f.Dir] {
				named[f.Dir] = true
				broken = append(broken, fmt.Sprintf("%s: no package is named %s: name what it holds", f.Path, name))
			}
		}
		if f.Test {
			broken = append(broken, t.sleeps(f)...)
		}
	}
	return broken
}

func (t *Tree) sleeps(f File) []string {
	var found []string
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != "Sleep" {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
			found = append(found, t.at(s.Pos())+": a test may not call time.Sleep: wait for an event, or for a timer of a synctest bubble")
		}
		return true
	})
	return found
}
