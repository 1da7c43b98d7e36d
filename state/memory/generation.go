// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"math"
	"math/bits"
)

// never is an instant before all others.
const never = math.MinInt64

// minSlots is the smallest size of an index: 4 KiB.
const minSlots = 1 << 10

// generation is the index of one half of a journal's records and the outermost times in
// it. The index is an open hash table with linear probing, at most half full. A slot is
// zero, or the record's position plus one in the low posBits bits, under as many bits of
// the digest as fit above: those spare nearly all looks at records of other pairs.
type generation struct {
	j       *journal
	half    int // which half of the journal
	posBits int // bits of a slot that hold a position
	slots   []uint32
	n       int   // records, damaged ones between the others included
	signed  int64 // latest signed time of all records
	until   int64 // latest end of all records
}

// newGeneration returns an empty generation whose records have positions below capacity,
// and with an index that has room for about the given number of them.
func newGeneration(j *journal, half, capacity, records int) *generation {
	g := &generation{j: j, half: half, posBits: bits.Len(uint(capacity))}
	g.reset(records)
	return g
}

// reset makes the generation empty, with an index that has room for about the given number
// of records. A generation that took more before gives the rest back.
func (g *generation) reset(records int) {
	size := slotsFor(records)
	if len(g.slots) == size {
		clear(g.slots)
	} else {
		g.slots = make([]uint32, size)
	}
	g.n, g.signed, g.until = 0, never, never
}

// slotsFor returns the size of an index that is at most half full with so many records.
func slotsFor(records int) int {
	size := minSlots
	for size < 2*records {
		size *= 2
	}
	return size
}

// find returns the newest record of a digest, or nil, and the slot that is or would be its.
func (g *generation) find(d digest) (record, int) {
	mask := len(g.slots) - 1
	mark := g.mark(d)
	for i := int(d[0]) & mask; ; i = (i + 1) & mask {
		slot := g.slots[i]
		if slot == 0 {
			return nil, i
		}
		if slot>>g.posBits == mark {
			if r := g.j.record(g.half, int(slot&(1<<g.posBits-1))-1); r.digest() == d {
				return r, i
			}
		}
	}
}

// mark returns the bits of the digest that a slot holds. They are not those that choose the
// slot.
func (g *generation) mark(d digest) uint32 { return uint32(d[1]>>32) >> g.posBits }

// reserve makes room in the index for one record more.
func (g *generation) reserve() {
	if 2*(g.n+1) <= len(g.slots) {
		return
	}
	g.slots = make([]uint32, 2*len(g.slots))
	for i := range g.n {
		g.point(g.j.record(g.half, i), i)
	}
}

// note indexes the record at position i, which is n or, while a journal is read, above.
func (g *generation) note(r record, i int) {
	g.n = i
	g.reserve()
	g.point(r, i)
	g.n = i + 1
	g.signed = max(g.signed, r.signed())
	g.until = max(g.until, r.until())
}

// point lets the index find the record at position i.
func (g *generation) point(r record, i int) {
	d := r.digest()
	_, slot := g.find(d)
	g.slots[slot] = g.mark(d)<<g.posBits | uint32(i+1)
}
