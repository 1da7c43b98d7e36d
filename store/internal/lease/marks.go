// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/seed14544106/gatehouse"
)

// Marks say since when what was read of a record still holds (R1).
//
// A counter grows with every notice. For what the notice is about, the mark remembers the
// counter. Who is about to read a record takes the counter first, as a stamp, and keeps it
// with the record: it holds while no mark that concerns it is above the stamp. So a read
// that was slow, and began before the notice was applied, never answers after it.
//
// Marks are shared by hash. Two subjects of one mark cost a read now and then.
//
// The zero value is ready.
type Marks struct {
	counter    atomic.Uint64
	all        atomic.Uint64
	rules      atomic.Uint64 // of any tenant: they change seldom
	tenants    [1 << 8]atomic.Uint64
	principals [1 << 13]atomic.Uint64
	keys       [1 << 16]atomic.Uint64
}

var seed = maphash.MakeSeed()

func mark(marks []atomic.Uint64, name string) *atomic.Uint64 {
	return &marks[maphash.String(seed, name)&uint64(len(marks)-1)]
}

// Stamp is for a record that is read from now on.
func (m *Marks) Stamp() uint64 { return m.counter.Load() }

// Holds reports whether what was read of a key since the stamp was taken still holds. No mark
// is above the counter, which grows before any mark does: where it is still the stamp, none
// needs to be looked at.
func (m *Marks) Holds(stamp uint64, key, principal, tenant string) bool {
	if stamp == m.counter.Load() {
		return true
	}
	return stamp >= mark(m.keys[:], key).Load() && stamp >= mark(m.principals[:], principal).Load() &&
		stamp >= mark(m.tenants[:], tenant).Load() && stamp >= m.all.Load()
}

// HoldsRules reports whether what was read of route rules since the stamp was taken still
// holds.
func (m *Marks) HoldsRules(stamp uint64) bool {
	return stamp >= m.rules.Load() && stamp >= m.all.Load()
}

// Apply makes all hold no more that a notice is about.
func (m *Marks) Apply(n *gatehouse.Notice) {
	c := m.counter.Add(1)
	switch n.Kind {
	case gatehouse.NoticeKey:
		raise(mark(m.keys[:], n.Subject), c)
	case gatehouse.NoticePrincipal:
		raise(mark(m.principals[:], n.Subject), c)
	case gatehouse.NoticeTenant:
		raise(mark(m.tenants[:], n.Tenant), c)
	case gatehouse.NoticeRules:
		raise(&m.rules, c)
	case gatehouse.NoticeSigning: // no record has any of it
	default:
		raise(&m.all, c)
	}
}

// drop makes everything hold no more.
func (m *Marks) drop() { m.Apply(&gatehouse.Notice{Kind: gatehouse.NoticeAll}) }

// raise sets a mark, never back: two notices may be applied side by side.
func raise(m *atomic.Uint64, c uint64) {
	for {
		old := m.Load()
		if old >= c || m.CompareAndSwap(old, c) {
			return
		}
	}
}
