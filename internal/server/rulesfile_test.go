// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/gate"
)

// pattern is the pattern of the rule that is in force for a request.
func (f *rulesFile) pattern(t *testing.T, authority, target string) string {
	t.Helper()
	found, err := f.Rule(t.Context(), "any", "GET", authority, target)
	if err != nil {
		t.Fatal(err)
	}
	return found.Pattern
}

func writeRules(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The looks are the test's own: no time passes.
func TestRulesFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.toml")
	var log bytes.Buffer
	schemes := []string{"bearer"}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	writeRules(t, path, "[rules]\n\"/a\" = \"first\"\n")
	f, err := openRulesFile(path, schemes, logger)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	var _ gate.Rulebook = f
	expect := func(when, target string, refused bool, lines int) {
		t.Helper()
		if f.pattern(t, "", target) != target || (f.problem() != nil) != refused || strings.Count(log.String(), "\n") != lines {
			t.Errorf("%s: the rule of %s is %q, problem %v, log:\n%s", when, target, f.pattern(t, "", target), f.problem(), log.String())
		}
	}
	look := func() { f.look(t.Context()) }
	expect("opened", "/a", false, 0)
	look()
	expect("nothing changed", "/a", false, 0)

	writeRules(t, path, "[rules]\n\"/b\" = { schemes = \"bearer\" }\n")
	look()
	expect("seen once", "/a", false, 0)
	look()
	expect("seen twice", "/b", false, 1)

	const secret = "hunter2"
	for i, broken := range []string{"[rules\n", "[rules]\n\"/b\" = [\"" + secret + "\\\"\"]\n", "", "[other]\n", "[rules]\n\"/x\" = { schemes = [\"" + secret + "\"] }\n", "[rules]\n\"/{a}/b\" = \"x\"\n\"/b/{a}\" = \"x\"\n"} {
		writeRules(t, path, broken)
		look()
		look()
		look()
		expect("broken: "+broken, "/b", true, 2+i)
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log has values: %s", log.String())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look()
	look()
	expect("removed", "/b", true, 8)

	// Another file takes its place, whole.
	other := path + ".new"
	writeRules(t, other, "[rules]\n\"/c\" = \"x\"\n\"shop.test/\" = { block = true }\n")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	look()
	look()
	expect("replaced", "/c", false, 9)
	if f.pattern(t, "Shop.test:80", "/c") != "shop.test/" || f.pattern(t, "", "/b") != "" {
		t.Error("not all rules are the new ones")
	}
	// As it was before the last time it was broken.
	writeRules(t, path, "[rules")
	look()
	look()
	expect("broken again", "/c", true, 10)
	writeRules(t, path, "[rules]\n\"/c\" = \"x\"\n\"shop.test/\" = { block = true }\n")
	look()
	look()
	expect("mended", "/c", false, 11)
}

// A file that changes between any two looks never counts, and the log says so, once.
func TestRulesFileThatKeepsChanging(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.toml")
	var log bytes.Buffer
	write := func(n int) { writeRules(t, path, fmt.Sprintf("[rules]\n\"/%d\" = \"x\"\n", n)) }
	write(0)
	f, err := openRulesFile(path, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	said := func() int { return strings.Count(log.String(), "keeps changing") }
	for round := 1; round <= 2; round++ {
		for i := range 3 * restless {
			if write(100*round + i); i == restless-1 && said() != round-1 {
				t.Errorf("said %d times before", said())
			}
			f.look(t.Context())
		}
		if got := f.pattern(t, "", "/0"); said() != round || round == 1 && got != "/0" {
			t.Errorf("said %d times, the rule is %q, log %s", said(), got, log.String())
		}
		f.look(t.Context()) // it has settled
		if last := fmt.Sprintf("/%d", 100*round+3*restless-1); f.pattern(t, "", last) != last {
			t.Errorf("%s is not in force", last)
		}
	}
}

func TestRulesFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"broken": "[rules\n", "scheme": "[rules]\n\"/a\" = { schemes = \"x\" }\n", "long": strings.Repeat("#", maxRulesFile+1)} {
		path := filepath.Join(dir, name)
		writeRules(t, path, text)
		if f, err := openRulesFile(path, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v %v", name, f, err)
		}
	}
	if _, err := openRulesFile(filepath.Join(dir, "none"), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there was opened")
	}
}
