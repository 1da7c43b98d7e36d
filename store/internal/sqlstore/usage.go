// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

var (
	addToKeys = newUpsert("usage_keys", "grain, start, tenant, key_id, outcome, uses", "grain, start, tenant, key_id, outcome",
		"uses = usage_keys.uses + excluded.uses", compareSpans, addSpan,
		func(args []any, s *span) []any {
			return append(args, s.grain, s.start, s.tenant, s.keyID, s.outcome, s.uses)
		})
	addToTenants = newUpsert("usage_tenants", "grain, tenant, start, outcome, uses", "grain, tenant, start, outcome",
		"uses = usage_tenants.uses + excluded.uses", compareSpans, addSpan,
		func(args []any, s *span) []any { return append(args, s.grain, s.tenant, s.start, s.outcome, s.uses) })
)

const (
	// One search for each span: see migration 0007. Only minutes are written; what is in no
	// row of minutes any more was moved to the hours and then to the days.
	keySeries = "WITH RECURSIVE spans (at) AS (SELECT CAST($4 AS BIGINT) UNION ALL SELECT at + $6 FROM spans WHERE at + $6 < $5) " +
		"SELECT u.start, u.outcome, u.uses FROM spans JOIN usage_keys u ON u.grain = $3 AND u.start = spans.at AND u.tenant = $1 AND u.key_id = $2"

	tenantSeries = "SELECT start, outcome, uses FROM usage_tenants WHERE tenant = $1 AND grain = $2 AND start >= $3 AND start < $4 " +
		"ORDER BY start, outcome"

	firstSpan = "SELECT start FROM usage_keys WHERE grain = $1 ORDER BY start LIMIT 1"

	// spansMost is how many spans one series has at most.
	spansMost = 100_000
)

var grains = []gatehouse.Grain{gatehouse.GrainMinute, gatehouse.GrainHour, gatehouse.GrainDay}

// AddUsage implements [gatehouse.UsageStore]. Counts that are not positive are an
// *[gatehouse.InvalidError]. What a batch holds twice is added up.
func (db *DB) AddUsage(ctx context.Context, b *gatehouse.UsageBatch) error {
	keys, tenants, err := spansOf(b.Counts)
	if err != nil {
		return db.fail("add usage", err)
	}
	schemes, sources := sourcesOf(b.Sources)
	scopes := scopesOf(b.Scopes)
	if len(tenants)+len(schemes)+len(sources)+len(scopes) == 0 {
		return nil
	}
	return db.noteUsage(ctx, "add usage", func(ctx context.Context, tx Querier) error {
		for _, write := range []func() error{
			func() error { return addToKeys.run(ctx, tx, keys) },
			func() error { return addSchemes.run(ctx, tx, schemes) },
			func() error { return addSources.run(ctx, tx, sources) },
			func() error { return pruneSources(ctx, tx, sources) },
			func() error { return addScopes.run(ctx, tx, scopes) },
			// These last: every writer adds to the same few rows.
			func() error { return addToTenants.run(ctx, tx, tenants) },
		} {
			if err := write(); err != nil {
				return err
			}
		}
		return nil
	})
}

// note runs a change that has no event, and that no promise rests on.
func (db *DB) note(ctx context.Context, what string, apply func(ctx context.Context, tx Querier) error) error {
	return db.fail(what, db.engine.Note(ctx, apply))
}

// noteUsage is note for the tables of usage.
func (db *DB) noteUsage(ctx context.Context, what string, apply func(ctx context.Context, tx Querier) error) error {
	return db.fail(what, db.engine.NoteUsage(ctx, apply))
}

// span is a row of usage_keys, or of usage_tenants without a key.
type span struct {
	grain, start           int64
	tenant, keyID, outcome string
	uses                   int64
}

func compareSpans(a, b span) int {
	return cmp.Or(cmp.Compare(a.grain, b.grain), cmp.Compare(a.start, b.start), strings.Compare(a.tenant, b.tenant),
		strings.Compare(a.keyID, b.keyID), strings.Compare(a.outcome, b.outcome))
}

func addSpan(to, row *span) { to.uses += row.uses }

// spansOf are the rows that counts add to.
func spansOf(counts []gatehouse.UsageCount) (keys, tenants []span, err error) {
	keys = make([]span, 0, len(counts))
	for i := range counts {
		c := &counts[i]
		if c.Count <= 0 {
			return nil, nil, &gatehouse.InvalidError{Field: "count", Problem: "is not positive"}
		}
		for _, g := range grains {
			s := span{int64(g), begin(c.Minute, g), c.Tenant, "", c.Outcome, c.Count}
			tenants = append(tenants, s)
			if c.KeyID != "" && g == gatehouse.GrainMinute {
				s.keyID = c.KeyID
				keys = append(keys, s)
			}
		}
	}
	return addToKeys.merge(keys), addToTenants.merge(tenants), nil
}

// begin is the begin of the span that t is in, in microseconds.
func begin(t time.Time, g gatehouse.Grain) int64 {
	length, at := g.Length().Microseconds(), t.UnixMicro()
	return at - (at%length+length)%length
}

// Usage implements [gatehouse.UsageStore]. The points are those that begin between From and
// To. *[gatehouse.InvalidError] for a grain that is none, and for more than 100,000 spans.
func (db *DB) Usage(ctx context.Context, q gatehouse.UsageQuery) ([]gatehouse.UsagePoint, error) {
	length := q.Grain.Length().Microseconds()
	if length == 0 {
		return nil, &gatehouse.InvalidError{Field: "grain", Problem: "is none"}
	}
	from, to := begin(q.From, q.Grain), q.To.UnixMicro()
	if from < q.From.UnixMicro() {
		from += length
	}
	if from >= to {
		return nil, nil
	}
	if to/length-from/length > spansMost {
		return nil, &gatehouse.InvalidError{Field: "from", Problem: "more than 100,000 spans before the end"}
	}
	if q.KeyID != "" {
		return db.keyUsage(ctx, &q, from, to)
	}
	var points []gatehouse.UsagePoint
	err := db.read(ctx, tenantSeries, []any{q.Tenant, int64(q.Grain), from, to}, func(r Row) error {
		c := columnsOf(r)
		points = append(points, gatehouse.UsagePoint{Start: time.UnixMicro(c.number()).UTC(), Outcome: c.text(), Count: c.number()})
		return c.done()
	})
	if err != nil {
		return nil, db.fail("read usage", err)
	}
	return points, nil
}

// keyUsage adds up the spans of a key of the grain and of the finer ones. from begins a span.
func (db *DB) keyUsage(ctx context.Context, q *gatehouse.UsageQuery, from, to int64) ([]gatehouse.UsagePoint, error) {
	length := q.Grain.Length().Microseconds()
	to = begin(time.UnixMicro(to-1), q.Grain) + length
	var found []span
	for g := gatehouse.GrainMinute; g <= q.Grain; g++ {
		first, err := db.firstSpan(ctx, g)
		if first = max(from, first); err != nil || first >= to {
			if err != nil {
				return nil, db.fail("read usage", err)
			}
			continue
		}
		err = db.read(ctx, keySeries, []any{q.Tenant, q.KeyID, int64(g), first, to, g.Length().Microseconds()}, func(r Row) error {
			c := columnsOf(r)
			found = append(found, span{start: begin(time.UnixMicro(c.number()), q.Grain), outcome: c.text(), uses: c.number()})
			return c.done()
		})
		if err != nil {
			return nil, db.fail("read usage", err)
		}
	}
	var points []gatehouse.UsagePoint
	for _, s := range addToKeys.merge(found) {
		points = append(points, gatehouse.UsagePoint{Start: time.UnixMicro(s.start).UTC(), Outcome: s.outcome, Count: s.uses})
	}
	return points, nil
}

// firstSpan is the begin of the first span of a grain; the end of time where there is none.
func (db *DB) firstSpan(ctx context.Context, g gatehouse.Grain) (first int64, err error) {
	first = math.MaxInt64
	err = db.read(ctx, firstSpan, []any{int64(g)}, func(r Row) error {
		c := columnsOf(r)
		first = c.number()
		return c.done()
	})
	return first, err
}
