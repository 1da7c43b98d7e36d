// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// NodeStatus is how this process stands among the nodes that share a database.
type NodeStatus struct {
	Nodes        int           // all of them
	Leased       bool          // it may answer from what it has read
	PollAge      time.Duration // since its last good look at the notices began; negative: there was none
	Losses       uint64        // how often the lease ran out before the next look
	Hits, Misses uint64        // look-ups that were answered from what was read before, and others
}

// WatchNodes adds metrics of a process among others. settled is to be told how long a change
// took to be in force on every node, and whether it waited for a lease to run out.
func (m *Metrics) WatchNodes(status func() NodeStatus) (settled func(took time.Duration, waited bool)) {
	gauge := func(name, help string, value func(NodeStatus) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(status()) }))
	}
	counter := func(name, help string, value func(NodeStatus) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(status())) }))
	}
	gauge("gatehouse_nodes", "Processes that share the database.", func(s NodeStatus) float64 { return float64(s.Nodes) })
	gauge("gatehouse_lease", "1 while this process may answer from records that it has read.", func(s NodeStatus) float64 {
		if s.Leased {
			return 1
		}
		return 0
	})
	gauge("gatehouse_feed_age_seconds", "Since the last good look at what other processes changed began; -1: there was none.", func(s NodeStatus) float64 {
		if s.PollAge < 0 {
			return -1
		}
		return s.PollAge.Seconds()
	})
	counter("gatehouse_lease_losses_total", "How often the lease ran out before the next look.", func(s NodeStatus) uint64 { return s.Losses })
	counter("gatehouse_lookup_hits_total", "Look-ups that were answered from records read before.", func(s NodeStatus) uint64 { return s.Hits })
	counter("gatehouse_lookup_misses_total", "Look-ups that read the database.", func(s NodeStatus) uint64 { return s.Misses })

	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gatehouse_settle_seconds", Help: "How long changes took to be in force on every process, by how: acknowledged or waited for leases.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5},
	}, []string{"by"})
	m.registry.MustRegister(took)
	acknowledged, leases := took.WithLabelValues("acknowledged"), took.WithLabelValues("lease")
	return func(d time.Duration, waited bool) {
		if waited {
			leases.Observe(d.Seconds())
			return
		}
		acknowledged.Observe(d.Seconds())
	}
}

// Fallback counts requests whose limits this process judged by itself, because what all
// share was away.
func (m *Metrics) Fallback() func(error) {
	c := m.counter("gatehouse_limit_fallback_total", "Requests whose limits this process judged by its own share, because what counts for all was away.")
	return func(error) { c.Inc() }
}

// WatchKEK adds the metric of what holds the KEKs: reachable reports whether it answered the
// last time that it was asked.
func (m *Metrics) WatchKEK(reachable func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatehouse_kek_reachable",
		Help: "1 while Vault opened data keys the last time it was asked, at most 40 seconds ago; always 1 where no KEK is there.",
	}, func() float64 {
		if reachable() {
			return 1
		}
		return 0
	}))
}
