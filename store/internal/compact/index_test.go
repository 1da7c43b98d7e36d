// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact

import (
	"testing"
	"unsafe"
)

func TestShardFillsCacheLines(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(shard{}); unsafe.Sizeof(uintptr(0)) == 8 && n != 128 {
		t.Errorf("a shard takes %d bytes, want two cache lines: 128", n)
	}
}

// sameTag returns places whose hash is the same but for the eight bits that nobody looks at.
// It turns the hash around: that takes the secret multiplier.
func sameTag(c *Cache, tag uint64, n int) []uint64 {
	inverse := c.odd
	for range 6 {
		inverse *= 2 - c.odd*inverse
	}
	places := make([]uint64, n)
	for i := range places {
		h := (tag<<24 | uint64(i)) * inverse
		places[i] = (h ^ h>>32) * inverse
	}
	return places
}

// Records that all want the same slot cost each other their places, and no more: searches
// stay within reach, and what is found is what was put.
func TestOneTagForAll(t *testing.T) {
	t.Parallel()
	c := New(1 << 20)
	for _, tag := range []uint64{0, 1 << 31, 1<<32 - 1} { // first, middle and last slots: these wrap around
		places := sameTag(c, tag, 4*reach)
		s := c.shard(places[0])
		for i, p := range places {
			if s.tagged(p) != slot(tag<<32) {
				t.Fatalf("place %x has tag %x, want %x", p, s.tagged(p), tag)
			}
			c.Put(p, []byte{byte(i), byte(i >> 8)}, uint64(i), 0)
			if _, stamp, _, ok := c.Get(nil, p); !ok || stamp != uint64(i) {
				t.Fatalf("what was put just now, the record %d, is not there", i)
			}
		}
		n := 0
		for i, p := range places {
			if value, stamp, _, ok := c.Get(nil, p); ok {
				n++
				if stamp != uint64(i) || len(value) != 2 || value[0] != byte(i) || value[1] != byte(i>>8) {
					t.Fatalf("place %x returned stamp %d, want %d", p, stamp, i)
				}
			}
		}
		if n != reach {
			t.Errorf("%d of %d records with one tag are kept, want %d", n, len(places), reach)
		}
		for _, p := range places {
			c.Drop(p)
			if _, _, _, ok := c.Get(nil, p); ok {
				t.Fatalf("place %x is there after it was dropped", p)
			}
		}
	}
	if n := c.Len(); n != 0 {
		t.Errorf("%d records are left after all were dropped", n)
	}
}

// Where records are so short that the index is full before the slabs are, the oldest go too,
// and searches stay short.
func TestIndexFull(t *testing.T) {
	t.Parallel()
	const records = 60_000
	c, value := New(3<<20), make([]byte, 60)
	for i := range uint64(records) {
		c.Put(i, value[:i*60/records], 0, 0) // the later, the longer: slabs hold fewer and fewer
	}
	s, n := &c.shards[0], c.Len()
	if len(s.slots) != s.maxSlots || 4*n > 3*len(s.slots) || len(s.slabs) == s.maxSlabs {
		t.Errorf("%d records in %d slots of %d and %d slabs of %d", n, len(s.slots), s.maxSlots, len(s.slabs), s.maxSlabs)
	}
	for i := records - n; i < records; i++ {
		if _, _, _, ok := c.Get(nil, uint64(i)); !ok {
			t.Fatalf("the record %d of %d is not there, though %d are kept", i, records, n)
		}
	}
}
