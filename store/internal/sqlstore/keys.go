// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/seed14544106/gatehouse"
)

const (
	keyFields = "k.id, k.tenant, k.principal, k.name, k.prefix, k.schemes, k.scopes, k.networks, k.limits, k.replay, " +
		"k.state, k.state_text, k.not_before, k.expires, k.created, k.updated, k.unused, k.last_used, k.version, " +
		"k.methods, k.paths, k.signed, k.metadata, k.deleted"

	principalFields = "a.kind, a.uid, a.email, a.username, a.role, a.level, a.state, a.referral, a.otp, a.version, a.limits"
)

var (
	// The copy of the principal is read, see owner.go. The tenant has no copies: a change of
	// it would write all of its keys.
	lookup = "SELECT " + joined(keyFields+", k.owner, "+tenantOfKey) + ", k.materials FROM keys k WHERE k.place = $1 AND k.id = $2"

	getKey = "SELECT " + joined(keyFields) + ", k.materials FROM keys k WHERE k.tenant = $1 AND k.id = $2"

	getPrincipal = "SELECT " + joined(principalFields) + " FROM accounts a WHERE a.tenant = $1 AND a.id = $2"
)

var (
	insertKey = "INSERT INTO keys (id, tenant, principal, name, prefix, schemes, scopes, networks, limits, replay, " +
		"state, state_text, not_before, expires, created, updated, materials, principal_place, unused, methods, paths, signed, metadata, deleted, " +
		"place, last_used, tags, bits, version, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, " +
		"$20, $21, $22, $23, $24, $25, $26, $27, $28, 1, " + ownerAt("$18") + ")"

	// A revoked row takes nothing but another revoked one, and a deleted one nothing but one
	// that was deleted then. The last use is not the caller's to write: it moves on its own,
	// see touchKey.
	updateKey = "UPDATE keys SET principal = $3, name = $4, prefix = $5, schemes = $6, scopes = $7, networks = $8, limits = $9, " +
		"replay = $10, state = $11, state_text = $12, not_before = $13, expires = $14, created = $15, updated = $16, " +
		"materials = $17, principal_place = $18, unused = $19, methods = $20, paths = $21, signed = $22, metadata = $23, deleted = $24, " +
		"version = version + 1, owner = " + ownerAt("$18") +
		" WHERE id = $1 AND tenant = $2 AND version = $25 AND (state <> 'revoked' OR state = $11) AND (deleted = 0 OR deleted = $24)"
)

const hasKey = "SELECT 1 FROM keys WHERE tenant = $1 AND id = $2"

// Place is the number that a row is found by besides its id: the first eight bytes of
// SHA-256 of the id. Two ids with one place cannot both be stored; the second is
// gatehouse.ErrExists, one time in 2^64.
func Place(id string) int64 {
	sum := sha256.Sum256([]byte(id))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// Lookup implements [gatehouse.Store].
func (db *DB) Lookup(ctx context.Context, keyID string) (*gatehouse.Record, error) {
	if db.cache != nil {
		return db.cache.lookup(ctx, db, keyID)
	}
	return db.record(ctx, keyID)
}

// record reads the record of a key id from the engine.
func (db *DB) record(ctx context.Context, keyID string) (rec *gatehouse.Record, err error) {
	err = db.one(ctx, lookup, []any{Place(keyID), keyID}, func(r Row) error {
		rec = &gatehouse.Record{}
		return recordOf(r, rec)
	})
	if err != nil {
		return nil, db.fail("look up key", err)
	}
	return rec, nil
}

// recordOf reads a row of lookup.
func recordOf(r Row, out *gatehouse.Record) error {
	c := columnsOf(r)
	c.open()
	c.record(out)
	c.materials(&out.Key)
	return c.done()
}

// record reads the joined column of lookup, to its end.
func (c *columns) record(out *gatehouse.Record) {
	c.key(&out.Key)
	c.principal(&out.Principal)
	c.tenantBrief(&out.Tenant)
	c.shut()
	out.Principal.ID, out.Principal.Tenant = out.Key.Principal, out.Key.Tenant
}

// Principal implements [gatehouse.Store].
func (db *DB) Principal(ctx context.Context, tenant, id string) (gatehouse.Principal, error) {
	out := gatehouse.Principal{ID: id, Tenant: tenant}
	err := db.one(ctx, getPrincipal, []any{tenant, id}, func(r Row) error {
		c := columnsOf(r)
		c.open()
		c.principal(&out)
		c.shut()
		return c.done()
	})
	if err != nil {
		return gatehouse.Principal{}, db.fail("read principal", err)
	}
	return out, nil
}

// GetKey implements [gatehouse.Store].
func (db *DB) GetKey(ctx context.Context, tenant, keyID string) (gatehouse.Key, error) {
	var out gatehouse.Key
	err := db.one(ctx, getKey, []any{tenant, keyID}, func(r Row) error {
		c := columnsOf(r)
		c.open()
		c.key(&out)
		c.shut()
		c.materials(&out)
		return c.done()
	})
	if err != nil {
		return gatehouse.Key{}, db.fail("read key", err)
	}
	return out, nil
}

// ListKeys implements [gatehouse.Store]. Keys that are equal in the order's column come
// by creation, oldest first, whatever Desc says. Revoked keys are in the list unless
// States says otherwise.
func (db *DB) ListKeys(ctx context.Context, q gatehouse.KeyQuery) ([]gatehouse.Key, int, error) {
	s := selectFrom("keys k", q.Tenant)
	s.text.WriteString(" AND deleted = 0")
	if q.Principal != "" {
		s.and("principal =", q.Principal)
	}
	if len(q.States) > 0 {
		states := make([]string, len(q.States))
		for i, state := range q.States {
			states[i] = state.String()
		}
		s.in("state", states)
	}
	var keys []gatehouse.Key
	total, err := db.page(ctx, joined(keyFields), s, keyOrder(q.Order, q.Desc), q.Offset, q.Limit, func(r Row) error {
		c := columnsOf(r)
		var k gatehouse.Key
		c.open()
		c.key(&k)
		c.shut()
		keys = append(keys, k)
		return c.done()
	})
	if err != nil {
		return nil, 0, db.fail("list keys", err)
	}
	return keys, total, nil
}

func keyOrder(o gatehouse.KeyOrder, desc bool) string {
	by := map[gatehouse.KeyOrder]string{
		gatehouse.KeyOrderID:      "k.id",
		gatehouse.KeyOrderUpdated: "k.updated",
		gatehouse.KeyOrderState:   "CASE WHEN k.state_text = '' THEN k.state ELSE k.state_text END",
		gatehouse.KeyOrderScopes:  "k.scopes",
	}[o]
	direction := ""
	if desc {
		direction = " DESC"
	}
	if by == "" {
		return "k.created" + direction + ", k.id" + direction
	}
	return by + direction + ", k.created, k.id"
}

// InsertKey implements [gatehouse.Store].
func (db *DB) InsertKey(ctx context.Context, k *gatehouse.Key, e *gatehouse.Event) error {
	return db.insertKeys(ctx, "insert key", []*gatehouse.Key{k}, []*gatehouse.Event{e})
}

// InsertKeys implements [gatehouse.Store]. No keys are no change; a list of events of
// another length is an *InvalidError.
func (db *DB) InsertKeys(ctx context.Context, ks []*gatehouse.Key, es []*gatehouse.Event) error {
	if len(es) != len(ks) {
		return db.fail("insert keys", &gatehouse.InvalidError{Field: "events", Problem: "are not as many as the keys"})
	}
	if len(ks) == 0 {
		return nil
	}
	return db.insertKeys(ctx, "insert keys", ks, es)
}

func (db *DB) insertKeys(ctx context.Context, what string, ks []*gatehouse.Key, es []*gatehouse.Event) error {
	rows, tags := make([][]any, len(ks)), make([]tagged, len(ks))
	for i, k := range ks {
		args, err := keyArgs(k)
		if err != nil {
			return db.fail(what, err)
		}
		tags[i] = taggedKey(k)
		rows[i] = append(args, Place(k.ID), micros(k.LastUsed), tags[i].column, tags[i].bits)
	}
	return db.changes(ctx, what, es, quietly(func(ctx context.Context, tx Querier) error {
		for i, args := range rows {
			if _, err := exec(ctx, tx, insertKey, args...); err != nil {
				return err
			}
			if err := tags[i].insert(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}))
}

// UpdateKey implements [gatehouse.Store]. An update that would take a revoked key out
// of its state, or bring a deleted one back, is an ErrConflict.
func (db *DB) UpdateKey(ctx context.Context, k *gatehouse.Key, e *gatehouse.Event) error {
	args, err := keyArgs(k)
	if err != nil {
		return db.fail("update key", err)
	}
	args = append(args, k.Version)
	tags := taggedKey(k)
	return db.told(ctx, "update key", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		before := tagged{tenant: k.Tenant, id: k.ID}
		if err := before.read(ctx, tx); err != nil {
			return nil, err
		}
		n, err := exec(ctx, tx, updateKey, args...)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, missed(ctx, tx, hasKey, k.Tenant, k.ID)
		}
		return notice(gatehouse.NoticeKey, k.Tenant, k.ID, e.Ends()), retag(ctx, tx, before, tags)
	})
}

// missed tells why an update guarded by a version touched no row. text selects the row
// by tenant and id.
func missed(ctx context.Context, tx Querier, text, tenant, id string) error {
	there, err := has(ctx, tx, text, tenant, id)
	switch {
	case err != nil:
		return err
	case there:
		return gatehouse.ErrConflict
	}
	return gatehouse.ErrNotFound
}
