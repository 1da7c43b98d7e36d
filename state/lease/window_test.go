// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/state/lease"
	"github.com/seed14544106/gatehouse/state/memory"
)

// cluster is three nodes with leases over one limiter, on one clock.
type cluster struct {
	clock *gatehousetest.Clock
	inner [3]*watched // the same limiter
	nodes [3]*lease.Limiter
	done  []moment
}

// moment is what came at once: how many requests each node charged, and how many it
// admitted.
type moment struct {
	at                time.Time
	charged, admitted [3]int64
}

func newCluster(o lease.Options) *cluster {
	c := &cluster{clock: gatehousetest.NewClock()}
	o.Now = c.clock.Now
	shared := memory.NewLimiter(0, c.clock.Now)
	for i := range c.nodes {
		c.inner[i] = &watched{Limiter: shared}
		c.nodes[i] = lease.New(c.inner[i], o)
	}
	return c
}

// burst sends requests to the nodes, all at once.
func (c *cluster) burst(t *rapid.T, charges []gatehouse.Charge, requests [3]int) {
	m := moment{at: c.clock.Now()}
	var wg sync.WaitGroup
	for i, n := range requests {
		m.charged[i] = -c.inner[i].charged.Load()
		for range n {
			wg.Go(func() {
				if s, err := c.nodes[i].Charge(t.Context(), charges); err != nil || s.Remaining < 0 {
					t.Errorf("Charge = %+v, %v", s, err)
				} else if s.RetryAfter == 0 {
					atomic.AddInt64(&m.admitted[i], 1)
				}
			})
		}
	}
	wg.Wait()
	for i := range c.inner {
		m.charged[i] += c.inner[i].charged.Load()
	}
	c.done = append(c.done, m)
}

func requests(t *rapid.T) (n [3]int) {
	most := rapid.SampledFrom([]int{0, 3, 30, 90}).Draw(t, "most")
	for i := range n {
		n[i] = rapid.IntRange(0, most).Draw(t, "requests")
	}
	return n
}

// check looks at every span of time from one moment to another: what a node admitted in it
// it charged in it, or less than life before, and all together is within the bound.
func (c *cluster) check(t *rapid.T, life time.Duration, l gatehouse.Limit) {
	for i, first := range c.done {
		var admitted, charged [3]int64
		for _, m := range c.done[:i] {
			if first.at.Sub(m.at) < life {
				charged = plus(charged, m.charged)
			}
		}
		for _, m := range c.done[i:] {
			admitted, charged = plus(admitted, m.admitted), plus(charged, m.charged)
			d := m.at.Sub(first.at)
			for node := range admitted {
				if admitted[node] > charged[node] {
					t.Fatalf("%d admitted in %v by node %d, which charged %d", admitted[node], d, node, charged[node])
				}
			}
			sum := admitted[0] + admitted[1] + admitted[2]
			if most := l.Burst + int64(d+life)*l.Count/int64(l.Period); sum > most {
				t.Fatalf("%d admitted in %v, want %d at most", sum, d, most)
			}
		}
	}
}

func plus(a, b [3]int64) [3]int64 { return [3]int64{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// TestWindow holds every span of time of random schedules to the bound of the package
// comment.
func TestWindow(t *testing.T) {
	t.Parallel()
	var came, asked atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		o := lease.Options{For: time.Duration(rapid.IntRange(10, 1000).Draw(t, "for")) * time.Millisecond, From: rapid.SampledFrom([]int{1, 20}).Draw(t, "from")}
		l := gatehouse.Limit{Name: "l", Count: rapid.Int64Range(1, 500).Draw(t, "count"), Period: time.Second, Burst: rapid.Int64Range(1, 400).Draw(t, "burst")}
		c := newCluster(o)
		charges := []gatehouse.Charge{{Subject: "k", Limits: []gatehouse.Limit{l}}}
		for range rapid.IntRange(1, 40).Draw(t, "moments") {
			c.clock.Advance(time.Duration(rapid.SampledFrom([]int{0, 1, 10, 49, 100, 200}).Draw(t, "pause")) * o.For / 100)
			n := requests(t)
			came.Add(int64(n[0] + n[1] + n[2]))
			c.burst(t, charges, n)
		}
		for _, inner := range c.inner {
			asked.Add(int64(len(inner.asked())))
		}
		c.check(t, o.For, l)
	})
	if 2*asked.Load() > came.Load() {
		t.Errorf("%d questions for %d requests: the schedules use no leases", asked.Load(), came.Load())
	}
}

// TestQuota has three nodes run over the ends of spans.
func TestQuota(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := lease.Options{For: time.Second, From: 1}
		l := gatehouse.Limit{Name: "l", Count: rapid.Int64Range(1, 400).Draw(t, "count"), Refill: gatehouse.RefillHour}
		rate := gatehouse.Limit{Name: "rate", Count: 1000, Period: time.Second}
		c := newCluster(o)
		charges := []gatehouse.Charge{{Subject: "k", Limits: []gatehouse.Limit{rate}}, {Subject: "tenant", Limits: []gatehouse.Limit{l}}}
		for range 3 {
			_, end := l.Refill.Span(c.clock.Now())
			c.clock.Advance(end.Sub(c.clock.Now()) - time.Second)
			for range rapid.IntRange(1, 10).Draw(t, "moments") {
				c.clock.Advance(time.Duration(rapid.IntRange(0, 300).Draw(t, "pause")) * time.Millisecond)
				c.burst(t, charges, requests(t))
			}
		}
		admitted, charged := map[time.Time][3]int64{}, map[time.Time][3]int64{}
		for _, m := range c.done {
			span, _ := l.Refill.Span(m.at)
			admitted[span], charged[span] = plus(admitted[span], m.admitted), plus(charged[span], m.charged)
			sum := int64(0)
			for node, n := range admitted[span] {
				if sum += n; n > charged[span][node] || sum > l.Count {
					t.Fatalf("in the hour from %v nodes admitted %v and charged %v, %d is the quota", span, admitted[span], charged[span], l.Count)
				}
			}
		}
	})
}

// TestQuotaEnd has a batch meet the end of a span that it was charged to.
func TestQuotaEnd(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: time.Second, From: 1})
	c := gatehouse.Charge{Subject: "k", Cost: 1, Limits: []gatehouse.Limit{{Name: "hour", Count: 1000, Refill: gatehouse.RefillHour}}}
	_, end := gatehouse.RefillHour.Span(s.clock.Now())
	s.clock.Advance(end.Sub(s.clock.Now()) - 100*time.Millisecond)
	_, _ = s.charge(t, 100, c)
	s.inner.asked()
	s.clock.Advance(100*time.Millisecond - 1)
	if before, _ := s.charge(t, 1, c); before != 1 || s.inner.asked() != nil {
		t.Fatal("there is no batch at the end of the span")
	}
	s.clock.Advance(1)
	admitted, last := s.charge(t, 1, c)
	if asked := s.inner.asked(); admitted != 1 || len(asked) != 1 || last.Remaining != 999 {
		t.Errorf("a new span: %d admitted, asked %v, %+v", admitted, asked, last)
	}
	if admitted, _ = s.charge(t, 2000, c); admitted > 999 {
		t.Errorf("%d admitted in the new span after 1", admitted)
	}
}
