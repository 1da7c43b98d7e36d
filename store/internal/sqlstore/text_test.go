// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// banned are words that one of the engines, or a relative of PostgreSQL that runs on
// many nodes, does not have or does not mean alike.
var banned = regexp.MustCompile(`(?i)\b(FOR (NO KEY )?(UPDATE|SHARE)|LOCK TABLE|pg_\w+|nextval|currval|SEQUENCE|(BIG|SMALL)?SERIAL|IDENTITY|AUTOINCREMENT|` +
	`TRIGGER|ROWID|now\(|CURRENT_(TIME|DATE|TIMESTAMP)|random\w*|SET (LOCAL|SESSION)|TEMP(ORARY)?|LISTEN|NOTIFY|json\w*|ILIKE|GLOB|PRAGMA|INTEGER|INT|BOOLEAN|` +
	`TIMESTAMP\w*|BYTEA|BLOB|VARCHAR|OR (REPLACE|IGNORE)|SAVEPOINT|BEGIN|COMMIT|ROLLBACK)\b|::`)

func TestTextIsForEveryEngine(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			texts[name] = literals(t, name)
		}
	}
	schemas, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range schemas {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = regexp.MustCompile(`--.*`).ReplaceAllString(string(text), "")
	}
	statements := 0
	for name, text := range texts {
		statements += len(regexp.MustCompile(`\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE)\b`).FindAllString(text, -1))
		for _, word := range banned.FindAllString(text, -1) {
			t.Errorf("%s: %q is not for every engine", name, word)
		}
	}
	if statements < 60 {
		t.Errorf("only %d statements were read: the test does not find them", statements)
	}
}

var sqlWord = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|SET|VALUES|ORDER|LIMIT|OFFSET|AND|IN|CASE|DESC)\b|concat`)

// literals returns the strings of a file that are SQL or a part of it.
func literals(t *testing.T, name string) string {
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil && sqlWord.MatchString(text) {
				out.WriteString(text + "\n")
			}
		}
		return true
	})
	return out.String()
}
