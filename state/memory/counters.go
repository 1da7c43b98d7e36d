// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/seed14544106/gatehouse/internal/gcra"
)

// The layout of limits.counters; the package comment describes it.
const (
	counterSize   = 32
	blockCounters = 2048

	countersMagic  = "gatehouse limits"
	countersFormat = 1
	countersEnd    = 40 // bytes of the header in use

	look     = 4       // old counters that a new one looks at for a place
	lookHard = 1 << 12 // the same where there is no other place; a few microseconds
)

// counters is where the counters of a [Limiter] live, and the index that finds them. A
// counter never moves: it is written to a place that is free, and the place is free again
// when the counter says nothing any more. So a process that dies leaves nothing half moved.
type counters struct {
	mapped
	key   sipKey
	index map[uint64]uint32 // places by id
	most  int               // places that there may be
	used  int               // places that were ever written; those beyond are zeros
	hand  int               // the place that a new counter looks at first
}

// counter is one counter: counterSize bytes of a block.
type counter []byte

func (c counter) id() uint64 { return bin.Uint64(c) }

// value returns the counter: the TAT of a rate limit, which has a count of zero, or what
// was used of a quota.
func (c counter) value() gcra.Used {
	return gcra.Used{End: int64(bin.Uint64(c[8:])), Count: int64(bin.Uint64(c[16:]))}
}

// put writes the counter. A process may die between any two of the stores. Until the last
// one the check word is zero, and then the rest is believed without it: whatever has been
// stored by then is the counter before, the counter after, or one that says nothing, as the
// one before did.
func (c counter) put(id uint64, v gcra.Used, store func(b []byte, v uint64)) {
	store(c[24:], 0)
	if c.id() != id {
		store(c[8:], 1<<63) // the first of all instants
		store(c, id)
	}
	store(c[16:], uint64(v.Count)) // should the end change as well, the old one is past
	store(c[8:], uint64(v.End))
	store(c[24:], c.sum())
}

// intact reports whether the counter is as it was written, or was being written.
func (c counter) intact() bool {
	sum := bin.Uint64(c[24:])
	return sum == 0 || sum == c.sum()
}

func (c counter) sum() uint64 { return 1<<32 | uint64(crc32.Checksum(c[:24], castagnoli)) }

// store stores v. The compiler neither drops a call nor moves others past it.
//
//go:noinline
func store(b []byte, v uint64) { bin.PutUint64(b, v) }

// instant is now as a limiter sees it.
type instant struct {
	steady int64 // for rate limits: it has no steps while the process runs
	wall   int64 // for quotas
}

// idle reports whether the counter says nothing: it owes nothing, or its span is past.
func (c counter) idle(now instant) bool {
	v := c.value()
	return c.id() == 0 || v.Count == 0 && v.End <= now.steady || v.Count != 0 && v.End <= now.wall
}

// newCounters returns counters in plain memory, up to most of them.
func newCounters(most int) *counters {
	c := &counters{
		mapped: mapped{name: "counters of limits", size: blockCounters * counterSize},
		index:  map[uint64]uint32{}, most: most,
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // crypto/rand.Read never fails
	c.key = sipKey{bin.Uint64(key[:8]), bin.Uint64(key[8:])}
	return c
}

// openCounters opens or makes the file in dir and takes its lock. doubt says in words why
// counters may be missing; it is empty when none are.
func openCounters(dir string, most int) (c *counters, doubt string, err error) {
	c = newCounters(most)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	info, first, err := c.open(dir, "limits.counters", "limits.lock")
	if err != nil {
		return c, "", err
	}
	head, err := c.readHead(info.Size(), countersEnd)
	if err != nil {
		return c, "", err
	}
	ok := c.decodeHead(head)
	switch {
	case ok || info.Size() == 0 && first:
	case info.Size() == 0:
		doubt = "there is no file of counters"
	default:
		doubt = "the file of counters is damaged"
	}
	if err = c.mapFile(ok); err != nil {
		return c, "", err
	}
	if !ok {
		c.encodeHead()
	}
	if had := bin.Uint64(c.head[countersEnd:]); ok && had > uint64(len(c.blocks)) {
		doubt = "a part of the file of counters is missing"
	}
	if damaged := c.load(); damaged > 0 {
		doubt = fmt.Sprintf("damaged counters: %d", damaged)
	}
	c.saveSize()
	return c, doubt, nil
}

// saveSize writes the number of blocks behind the header, so that their loss is noticed.
func (c *counters) saveSize() {
	if c.file != nil {
		store(c.head[countersEnd:], uint64(len(c.blocks)))
	}
}

// encodeHead writes the header. Nothing is in the file yet.
func (c *counters) encodeHead() {
	b := c.head[:countersEnd]
	copy(b, countersMagic)
	bin.PutUint32(b[16:], countersFormat)
	bin.PutUint64(b[24:], c.key[0])
	bin.PutUint64(b[32:], c.key[1])
	bin.PutUint32(b[20:], headSum(b))
}

// decodeHead takes the key from the header. It reports whether there is one; nil is none.
func (c *counters) decodeHead(b []byte) bool {
	if b == nil || string(b[:16]) != countersMagic || bin.Uint32(b[16:]) != countersFormat || bin.Uint32(b[20:]) != headSum(b) {
		return false
	}
	c.key = sipKey{bin.Uint64(b[24:]), bin.Uint64(b[32:])}
	return true
}

// headSum is the check word of the header: of all but itself.
func headSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:20], castagnoli), castagnoli, b[24:countersEnd])
}

// load indexes the counters of the file and clears those that are damaged. It returns how
// many those are. Idle ones stay until their places are needed: should the clock be wrong
// now, they are not.
func (c *counters) load() (damaged int) {
	for i := range len(c.blocks) * blockCounters {
		r := c.at(uint32(i))
		if !r.intact() {
			clear(r)
			damaged++
		}
		if r.id() != 0 {
			c.index[r.id()] = uint32(i)
			c.used = i + 1
		}
	}
	c.most = max(c.most, c.used)
	return damaged
}

func (c *counters) at(place uint32) counter {
	at := place % blockCounters * counterSize
	return c.blocks[place/blockCounters][at : at+counterSize : at+counterSize]
}

// find returns the counter with this id, and none where there is none.
func (c *counters) find(id uint64) (place uint32, v gcra.Used, ok bool) {
	if place, ok = c.index[id]; ok {
		v = c.at(place).value()
	}
	return place, v, ok
}

// put writes a counter to its place and lets the index find it.
func (c *counters) put(place uint32, id uint64, v gcra.Used) {
	r := c.at(place)
	if was := r.id(); was != id {
		if at, ok := c.index[was]; ok && at == place {
			delete(c.index, was)
		}
		c.index[id] = place
	}
	r.put(id, v, store)
}

// place returns a place for a new counter: one that is idle and not taken, or the next one
// that was never used. ErrFull where none was found and there may be no more.
func (c *counters) place(now instant, taken func(uint32) bool) (place uint32, err error) {
	tries := look
	if c.used >= c.most {
		tries = lookHard
	}
	for range min(tries, c.used) {
		c.hand = (c.hand + 1) % c.used
		if place = uint32(c.hand); c.at(place).idle(now) && !taken(place) {
			return place, nil
		}
	}
	if c.used >= c.most {
		return 0, ErrFull
	}
	if c.used == len(c.blocks)*blockCounters {
		if err := c.grow(); err != nil {
			return 0, err
		}
		c.saveSize()
	}
	c.used++
	return uint32(c.used - 1), nil
}
