// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The example of the spec is what a signer makes, and each row of what is stricter than
// the RFC names a test that exists.
func TestSpec(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/spec/httpsig.md")
	if err != nil {
		t.Fatal(err)
	}
	spec := string(text)
	m := signed(t, signer(), post())
	for _, field := range []string{"Content-Digest", "Signature-Input", "Signature"} {
		if line := "    " + field + ": " + m.Header[field][0] + "\n"; !strings.Contains(spec, line) {
			t.Errorf("the example has no line\n%s", line)
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
	_, stricter, found := strings.Cut(spec, "## Stricter than the RFC\n")
	if !found {
		t.Fatal("the section is missing")
	}
	rows := 0
	for line := range strings.Lines(stricter) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| The RFC") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
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
