// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact

import "encoding/binary"

const (
	slabSize   = 64 << 10
	maxSlabs   = (1<<31 - 1) / (slabSize / unit) // as many as a slot can point into
	unit       = 8                               // records begin at multiples of it
	headerSize = 8 + 8 + 8 + 2
)

// record is a header and a value, and what follows in the slab: place, stamp, time, length
// of the value (little-endian), value, padding.
type record []byte

func (r record) place() uint64 { return binary.LittleEndian.Uint64(r) }
func (r record) stamp() uint64 { return binary.LittleEndian.Uint64(r[8:]) }
func (r record) at() int64     { return int64(binary.LittleEndian.Uint64(r[16:])) }
func (r record) length() int   { return int(binary.LittleEndian.Uint16(r[24:])) }
func (r record) value() []byte { return r[headerSize : headerSize+r.length()] }
func (r record) size() int     { return sizeOf(r.length()) }

func (r record) write(place uint64, value []byte, stamp uint64, at int64) {
	binary.LittleEndian.PutUint64(r, place)
	binary.LittleEndian.PutUint64(r[8:], stamp)
	binary.LittleEndian.PutUint64(r[16:], uint64(at))
	binary.LittleEndian.PutUint16(r[24:], uint16(len(value)))
	copy(r[headerSize:], value)
}

// sizeOf is what a record with a value of n bytes takes of a slab.
func sizeOf(n int) int { return (headerSize + n + unit - 1) &^ (unit - 1) }

// ring is the slabs, in the order in which they are written, again and again. The length of
// a slab is how much of it is written.
type ring struct {
	slabs    [][]byte
	now      int // the slab that is being written; the one behind it is the oldest
	maxSlabs int
}

// refOf is the part of a slot that says where a record is.
func refOf(slab, at int) slot { return slot((slab*slabSize+at)/unit+1) << 1 }

// record is what a slot leads to.
func (g *ring) record(w slot) record {
	at := (int(w.ref()>>1) - 1) * unit
	return record(g.slabs[at/slabSize][at%slabSize:])
}

// fits reports whether the slab that is being written has room for size bytes.
func (g *ring) fits(size int) bool {
	return len(g.slabs) > 0 && len(g.slabs[g.now])+size <= slabSize
}

// extend adds a slab, where that is allowed and does not break the order of age.
func (g *ring) extend() bool {
	if len(g.slabs) == g.maxSlabs || g.now < len(g.slabs)-1 {
		return false
	}
	g.slabs = append(g.slabs, make([]byte, 0, slabSize))
	g.now = len(g.slabs) - 1
	return true
}

// take marks size bytes as written and returns where they begin.
func (g *ring) take(size int) slot {
	begin := len(g.slabs[g.now])
	g.slabs[g.now] = g.slabs[g.now][:begin+size]
	return refOf(g.now, begin)
}
