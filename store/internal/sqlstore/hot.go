// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed14544106/gatehouse"
)

// hot keeps the records that were looked up last, for a store that only this process
// writes to. The rule that makes it safe to ask it instead of the database:
//
//   - Every change of a key, an account or a tenant moves the generation on after it was durable
//     (or may be) and before it is acknowledged. A use is no change: it leaves the
//     generation alone, and LastUsed of a kept record may be [hotFor] old.
//   - A record is kept with the generation that was read before the statement that read
//     it. It answers only while the generation is still that one. A slow read that
//     crosses a change is kept under the old generation and never answers.
//
// So a verification that begins after an acknowledgement finds a newer generation and
// reads the database. One change empties the whole: changes are rare beside
// verifications. Only records that exist are kept, so a flood of unknown ids leaves
// nothing behind. A second rule is for what the first does not see, a hand that edits
// the file with other tools: a record answers for [hotFor] at most.
type hot struct {
	generation atomic.Uint64
	seed       maphash.Seed
	slots      []atomic.Pointer[hotRecord] // a power of two; one place for an id
}

// hotRecord is a kept record. Neither it nor what it points to is changed.
type hotRecord struct {
	generation uint64
	read       time.Time
	record     gatehouse.Record
}

const hotFor = time.Second

// newHot makes a cache of n records, rounded up to a power of two.
func newHot(n int) *hot {
	size := 1
	for size < n {
		size *= 2
	}
	return &hot{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[hotRecord], size)}
}

func (h *hot) slot(keyID string) *atomic.Pointer[hotRecord] {
	return &h.slots[maphash.String(h.seed, keyID)&uint64(len(h.slots)-1)]
}

// find returns the record of an id while it may answer. Otherwise keep stores what the
// caller is about to read; the generation was read by now.
func (h *hot) find(keyID string) (found *gatehouse.Record, keep func(*gatehouse.Record)) {
	generation, now, slot := h.generation.Load(), time.Now(), h.slot(keyID)
	if r := slot.Load(); r != nil && r.record.Key.ID == keyID && r.generation == generation && now.Sub(r.read) < hotFor {
		return &r.record, nil
	}
	return nil, func(read *gatehouse.Record) {
		slot.Store(&hotRecord{generation: generation, read: now, record: *read})
	}
}

// changed says that a record may have changed. It is called before the change is
// acknowledged, and also where the change may not have happened.
func (h *hot) changed() {
	if h != nil {
		h.generation.Add(1)
	}
}
