// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpansAreShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", 24 * time.Hour: "24h", time.Hour + time.Minute: "1h1m", 10 * time.Minute: "10m", 10 * time.Hour: "10h", 50 * time.Millisecond: "50ms",
	} {
		if got := shortSpan(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

// What can be read can be written, and reads the same again.
func FuzzLimits(f *testing.F) {
	for _, text := range []string{"calls=100/1m+20\nplan=1000/day", "a=1/1h30m\r\n\r\n", "a=b=1/1s", "a = 1 / 1m + 2", "a=-1/-1s", "=1/hour", "a=1/2400000h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		limits, err := readLimits(text)
		if err != nil {
			return
		}
		again, err := readLimits(limitLines(limits))
		if diff := cmp.Diff(limits, again); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	})
}

func FuzzRules(f *testing.F) {
	for _, text := range []string{"{\n\"/a\": \"x\"}", `{"/a": 1, "/a": 2}`, `{"/a": {"b": [1, null]}}`, "null", "[]", `{"\ud800": 1, "\ud801": 2}`, "{} x", "{", "[rules]\n\"/a\" = {all = [\"x\"], cost = 3}", "[rules.\"/a\"]\nopen = true"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sheet, problem := readRules(text)
		if problem != "" {
			return
		}
		if len(sheet.lines) != len(sheet.table) && strings.HasPrefix(strings.TrimSpace(text), "{") {
			t.Fatalf("%q: %d lines, %d rules", text, len(sheet.lines), len(sheet.table))
		}
		for pattern, line := range sheet.lines {
			if sheet.table[pattern] == nil || line < 1 || line > 1+strings.Count(text, "\n") {
				t.Errorf("%q: %q in line %d", text, pattern, line)
			}
		}
		if sheet.wrong(nil) != "" {
			return
		}
		written, err := ruleLines(sheet.table)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, problem := readRules(written)
		if problem != "" || !slices.Equal(keysOf(again.table), keysOf(sheet.table)) || again.wrong(nil) != "" {
			t.Errorf("%q: %s", text, problem)
		}
	})
}

func keysOf(table map[string]any) []string { return slices.Sorted(maps.Keys(table)) }
