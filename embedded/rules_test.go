// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
)

// Rules from a file guard routes like rules from code.
func TestLoadRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := open(t, filepath.Join(dir, "data"), embedded.Options{})
	t.Cleanup(func() { _ = h.Close() })
	path := filepath.Join(dir, "rules.toml")
	for text, want := range map[string]map[string]int{
		"[rules]\n\"GET /a/{id}\" = \"users-read\"\n\"GET /health\" = { open = true }\n": {"/a/1": 401, "/health": 200, "/b": 403},
		"[rules]\n\"GET /b\" = { open = true }\n":                                        {"/a/1": 403, "/b": 200},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		rules, err := embedded.LoadRules(path)
		if err != nil {
			t.Fatal(err)
		}
		g, err := gate.New(h.Authority, gate.Options{Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		for target, status := range want {
			w := httptest.NewRecorder()
			g.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			if w.Code != status {
				t.Errorf("%s: %d, want %d", target, w.Code, status)
			}
		}
	}
	if err := os.WriteFile(path, []byte("[rules]\n\"GET /a\" = { opne = true }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.LoadRules(path); err == nil {
		t.Error("a rule that is none was read")
	}
}
