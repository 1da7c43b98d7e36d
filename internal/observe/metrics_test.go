// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/observe"
)

// lines are the lines of the metrics that begin with a prefix, in order.
func lines(t *testing.T, m *observe.Metrics, prefix string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	slices.Sort(out)
	return out
}

func TestDecisionsAreCounted(t *testing.T) {
	t.Parallel()
	m := observe.New("v1", "barong", "bearer")
	count := func(err error, ds ...gatehouse.Decision) {
		for i := range ds {
			m.Observe(nil, &ds[i], err, time.Millisecond)
		}
	}
	granted := gatehouse.Decision{Granted: true, Scheme: "barong"}
	count(nil, granted, granted,
		gatehouse.Decision{Scheme: "barong", Reason: gatehouse.ReasonReplayed},
		gatehouse.Decision{Scheme: "bearer", Reason: gatehouse.ReasonRateLimited},
		gatehouse.Decision{Reason: gatehouse.ReasonNoCredential},
		gatehouse.Decision{},
		gatehouse.Decision{Reason: 255})
	// Nothing that came with an error is an answer.
	count(errors.New("x"), gatehouse.Decision{}, granted)
	want := []string{
		`gatehouse_decisions_total{result="error",scheme=""} 2`,
		`gatehouse_decisions_total{result="granted",scheme="barong"} 2`,
		`gatehouse_decisions_total{result="granted",scheme="bearer"} 0`,
		`gatehouse_decisions_total{result="no_credential",scheme=""} 1`,
		`gatehouse_decisions_total{result="rate_limited",scheme="bearer"} 1`,
		`gatehouse_decisions_total{result="replayed",scheme="barong"} 1`,
		`gatehouse_decisions_total{result="undecided",scheme=""} 2`,
	}
	if diff := cmp.Diff(want, lines(t, m, "gatehouse_decisions_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gatehouse_decision_seconds_count 9"}, lines(t, m, "gatehouse_decision_seconds_count")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`gatehouse_build_info{version="v1"} 1`}, lines(t, m, "gatehouse_build_info")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A scheme that New was not told of neither ends the process nor becomes a label.
func TestOtherSchemes(t *testing.T) {
	t.Parallel()
	m := observe.New("v1", "barong")
	for _, name := range []string{"shield", "x\ny", "httpsig"} {
		m.Observe(nil, &gatehouse.Decision{Granted: true, Scheme: name}, nil, 0)
		m.Observe(nil, &gatehouse.Decision{Scheme: name, Reason: gatehouse.ReasonReplayed}, nil, 0)
	}
	want := []string{
		`gatehouse_decisions_total{result="granted",scheme="barong"} 0`,
		`gatehouse_decisions_total{result="granted",scheme="other"} 3`,
		`gatehouse_decisions_total{result="replayed",scheme="other"} 3`,
	}
	if diff := cmp.Diff(want, lines(t, m, "gatehouse_decisions_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who is asking, and from where, is in no label.
func TestNothingOfTheCallerIsALabel(t *testing.T) {
	t.Parallel()
	m := observe.New("v1", "barong")
	d := gatehouse.Decision{
		Granted: true, Scheme: "barong", Key: &gatehouse.Key{ID: "marker-1", Name: "marker-2"},
		Principal: &gatehouse.Principal{UID: "marker-3", Email: "marker-4@example.com"},
	}
	m.Observe(nil, &d, nil, 0)
	d.Granted = false
	m.Observe(nil, &d, errors.New("marker-5"), 0)
	for _, line := range lines(t, m, "") {
		if strings.Contains(line, "marker") {
			t.Error(line)
		}
	}
}
