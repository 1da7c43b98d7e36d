// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The document is OpenAPI 3.1 to a validator that is not ours, and a client on types made of
// it compiles. Both come with make deps.
func TestOpenAPIOutside(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is not installed, and CI is set")
		}
		t.Skip("node is not installed: the document is checked by nobody but us")
	}
	if _, err := os.Stat("testdata/openapi/node_modules"); err != nil {
		t.Fatal("testdata/openapi/node_modules is missing: run make deps")
	}
	document, err := filepath.Abs("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(document string) (string, error) {
		c := exec.CommandContext(t.Context(), node, "check.mjs", document, t.TempDir())
		c.Dir = "testdata/openapi"
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := check(document); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// What is no such document, or lacks what the client uses, is found.
	whole, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]*regexp.Regexp{
		"no document": regexp.MustCompile(`"openapi": "3\.1\.\d"`),
		"no secret":   regexp.MustCompile(`"secret"`),
	} {
		spoiled := filepath.Join(t.TempDir(), "openapi.json")
		if err := os.WriteFile(spoiled, edit.ReplaceAll(whole, []byte(`"x-gone": "gone"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "no secret" {
			if err := os.WriteFile(spoiled, edit.ReplaceAll(whole, []byte(`"hidden"`)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := check(spoiled); err == nil {
			t.Errorf("%s: passed\n%s", name, out)
		}
	}
}
