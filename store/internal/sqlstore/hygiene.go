// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Which keys want looking after is told in the database, key by key from the oldest on,
// until there are enough of them. $3 is since when what happened is lately. The number of
// scopes of a key is that of the separators in their list and one.
const (
	hygieneKeys = " AND k.state = 'active' AND k.deleted = 0 AND (k.expires = 0 OR k.expires > $2) AND (k.expires = 0" +
		" OR k.last_used < $3 AND (k.last_used <> 0 OR k.created < $3)" +
		" OR k.scopes <> '' AND k.created < $3 AND" +
		" (SELECT count(*) FROM usage_scopes u WHERE u.tenant = k.tenant AND u.key_id = k.id AND u.last_at >= $3" +
		" AND replace(k.scopes, '\"' || u.scope || '\"', '') <> k.scopes)" +
		" < 1 + (length(k.scopes) - length(replace(k.scopes, '\",\"', ''))) / 3"

	hygieneLegacy = " OR EXISTS (SELECT 1 FROM usage_schemes s WHERE s.tenant = k.tenant AND s.key_id = k.id AND s.last_at >= $3"

	// hygieneChunk is of how many keys the details are read at once.
	hygieneChunk = 256
)

// Hygiene implements [gatehouse.UsageStore]. An Unused or a Limit that is not positive is an
// *[gatehouse.InvalidError].
func (db *DB) Hygiene(ctx context.Context, q gatehouse.HygieneQuery) ([]gatehouse.Hygiene, error) {
	switch {
	case q.Unused <= 0:
		return nil, &gatehouse.InvalidError{Field: "unused", Problem: "is not positive"}
	case q.Limit <= 0:
		return nil, &gatehouse.InvalidError{Field: "limit", Problem: "is not positive"}
	}
	old := q.Now.Add(-q.Unused)
	found, err := db.untidy(ctx, &q, old)
	if err != nil {
		return nil, db.fail("read hygiene", err)
	}
	for chunk := range slices.Chunk(found, hygieneChunk) {
		if err := db.hygieneDetails(ctx, &q, old, chunk); err != nil {
			return nil, db.fail("read hygiene", err)
		}
	}
	return slices.DeleteFunc(found, func(h gatehouse.Hygiene) bool {
		return !h.Unused && !h.Never && !h.Endless && len(h.Idle)+len(h.Legacy) == 0
	}), nil
}

// untidy reads the keys, and says what their own record tells.
func (db *DB) untidy(ctx context.Context, q *gatehouse.HygieneQuery, old time.Time) (found []gatehouse.Hygiene, err error) {
	s := selectFrom("keys k", q.Tenant)
	s.args = append(s.args, micros(q.Now), micros(old))
	s.text.WriteString(hygieneKeys)
	if len(q.Legacy) > 0 {
		s.text.WriteString(hygieneLegacy)
		s.in("s.scheme", q.Legacy)
		s.text.WriteString(")")
	}
	s.text.WriteString(") ORDER BY k.created, k.id LIMIT " + s.parameter(int64(q.Limit)))
	err = db.read(ctx, "SELECT "+joined(keyFields)+" "+s.text.String(), s.args, func(r Row) error {
		var h gatehouse.Hygiene
		c := columnsOf(r)
		c.open()
		c.key(&h.Key)
		c.shut()
		k := &h.Key
		h.Endless = k.Expires.IsZero()
		h.Never = k.LastUsed.IsZero() && k.Created.Before(old)
		h.Unused = !k.LastUsed.IsZero() && k.LastUsed.Before(old)
		if !h.Unused && !k.LastUsed.IsZero() && k.Created.Before(old) {
			h.Idle = slices.Clone(k.Scopes)
		}
		found = append(found, h)
		return c.done()
	})
	return found, err
}

// hygieneDetails takes from Idle what was demanded lately, and fills Legacy.
func (db *DB) hygieneDetails(ctx context.Context, q *gatehouse.HygieneQuery, old time.Time, chunk []gatehouse.Hygiene) error {
	ids, byID := make([]string, len(chunk)), make(map[string]*gatehouse.Hygiene, len(chunk))
	for i := range chunk {
		ids[i] = chunk[i].Key.ID
		byID[ids[i]] = &chunk[i]
	}
	err := db.used(ctx, "scope", "usage_scopes", q.Tenant, ids, old, func(keyID, scope string) {
		h := byID[keyID]
		h.Idle = slices.DeleteFunc(h.Idle, func(s gatehouse.Scope) bool { return string(s) == scope })
	})
	if err != nil || len(q.Legacy) == 0 {
		return err
	}
	return db.used(ctx, "scheme", "usage_schemes", q.Tenant, ids, old, func(keyID, scheme string) {
		h := byID[keyID]
		if slices.Contains(q.Legacy, scheme) && !slices.Contains(h.Legacy, scheme) {
			h.Legacy = append(h.Legacy, scheme)
		}
	})
}

// used tells what of a kind the keys used lately.
func (db *DB) used(ctx context.Context, column, table, tenant string, ids []string, old time.Time, each func(keyID, what string)) error {
	s := selectFrom(table, tenant)
	s.in("key_id", ids)
	s.and("last_at >=", micros(old))
	return db.read(ctx, "SELECT key_id, "+column+" "+s.text.String()+" ORDER BY key_id, "+column, s.args, func(r Row) error {
		c := columnsOf(r)
		each(c.text(), c.text())
		return c.done()
	})
}
