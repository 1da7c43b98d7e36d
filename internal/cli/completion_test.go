// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"key rot":                      "rotate rotation",
		"key rotation ":                "cancel extend finish show",
		"tenant rem":                   "remove",
		"--data x key dis":             "disable",
		"--format json ru":             "rules",
		"--format=json ru":             "rules",
		"key list --format ":           "json table yaml",
		"key create --replay w":        "window",
		"key create --na":              "--name",
		"key create --owner --na":      "",
		"key create --owner key --sch": "--scheme",
		"key revoke -y --rea":          "--reason",
		"curl -X --bo":                 "",
		"curl -X GET --bo":             "--body",
		"completion ":                  "bash fish words zsh",
		"account state a ":             "active banned deleted locked pending",
		"key list --owner ":            "",
	} {
		args := append([]string{"completion", "words", "--"}, strings.Split(line, " ")...)
		got := command("", nil, args...)
		if got.code != exitDone || strings.Join(strings.Fields(got.out), " ") != want {
			t.Errorf("%q: %+v, want %s", line, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := command("", nil, "completion", shell); got.code != exitDone || !strings.Contains(got.out, "gatehouse completion words") && !strings.Contains(got.out, "completion words --") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
	if got := command("", nil, "completion", "cmd.exe"); got.code != exitUsage {
		t.Errorf("a shell that is none: %+v", got)
	}
	if got := command("", nil, "completion", "words"); !strings.Contains(got.out, "\nkey\n") {
		t.Errorf("an empty line: %+v", got)
	}
}
