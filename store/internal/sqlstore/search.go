// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// A page must not cost more where there are more keys. One condition of a search finds
// rows by an index, the others judge what it found:
//
//   - One that few keys satisfy: all of them are read and put in order.
//   - Otherwise one whose index has the order of the search: it is walked until the page is
//     full. Of several the one that fewer keys satisfy.
//
// How many satisfy a condition is counted in its index, up to a bound. Conditions that many
// keys satisfy and hardly any key together make the walk long; the bits in key_tags, see
// tags.go, keep it in the index.

const (
	fewKeys  = 500   // so many are read and put in order, by creation
	someKeys = 3000  // and by another order, in which no tag can be walked
	manyKeys = 10000 // counting ends here
	fewWords = 16    // so many words that begin alike are walked one after another

	lastRune = "\U0010FFFF" // what begins with some text comes before that text and this

	leastID = 4 // characters of a key id that are looked for as its beginning

	mostWords = 128 // a name of 255 characters has no more
)

// FindKeys implements [gatehouse.Store]. A Limit below one is an *InvalidError.
func (db *DB) FindKeys(ctx context.Context, s gatehouse.KeySearch) ([]gatehouse.Record, error) {
	if s.Limit < 1 {
		return nil, db.fail("find keys", &gatehouse.InvalidError{Field: "limit", Problem: "is missing"})
	}
	f := finder{db: db, search: &s, counts: map[string]int{}}
	var found []gatehouse.Record
	for _, named := range f.named(ctx) {
		for _, spine := range f.spines() {
			keys, err := f.page(ctx, spine, slices.Concat(named, spine.also, f.conditions()))
			if err != nil {
				return nil, db.fail("find keys", err)
			}
			found = append(found, keys...)
		}
	}
	if f.err != nil {
		return nil, db.fail("find keys", f.err)
	}
	return f.merged(found), nil
}

// finder finds one page.
type finder struct {
	db     *DB
	search *gatehouse.KeySearch
	counts map[string]int // by statement: the spines of a page ask for the same
	err    error
}

// merged puts rows of several pages into the order of the search.
func (f *finder) merged(found []gatehouse.Record) []gatehouse.Record {
	newestFirst := f.byCreation()
	slices.SortFunc(found, func(a, b gatehouse.Record) int {
		x, y := f.search.Cursor(&a.Key), f.search.Cursor(&b.Key)
		n := cmp.Or(cmp.Compare(micros(x.Time), micros(y.Time)), strings.Compare(x.ID, y.ID))
		if newestFirst {
			return -n
		}
		return n
	})
	found = slices.CompactFunc(found, func(a, b gatehouse.Record) bool { return a.Key.ID == b.Key.ID })
	return found[:min(len(found), f.search.Limit)]
}

// condition is a part of a search in two forms: plain, which an index serves, and test,
// which judges rows that were found otherwise.
type condition struct {
	tags    []string // plain is about rows d of key_tags that have one of these; nil: about rows k of keys
	low     string   // or, with high: a tag from here on
	high    string   // and below this
	bits    int64    // that keys that satisfy it have
	plain   func(s *selection) string
	test    func(s *selection) string
	ordered bool // the index of plain has the order of the search
	count   int  // keys that satisfy it, up to manyKeys
}

func (c *condition) tagged() bool { return c.tags != nil || c.high != "" }

// impossible reports whether no key satisfies it.
func (c *condition) impossible() bool { return c.tags != nil && len(c.tags) == 0 }

// named are the conditions of the text, in each of the ways in which a key can match it:
// by the words of its name, or by the beginning of its id.
func (f *finder) named(ctx context.Context) [][]condition {
	if f.search.Text == "" {
		return [][]condition{nil}
	}
	if !storable(f.search.Text) {
		return nil
	}
	id, err := f.id(ctx, strings.ToLower(strings.TrimSpace(f.search.Text)))
	if err != nil {
		f.err = err
		return nil
	}
	ways := [][]condition{{id}}
	var all []condition
	words := wordsOf(f.search.Text)
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) > mostWords {
		return ways
	}
	for _, w := range words {
		c, err := f.word(ctx, w)
		if err != nil {
			f.err = err
			return nil
		}
		all = append(all, c)
	}
	if all != nil {
		ways = append(ways, all)
	}
	return ways
}

// tag is the condition that a key has a tag.
func (f *finder) tag(tag string) condition {
	return condition{
		tags: []string{tag}, bits: tagBits(tag), ordered: f.byCreation(),
		plain: f.anyTag([]string{tag}),
		test:  hasTag(tagBetween + tag + tagBetween),
	}
}

// hasTag judges a key by its column of tags.
func hasTag(part string) func(*selection) string {
	return func(s *selection) string { return "replace(k.tags, " + s.parameter(part) + ", '') <> k.tags" }
}

func (f *finder) anyTag(tags []string) func(*selection) string {
	return func(s *selection) string {
		text := "d.tenant = " + s.parameter(f.search.Tenant)
		if len(tags) == 1 {
			return text + " AND d.tag = " + s.parameter(tags[0])
		}
		return text + " AND d.tag IN (" + s.list(tags) + ")"
	}
}

// word is the condition that a word of the name begins so.
func (f *finder) word(ctx context.Context, begin string) (condition, error) {
	first := initial(begin)
	if first == tagInitial+begin {
		return f.tag(first), nil
	}
	return f.begins(ctx, tagWord+begin, tagBits(first))
}

// id is the condition that the key id begins so. A few characters are the whole of it: many
// ids begin with them by chance, and would hide the names.
func (f *finder) id(ctx context.Context, begin string) (condition, error) {
	if tag := tagOf(tagID, begin); utf8.RuneCountInString(begin) < leastID || tag != tagID+begin {
		return f.tag(tag), nil
	}
	return f.begins(ctx, tagID+begin, 0)
}

// begins is the condition that a tag begins so.
func (f *finder) begins(ctx context.Context, tag string, bits int64) (condition, error) {
	c := condition{bits: bits, low: tag, high: tag + lastRune, test: hasTag(tagBetween + tag)}
	tags, err := f.tagsBetween(ctx, c.low, c.high)
	if err != nil || len(tags) > fewWords {
		c.plain = func(s *selection) string {
			return "d.tenant = " + s.parameter(f.search.Tenant) + " AND d.tag >= " + s.parameter(c.low) + " AND d.tag < " + s.parameter(c.high)
		}
		return c, err
	}
	c.tags, c.ordered = append([]string{}, tags...), f.byCreation()
	c.plain = f.anyTag(c.tags)
	return c, nil
}

const tagsFrom = "WITH RECURSIVE w (tag) AS (SELECT (SELECT min(tag) FROM key_tags WHERE tenant = $1 AND tag >= $2 AND tag < $3) " +
	"UNION ALL SELECT (SELECT min(tag) FROM key_tags WHERE tenant = $1 AND tag > w.tag AND tag < $3) FROM w WHERE w.tag IS NOT NULL) " +
	"SELECT tag FROM w WHERE tag IS NOT NULL LIMIT $4"

// tagsBetween reads the tags in a range, one more than fewWords at most.
func (f *finder) tagsBetween(ctx context.Context, low, high string) (tags []string, err error) {
	err = f.db.read(ctx, tagsFrom, []any{f.search.Tenant, low, high, int64(fewWords + 1)}, func(r Row) error {
		c := columnsOf(r)
		tags = append(tags, c.text())
		return c.done()
	})
	return tags, err
}
