// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/api"
)

// A chart has a value for each span, whatever the API leaves out, and a line for each reason.
func TestChartFillsGaps(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	c := chartOf(&api.Usage{From: from, To: from.Add(3*time.Hour + time.Minute), Points: []api.UsagePoint{
		{Start: from.Add(time.Hour), Counts: map[string]int64{granted: 5, "replayed": 2, "key_expired": 1}},
		{Start: from.Add(3 * time.Hour), Counts: map[string]int64{"replayed": 4}},
		{Start: from.Add(3*time.Hour + 30*time.Second), Counts: map[string]int64{"replayed": 1}},
	}}, time.Hour)
	want := chart{Times: []int64{from.Unix(), from.Unix() + 3600, from.Unix() + 7200, from.Unix() + 10800}, Series: []line{
		{Label: "Granted", Tone: "good", Values: []int64{0, 5, 0, 0}},
		{Label: "Denied: replayed", Tone: "bad", Values: []int64{0, 2, 0, 5}},
		{Label: "Denied: key_expired", Tone: "warn", Values: []int64{0, 1, 0, 0}},
	}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	rows := []chartRow{{from.Add(3 * time.Hour), []int64{0, 5, 0}}, {from.Add(time.Hour), []int64{5, 2, 1}}}
	if diff := cmp.Diff(rows, c.Rows()); diff != "" {
		t.Error(diff)
	}
}

// Four reasons have a line each. Of more, the most frequent three have one, and the others one together.
func TestChartHasFewLines(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	counts := map[string]int64{granted: 9, "replayed": 7, "key_expired": 6, "rate_limited": 5, "key_revoked": 3}
	for last, more := range map[string]map[string]int64{
		"Denied: key_revoked":   {},
		"Denied: other reasons": {"insufficient_scope": 2, "key_disabled": 1},
	} {
		want := []line{
			{Label: "Granted", Tone: "good", Values: []int64{9}}, {Label: "Denied: replayed", Tone: "bad", Values: []int64{7}},
			{Label: "Denied: key_expired", Tone: "warn", Values: []int64{6}}, {Label: "Denied: rate_limited", Tone: "accent", Values: []int64{5}},
			{Label: last, Tone: "faint", Values: []int64{3 + more["insufficient_scope"] + more["key_disabled"]}},
		}
		u := &api.Usage{From: from, To: from.Add(time.Minute), Points: []api.UsagePoint{{Start: from, Counts: counts}, {Start: from, Counts: more}}}
		if diff := cmp.Diff(want, chartOf(u, time.Minute).Series); diff != "" {
			t.Error(diff)
		}
	}
}
