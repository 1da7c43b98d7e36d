// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// Tree is the parsed Go source of one module.
type Tree struct {
	Module string // the module path, from go.mod
	Files  []File // in the order of their paths
	fset   *token.FileSet
}

// File is one Go source file of a [Tree].
type File struct {
	Path   string // relative to the root of the module, with slashes
	Dir    string // the folder of Path; "." is the root package
	Test   bool   // the name ends in _test.go
	Source []byte
	Syntax *ast.File // with comments
}

// outside reports whether the file is a test that stands outside the package it tests, as a user of it
// does: its package name ends in _test. Such a test draws no arrow.
func (f *File) outside() bool { return f.Test && strings.HasSuffix(f.Syntax.Name.Name, "_test") }

// Load reads and parses every .go file below the root of fsys, whatever its build tags. It leaves out
// what the go command leaves out: testdata, vendor, nested modules, and names that begin with "." or
// "_". It fails on a missing go.mod and on the first file that does not parse.
func Load(fsys fs.FS) (*Tree, error) {
	module, err := modulePath(fsys)
	if err != nil {
		return nil, err
	}
	t := &Tree{Module: module, fset: token.NewFileSet()}
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && ignoredDir(fsys, name):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || hidden(name):
			return nil
		}
		return t.add(fsys, name)
	})
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	return t, nil
}

func (t *Tree) add(fsys fs.FS, name string) error {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Files = append(t.Files, File{
		Path:   name,
		Dir:    path.Dir(name),
		Test:   strings.HasSuffix(name, "_test.go"),
		Source: source,
		Syntax: syntax,
	})
	return nil
}

// at gives the place of a node as "path:line".
func (t *Tree) at(pos token.Pos) string {
	p := t.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func modulePath(fsys fs.FS) (string, error) {
	text, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return "", fmt.Errorf("read module path: %w", err)
	}
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == "module" {
			return f[1], nil
		}
	}
	return "", errors.New("read module path: go.mod has no module line")
}

func ignoredDir(fsys fs.FS, name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || hidden(name) {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func hidden(name string) bool {
	base := path.Base(name)
	return base[0] == '.' || base[0] == '_'
}
