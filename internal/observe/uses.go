// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed14544106/gatehouse"
)

// Uses notes when keys were last used, and writes it from time to time. It implements
// [gatehouse.Observer]. Use [NewUses].
//
// What it keeps is bounded: a table of fixed size, which is taken whole by a flush and
// replaced by an empty one. A use that finds no room is dropped and counted; the key's
// next one finds room, because keys that were written lately take none. A process that is
// killed loses what was not flushed.
type Uses struct {
	store gatehouse.UseStore
	table atomic.Pointer[useTable]

	flushing sync.Mutex
	unsaved  []gatehouse.Use // of a flush that failed, at most useSlots

	dropped, failures prometheus.Counter
}

const (
	useSlots  = 1 << 14 // keys between two flushes, about
	useProbes = 16      // places where a key may stand
	useBatch  = 500     // uses in one transaction

	// useStep is how much newer than the record's a use must be to be noted.
	useStep = time.Minute
	// useGrain is how much newer than the noted one a use must be to replace it: a key that
	// is used all the time is not written to by all processors all the time.
	useGrain = time.Second
)

// useTable is filled by many and emptied by nobody.
type useTable struct {
	seed  maphash.Seed
	any   atomic.Bool
	slots [useSlots]useSlot
}

// useSlot belongs to the key whose hash it holds. The id is written before the hash and
// never again.
type useSlot struct {
	hash atomic.Uint64 // slotFree, slotTaken, or of the id
	last atomic.Int64  // microseconds
	id   string
}

const (
	slotFree  = 0
	slotTaken = 1 // somebody writes the id
	slotKey   = 2 // set in every hash of an id
)

// NewUses makes a tracker that writes to store and counts in the metrics.
func NewUses(store gatehouse.UseStore, m *Metrics) *Uses {
	u := &Uses{
		store:    store,
		dropped:  m.counter("gatehouse_uses_dropped_total", "Uses of keys that were not noted, because there was no room."),
		failures: m.counter("gatehouse_use_failures_total", "Writes of last uses that failed and are tried again."),
	}
	u.table.Store(&useTable{seed: maphash.MakeSeed()})
	return u
}

// Observe notes the use of a key by a granted request, where the record's last use is a
// minute old or there is none. It does not block and takes no lock.
func (u *Uses) Observe(_ *gatehouse.Request, d *gatehouse.Decision, err error, _ time.Duration) {
	if err != nil || !d.Granted || d.Key == nil || d.Time.Sub(d.Key.LastUsed) < useStep {
		return
	}
	if !u.table.Load().note(d.Key.ID, d.Time) {
		u.dropped.Inc()
	}
}

// note reports whether there was room.
func (t *useTable) note(id string, at time.Time) bool {
	hash, now := maphash.String(t.seed, id)|slotKey, at.UnixMicro()
	for i := range uint64(useProbes) {
		s := &t.slots[(hash>>8+i)%useSlots]
		held := s.hash.Load()
		if held == slotFree && s.hash.CompareAndSwap(slotFree, slotTaken) {
			// Not a part of the record, which would be kept with it.
			s.id = strings.Clone(id)
			s.last.Store(now)
			s.hash.Store(hash)
			if !t.any.Load() {
				t.any.Store(true)
			}
			return true
		}
		// A slot that somebody else takes at this moment may be for the same key: then the
		// key stands twice, and the store keeps the later use.
		if held == hash && s.id == id {
			if now-s.last.Load() >= useGrain.Microseconds() {
				s.last.Store(now)
			}
			return true
		}
	}
	return false
}

// uses lists what the table holds.
func (t *useTable) uses(out []gatehouse.Use) []gatehouse.Use {
	for i := range t.slots {
		s := &t.slots[i]
		if s.hash.Load()&slotKey != 0 {
			out = append(out, gatehouse.Use{KeyID: s.id, Time: time.UnixMicro(s.last.Load()).UTC()})
		}
	}
	return out
}

// Flush writes what was noted, in transactions of 500 at most. What could not be written
// is kept for the next flush, as far as there is room. Errors are those of the store.
func (u *Uses) Flush(ctx context.Context) error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	left := u.unsaved
	if u.table.Load().any.Load() {
		// A request that took hold of the old table and notes its use in it only now is lost,
		// as with a process that is killed.
		left = u.table.Swap(&useTable{seed: maphash.MakeSeed()}).uses(left)
	}
	for len(left) > 0 {
		n := min(len(left), useBatch)
		if err := u.store.TouchKeys(ctx, left[:n]); err != nil {
			u.failures.Inc()
			if over := len(left) - useSlots; over > 0 {
				u.dropped.Add(float64(over))
				left = left[over:]
			}
			u.unsaved = append([]gatehouse.Use(nil), left...)
			return fmt.Errorf("write last uses: %w", err)
		}
		left = left[n:]
	}
	u.unsaved = nil
	return nil
}
