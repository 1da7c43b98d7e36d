// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
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

// A chart has a value for each span, whatever the API leaves out.
func TestChartFillsGaps(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	c := chartOf(&api.Usage{From: from, To: from.Add(3*time.Hour + time.Minute), Points: []api.UsagePoint{
		{Start: from.Add(time.Hour), Counts: map[string]int64{granted: 5, "replayed": 2, "key_expired": 1}},
		{Start: from.Add(3 * time.Hour), Counts: map[string]int64{"replayed": 4}},
	}}, time.Hour)
	want := chart{Times: []int64{from.Unix(), from.Unix() + 3600, from.Unix() + 7200, from.Unix() + 10800}, Series: []line{
		{Label: "Granted", Tone: "good", Values: []int64{0, 5, 0, 0}}, {Label: "Denied", Tone: "bad", Values: []int64{0, 3, 0, 4}},
	}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	rows := []chartRow{{from.Add(3 * time.Hour), []int64{0, 4}}, {from.Add(time.Hour), []int64{5, 3}}}
	if diff := cmp.Diff(rows, c.Rows()); diff != "" {
		t.Error(diff)
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
	for _, text := range []string{"{\n\"/a\": \"x\"}", `{"/a": 1, "/a": 2}`, `{"/a": {"b": [1, null]}}`, "null", "[]", `{"\ud800": 1, "\ud801": 2}`, "{} x", "{"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sheet, problem := readRules(text)
		if problem != "" {
			return
		}
		if len(sheet.lines) != len(sheet.demands) {
			t.Fatalf("%q: %d lines, %d rules", text, len(sheet.lines), len(sheet.demands))
		}
		for pattern, line := range sheet.lines {
			if sheet.demands[pattern] == nil || line < 1 || line > 1+strings.Count(text, "\n") {
				t.Errorf("%q: %q in line %d", text, pattern, line)
			}
		}
		written, err := ruleLines(sheet.table())
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, problem := readRules(written)
		if problem != "" || !slices.Equal(keysOf(again.lines), keysOf(sheet.lines)) {
			t.Errorf("%q: %s", text, problem)
		}
	})
}

func keysOf(lines map[string]int) (out []string) {
	for pattern := range lines {
		out = append(out, pattern)
	}
	slices.Sort(out)
	return out
}
