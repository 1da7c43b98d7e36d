// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

// granted is the outcome of a verification that let a request pass; all others are denials.
const granted = "granted"

// chart is lines over time, as console.js draws them.
type chart struct {
	Times  []int64 `json:"times"` // Unix seconds, one a span
	Series []line  `json:"series"`
}

// line is one of a chart.
type line struct {
	Label  string  `json:"label"`
	Tone   string  `json:"tone"` // "good", "bad", "warn", "accent" or "faint"
	Values []int64 `json:"values"`
}

// JSON is the chart for the attribute data-chart.
func (c chart) JSON() (string, error) {
	b, err := json.Marshal(c)
	return string(b), err
}

// chartRow is a span of a chart in its table.
type chartRow struct {
	Start  time.Time
	Values []int64
}

// Rows are the spans in which anything happened, the newest first.
func (c chart) Rows() (out []chartRow) {
	for i := len(c.Times) - 1; i >= 0; i-- {
		row, sum := chartRow{Start: time.Unix(c.Times[i], 0).UTC()}, int64(0)
		for _, l := range c.Series {
			row.Values, sum = append(row.Values, l.Values[i]), sum+l.Values[i]
		}
		if sum > 0 {
			out = append(out, row)
		}
	}
	return out
}

// denialTones are those of denials, the most frequent first. More lines are hard to tell apart: the
// last one is of all other reasons, where there are more.
var denialTones = []string{"bad", "warn", "accent", "faint"}

// chartOf draws what was granted, and what was denied by reason, in spans of step. The API leaves
// out spans in which nothing happened.
func chartOf(u *api.Usage, step time.Duration) chart {
	totals := map[string]int64{}
	for _, p := range u.Points {
		for outcome, n := range p.Counts {
			totals[outcome] += n
		}
	}
	out, place, next := chart{Series: []line{{Label: "Granted", Tone: "good"}}}, map[string]int{granted: 0}, 0
	for i, reason := range denials(totals) {
		if i < len(denialTones) {
			out.Series = append(out.Series, line{Label: "Denied: " + reason.Name, Tone: denialTones[i]})
		} else {
			out.Series[len(denialTones)].Label = "Denied: other reasons"
		}
		place[reason.Name] = min(i+1, len(denialTones))
	}
	for at := u.From.Truncate(step); at.Before(u.To); at = at.Add(step) {
		out.Times = append(out.Times, at.Unix())
		for i := range out.Series {
			out.Series[i].Values = append(out.Series[i].Values, 0)
		}
		for ; next < len(u.Points) && u.Points[next].Start.Before(at.Add(step)); next++ {
			for outcome, n := range u.Points[next].Counts {
				out.Series[place[outcome]].Values[len(out.Times)-1] += n
			}
		}
	}
	return out
}
