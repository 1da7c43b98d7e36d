// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Imports compares the imports of every file with the rules. It returns one sentence for each package
// and import that break them, in the order of the files; none means that the tree keeps the rules.
func (r Rules) Imports(t *Tree) []string {
	var broken []string
	seen := map[string]bool{}
	report := func(where, sentence string) {
		if !seen[sentence] {
			seen[sentence] = true
			broken = append(broken, where+": "+sentence+" (internal/arch/rules.txt)")
		}
	}
	for _, f := range t.Files {
		if !r.known(f.Dir) {
			report(f.Path, fmt.Sprintf("package %s has no line: every package needs one", f.Dir))
			continue
		}
		for _, spec := range f.Syntax.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				name = spec.Path.Value
			}
			to, ours := t.local(name)
			why := ""
			if ours {
				why = r.ours(f, to)
			} else {
				why = r.theirs(f, to)
			}
			if why != "" {
				report(t.at(spec.Pos()), fmt.Sprintf("%s may not import %s: %s", f.Dir, to, why))
			}
		}
	}
	return broken
}

// local turns the import path of a package of ours into its folder; other paths stay as they are.
func (t *Tree) local(importPath string) (name string, ours bool) {
	if importPath == t.Module {
		return ".", true
	}
	rest, ours := strings.CutPrefix(importPath, t.Module+"/")
	return rest, ours
}

func (r Rules) known(dir string) bool {
	_, ok := r.rooms[dir]
	return ok || covers(r.public, dir)
}

// ours says why the file may not import the package of ours, or nothing if it may.
func (r Rules) ours(f File, to string) string {
	target, ok := r.rooms[to]
	switch {
	case !ok:
		return fmt.Sprintf("package %s has no line", to)
	case f.Test && (target.kit || f.outside()):
		return ""
	case covers(r.public, f.Dir):
		return r.publicOnly(target, to)
	}
	from := r.rooms[f.Dir]
	switch {
	case slices.Contains(from.may, to):
		return ""
	case f.Test && (target.floor <= from.floor || slices.Contains(from.testMay, to)):
		return ""
	case target.kit:
		return "it is for tests only"
	case target.floor > from.floor:
		return "arrows point down only"
	case target.floor == from.floor:
		return "packages of one floor do not know each other"
	case !slices.Contains(from.below, target.floor):
		return fmt.Sprintf("floor %d may not import floor %d", from.floor, target.floor)
	}
	return ""
}

func (r Rules) publicOnly(target room, to string) string {
	switch {
	case slices.Contains(strings.Split(to, "/"), "internal"):
		return "an example uses only what is public"
	case target.kit:
		return "it is for tests only"
	}
	return ""
}

// theirs says why the file may not import a package that is not ours, or nothing if it may.
func (r Rules) theirs(f File, to string) string {
	switch {
	case to == "C":
		return "the binary is built without cgo"
	case strings.HasPrefix(to, "./") || strings.HasPrefix(to, "../"):
		return "a path relative to the file hides the floor"
	case !isModule(to):
		return "" // the standard library
	}
	from := r.rooms[f.Dir]
	switch {
	case covers(from.may, to):
		return ""
	case f.Test && (covers(from.testMay, to) || covers(r.testMay, to)):
		return ""
	case f.Test || len(from.may) > 0:
		return "its line does not name that module"
	}
	return "it is built on the standard library"
}
