// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact

import "sync/atomic"

const (
	slotSize   = 8 // bytes
	firstSlots = 64
	// reach is how far from its home a record may stand, in slots. At three quarters full
	// almost none stands as far, so that one that would is forgotten instead.
	reach = 256
)

// slot says where a record is: 32 bits of the place's hash, 31 bits that are one more than
// the position in units of 8 bytes, 1 bit that says whether the record was asked for since
// it was written. Zero is an empty slot.
type slot uint64

const asked slot = 1

func (w slot) ref() slot              { return w & 0xfffffffe }
func (w slot) sameTag(with slot) bool { return w>>32 == with>>32 }

// index leads from a hash to a record: a table with open addressing and linear probing.
// Readers that share the lock note what they asked for, hence the atomics.
type index struct {
	slots    []atomic.Uint64
	live     int // slots that are not empty
	maxSlots int
	odd      uint64
}

// hash spreads places, also such as follow one another, by an odd number that nobody knows.
func hash(place, odd uint64) uint64 {
	h := place * odd
	return (h ^ h>>32) * odd
}

// tagged is the hash of a place in a slot without position. The highest bits of the hash
// choose the shard, so they are of no use here.
func (x *index) tagged(place uint64) slot { return slot(hash(place, x.odd) << 8 &^ 0xffffffff) }

// home is the slot where the search for a record begins.
func (x *index) home(w slot) int { return int(uint64(w>>32) * uint64(len(x.slots)) >> 32) }

func (x *index) next(i int) int {
	if i++; i == len(x.slots) {
		return 0
	}
	return i
}

// distance is how many slots after i the slot j is.
func (x *index) distance(i, j int) int {
	if j < i {
		j += len(x.slots)
	}
	return j - i
}

// full reports that another record would make searches long.
func (x *index) full() bool { return x.live >= len(x.slots)/4*3 }

// insert adds a record that is not there. There must be an empty slot.
func (x *index) insert(w slot) {
	i := x.home(w)
	for n := 1; n < reach && x.slots[i].Load() != 0; n++ {
		i = x.next(i)
	}
	if x.slots[i].Load() == 0 {
		x.live++
	}
	x.slots[i].Store(uint64(w))
}

// remove empties a slot and moves those behind it up, so that no search ends early.
func (x *index) remove(i int) {
	x.live--
	for j := x.next(i); ; j = x.next(j) {
		w := slot(x.slots[j].Load())
		if w == 0 {
			break
		}
		if x.distance(x.home(w), j) >= x.distance(i, j) {
			x.slots[i].Store(uint64(w))
			i = j
		}
	}
	x.slots[i].Store(0)
}

// grow doubles the table, as far as it may.
func (x *index) grow() {
	old := x.slots
	x.slots, x.live = make([]atomic.Uint64, min(max(2*len(old), firstSlots), x.maxSlots)), 0
	for i := range old {
		if w := old[i].Load(); w != 0 {
			x.insert(slot(w))
		}
	}
}
