// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/internal/config"
)

func TestRulesText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		rules api.Rules
		want  string
	}{
		{api.Rules{}, "# No rules are stored yet: gates let any valid key pass.\n[rules]\n"},
		{api.Rules{Version: 3, Rules: map[string]any{
			"POST /orders": map[string]any{"roles": []any{"clerk", "admin"}, "signed": true, "cost": 5.0},
			"GET /a\"b":    "x",
		}}, "# Version 3\n[rules]\n\"GET /a\\\"b\" = \"x\"\n\"POST /orders\" = { cost = 5, roles = [\"clerk\", \"admin\"], signed = true }\n"},
	} {
		if diff := cmp.Diff(row.want, rulesText(&row.rules)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Whatever the texts hold, the file has them as they were, and moves no cursor.
func FuzzRulesText(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.ToValidUTF8(in, "?")
		rules := map[string]any{in: in, "list" + in: []any{in, "x"}, "table" + in: map[string]any{in: in, "signed": true}}
		text := rulesText(&api.Rules{Rules: rules})
		if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unprintable) {
			t.Errorf("%q is not plain", text)
		}
		got, err := config.ParseRules([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(rules, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	})
}

// Builds of before stored rules that are none, which deny everything: it is said, and how it
// ends.
func TestStoredNoRulesAreTold(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"rules":{},"version":3}`:        "The rules that are stored are none, and deny everything. To let any valid key pass at gates: gatehouse rules clear\n",
		`{"rules":{"/":"a"},"version":3}`: "", `{"rules":{}}`: "",
	} {
		s := stub(t, http.StatusOK, answer)
		for _, args := range []string{"rules show", "rules show --format json", "hygiene"} {
			if got := command("", withToken, append([]string{"--server", s.URL}, strings.Fields(args)...)...); got.code != exitDone || got.err != want {
				t.Errorf("%s of %s: %+v", args, answer, got)
			}
		}
	}
	var said strings.Builder
	e := &env{Streams: Streams{Err: &said}, tenant: "acme"}
	if e.warnOf(&api.Rules{Version: 1}); !strings.HasSuffix(said.String(), ": gatehouse --tenant acme rules clear\n") {
		t.Errorf("said %q", said.String())
	}
}
