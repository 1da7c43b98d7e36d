// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The spec names every route, and only tests that exist.
func TestSpec(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec/barong.md")
	if err != nil {
		t.Fatal(err)
	}
	spec := string(text)
	for _, r := range table() {
		path := strings.TrimPrefix(r.path, "/barong")
		if strings.HasPrefix(path, "/public/") || r.auth == judged {
			continue // told in one row for both modules, and in a section of its own
		}
		if !strings.Contains(spec, "`"+r.method+" "+path) {
			t.Errorf("%s %s has no row", r.method, path)
		}
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(source)
	}
	_, purpose, found := strings.Cut(spec, "## Where we leave Barong on purpose\n")
	if !found {
		t.Fatal("the section is missing")
	}
	purpose, _, _ = strings.Cut(purpose, "\n## ")
	named := regexp.MustCompile("`(Test\\w+)`")
	rows := 0
	for line := range strings.Lines(purpose) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Barong") {
			continue
		}
		rows++
		names := named.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, name := range names {
			if !strings.Contains(tests.String(), "func "+name[1]+"(") {
				t.Errorf("there is no %s: %s", name[1], line)
			}
		}
	}
	if rows == 0 {
		t.Error("no rows")
	}
}
