// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Of one key, between two flushes. More outcomes and minutes than talliesMost there cannot
// well be; what goes beyond totalsMost or scopesMost is left out.
const (
	talliesMost = 64
	totalsMost  = 16
	sourcesMost = 16
	scopesMost  = gatehouse.MaxScopes
)

// outcome is what a request came to.
type outcome struct {
	granted bool
	reason  gatehouse.Reason
}

func (o outcome) code() string {
	if o.granted {
		return outcomeGranted
	}
	return o.reason.Code()
}

// tally is how often an outcome came to pass in a minute.
type tally struct {
	outcome outcome
	minute  int64 // since 1970
	n       int64
}

// way is how a key was used. A total has neither peer nor agent.
type way struct {
	material int64
	scheme   string
	peer     netip.Addr
	agent    string
	total    bool
}

// seen is how often a key was used in one way. Times are microseconds.
type seen struct {
	way
	first, last, uses int64
}

// demand is when a route demanded a scope that the key has. It stays after a flush, so that
// it is written once a minute and not each time.
type demand struct {
	scope         gatehouse.Scope
	last, written int64 // microseconds
}

// entry is what is known of one key, or of a tenant's requests that named none, since the
// flush before.
type entry struct {
	tenant  string
	tallies []tally
	totals  []seen
	sources []seen
	demands []demand
	idle    int // flushes at which it had nothing
}

// count reports whether there was room.
func (e *entry) count(t tally) bool {
	for i := range e.tallies {
		if have := &e.tallies[i]; have.minute == t.minute && have.outcome == t.outcome {
			have.n += t.n
			return true
		}
	}
	if len(e.tallies) >= talliesMost {
		return false
	}
	e.tallies = append(e.tallies, t)
	return true
}

// saw adds uses in one way. A source for which there is no room is in its total all the
// same.
func saw(list []seen, s *seen, most int) []seen {
	for i := range list {
		if have := &list[i]; have.way == s.way {
			have.first, have.last, have.uses = min(have.first, s.first), max(have.last, s.last), have.uses+s.uses
			return list
		}
	}
	if len(list) >= most {
		return list
	}
	return append(list, *s)
}

// demanded notes a demand for a scope.
func (e *entry) demanded(scope gatehouse.Scope, at int64) {
	for i := range e.demands {
		if have := &e.demands[i]; have.scope == scope {
			have.last = max(have.last, at)
			return
		}
	}
	if len(e.demands) < scopesMost {
		e.demands = append(e.demands, demand{scope: gatehouse.Scope(strings.Clone(string(scope))), last: at})
	}
}

// exercised notes the scopes of the key that a granted request needed.
func (e *entry) exercised(r *gatehouse.Request, held gatehouse.Scopes, at int64) {
	for _, s := range r.Need {
		if !slices.Contains(held, s) {
			s = gatehouse.AnyScope // or it would not have been granted
		}
		e.demanded(s, at)
	}
	if len(r.NeedAny) == 0 {
		return
	}
	named := false
	for _, s := range r.NeedAny {
		if slices.Contains(held, s) {
			named = true
			e.demanded(s, at)
		}
	}
	if !named {
		e.demanded(gatehouse.AnyScope, at)
	}
}

// name is what an entry is found by: the id of a key, or a tenant.
type name struct{ keyID, tenant string }

// harvest is what a flush takes out of the entries. Its lists are used again.
type harvest struct {
	cuts    []cut
	tallies []tally
	seen    []seen
	demands []demand
}

// cut is what one entry gave: from the end of the one before to its own.
type cut struct {
	name    name
	tenant  string
	tallies []tally
	seen    []seen
	demands []demand
}

// take moves what an entry has into the harvest. Lists that grow leave the parts that were
// cut before where they are.
func (h *harvest) take(n name, e *entry) (something bool) {
	t, s, d := len(h.tallies), len(h.seen), len(h.demands)
	h.tallies = append(h.tallies, e.tallies...)
	h.seen = append(append(h.seen, e.totals...), e.sources...)
	for i := range e.demands {
		if have := &e.demands[i]; have.last-have.written >= time.Minute.Microseconds() {
			have.written = have.last
			h.demands = append(h.demands, *have)
		}
	}
	clear(e.sources) // the address of a peer may point to memory
	e.tallies, e.totals, e.sources = e.tallies[:0], e.totals[:0], e.sources[:0]
	if len(h.tallies) == t {
		return false
	}
	h.cuts = append(h.cuts, cut{name: n, tenant: e.tenant, tallies: h.tallies[t:], seen: h.seen[s:], demands: h.demands[d:]})
	return true
}

func (h *harvest) reset() {
	clear(h.cuts)
	clear(h.seen)
	h.cuts, h.tallies, h.seen, h.demands = h.cuts[:0], h.tallies[:0], h.seen[:0], h.demands[:0]
}

// rows is how many rows a store writes for it, about.
func (c *cut) rows() int { return len(c.tallies) + len(c.seen) + len(c.demands) }

// into adds it to a batch.
func (c *cut) into(b *gatehouse.UsageBatch) {
	for _, t := range c.tallies {
		b.Counts = append(b.Counts, gatehouse.UsageCount{
			Tenant: c.tenant, KeyID: c.name.keyID, Outcome: t.outcome.code(), Minute: time.Unix(t.minute*60, 0).UTC(), Count: t.n,
		})
	}
	for i := range c.seen {
		s := &c.seen[i]
		b.Sources = append(b.Sources, gatehouse.Source{
			Tenant: c.tenant, KeyID: c.name.keyID, Material: s.material, Scheme: s.scheme, Peer: s.peer, Agent: s.agent, Total: s.total,
			First: time.UnixMicro(s.first).UTC(), Last: time.UnixMicro(s.last).UTC(), Uses: s.uses,
		})
	}
	for _, d := range c.demands {
		b.Scopes = append(b.Scopes, gatehouse.ScopeUse{Tenant: c.tenant, KeyID: c.name.keyID, Scope: d.scope, Last: time.UnixMicro(d.last).UTC()})
	}
}
