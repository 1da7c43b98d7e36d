// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package prefixedkey_test

import (
	"os"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/prefixedkey"
)

// The spec has a row for every input about which the ports disagree, with the answers of
// all and ours, and no other row.
func TestSpec(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/spec/prefixed.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Where the ports disagree\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("the section is missing")
	}
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			if rows[name] != "" {
				t.Errorf("%s has two rows", name)
			}
			rows[name] = rest
		}
	}
	word := map[bool]string{true: "yes", false: "no"}
	for _, a := range load(t).FourWay {
		answers := a.answers()
		if answers == [4]bool{} || answers == [4]bool{true, true, true, true} {
			continue
		}
		var cells []string
		for _, yes := range append(answers[:], prefixedkey.Verify(a.Token, a.Hash)) {
			cells = append(cells, word[yes])
		}
		if want := strings.Join(cells, " | ") + " | "; !strings.HasPrefix(rows[a.Name], want) {
			t.Errorf("the row of %s is %q, not %q", a.Name, rows[a.Name], want)
		}
		delete(rows, a.Name)
	}
	for name := range rows {
		t.Errorf("%s: no such input, or no disagreement", name)
	}
}
