// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed14544106/gatehouse"
)

// gateCodes are the codes of denials that are no reasons of a decision.
var gateCodes = []string{"no_rule", "adapter_headers", "gateway_unknown", "body_too_large", "bad_body", "unavailable"}

// Gates adds metrics of gates with these names. seen is to be told of each check: by which
// gate, the denial's code (empty: it was allowed), and how long it took. What is no name and
// no code counts under "other". seen does not block.
func (m *Metrics) Gates(names ...string) (seen func(gate, code string, took time.Duration)) {
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gatehouse_gate_checks_total", Help: "Checks by gate and outcome: allowed, or a denial's code.",
	}, []string{"gate", "outcome"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gatehouse_gate_check_seconds", Help: "How long checks took, in seconds.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
	}, []string{"gate"})
	m.registry.MustRegister(checks, took)
	return func(gate, code string, d time.Duration) {
		if !slices.Contains(names, gate) {
			gate = "other"
		}
		checks.WithLabelValues(gate, outcomeOf(code)).Inc()
		took.WithLabelValues(gate).Observe(d.Seconds())
	}
}

// outcomeOf is the label of a denial's code.
func outcomeOf(code string) string {
	if code == "" {
		return "allowed"
	}
	if _, known := gatehouse.ParseReason(code); known || slices.Contains(gateCodes, code) {
		return code
	}
	return "other"
}
