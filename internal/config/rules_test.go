// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/config"
)

func TestLoadRules(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want map[string]any
		err  string
	}{
		"rules":        {"[rules]\n\"GET /a/{id}\" = \"users-read\"\n\"/b\" = { any = [\"x\", \"y\"] }\n", map[string]any{"GET /a/{id}": "users-read", "/b": map[string]any{"any": []any{"x", "y"}}}, ""},
		"nothing":      {"", nil, "missing or empty"},
		"another key":  {"listen = \"x\"\n[rules]\n\"/a\" = \"b\"\n", nil, "line 1: is not in the table rules"},
		"not TOML":     {"[rules\n", nil, "read rules"},
		"a rule twice": {"[rules]\n\"/a\" = \"b\"\n\"/a\" = \"c\"\n", nil, "read rules"},
	} {
		path := filepath.Join(t.TempDir(), "rules.toml")
		if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.LoadRules(path)
		if (row.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s: %v, want %q", name, err, row.err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := config.LoadRules(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
