// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	// Never back: the later of two uses stays, whichever is written last.
	touchKey = "UPDATE keys SET last_used = $3 WHERE place = $1 AND id = $2 AND last_used < $3"

	attemptColumns = "time, tenant, scheme, key_id, principal, peer, user_agent, outcome"

	insertAttempt = "INSERT INTO attempts (id, " + attemptColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"

	// The 5,000th of all attempts, oldest first, is where one call stops.
	purgeAttempts = "DELETE FROM attempts WHERE time < $1 AND " +
		"time <= COALESCE((SELECT time FROM attempts ORDER BY time LIMIT 1 OFFSET 4999), $1)"
)

// TouchKeys implements [gatehouse.UseStore]. Records kept in memory stay: see cache.
func (db *DB) TouchKeys(ctx context.Context, uses []gatehouse.Use) error {
	// An id that no engine keeps is unknown to all. The others come in one order, so that
	// two nodes that touch the same keys do not stand in each other's way.
	uses = slices.DeleteFunc(slices.Clone(uses), func(u gatehouse.Use) bool { return !storable(u.KeyID) })
	if len(uses) == 0 {
		return nil
	}
	slices.SortFunc(uses, func(a, b gatehouse.Use) int { return strings.Compare(a.KeyID, b.KeyID) })
	err := db.note(ctx, "touch keys", func(ctx context.Context, tx Querier) error {
		for _, u := range uses {
			if _, err := exec(ctx, tx, touchKey, Place(u.KeyID), u.KeyID, micros(u.Time)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && db.cache != nil {
		db.cache.touch(uses)
	}
	return err
}

// InsertAttempts implements [gatehouse.AttemptStore].
func (db *DB) InsertAttempts(ctx context.Context, as []gatehouse.Attempt) error {
	if len(as) == 0 {
		return nil
	}
	return db.note(ctx, "insert attempts", func(ctx context.Context, tx Querier) error {
		for i := range as {
			if _, err := exec(ctx, tx, insertAttempt, attemptArgs(&as[i])...); err != nil {
				return err
			}
		}
		return nil
	})
}

// attemptArgs are the arguments of insertAttempt. A client chooses some of the text: it
// must not keep an attempt from being written.
func attemptArgs(a *gatehouse.Attempt) []any {
	args := []any{rand.Int64(), micros(a.Time)}
	for _, text := range []string{a.Tenant, a.Scheme, a.KeyID, a.Principal, addressText(a.Peer), a.UserAgent, a.Outcome} {
		args = append(args, unkept.Replace(asText(text)))
	}
	return args
}

// ListAttempts implements [gatehouse.AttemptStore].
func (db *DB) ListAttempts(ctx context.Context, q gatehouse.AttemptQuery) ([]gatehouse.Attempt, error) {
	s := selectFrom("attempts", q.Tenant)
	if q.KeyID != "" {
		s.and("key_id <> '' AND key_id =", q.KeyID)
	}
	text := "SELECT " + attemptColumns + " " + s.text.String() + " ORDER BY time DESC, id DESC"
	if q.Limit > 0 {
		text += " LIMIT " + s.parameter(int64(q.Limit))
	}
	var attempts []gatehouse.Attempt
	err := db.read(ctx, text, s.args, func(r Row) error {
		c := columnsOf(r)
		attempts = append(attempts, gatehouse.Attempt{
			Time: c.moment(), Tenant: c.text(), Scheme: c.text(), KeyID: c.text(), Principal: c.text(), Peer: c.address(),
			UserAgent: c.text(), Outcome: c.text(),
		})
		return c.done()
	})
	if err != nil {
		return nil, db.fail("list attempts", err)
	}
	return attempts, nil
}

// PurgeAttempts implements [gatehouse.AttemptStore].
func (db *DB) PurgeAttempts(ctx context.Context, before time.Time) error {
	return db.note(ctx, "purge attempts", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, purgeAttempts, micros(before))
		return err
	})
}
