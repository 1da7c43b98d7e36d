// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/compact"
	"github.com/seed14544106/gatehouse/store/internal/lease"
)

// cache keeps records, and answers from them while they hold (docs/design/revocation.md): a
// node that shares its database with others under a lease, a process that alone writes to it
// always. Only records that exist are kept, so a flood of unknown ids leaves nothing behind.
//
// There are two tiers. The records that were asked for last are kept as they are handed
// out, unless they are long: the memory for them has a bound. All others are kept packed, in
// memory in which the garbage collector has nothing to walk.
type cache struct {
	keeper *lease.Keeper // nil: nobody else writes to the database
	marks  *lease.Marks  // the keeper's, or its own
	most   time.Duration // for which a row is kept
	begun  time.Time
	seed   maphash.Seed
	hot    []cacheSlot // a power of two; one place for an id
	packer *Packer
	rows   *compact.Cache

	hits, misses atomic.Uint64
}

// cacheSlot is the place of one record. The hash spares a look at the record of another id,
// which is far in memory; that it is the right one says the record.
type cacheSlot struct {
	hash atomic.Uint64
	kept atomic.Pointer[cacheRecord]
}

// cacheRecord is a kept record. Neither it nor what it points to is changed.
type cacheRecord struct {
	stamp  uint64
	read   time.Duration // since begun
	record gatehouse.Record
}

const (
	longestRead = 3 * time.Second // of one record

	hotSlots   = 1 << 13
	usualRow   = 512     // bytes; most packed records are shorter
	longestHot = 4 << 10 // bytes; what is longer when packed is not kept as it is handed out

	// A kept record learns of uses that this node has written, and of no others. Where a key
	// ends when it is not used, that matters within usedFor. Else it only tells when the key
	// was last used; the others bound for how long what was changed by hand, past every rule,
	// goes unseen.
	usedFor      = time.Second
	keptForAlone = 30 * time.Second
	keptFor      = 10 * time.Minute
)

// newCache makes a cache of that many bytes of rows; zero: 256 MiB.
func newCache(keeper *lease.Keeper, bytes int) *cache {
	if bytes <= 0 {
		bytes = 256 << 20
	}
	c := &cache{keeper: keeper, marks: new(lease.Marks), most: keptForAlone, begun: time.Now(), seed: maphash.MakeSeed(), hot: make([]cacheSlot, hotSlots), packer: NewPacker(), rows: compact.New(bytes)}
	if keeper != nil {
		c.marks, c.most = &keeper.Marks, keptFor
	}
	return c
}

// NewAlone returns a DB on an engine that nobody else writes to. It keeps that many bytes of
// rows that were looked up, zero: 256 MiB, and answers from them while they hold.
func NewAlone(e Engine, bytes int) *DB {
	db := New(e)
	db.cache = newCache(nil, bytes)
	return db
}

// Sharing says how a node takes part among others. The zero value keeps no records.
type Sharing struct {
	lease.Options
	Cache int // bytes of rows to keep; zero: 256 MiB
}

// NewShared returns a DB on an engine that other nodes write to as well. It registers this
// node and polls until [DB.Leave]; one that neither keeps records nor wants to hear of
// notices does not. feed is another engine of the same database, so that polls
// do not wait for a connection.
func NewShared(ctx context.Context, e, feed Engine, s Sharing) (*DB, error) {
	db := New(e)
	if heard := s.Heard; heard != nil {
		s.Heard = func(notices []gatehouse.Notice) {
			db.bell.ring()
			heard(notices)
		}
	}
	keeper, err := lease.Open(ctx, board{feed}, s.Options)
	if err != nil {
		return nil, fmt.Errorf("join the nodes: %w", err)
	}
	db.cache = newCache(keeper, s.Cache)
	return db, nil
}

// Leave gives up this node's lease and its place among the nodes.
func (db *DB) Leave() error {
	if !db.shared() {
		return nil
	}
	return db.cache.keeper.Close()
}

// Sharing tells how this node stands among others, and how many look-ups were answered from
// what it kept and how many were not. It is for a DB of NewShared.
func (db *DB) Sharing() (s lease.Status, hits, misses uint64) {
	return db.cache.keeper.Status(), db.cache.hits.Load(), db.cache.misses.Load()
}

// shared reports whether other nodes write to the database.
func (db *DB) shared() bool { return db.cache != nil && db.cache.keeper != nil }

// answers reports whether what is kept may answer at now (R2).
func (c *cache) answers(now time.Time) bool { return c.keeper == nil || c.keeper.Leased(now) }

// changed makes what is kept of a change hold no more: before the change is acknowledged, and
// also where nobody knows whether it was made.
func (c *cache) changed(notices []gatehouse.Notice, known bool) {
	switch {
	case c.keeper == nil:
		for i := range notices {
			c.marks.Apply(&notices[i])
		}
	case known:
		c.keeper.Own(notices)
	default:
		c.keeper.Doubt(notices)
	}
}

// lookup finds a record. The stamp and the time come first: what is kept holds from before
// it was read (R1), and the lease is looked at after the look-up began (R2).
func (c *cache) lookup(ctx context.Context, db *DB, keyID string) (*gatehouse.Record, error) {
	stamp, now := c.marks.Stamp(), time.Now()
	if c.answers(now) {
		if kept := c.find(keyID, now); kept != nil {
			c.hits.Add(1)
			return &kept.record, nil
		}
	}
	c.misses.Add(1)
	// A database that does not answer must not hold requests for long: they queue up.
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	rec, err := db.record(ctx, keyID)
	if err != nil {
		return nil, err
	}
	read := now.Sub(c.begun)
	c.rows.Put(uint64(Place(keyID)), c.packer.Pack(rec), stamp, int64(read))
	return rec, nil
}

// touch tells kept records when their keys were used last, as it has been written: who
// looks them up need not write it again. What changed meanwhile keeps its own stamp, so
// that a row put back too late does not hold.
func (c *cache) touch(uses []gatehouse.Use) {
	var room [usualRow]byte
	for i := range uses {
		place := uint64(Place(uses[i].KeyID))
		packed, stamp, read, ok := c.rows.Get(room[:0], place)
		if !ok || !usedAt(packed, uses[i].Time) {
			continue
		}
		c.rows.Put(place, packed, stamp, read)
		hash := maphash.String(c.seed, uses[i].KeyID)
		if slot := &c.hot[hash&uint64(len(c.hot)-1)]; slot.hash.Load() == hash {
			slot.kept.Store(nil)
		}
	}
}

// find returns what is kept of an id and holds.
func (c *cache) find(keyID string, now time.Time) *cacheRecord {
	hash := maphash.String(c.seed, keyID)
	slot := &c.hot[hash&uint64(len(c.hot)-1)]
	if slot.hash.Load() == hash {
		if kept := slot.kept.Load(); kept != nil && kept.record.Key.ID == keyID && c.holds(kept, now) {
			return kept
		}
	}
	var room [usualRow]byte
	packed, stamp, read, ok := c.rows.Get(room[:0], uint64(Place(keyID)))
	if !ok {
		return nil
	}
	kept := &cacheRecord{stamp: stamp, read: time.Duration(read)}
	if !c.packer.unpack(packed, &kept.record) || kept.record.Key.ID != keyID || !c.holds(kept, now) {
		return nil
	}
	if len(packed) <= longestHot {
		slot.kept.Store(kept)
		slot.hash.Store(hash)
	}
	return kept
}

func (c *cache) holds(kept *cacheRecord, now time.Time) bool {
	k, most := &kept.record.Key, c.most
	if k.Unused != 0 {
		most = usedFor
	}
	return now.Sub(c.begun)-kept.read < most && c.marks.Holds(kept.stamp, k.ID, k.Principal, k.Tenant)
}
