// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ban is a form of statement that the store does not use, and why.
type ban struct {
	form *regexp.Regexp
	why  string
}

// banned is what keeps other nodes waiting, or what relatives of PostgreSQL do not have, or
// what a connection keeps when another client gets it (DESIGN, section 3).
var banned = []ban{
	{regexp.MustCompile(`(?i)\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bFOR\s+(KEY\s+)?SHARE\b`), "locks rows: guard by a version"},
	{regexp.MustCompile(`^\s*LOCK\b|(?i)^\s*LOCK\s+TABLE\b`), "locks a table"},
	{regexp.MustCompile(`(?i)\bpg_(try_)?advisory_`), "is an advisory lock"},
	{regexp.MustCompile(`(?i)\b(nextval|setval|currval)\b|\bSEQUENCE\b|\b(SMALL|BIG)?SERIAL\b|\bGENERATED\b.*\bIDENTITY\b|\bAUTOINCREMENT\b`), "is a sequence: make ids in the process"},
	{regexp.MustCompile(`(?i)\bTRIGGER\b`), "is a trigger"},
	{regexp.MustCompile(`(?i)\bTEMP(ORARY)?\s+(TABLE|VIEW|SEQUENCE)\b|\bINTO\s+TEMP`), "is a table of a session"},
	{regexp.MustCompile(`(?i)^\s*TRUNCATE\b`), "locks a table, and is not seen by transactions that began before"},
	{regexp.MustCompile(`(?i)^\s*SET\s+(SESSION|[a-z_]+\s*(=|\bTO\b))`), "stays with the connection: SET LOCAL"},
	{regexp.MustCompile(`(?i)\bset_config\s*\([^()]*,\s*false\s*\)`), "stays with the connection: SET LOCAL"},
	{regexp.MustCompile(`(?i)^\s*(DECLARE|PREPARE|DISCARD)\b`), "is state of a session"},
}

// bannedInside is what may not be in a transaction besides.
var bannedInside = []ban{
	{regexp.MustCompile(`(?i)^\s*(UN)?LISTEN\b`), "listens in a transaction"},
	{regexp.MustCompile(`(?i)^\s*NOTIFY\b|\bpg_notify\b`), "lets commits wait for each other: notify after it"},
	{regexp.MustCompile(`(?i)^\s*(CREATE|ALTER|DROP)\b`), "changes the schema: that is for migrations"},
}

// refuse looks for banned forms, and returns how many there are.
func refuse(t testing.TB, statements []string, bans []ban) (found int) {
	t.Helper()
	for _, text := range statements {
		for _, b := range bans {
			if b.form.MatchString(text) {
				t.Errorf("%s: %s", text, b.why)
				found++
			}
		}
	}
	return found
}

// silent is a test that may fail.
type silent struct{ testing.TB }

func (silent) Helper()               {}
func (silent) Errorf(string, ...any) {}

func TestBansCatch(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SELECT id FROM keys WHERE id = $1 FOR UPDATE", "SELECT 1 FROM keys FOR NO KEY UPDATE", "select 1 from keys for key share",
		"LOCK TABLE keys", "SELECT pg_advisory_xact_lock(1)", "SELECT pg_try_advisory_lock(1)", "SELECT nextval('s')",
		"CREATE SEQUENCE s", "CREATE TABLE t (id BIGSERIAL)", "CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY)",
		"CREATE TRIGGER t AFTER INSERT ON keys", "CREATE TEMP TABLE t (a TEXT)", "TRUNCATE keys", "SET statement_timeout = 1",
		"SET statement_timeout TO 1", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SELECT set_config('a', 'b', false)", "PREPARE p AS SELECT 1",
	} {
		if refuse(silent{t}, []string{text}, banned) == 0 {
			t.Errorf("%q passes", text)
		}
	}
	for _, text := range []string{"LISTEN a", "NOTIFY a", "SELECT pg_notify('a', 'b')", "DROP TABLE keys"} {
		if refuse(silent{t}, []string{text}, bannedInside) == 0 {
			t.Errorf("%q passes in a transaction", text)
		}
	}
	refuse(t, []string{
		"SET LOCAL statement_timeout = 1", "UPDATE keys SET name = $1", "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", "SELECT set_config('a', 'b', true)",
	}, append(bannedInside, banned...))
}

// TestSources looks at the texts in the store's sources, those that no suite runs too.
func TestSources(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, dir := range []string{".", "../internal/sqlstore"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						texts = append(texts, text)
					}
				}
				return true
			})
		}
	}
	if len(texts) < 500 {
		t.Errorf("only %d texts", len(texts))
	}
	refuse(t, texts, banned)
}

// manySteps are the migrations that were published with more than one change of the schema
// in their transaction. There will be no more of them: relatives of PostgreSQL refuse that,
// and a server waits for all the locks at once.
const manySteps = 7

var changesSchema = regexp.MustCompile(`(?i)^\s*(CREATE|ALTER|DROP)\b`)

func TestMigrationTexts(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../internal/sqlstore/migrations/*.sql")
	if err != nil || len(names) < manySteps {
		t.Fatalf("%d migrations, %v", len(names), err)
	}
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		statements := strings.Split(regexp.MustCompile(`--.*`).ReplaceAllString(string(text), ""), ";")
		refuse(t, statements, banned)
		changes := 0
		for _, s := range statements {
			if changesSchema.MatchString(s) {
				changes++
			}
		}
		if i >= manySteps && changes > 1 {
			t.Errorf("%s changes the schema %d times: one change for each migration", filepath.Base(name), changes)
		}
	}
}
