// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package shield_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The spec proves each of its rows by a test, and names only tests that exist.
func TestSpec(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec/shield.md")
	must(t, err)
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	var tests strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		tests.Write(source)
	}
	named := regexp.MustCompile("`(Test\\w+)`")
	for _, name := range named.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, title := range []string{"What Shield's methods are called here", "Where we leave Shield on purpose"} {
		_, section, found := strings.Cut(string(text), "## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		rows := 0
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Shield |") {
				continue
			}
			rows++
			if !named.MatchString(line) {
				t.Errorf("no test: %s", line)
			}
		}
		if !found || rows == 0 {
			t.Errorf("%s: no rows", title)
		}
	}
}
