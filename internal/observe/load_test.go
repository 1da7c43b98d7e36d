// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/observe"
	"github.com/seed14544106/gatehouse/scheme/bearer"
	"github.com/seed14544106/gatehouse/seal"
	"github.com/seed14544106/gatehouse/state/memory"
)

// loaded is a house of many keys, and a request for each.
type loaded struct {
	*house
	*gatehouse.Authority
	usage     *observe.Usage
	uses      *observe.Uses
	requests  []*gatehouse.Request
	decisions []gatehouse.Decision
}

func load(b *testing.B, keys int) *loaded {
	h := &loaded{house: open(b)}
	ring, err := seal.CreateKeyring(filepath.Join(b.TempDir(), "keyring"))
	if err != nil {
		b.Fatal(err)
	}
	sealer, err := seal.NewSealer(b.Context(), ring, h.DB, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	replay, err := memory.OpenReplay(memory.Options{Dir: b.TempDir(), Fresh: true, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = replay.Close() })
	scheme := bearer.New(ring)
	h.usage, h.uses = observe.NewUsage(h.DB, tenant, h.metrics), observe.NewUses(h.DB, h.metrics)
	h.Authority, err = gatehouse.New(b.Context(), gatehouse.Config{
		Store: h.DB, Sealer: sealer, Replay: replay, Limiter: memory.NewLimiter(0, nil), Schemes: []gatehouse.Scheme{scheme},
	})
	if err != nil {
		b.Fatal(err)
	}
	for range keys / 1000 {
		h.mint(b, scheme, 1000)
	}
	return h
}

// mint inserts keys, verifies a request with each, and keeps what was decided.
func (h *loaded) mint(b *testing.B, scheme *bearer.Scheme, n int) {
	var ks []*gatehouse.Key
	var es []*gatehouse.Event
	first := len(h.requests)
	for range n {
		m, err := scheme.Mint("", "load")
		if err != nil {
			b.Fatal(err)
		}
		k := &gatehouse.Key{
			ID: m.KeyID, Tenant: tenant, Principal: "account-1", Prefix: m.Prefix, Schemes: []string{bearer.Name}, State: gatehouse.StateActive,
			Scopes: gatehouse.Scopes{"orders:read", "orders:write"}, Created: noon, Updated: noon,
			Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialDigest, Ref: m.Ref, Data: m.Digest, Created: noon}},
		}
		ks, es = append(ks, k), append(es, gatehouse.NewEvent(actor, noon, "key.create", k.ID, gatehouse.OutcomeSucceeded))
		h.requests = append(h.requests, &gatehouse.Request{
			Method: "GET", Authority: "api.example.com", Target: "/", Peer: netip.AddrFrom4([4]byte{192, 0, 2, byte(len(h.requests))}), Need: gatehouse.Scopes{"orders:read"},
			Header: gatehouse.Header{"Authorization": {"Bearer " + m.Token.Reveal()}, "User-Agent": {"python-requests/2.32.3"}},
		})
	}
	if err := h.InsertKeys(b.Context(), ks, es); err != nil {
		b.Fatal(err)
	}
	for _, r := range h.requests[first:] {
		d, err := h.Verify(b.Context(), r)
		if err != nil || !d.Granted {
			b.Fatal(d.Reason, err)
		}
		// A last use is written once a minute: of one key in twelve in each turn.
		if k := *d.Key; len(h.decisions)%12 != 0 {
			k.LastUsed = time.Now().Add(time.Hour)
			d.Key = &k
		}
		h.decisions = append(h.decisions, d)
	}
}

const (
	loadRate   = 50_000 // verifications a second that are counted
	verifyRate = 2_000  // verifications a second that are measured
)

// feed makes decisions at the rate of the load, until ctx ends, and tells of them.
func (h *loaded) feed(ctx context.Context, tell gatehouse.Observer) {
	begin, told := time.Now(), 0
	for ctx.Err() == nil {
		now := time.Now()
		for due := int(now.Sub(begin).Seconds() * loadRate); told < due; told++ {
			i := rand.IntN(len(h.decisions))
			d := h.decisions[i]
			d.Time = now
			tell.Observe(h.requests[i], &d, nil, 0)
		}
		<-time.After(time.Millisecond)
	}
}

// measure verifies at a rate for as long as it lasts, whatever a verification takes, and
// returns the 99th percentile of how late its answers are, and of how long they took.
func (h *loaded) measure(b *testing.B, lasts time.Duration) (late, took float64) {
	var lates, tooks []float64
	begin := time.Now()
	for at := time.Duration(0); at < lasts; at += time.Second / verifyRate {
		<-time.After(at - time.Since(begin))
		called := time.Since(begin)
		if d, err := h.Verify(b.Context(), h.requests[rand.IntN(len(h.requests))]); err != nil || !d.Granted {
			b.Fatal(d.Reason, err)
		}
		answered := time.Since(begin)
		lates, tooks = append(lates, float64(answered-at)/1e3), append(tooks, float64(answered-called)/1e3)
	}
	slices.Sort(lates)
	slices.Sort(tooks)
	return lates[len(lates)*99/100], tooks[len(tooks)*99/100]
}

// BenchmarkUsageLoad measures verifications with and without 50,000 others in a second that
// are counted and written at the real interval, in turns: see docs/design/usage.md. Ask for
// turns with -benchtime=5x; each takes ten seconds.
func BenchmarkUsageLoad(b *testing.B) {
	h := load(b, 10_000)
	var quiet, busy, lates, tooks []float64
	turn := func(told gatehouse.Observer, also func()) (late, took float64) {
		ctx, cancel := context.WithCancel(b.Context())
		var wg sync.WaitGroup
		wg.Go(func() { h.feed(ctx, told) })
		wg.Go(also)
		late, took = h.measure(b, observe.UsageInterval)
		cancel()
		wg.Wait()
		return late, took
	}
	turn(observe.Each{h.usage, h.uses}, func() {})
	for b.Loop() {
		late, took := turn(observe.Each{}, func() {})
		// It writes what the turn before was told.
		lateBusy, tookBusy := turn(observe.Each{h.usage, h.uses}, func() { h.flush(b) })
		b.Logf("late %.0f → %.0f, took %.0f → %.0f µs", late, lateBusy, took, tookBusy)
		quiet, busy, lates, tooks = append(quiet, took), append(busy, tookBusy), append(lates, lateBusy/late), append(tooks, tookBusy/took)
	}
	b.ReportMetric(0, "ns/op") // of a turn: says nothing
	b.ReportMetric(middle(quiet), "quiet-p99-µs")
	b.ReportMetric(middle(busy), "busy-p99-µs")
	b.ReportMetric(middle(tooks), "p99-times")
	b.ReportMetric(middle(lates), "late-p99-times")
}

func (h *loaded) flush(b *testing.B) {
	begin := time.Now()
	if err := h.usage.Flush(b.Context()); err != nil {
		b.Error(err)
	}
	usage := time.Since(begin)
	if err := h.uses.Flush(b.Context()); err != nil {
		b.Error(err)
	}
	b.Logf("flushed usage in %v, uses in %v", usage, time.Since(begin)-usage)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkUsageFlush measures what a flush of 10,000 keys takes.
func BenchmarkUsageFlush(b *testing.B) {
	h := load(b, 10_000)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		at = at.Add(observe.UsageInterval)
		for i := range h.decisions {
			d := h.decisions[i]
			d.Time = at
			h.usage.Observe(h.requests[i], &d, nil, 0)
		}
		b.StartTimer()
		h.flush(b)
	}
}
