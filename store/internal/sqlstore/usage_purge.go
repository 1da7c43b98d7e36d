// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	// Of one call: no transaction takes long, and the call ends.
	purgeRows    = 500
	purgeWrites  = 10
	walkRows     = 2000
	oldSpans     = "SELECT grain, start, tenant, key_id, outcome FROM usage_keys WHERE grain = $1 AND start < $2 ORDER BY grain, start, tenant, key_id, outcome LIMIT $3"
	takeSpans    = "DELETE FROM usage_keys WHERE (grain, start, tenant, key_id, outcome) IN (" + oldSpans + ") RETURNING start, tenant, key_id, outcome, uses"
	oldTenants   = "SELECT grain, tenant, start, outcome FROM usage_tenants WHERE grain = $1 AND start < $2 ORDER BY grain, start LIMIT $3"
	purgeTenants = "DELETE FROM usage_tenants WHERE (grain, tenant, start, outcome) IN (" + oldTenants + ")"
)

// walk goes through a table of sources in the order of its key, some rows with each call,
// and begins anew at the end.
type walk struct {
	table string
	key   []string
	at    []any // of the row that was seen last; nil: begin
}

// walks are those of a DB.
type walks struct {
	mu  sync.Mutex
	all []*walk
}

func newWalks() *walks {
	return &walks{all: []*walk{
		{table: "usage_schemes", key: []string{"tenant", "key_id", "material", "scheme"}},
		{table: "usage_sources", key: []string{"tenant", "key_id", "material", "scheme", "peer", "agent"}},
		{table: "usage_scopes", key: []string{"tenant", "key_id", "scope"}},
	}}
}

// PurgeUsage implements [gatehouse.UsageStore]. Spans of a key that are too old are added to
// those of the next grain, from where a series of that grain reads them. What is zero in the retention is kept for
// ever. Sources are looked through some thousands with one call, so one that is old stays
// until its turn.
func (db *DB) PurgeUsage(ctx context.Context, now time.Time, keep gatehouse.UsageRetention) error {
	for i, lasts := range []time.Duration{keep.Minutes, keep.Hours, keep.Days} {
		if lasts <= 0 {
			continue
		}
		if err := db.purgeSpans(ctx, grains[i], now.Add(-lasts)); err != nil {
			return err
		}
	}
	if keep.Sources <= 0 {
		return nil
	}
	db.walks.mu.Lock()
	defer db.walks.mu.Unlock()
	for _, w := range db.walks.all {
		if err := db.purgeWalk(ctx, w, now.Add(-keep.Sources)); err != nil {
			return err
		}
	}
	return nil
}

// purgeSpans takes spans that ended by a time.
func (db *DB) purgeSpans(ctx context.Context, g gatehouse.Grain, by time.Time) error {
	before := by.Add(-g.Length()).UnixMicro() + 1
	for range purgeWrites {
		n := 0
		err := db.noteUsage(ctx, "purge usage", func(ctx context.Context, tx Querier) (err error) {
			n, err = coarsen(ctx, tx, g, before)
			return err
		})
		if err != nil {
			return err
		}
		if n < purgeRows {
			break
		}
	}
	return db.noteUsage(ctx, "purge usage", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, purgeTenants, int64(g), before, int64(purgeRows))
		return err
	})
}

// coarsen moves some spans of keys to the next grain, the last to nowhere, and returns how
// many. What it moves is what it took: somebody may be adding to it.
func coarsen(ctx context.Context, tx Querier, g gatehouse.Grain, before int64) (int, error) {
	var taken []span
	err := tx.Query(ctx, takeSpans, []any{int64(g), before, int64(purgeRows)}, func(r Row) error {
		c := columnsOf(r)
		at := time.UnixMicro(c.number())
		taken = append(taken, span{int64(g) + 1, begin(at, min(g+1, gatehouse.GrainDay)), c.text(), c.text(), c.text(), c.number()})
		return c.done()
	})
	n := len(taken)
	if err != nil || g == gatehouse.GrainDay {
		return n, err
	}
	return n, addToKeys.run(ctx, tx, addToKeys.merge(taken))
}

// purgeWalk deletes, of the next rows of a walk, those that were seen last before a time.
func (db *DB) purgeWalk(ctx context.Context, w *walk, before time.Time) error {
	width, cutoff := len(w.key), micros(before)
	var last []any
	var old [][]any
	rows := 0
	text, args := w.next()
	err := db.read(ctx, text, args, func(r Row) error {
		rows++
		last = last[:0]
		for _, v := range r[:width] {
			last = append(last, v)
		}
		if at, _ := r[width].(int64); at < cutoff {
			old = append(old, append([]any(nil), last...))
		}
		return nil
	})
	if err != nil {
		return db.fail("purge usage", err)
	}
	for len(old) > 0 {
		n := min(len(old), purgeRows)
		err := db.noteUsage(ctx, "purge usage", func(ctx context.Context, tx Querier) error {
			for _, key := range old[:n] {
				if _, err := exec(ctx, tx, w.purge(), append(key, cutoff)...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		old = old[n:]
	}
	w.at = last
	if rows < walkRows {
		w.at = nil
	}
	return nil
}

// next reads the rows after the one that was seen last.
func (w *walk) next() (text string, args []any) {
	columns := strings.Join(w.key, ", ")
	text = "SELECT " + columns + ", last_at FROM " + w.table
	if w.at != nil {
		text += " WHERE (" + columns + ") > (" + parameters(1, len(w.key)) + ")"
	}
	return text + " ORDER BY " + columns + " LIMIT " + strconv.Itoa(walkRows), w.at
}

// purge deletes one row, unless it was seen again.
func (w *walk) purge() string {
	n := len(w.key)
	return "DELETE FROM " + w.table + " WHERE (" + strings.Join(w.key, ", ") + ") = (" + parameters(1, n) + ") AND last_at < $" + strconv.Itoa(n+1)
}
