// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

// A search finds keys by what they have one of many of: schemes, scopes, metadata, words
// of the name. Each of these is a tag, and each tag of a key is a row of key_tags, in the
// order of a search: the newest key with a tag is found at once, however many have it.
//
// A row also says by bits, two for each, which other tags the key has and whose it is. Tags
// share bits, so bits that are set prove nothing; one that is not set rules a key out without
// reading its row. Some indexes of keys hold the bits too. The tags of a key as a set are the
// column tags of its row, each between two line ends.
//
// The transaction that writes a key writes its tags. A deleted key has none.

// The kinds of tag. They and the bits are stored; changing them takes a migration.
const (
	tagScheme  = "scheme:"
	tagScope   = "scope:"
	tagMeta    = "meta:"
	tagWord    = "word:"
	tagInitial = "initial:" // the first letter of a word: so many words begin with it that they are not counted out
	tagID      = "id:"
	tagOwner   = "owner:" // bits only: an index of keys has the rows
)

const (
	tagLongest  = 600 // bytes; an index of PostgreSQL holds a third of a page
	tagsAtOnce  = 16  // rows of one statement
	tagBetween  = "\n"
	tagBitCount = 63
)

// tagOf is a tag. One that would be too long, or could not stand between line ends, is
// known by its hash.
func tagOf(kind, text string) string {
	if len(text) <= tagLongest && !strings.Contains(text, tagBetween) {
		return kind + text
	}
	sum := sha256.Sum256([]byte(text))
	return kind + "#" + hex.EncodeToString(sum[:])
}

func tagOfPair(name, value string) string { return tagOf(tagMeta, name+"="+value) }

// wordsOf are the words of a name, or of what is looked for in names.
func wordsOf(name string) []string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	for i, w := range words {
		for len(w) > tagLongest {
			_, last := utf8.DecodeLastRuneInString(w)
			w = w[:len(w)-last]
		}
		words[i] = w
	}
	return words
}

func initial(word string) string {
	_, first := utf8.DecodeRuneInString(word)
	return tagInitial + word[:first]
}

// keyTags are the tags of a key, in order.
func keyTags(k *gatehouse.Key) []string {
	if !k.Deleted.IsZero() {
		return nil
	}
	tags := []string{tagOf(tagID, strings.ToLower(k.ID))}
	for _, s := range k.Schemes {
		tags = append(tags, tagOf(tagScheme, s))
	}
	for _, s := range k.Scopes {
		tags = append(tags, tagOf(tagScope, string(s)))
	}
	for name, value := range k.Metadata {
		tags = append(tags, tagOfPair(name, value))
	}
	for _, w := range wordsOf(k.Name) {
		tags = append(tags, tagWord+w, initial(w))
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// tagColumn is what is stored of tags in the row of the key.
func tagColumn(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return tagBetween + strings.Join(tags, tagBetween) + tagBetween
}

func splitTags(column string) []string {
	return strings.FieldsFunc(column, func(r rune) bool { return string(r) == tagBetween })
}

// tagBits has the bits of tags set. An id has none: no other key has it.
func tagBits(tags ...string) (bits int64) {
	for _, t := range tags {
		if strings.HasPrefix(t, tagID) {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(t)) // never fails
		sum := h.Sum64()
		bits |= 1<<(sum%tagBitCount) | 1<<(sum/tagBitCount%tagBitCount)
	}
	return bits
}

const (
	readTags = "SELECT tags, bits, created FROM keys WHERE tenant = $1 AND id = $2"

	writeTags = "UPDATE keys SET tags = $3, bits = $4 WHERE tenant = $1 AND id = $2"

	dropTags = "DELETE FROM key_tags WHERE tenant = $1 AND created = $2 AND id = $3 AND tag IN ("
)

// tagged is a key in the tables of tags.
type tagged struct {
	tenant, id    string
	created, bits int64
	column        string
}

func taggedKey(k *gatehouse.Key) tagged {
	tags := keyTags(k)
	return tagged{k.Tenant, k.ID, micros(k.Created), tagBits(append(tags, tagOwner+k.Principal)...), tagColumn(tags)}
}

// read brings t to what is stored of its key.
func (t *tagged) read(ctx context.Context, tx Querier) error {
	if !allStorable([]any{t.tenant, t.id}) {
		return nil // there is none; the update will say so
	}
	return tx.Query(ctx, readTags, []any{t.tenant, t.id}, func(r Row) error {
		c := columnsOf(r)
		t.column, t.bits, t.created = c.text(), c.number(), c.number()
		return c.done()
	})
}

// retag replaces the tags of a key where they have changed.
func retag(ctx context.Context, tx Querier, before, after tagged) error {
	if before == after {
		return nil
	}
	if err := before.drop(ctx, tx); err != nil {
		return err
	}
	if err := after.insert(ctx, tx); err != nil {
		return err
	}
	_, err := exec(ctx, tx, writeTags, after.tenant, after.id, after.column, after.bits)
	return err
}

func (t *tagged) insert(ctx context.Context, tx Querier) error {
	for part := range slices.Chunk(splitTags(t.column), tagsAtOnce) {
		args := []any{t.tenant, t.created, t.id, Place(t.id), t.bits}
		for _, tag := range part {
			args = append(args, tag)
		}
		if _, err := exec(ctx, tx, insertTags[len(part)], args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *tagged) drop(ctx context.Context, tx Querier) error {
	for part := range slices.Chunk(splitTags(t.column), tagsAtOnce) {
		s := &selection{args: []any{t.tenant, t.created, t.id}}
		if _, err := exec(ctx, tx, dropTags+s.list(part)+")", s.args...); err != nil {
			return err
		}
	}
	return nil
}

// insertTags are the statements that add so many tags of one key.
var insertTags = func() (texts [tagsAtOnce + 1]string) {
	values := ""
	for rows := 1; rows < len(texts); rows++ {
		values += ", ($1, $" + strconv.Itoa(5+rows) + ", $2, $3, $4, $5)"
		texts[rows] = "INSERT INTO key_tags (tenant, tag, created, id, place, bits) VALUES " + values[2:]
	}
	return texts
}()

// untagged are keys of an older database, which have neither metadata nor an end.
const untagged = "SELECT place, tenant, id, principal, created, name, schemes, scopes FROM keys WHERE place >= $1 ORDER BY place LIMIT $2"

// tagAll gives the keys of an older database their tags, see 0005_life.sql.
func tagAll(ctx context.Context, tx *sql.Tx) error {
	const some = 1000
	for place, more := int64(math.MinInt64), true; more; {
		keys, last, err := readUntagged(ctx, tx, place, some)
		if err != nil {
			return err
		}
		for i := range keys {
			k := taggedKey(&keys[i])
			if err := retag(ctx, migrating{tx}, tagged{}, k); err != nil {
				return err
			}
		}
		place, more = last+1, len(keys) == some && last < math.MaxInt64
	}
	return nil
}

func readUntagged(ctx context.Context, tx *sql.Tx, from int64, limit int) (keys []gatehouse.Key, last int64, err error) {
	rows, err := tx.QueryContext(ctx, untagged, from, limit)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k gatehouse.Key
		var created int64
		var schemes, scopes string
		if err := rows.Scan(&last, &k.Tenant, &k.ID, &k.Principal, &created, &k.Name, &schemes, &scopes); err != nil {
			return nil, 0, err
		}
		c := columnsOf(Row{created, schemes, scopes})
		k.Created, k.Schemes, k.Scopes = c.moment(), words[string](&c), words[gatehouse.Scope](&c)
		if err := c.done(); err != nil {
			return nil, 0, err
		}
		keys = append(keys, k)
	}
	return keys, last, rows.Err()
}

// migrating is a Querier that only writes.
type migrating struct{ tx *sql.Tx }

func (m migrating) Query(context.Context, string, []any, func(Row) error) error {
	return errors.ErrUnsupported
}

func (m migrating) Exec(ctx context.Context, text string, args []any) (int64, error) {
	result, err := m.tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
