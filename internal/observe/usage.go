// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed14544106/gatehouse"
)

// UsageInterval is how often [Usage.Flush] should be called. With what a flush takes, what
// is read of usage is 10 s late at most.
const UsageInterval = 5 * time.Second

// Usage counts requests by tenant, key, outcome and minute, and notes by what, from where
// and for which scopes keys are used. It implements [gatehouse.Observer]. Use [NewUsage].
//
// It is kept in parts, found by the key, each with a lock of its own. Who finds a part
// locked takes another one: what a key has in several is added up in the end. So nobody
// waits for a flush, nor for others who use the same key.
//
// What it keeps is bounded: 256 keys in each of 256 parts, half of them at most for keys
// that were only named, and what is in [entry] of each. What finds no room is dropped and
// counted. A request whose proof failed, or was seen before, is counted and leaves no
// source: who can make such requests does not fill the list of those who hold the key. A
// request of which a dependency failed is not counted: nothing was decided. A process that
// is killed loses what was not flushed.
type Usage struct {
	store  gatehouse.UsageStore
	tenant string
	seed   maphash.Seed
	parts  [usageParts]usagePart

	flushing sync.Mutex
	harvest  harvest
	batch    gatehouse.UsageBatch

	dropped, failures prometheus.Counter
}

const (
	usageParts   = 256
	usageTries   = 4   // parts that are tried
	usageEntries = 256 // in one part
	usageIdle    = 12  // flushes that an entry stays for without a use

	// usageRows is how many rows one transaction writes, about: a millisecond or two.
	// With each commit SQLite's readers drop the pages they have in memory.
	usageRows = 500
)

// usagePart is one part. It has its lock's cache line for itself.
type usagePart struct {
	mu      sync.Mutex
	entries map[name]*entry
	_       [48]byte
}

// NewUsage makes an observer that writes to store and counts in the metrics. tenant is that
// of requests that name no key, and do not say for which tenant they are.
func NewUsage(store gatehouse.UsageStore, tenant string, m *Metrics) *Usage {
	u := &Usage{
		store: store, tenant: tenant, seed: maphash.MakeSeed(),
		dropped:  m.counter("gatehouse_usage_dropped_total", "Requests that are not in the usage, because there was no room."),
		failures: m.counter("gatehouse_usage_failures_total", "Writes of usage that failed and are tried again."),
	}
	for i := range u.parts {
		u.parts[i].entries = map[name]*entry{}
	}
	return u
}

// Observe counts a decision.
func (u *Usage) Observe(r *gatehouse.Request, d *gatehouse.Decision, err error, _ time.Duration) {
	if err != nil {
		return
	}
	n, tenant := name{keyID: keyOf(d)}, cmp.Or(d.NamedTenant(), r.Tenant, u.tenant)
	if d.Key != nil {
		tenant = d.Key.Tenant
	}
	hash := uint64(0)
	switch {
	case n.keyID != "":
		hash = maphash.String(u.seed, n.keyID)
	default:
		n.tenant = tenant
		hash = maphash.String(u.seed, tenant)
	}
	agent := ""
	if sourced(d) {
		agent = agentOf(r)
	}
	for i := range uint64(usageTries) {
		p := &u.parts[(hash+i)%usageParts]
		if i == usageTries-1 {
			p.mu.Lock()
		} else if !p.mu.TryLock() {
			continue
		}
		ok := p.note(n, tenant, agent, r, d)
		p.mu.Unlock()
		if ok {
			return
		}
	}
	u.dropped.Inc()
}

// sourced reports whether the request tells from where the key is used: what was refused, such
// as by a limit, is no use of it, and may be a copy of what the holder sent.
func sourced(d *gatehouse.Decision) bool { return d.Key != nil && d.Granted }

func agentOf(r *gatehouse.Request) string {
	if agents := r.Header["User-Agent"]; len(agents) > 0 {
		return AgentClass(agents[0])
	}
	return agentNone
}

// note reports whether there was room. It is called with the lock held.
func (p *usagePart) note(n name, tenant, agent string, r *gatehouse.Request, d *gatehouse.Decision) bool {
	e := p.entry(n, tenant, d.Key != nil)
	if e == nil || !e.count(tally{outcome{d.Granted, d.Reason}, d.Time.Unix() / 60, 1}) {
		return false
	}
	if agent == "" {
		return true
	}
	at := d.Time.UnixMicro()
	s := seen{way: way{material: d.Material, scheme: d.Scheme, total: true}, first: at, last: at, uses: 1}
	e.totals = saw(e.totals, &s, totalsMost)
	s.peer, s.agent, s.total = r.Peer.WithZone(""), agent, false
	e.sources = saw(e.sources, &s, sourcesMost)
	if d.Granted && len(r.Need)+len(r.NeedAny) > 0 {
		e.exercised(r, d.Key.Scopes, at)
	}
	return true
}

// entry returns the entry of a name, nil where there is no room for it. Only a proven
// request knows the tenant of its key.
func (p *usagePart) entry(n name, tenant string, proven bool) *entry {
	e := p.entries[n]
	switch {
	case e == nil:
		if room := len(p.entries); room >= usageEntries || !proven && room >= usageEntries/2 {
			return nil
		}
		// Copied, so that the record and the request are not kept with them.
		e = &entry{tenant: strings.Clone(tenant)}
		p.entries[name{strings.Clone(n.keyID), strings.Clone(n.tenant)}] = e
	case proven && e.tenant != tenant:
		e.tenant = strings.Clone(tenant)
	}
	return e
}

// Flush writes what was counted, in transactions of some 500 rows, and rests after each
// as long as it took. What could not be written is kept for the next flush, as far as there
// is room; where the store did not know whether it had written it, it counts twice then.
// Errors are those of the store.
func (u *Usage) Flush(ctx context.Context) error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	h := &u.harvest
	defer h.reset()
	for i := range u.parts {
		u.parts[i].yield(h)
	}
	// In the order of the keys: what lies together in the store is written together.
	slices.SortFunc(h.cuts, func(a, b cut) int { return strings.Compare(a.name.keyID, b.name.keyID) })
	for left := h.cuts; len(left) > 0; {
		n := u.fill(left)
		begin := time.Now()
		if err := u.store.AddUsage(ctx, &u.batch); err != nil {
			u.failures.Inc()
			u.restore(left)
			return fmt.Errorf("write usage: %w", err)
		}
		if left = left[n:]; len(left) > 0 {
			rest(ctx, time.Since(begin))
		}
	}
	return nil
}

// yield moves what the part has into the harvest.
func (p *usagePart) yield(h *harvest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, e := range p.entries {
		if h.take(n, e) {
			e.idle = 0
			continue
		}
		if e.idle++; e.idle >= usageIdle || len(p.entries) > usageEntries/2 {
			delete(p.entries, n)
		}
	}
}

// fill puts the first of the cuts into the batch and returns how many.
func (u *Usage) fill(left []cut) int {
	b := &u.batch
	clear(b.Counts)
	clear(b.Sources)
	clear(b.Scopes)
	b.Counts, b.Sources, b.Scopes = b.Counts[:0], b.Sources[:0], b.Scopes[:0]
	rows := 0
	for i := range left {
		if rows += left[i].rows(); rows > usageRows && i > 0 {
			return i
		}
		left[i].into(b)
	}
	return len(left)
}

// restore puts back what was not written.
func (u *Usage) restore(left []cut) {
	for i := range left {
		if c := &left[i]; !u.part(c.name).restore(c) {
			u.dropped.Inc()
		}
	}
}

func (u *Usage) part(n name) *usagePart {
	return &u.parts[maphash.String(u.seed, n.keyID+n.tenant)%usageParts]
}

func (p *usagePart) restore(c *cut) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entry(c.name, c.tenant, true)
	if e == nil {
		return false
	}
	ok := true
	for _, t := range c.tallies {
		ok = e.count(t) && ok
	}
	for i := range c.seen {
		if s := &c.seen[i]; s.total {
			e.totals = saw(e.totals, s, totalsMost)
		} else {
			e.sources = saw(e.sources, s, sourcesMost)
		}
	}
	for i := range c.demands {
		e.demanded(c.demands[i].scope, c.demands[i].last)
	}
	return ok
}

// rest waits, and not longer than ctx lasts.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
