// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"context"
	"slices"

	"github.com/seed14544106/gatehouse"
)

const (
	getHead = "SELECT seq, hash, since, mac FROM chains WHERE tenant = $1"

	// The head, and the last event.
	chainEnds = getHead + " UNION ALL " +
		"SELECT seq, hash, -1, NULL FROM events WHERE tenant = $1 AND seq = (SELECT max(seq) FROM events WHERE tenant = $1)"

	chainWitnesses = "SELECT id FROM data_keys WHERE tenant = $1 UNION ALL " +
		"SELECT id FROM accounts WHERE tenant = $1 AND created = (SELECT min(created) FROM accounts WHERE tenant = $1)"

	moveHead = "INSERT INTO chains (tenant, seq, hash, since, mac) VALUES ($1, $2, $3, $4, $5) " +
		"ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, since = excluded.since, mac = excluded.mac"
)

// SignChain sets the key that the heads of chains are signed with. It must be called
// before the first write; without it, or with an empty key, heads are not signed.
func (db *DB) SignChain(key []byte) { db.chainKey = slices.Clone(key) }

// ChainHead is the method of [gatehouse.ChainStore].
func (db *DB) ChainHead(ctx context.Context, tenant string) (gatehouse.ChainHead, error) {
	var head gatehouse.ChainHead
	err := db.one(ctx, getHead, []any{tenant}, func(r Row) error {
		c := columnsOf(r)
		head = c.head(tenant)
		return c.done()
	})
	if err != nil {
		return gatehouse.ChainHead{}, db.fail("read head of chain", err)
	}
	return head, nil
}

// ChainWitnesses is the method of [gatehouse.ChainStore].
func (db *DB) ChainWitnesses(ctx context.Context, tenant string) (ids []string, err error) {
	err = db.read(ctx, chainWitnesses, []any{tenant}, func(r Row) error {
		c := columnsOf(r)
		ids = append(ids, c.text())
		return c.done()
	})
	if err != nil {
		return nil, db.fail("read witnesses of chain", err)
	}
	return ids, nil
}

// head reads the columns of getHead.
func (c *columns) head(tenant string) gatehouse.ChainHead {
	return gatehouse.ChainHead{
		Tenant: tenant, ChainPoint: gatehouse.ChainPoint{Seq: c.number(), Hash: c.blob()}, Since: c.number(), MAC: c.blob(),
	}
}

// extend adds events to the ends of their chains. It comes last in a transaction, so
// that chains are held up as shortly as can be.
func (db *DB) extend(ctx context.Context, tx Querier, es []*gatehouse.Event) error {
	var head gatehouse.ChainHead
	for i, e := range es {
		if i == 0 || e.Tenant != head.Tenant {
			var err error
			if head, err = db.chainEnd(ctx, tx, e.Tenant); err != nil {
				return err
			}
		}
		e.Seq, e.Prev = head.Seq+1, head.Hash
		e.Hash = e.ChainHash()
		if err := db.insertEvent(ctx, tx, e); err != nil {
			return err
		}
		head.Seq, head.Hash = e.Seq, e.Hash
		if i+1 < len(es) && es[i+1].Tenant == e.Tenant {
			continue
		}
		if len(db.chainKey) > 0 {
			head.MAC = head.Sum(db.chainKey)
		}
		if _, err := exec(ctx, tx, moveHead, head.Tenant, head.Seq, head.Hash, head.Since, blob(head.MAC)); err != nil {
			return err
		}
	}
	return nil
}

// chainEnd reads where a chain goes on. Where head and last event are not the same, an
// event was taken away or added by another hand, or by a program that knows of no heads.
// The chain goes on after the further of the two: what was taken away stays a gap, and
// what was added is not vouched for, because Since moves behind it.
func (db *DB) chainEnd(ctx context.Context, tx Querier, tenant string) (gatehouse.ChainHead, error) {
	head, last := gatehouse.ChainHead{Tenant: tenant}, gatehouse.ChainHead{}
	err := tx.Query(ctx, chainEnds, []any{tenant}, func(r Row) error {
		c := columnsOf(r)
		end := c.head(tenant)
		if end.Since < 0 {
			last = end
		} else {
			head = end
		}
		return c.done()
	})
	if err != nil {
		return head, err
	}
	intact := head.Seq == last.Seq && bytes.Equal(head.Hash, last.Hash)
	signed := len(db.chainKey) > 0 && head.Signed(db.chainKey)
	if last.Seq > head.Seq {
		head.ChainPoint = last.ChainPoint
	}
	head.MAC = nil
	switch {
	case len(db.chainKey) == 0:
		head.Since = 0
	case !intact || !signed:
		head.Since = head.Seq + 1
	}
	return head, nil
}
