// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"

	"github.com/seed14544106/gatehouse"
)

// The statements of a page.

// behind is the condition that a row lies behind the cursor; empty for the first page.
func (f *finder) behind(s *selection, sp spine, column, id string) string {
	after := f.search.After
	switch {
	case after == (gatehouse.KeyCursor{}):
		return ""
	case sp.by == "last_used" && after.Time.IsZero():
		if len(sp.also) == 0 {
			return "" // a used key lies behind all that never were
		}
		return " AND " + id + " > " + s.parameter(after.ID)
	}
	compare := " > "
	if sp.desc {
		compare = " < "
	}
	return " AND (" + column + ", " + id + ")" + compare + "(" + s.parameter(micros(after.Time)) + ", " + s.parameter(after.ID) + ")"
}

func (sp spine) order(column, id string) string {
	if sp.desc {
		return " ORDER BY " + column + " DESC, " + id + " DESC"
	}
	return " ORDER BY " + column + ", " + id
}

func (sp spine) narrow(s *selection, column string) string {
	if sp.within == nil {
		return ""
	}
	return sp.within(s, column)
}

// judge adds all conditions but the one that found the rows.
func judge(s *selection, driver *condition, all []condition) string {
	text := ""
	for i := range all {
		if &all[i] != driver {
			text += " AND " + barred(all[i].test(s))
		}
	}
	return text
}

// barred is a condition that no index serves, and that a planner takes to hold for most
// rows: it must not plan for a walk that never fills the page.
func barred(test string) string { return "CASE WHEN " + test + " THEN 1 ELSE 0 END <> 0" }

// loosely judges rows that were not found by the spine.
func (f *finder) loosely(s *selection, sp spine) string {
	if sp.within == nil {
		return "k.deleted = 0"
	}
	return "k.deleted = 0 AND " + barred("1 = 1"+sp.within(s, "k."+sp.by))
}

// bits rules rows out by their column of bits.
func bits(s *selection, column string, driver *condition, all []condition) string {
	mask := int64(0)
	for i := range all {
		if &all[i] != driver {
			mask |= all[i].bits
		}
	}
	if mask == 0 {
		return ""
	}
	wanted := s.parameter(mask)
	return " AND " + barred("("+column+" & "+wanted+") = "+wanted)
}

// others asks the table of tags for those that the driver does not find by. Bits that happen
// to fit let one key in ten through: its row of a tag costs a third of its own. The offset
// keeps a planner from reading all rows of the tag at once.
func (f *finder) others(s *selection, driver *condition, all []condition) (text string) {
	for i := range all {
		if c := &all[i]; c != driver && len(c.tags) == 1 {
			text += " AND CASE WHEN EXISTS (SELECT 1 FROM key_tags o WHERE o.tenant = " + s.parameter(f.search.Tenant) + " AND o.tag = " + s.parameter(c.tags[0]) +
				" AND o.created = d.created AND o.id = d.id LIMIT 1 OFFSET 0) THEN 1 ELSE 0 END <> 0"
		}
	}
	return text
}

// walkKeys reads keys in the order of an index: the driver's, nil for the spine's.
func (f *finder) walkKeys(sp spine, driver *condition, all []condition) *selection {
	if driver == nil {
		return f.walkSpine(sp, all)
	}
	s, column := &selection{}, "k."+sp.by
	s.text.WriteString("SELECT " + foundFields + " FROM keys k WHERE " + driver.plain(s) + " AND " + f.loosely(s, sp) +
		f.behind(s, sp, column, "k.id") + judge(s, driver, all) + sp.order(column, "k.id"))
	return f.limited(s)
}

// walkSpine rules rows out by what their index holds, before it reads them.
func (f *finder) walkSpine(sp spine, all []condition) *selection {
	s, column := &selection{}, "d."+sp.by
	from, id := "keys d JOIN keys k ON k.place = d.place", "d.id"
	if len(all) == 0 {
		from, column, id = "keys k", "k."+sp.by, "k.id"
	}
	table, others := id[:1], ""
	if sp.by == "last_used" { // whose index has the moment of creation
		others = f.others(s, nil, all)
	}
	s.text.WriteString("SELECT " + foundFields + " FROM " + from + " WHERE " + table + ".tenant = " + s.parameter(f.search.Tenant) +
		" AND " + table + ".deleted = 0" + sp.narrow(s, column) + f.behind(s, sp, column, id) + bits(s, table+".bits", nil, all) + others +
		judge(s, nil, all) + sp.order(column, id))
	return f.limited(s)
}

// sortKeys reads the few keys that the driver finds and puts them in order.
func (f *finder) sortKeys(sp spine, driver *condition, all []condition) *selection {
	s, column := &selection{}, "k."+sp.by+" + 0"
	s.text.WriteString("SELECT " + foundFields + " FROM keys k WHERE " + driver.plain(s) + " AND " + f.loosely(s, sp) +
		f.behind(s, sp, column, "k.id || ''") + judge(s, driver, all) + sp.order(column, "k.id || ''"))
	return f.limited(s)
}

// walkTags reads keys in the order of the rows of a tag.
func (f *finder) walkTags(sp spine, tag, driver *condition, all []condition) *selection {
	s := &selection{}
	s.text.WriteString("SELECT " + foundFields + " FROM key_tags d JOIN keys k ON k.place = d.place WHERE " + tag.plain(s) + bits(s, "d.bits", driver, all) + f.others(s, driver, all) +
		f.behind(s, sp, "d.created", "d.id") + " AND " + f.loosely(s, sp) + judge(s, driver, all) + sp.order("d.created", "d.id"))
	return f.limited(s)
}

// sortTags reads the few keys that have a tag and puts them in order. The bound inside is
// far from what was counted; it tells a planner that there are few.
func (f *finder) sortTags(sp spine, driver *condition, all []condition) *selection {
	s, column := &selection{}, "k."+sp.by+" + 0"
	s.text.WriteString("SELECT " + foundFields + " FROM (SELECT DISTINCT d.place AS at FROM key_tags d WHERE " + driver.plain(s) + bits(s, "d.bits", driver, all) +
		" LIMIT " + s.parameter(int64(2*f.few())) + ") d JOIN keys k ON k.place = d.at WHERE " + f.loosely(s, sp) +
		f.behind(s, sp, column, "k.id || ''") + judge(s, driver, all) + sp.order(column, "k.id || ''"))
	return f.limited(s)
}

func (f *finder) limited(s *selection) *selection {
	s.text.WriteString(" LIMIT " + s.parameter(int64(f.search.Limit)))
	return s
}

func (f *finder) read(ctx context.Context, s *selection) (found []gatehouse.Record, err error) {
	err = f.db.read(ctx, s.text.String(), s.args, func(r Row) error {
		c := columnsOf(r)
		found = append(found, c.found())
		return c.done()
	})
	return found, err
}

// foundFields is what is read of a key that was found, and found reads it.
var foundFields = joined(keyFields + ", k.owner")

func (c *columns) found() (rec gatehouse.Record) {
	c.open()
	c.key(&rec.Key)
	c.principal(&rec.Principal)
	c.shut()
	rec.Principal.ID, rec.Principal.Tenant = rec.Key.Principal, rec.Key.Tenant
	return rec
}

// sift reads the newest of the keys that have one of many tags, part by part, and judges
// them afterwards: to judge all of them before they are in order would take long.
func (f *finder) sift(ctx context.Context, sp spine, driver *condition, all []condition) (found []gatehouse.Record, err error) {
	part := *f.search
	g := &finder{db: f.db, search: &part, counts: f.counts}
	room := 4 * min(part.Limit, fewKeys/4)
	for len(found) < f.search.Limit {
		s, read := g.siftOne(sp, driver, all, room), 0
		err := f.db.read(ctx, s.text.String(), s.args, func(r Row) error {
			c := columnsOf(r)
			fits := c.flag()
			rec := c.found()
			read++
			if fits && (len(found) == 0 || found[len(found)-1].Key.ID != rec.Key.ID) { // two words of one name come together
				found = append(found, rec)
			}
			part.After = part.Cursor(&rec.Key)
			return c.done()
		})
		if err != nil || read < room {
			return found, err
		}
	}
	return found, nil
}

func (f *finder) siftOne(sp spine, driver *condition, all []condition, room int) *selection {
	s := &selection{}
	s.text.WriteString("SELECT CASE WHEN " + f.loosely(s, sp) + judge(s, driver, all) + " THEN 1 ELSE 0 END, " + foundFields +
		" FROM (SELECT d.place AS at, d.created AS created, d.id AS id FROM key_tags d WHERE " + driver.plain(s) + bits(s, "d.bits", driver, all) +
		f.behind(s, sp, "d.created", "d.id") + sp.order("d.created", "d.id") + " LIMIT " + s.parameter(int64(room)) +
		") d JOIN keys k ON k.place = d.at" + sp.order("d.created", "d.id"))
	return s
}
