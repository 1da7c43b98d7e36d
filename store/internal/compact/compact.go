// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package compact keeps many small byte records in memory, each under a 64-bit place, so
// that the garbage collector has nothing to walk.
//
// A record is a header of 26 bytes and the value, padded to 8 bytes. Records stand one
// behind the other in slabs of 64 KiB, and an index of 8 bytes a slot says where. Neither
// holds a pointer: a million records are some thousands of objects to the collector, of
// which it looks at none.
//
// The whole is cut into up to 256 shards by a keyed hash of the place. Each has a lock, an
// index and a ring of slabs of its own. Reading takes the lock shared: a key that all
// processors ask for makes none of them wait.
//
// What is replaced or dropped leaves its bytes where they are. When no slab has room and
// none may be added, the oldest is written anew. Of its records, those that were asked for
// since they were written stay, up to half of it; the others go. So one Put moves at most
// the records of one slab, and old records make room for new ones however much the old ones
// are asked for.
package compact

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// MaxValue is the length of the longest value that is kept, in bytes.
const MaxValue = slabSize - headerSize

const (
	maxShards  = 256
	shardBytes = 4 << 20 // a shard has this much or up to twice as much, but for the least and the most
)

// Cache is a bounded set of records. It is safe for concurrent use.
type Cache struct {
	shards []shard
	odd    uint64 // random: who chooses places cannot aim at one part of the index
	shift  int
}

// shard is the part of the records whose hash begins with its number. It is as long as two
// cache lines, so that the locks of neighbours do not share one.
type shard struct {
	mu sync.RWMutex
	index
	ring
	_ [16]byte
}

// New makes a cache that takes at most about maxBytes of memory. It takes them as it fills.
// A sixteenth is for the index: where records are shorter than 130 bytes on average, the
// index is full before the slabs are. With less than 70 KiB it keeps nothing.
func New(maxBytes int) *Cache {
	n := 1
	for n < maxShards && maxBytes/(2*n) >= shardBytes {
		n *= 2
	}
	c := &Cache{shards: make([]shard, n), odd: rand.Uint64() | 1, shift: 65 - bits.Len(uint(n))}
	each := max(maxBytes, 0) / n
	for i := range c.shards {
		s := &c.shards[i]
		s.odd = c.odd
		s.maxSlots = each / 16 / slotSize
		s.maxSlabs = min((each-s.maxSlots*slotSize)/slabSize, maxSlabs)
	}
	return c
}

// shard is where a place belongs.
func (c *Cache) shard(place uint64) *shard { return &c.shards[hash(place, c.odd)>>c.shift] }

// Get appends the value under place to dst, and returns it with the stamp and the time it was
// put with. Where there is none, ok is false and value is dst. It allocates only where dst
// has no room.
func (c *Cache) Get(dst []byte, place uint64) (value []byte, stamp uint64, at int64, ok bool) {
	s := c.shard(place)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.find(place)
	if found == 0 {
		return dst, 0, 0, false
	}
	if found&asked == 0 {
		s.slots[i].Or(uint64(asked))
	}
	r := s.record(found)
	return append(dst, r.value()...), r.stamp(), r.at(), true
}

// Put keeps a copy of value under place, with a stamp and a time that mean what the caller
// likes. It takes the place of what was there, also where value is longer than [MaxValue]
// and is not kept itself. A value that was replaced or dropped stays in memory until its
// bytes are used again.
func (c *Cache) Put(place uint64, value []byte, stamp uint64, at int64) {
	s := c.shard(place)
	s.mu.Lock()
	defer s.mu.Unlock()
	size := sizeOf(len(value))
	i, found := s.find(place)
	if found != 0 && s.record(found).size() == size {
		s.record(found).write(place, value, stamp, at)
		// It is as young as one that is written behind the others: it stays as long.
		s.slots[i].Store(uint64(found | asked))
		return
	}
	if found != 0 {
		s.remove(i)
	}
	if len(value) > MaxValue || s.maxSlabs == 0 {
		return
	}
	ref := s.room(size)
	s.record(ref).write(place, value, stamp, at)
	s.insert(ref | s.tagged(place))
}

// Drop forgets what is kept under place.
func (c *Cache) Drop(place uint64) {
	s := c.shard(place)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := s.find(place); found != 0 {
		s.remove(i)
	}
}

// Len is the number of records.
func (c *Cache) Len() int {
	return c.sum(func(s *shard) int { return s.live })
}

// Bytes is the memory that slabs and index take, in bytes.
func (c *Cache) Bytes() int {
	return c.sum(func(s *shard) int { return len(s.slabs)*slabSize + len(s.slots)*slotSize })
}

func (c *Cache) sum(of func(*shard) int) (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += of(s)
		s.mu.RUnlock()
	}
	return n
}

// find returns the slot of a place and what is in it, or zeros.
func (s *shard) find(place uint64) (i int, found slot) {
	tag := s.tagged(place)
	i = s.home(tag)
	for range min(reach, len(s.slots)) {
		w := slot(s.slots[i].Load())
		if w == 0 {
			return 0, 0
		}
		if w.sameTag(tag) && s.record(w).place() == place {
			return i, w
		}
		i = s.next(i)
	}
	return 0, 0
}

// room returns where the next record of size bytes is to be written. There is a slot for it
// and a slab.
func (s *shard) room(size int) slot {
	if s.full() && len(s.slots) < s.maxSlots {
		s.grow()
	}
	// Whatever is forgotten was put once, so the turns cost each Put no more than a share.
	for s.full() {
		s.turn(0)
	}
	if !s.fits(size) && !s.extend() {
		s.turn(min(slabSize/2, slabSize-size))
	}
	return s.take(size)
}

// turn begins the oldest slab anew. Records that were asked for since they were written, or
// since they stayed the last time, stay, up to keep bytes.
func (s *shard) turn(keep int) {
	s.now = (s.now + 1) % len(s.slabs)
	slab, kept := s.slabs[s.now], 0
	for at := 0; at < len(slab); {
		r := record(slab[at:])
		size := r.size()
		// A record that was replaced or dropped is not what its place leads to.
		if i, found := s.find(r.place()); found != 0 && found.ref() == refOf(s.now, at) {
			if found&asked != 0 && kept+size <= keep {
				copy(slab[kept:], r[:size])
				s.slots[i].Store(uint64(refOf(s.now, kept) | s.tagged(record(slab[kept:]).place())))
				kept += size
			} else {
				s.remove(i)
			}
		}
		at += size
	}
	s.slabs[s.now] = slab[:kept]
}
