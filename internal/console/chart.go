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
	Tone   string  `json:"tone"` // "good", "warn" or "bad"
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

// chartOf draws what was granted and what was denied, in spans of step. The API leaves out
// spans in which nothing happened.
func chartOf(u *api.Usage, step time.Duration) chart {
	pass, deny := line{Label: "Granted", Tone: "good"}, line{Label: "Denied", Tone: "bad"}
	out, next := chart{}, 0
	for at := u.From.Truncate(step); at.Before(u.To); at = at.Add(step) {
		var yes, no int64
		for ; next < len(u.Points) && u.Points[next].Start.Before(at.Add(step)); next++ {
			for outcome, n := range u.Points[next].Counts {
				if outcome == granted {
					yes += n
				} else {
					no += n
				}
			}
		}
		out.Times, pass.Values, deny.Values = append(out.Times, at.Unix()), append(pass.Values, yes), append(deny.Values, no)
	}
	out.Series = []line{pass, deny}
	return out
}
