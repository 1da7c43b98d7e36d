// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

func TestYAML(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(api.Key{ID: "k", Scopes: []string{"a:b", "no"}, Limits: []api.Limit{{Name: "l", Count: 5, Refill: "day"}}, Metadata: map[string]string{"a b": ""}, Signed: true})
	if err != nil {
		t.Fatal(err)
	}
	const want = `---
kid: k
tenant: ""
owner: ""
schemes: null
scopes:
  - "a:b"
  - "no"
state: ""
replay: ""
created: "0001-01-01T00:00:00Z"
updated: "0001-01-01T00:00:00Z"
signed_only: true
limits:
  -
    name: l
    count: 5
    refill: day
metadata:
  "a b": ""
version: 0
`
	if diff := cmp.Diff(want, string(toYAML(text))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := string(toYAML([]byte(`[{},[],[[1.5e3]]]`))); got != "---\n- {}\n- []\n-\n  -\n    - 1.5e3\n" {
		t.Errorf("lists: %q", got)
	}
}

// Every text comes through a YAML reader as it was, as a name and as a value, and moves no
// cursor.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{"", "yes", "null", "~", "1", "0x10", ".inf", "- a", "? x", "a: b", "a #b", "*a", "a\nb", "\ta", "\r", "a\u202eb", "\x1b[2J", "\u2028", "\ufeff", "\U0001f511", `"\`, "<<", "---", "..."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.ToValidUTF8(in, "?")
		want := map[string]any{"k": in, "x" + in: []any{in, map[string]any{"z": in}}}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		out := toYAML(text)
		var got map[string]any
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", out, diff)
		}
		if strings.ContainsFunc(string(out), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q is not plain", out)
		}
	})
}
