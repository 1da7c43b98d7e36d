// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe watches decisions: it counts them, notes when keys were last used, and
// records attempts for operators. No label of a metric holds anything a client can choose.
package observe

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed14544106/gatehouse"
)

// Metrics are the process's metrics. It implements [gatehouse.Observer]. Use [New].
type Metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	took      prometheus.Histogram
	granted   map[string]prometheus.Counter
}

// New makes metrics; schemes are the names that decisions may carry. A decision with
// another name counts under "other".
func New(version string, schemes ...string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_decisions_total", Help: "Decisions by scheme and result: granted, a denial's code, or error.",
		}, []string{"scheme", "result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gatehouse_decision_seconds", Help: "How long decisions took, in seconds.",
			Buckets: []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .01, .05, .25, 1},
		}),
		granted: map[string]prometheus.Counter{},
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatehouse_build_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	m.registry.MustRegister(m.decisions, m.took, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, s := range schemes {
		m.granted[s] = m.decisions.WithLabelValues(s, "granted")
	}
	return m
}

// Observe counts a decision. It does not block.
func (m *Metrics) Observe(_ *gatehouse.Request, d *gatehouse.Decision, err error, took time.Duration) {
	m.took.Observe(took.Seconds())
	switch {
	case err != nil:
		m.decisions.WithLabelValues("", "error").Inc()
	case d.Granted:
		if c, ok := m.granted[d.Scheme]; ok {
			c.Inc()
			return
		}
		m.decisions.WithLabelValues(m.label(d.Scheme), "granted").Inc()
	default:
		m.decisions.WithLabelValues(m.label(d.Scheme), d.Reason.Code()).Inc()
	}
}

// counter makes one more counter.
func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

// label is the name of a scheme, or "other" for one that New was not told of.
func (m *Metrics) label(scheme string) string {
	if _, ok := m.granted[scheme]; ok || scheme == "" {
		return scheme
	}
	return "other"
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
