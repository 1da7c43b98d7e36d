// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Docs returns one sentence for each package without a package comment, and for each exported type,
// function, method of an exported type, constant and variable without a doc comment that begins with
// its name. A constant or variable may lean on the comment of its group instead. Test files and the
// names inside package main are exempt.
func Docs(t *Tree) []string {
	missing := packageDocs(t)
	for _, f := range t.Files {
		if f.Test || f.Syntax.Name.Name == "main" {
			continue
		}
		for _, d := range f.Syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				missing = append(missing, t.funcDoc(d)...)
			case *ast.GenDecl:
				missing = append(missing, t.groupDoc(d)...)
			}
		}
	}
	return missing
}

func packageDocs(t *Tree) []string {
	var order []File
	good := map[string]bool{}
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		if _, ok := good[f.Dir]; !ok {
			order = append(order, f)
			good[f.Dir] = false
		}
		text := f.Syntax.Doc.Text()
		name := f.Syntax.Name.Name
		if strings.HasPrefix(text, "Package "+name+" ") || name == "main" && text != "" {
			good[f.Dir] = true
		}
	}
	var missing []string
	for _, f := range order {
		if !good[f.Dir] {
			missing = append(missing, fmt.Sprintf("%s: package %s has no package comment", f.Path, f.Dir))
		}
	}
	return missing
}

func (t *Tree) funcDoc(d *ast.FuncDecl) []string {
	if !d.Name.IsExported() {
		return nil
	}
	kind, shown := "function", d.Name.Name
	if d.Recv != nil {
		owner := receiver(d.Recv.List[0].Type)
		if !ast.IsExported(owner) {
			return nil
		}
		kind, shown = "method", owner+"."+shown
	}
	if beginsWith(d.Doc, d.Name.Name) {
		return nil
	}
	return []string{t.undocumented(d.Pos(), kind, shown, d.Name.Name)}
}

func (t *Tree) groupDoc(d *ast.GenDecl) []string {
	var missing []string
	grouped := d.Lparen.IsValid()
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if !grouped {
				doc = d.Doc
			}
			if s.Name.IsExported() && !beginsWithArticle(doc, s.Name.Name) {
				missing = append(missing, t.undocumented(s.Pos(), "type", s.Name.Name, s.Name.Name))
			}
		case *ast.ValueSpec:
			if grouped && d.Doc.Text() != "" {
				continue
			}
			doc := s.Doc
			if !grouped {
				doc = d.Doc
			}
			missing = append(missing, t.valueDoc(d.Tok, s, doc)...)
		}
	}
	return missing
}

// valueDoc takes a comment that begins with any of the names that one line declares.
func (t *Tree) valueDoc(tok token.Token, s *ast.ValueSpec, doc *ast.CommentGroup) []string {
	first := ""
	for _, n := range s.Names {
		if !n.IsExported() {
			continue
		}
		if beginsWith(doc, n.Name) {
			return nil
		}
		if first == "" {
			first = n.Name
		}
	}
	if first == "" {
		return nil
	}
	return []string{t.undocumented(s.Pos(), tok.String(), first, first)}
}

func (t *Tree) undocumented(pos token.Pos, kind, shown, name string) string {
	return fmt.Sprintf("%s: %s %s has no doc comment that begins with %q", t.at(pos), kind, shown, name)
}

// receiver gives the name of a method's type, without pointer and type parameters.
func receiver(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func beginsWithArticle(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(text, article); ok && beginsWithWord(rest, name) {
			return true
		}
	}
	return beginsWithWord(text, name)
}

func beginsWith(doc *ast.CommentGroup, name string) bool { return beginsWithWord(doc.Text(), name) }

func beginsWithWord(text, name string) bool {
	rest, ok := strings.CutPrefix(text, name)
	if !ok {
		return false
	}
	next, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && next != '_' && !unicode.IsLetter(next) && !unicode.IsDigit(next)
}
