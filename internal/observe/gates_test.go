// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/observe"
)

// What a gateway or a client makes up is neither a gate nor an outcome.
func TestChecksAreCounted(t *testing.T) {
	t.Parallel()
	m := observe.New("v1")
	seen := m.Gates("nginx", "proxy")
	for _, check := range [][2]string{
		{"nginx", ""}, {"nginx", ""}, {"nginx", "no_rule"}, {"proxy", "rate_limited"}, {"proxy", "made_up"}, {"made-up", "adapter_headers"}, {"", ""},
	} {
		seen(check[0], check[1], time.Millisecond)
	}
	want := []string{
		`gatehouse_gate_checks_total{gate="nginx",outcome="allowed"} 2`,
		`gatehouse_gate_checks_total{gate="nginx",outcome="no_rule"} 1`,
		`gatehouse_gate_checks_total{gate="other",outcome="adapter_headers"} 1`,
		`gatehouse_gate_checks_total{gate="other",outcome="allowed"} 1`,
		`gatehouse_gate_checks_total{gate="proxy",outcome="other"} 1`,
		`gatehouse_gate_checks_total{gate="proxy",outcome="rate_limited"} 1`,
	}
	if diff := cmp.Diff(want, lines(t, m, "gatehouse_gate_checks_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	took := []string{
		`gatehouse_gate_check_seconds_count{gate="nginx"} 3`, `gatehouse_gate_check_seconds_count{gate="other"} 2`, `gatehouse_gate_check_seconds_count{gate="proxy"} 2`,
	}
	if diff := cmp.Diff(took, lines(t, m, "gatehouse_gate_check_seconds_count")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
