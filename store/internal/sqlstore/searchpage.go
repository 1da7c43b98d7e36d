// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/seed14544106/gatehouse"
)

// spine is the order of a page, and the condition that its own index serves.
type spine struct {
	by     string // column of keys
	desc   bool
	within func(s *selection, column string) string // what the column has to be; nil: anything
	also   []condition
}

func (f *finder) byCreation() bool {
	return f.search.ExpiresBefore.IsZero() && f.search.UnusedSince.IsZero()
}

// spines are the orders that together make the page: keys that were never used lie apart
// from those that were.
func (f *finder) spines() []spine {
	q := f.search
	if f.byCreation() {
		return []spine{{by: "created", desc: true}}
	}
	before := func(s *selection, column string) string {
		return " AND " + column + " <> 0 AND " + column + " < " + s.parameter(micros(q.ExpiresBefore))
	}
	never := func(_ *selection, column string) string { return " AND " + column + " = 0" }
	used := func(s *selection, column string) string {
		return " AND " + column + " > 0 AND " + column + " < " + s.parameter(micros(q.UnusedSince))
	}
	switch {
	case q.UnusedSince.IsZero():
		return []spine{{by: "expires", within: before}}
	case !q.ExpiresBefore.IsZero():
		return []spine{
			{by: "expires", within: before, also: []condition{f.column("last_used", never), f.madeBefore()}},
			{by: "expires", within: before, also: []condition{f.column("last_used", used)}},
		}
	case q.After.Time.IsZero():
		return []spine{{by: "last_used", within: never, also: []condition{f.madeBefore()}}, {by: "last_used", within: used}}
	}
	return []spine{{by: "last_used", within: used}}
}

// column is the condition that a column is as within says.
func (f *finder) column(name string, within func(*selection, string) string) condition {
	return condition{
		plain: func(s *selection) string {
			return "k.tenant = " + s.parameter(f.search.Tenant) + " AND k.deleted = 0" + within(s, "k."+name)
		},
		test: func(s *selection) string { return "k.deleted = 0" + within(s, "k."+name) },
	}
}

// madeBefore is what a key that was never used has to be as well.
func (f *finder) madeBefore() condition {
	return f.column("created", func(s *selection, column string) string {
		return " AND " + column + " < " + s.parameter(micros(f.search.UnusedSince))
	})
}

// conditions are all but those of the text. Of two that many keys satisfy the first one finds
// the rows.
func (f *finder) conditions() []condition {
	q := f.search
	var all []condition
	for _, name := range slices.Sorted(maps.Keys(q.Metadata)) { // few different statements
		all = append(all, f.tag(tagOfPair(name, q.Metadata[name])))
	}
	if q.Scope != "" {
		all = append(all, f.tag(tagOf(tagScope, string(q.Scope))))
	}
	if q.Scheme != "" {
		all = append(all, f.tag(tagOf(tagScheme, q.Scheme)))
	}
	if q.Limited {
		all = append(all, f.withLimits())
	}
	if q.Principal != "" {
		all = append(all, f.principal())
	}
	if len(q.States) > 0 {
		all = append(all, f.states())
	}
	return all
}

func (f *finder) withLimits() condition {
	return condition{
		ordered: f.byCreation(),
		plain: func(s *selection) string {
			return "k.tenant = " + s.parameter(f.search.Tenant) + " AND k.limits <> '' AND k.deleted = 0"
		},
		test: func(*selection) string { return "k.limits <> ''" },
	}
}

func (f *finder) principal() condition {
	q := f.search
	return condition{
		ordered: f.byCreation(), bits: tagBits(tagOwner + q.Principal),
		plain: func(s *selection) string {
			return "k.tenant = " + s.parameter(q.Tenant) + " AND k.principal = " + s.parameter(q.Principal) + " AND k.deleted = 0"
		},
		test: func(s *selection) string { return "k.principal = " + s.parameter(q.Principal) },
	}
}

func (f *finder) states() condition {
	q := f.search
	states := make([]string, len(q.States))
	for i, state := range q.States {
		states[i] = state.String()
	}
	return condition{
		ordered: f.byCreation() && len(states) == 1,
		plain: func(s *selection) string {
			return "k.tenant = " + s.parameter(q.Tenant) + " AND k.deleted = 0 AND k.state IN (" + s.list(states) + ")"
		},
		test: func(s *selection) string { return "k.state IN (" + s.list(states) + ")" },
	}
}

// few is how many keys are read and put in order.
func (f *finder) few() int {
	if f.byCreation() {
		return fewKeys
	}
	return someKeys
}

// page reads the rows of one spine that satisfy all conditions.
func (f *finder) page(ctx context.Context, sp spine, all []condition) ([]gatehouse.Record, error) {
	if slices.ContainsFunc(all, func(c condition) bool { return c.impossible() }) {
		return nil, nil
	}
	driver, err := f.driver(ctx, all)
	if err != nil {
		return nil, err
	}
	switch {
	case driver == nil:
		return f.read(ctx, f.walkKeys(sp, nil, all))
	case driver.count <= f.few() && driver.tagged():
		return f.read(ctx, f.sortTags(sp, driver, all))
	case driver.count <= f.few():
		return f.read(ctx, f.sortKeys(sp, driver, all))
	case !driver.tagged():
		return f.read(ctx, f.walkKeys(sp, driver, all))
	case !driver.ordered:
		return f.sift(ctx, sp, driver, all)
	}
	var keys []gatehouse.Record
	for _, tag := range driver.tags {
		one := *driver
		one.plain = f.anyTag([]string{tag})
		found, err := f.read(ctx, f.walkTags(sp, &one, driver, all))
		if err != nil {
			return nil, err
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// driver chooses the condition that finds the rows; nil: the spine does.
func (f *finder) driver(ctx context.Context, all []condition) (*condition, error) {
	if len(all) == 1 && all[0].ordered {
		all[0].count = manyKeys
		return &all[0], nil // whether few or many: nothing else judges what it finds
	}
	var best *condition
	for i := range all {
		c := &all[i]
		var err error
		if c.count, err = f.count(ctx, c); err != nil {
			return nil, err
		}
		may := c.ordered || c.count <= f.few() || f.byCreation() && c.tagged()
		if may && (best == nil || c.count < best.count || c.count == best.count && c.ordered && !best.ordered) {
			best = c
		}
	}
	return best, nil
}

func (f *finder) count(ctx context.Context, c *condition) (n int, err error) {
	s := &selection{}
	from := "keys k"
	if c.tagged() {
		from = "key_tags d"
	}
	text := "SELECT count(*) FROM (SELECT 1 FROM " + from + " WHERE " + c.plain(s) + " LIMIT " + s.parameter(int64(manyKeys)) + ") c"
	key := fmt.Sprint(text, s.args)
	if n, counted := f.counts[key]; counted {
		return n, nil
	}
	err = f.db.read(ctx, text, s.args, func(r Row) error {
		c := columnsOf(r)
		n = int(c.number())
		return c.done()
	})
	f.counts[key] = n
	return n, err
}
