// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	purgeRows    = 1000        // of a statement
	purgeBatches = 64          // of a call, for each table
	purgeKeep    = time.Minute // that a counter stays after it last said anything; nobody can be as late
)

// purgeNonces drops pairs that have ended and notes that they are forgotten. $1 clock, $2 how
// many at most.
var purgeNonces = `
WITH t AS MATERIALIZED (SELECT ` + clock("$1") + ` AS now),
gone AS (
	DELETE FROM nonces WHERE digest IN (
		SELECT digest FROM nonces WHERE until <= (SELECT now FROM t) ORDER BY until LIMIT $2)
	RETURNING until),
noted AS (
	UPDATE nonce_birth SET forgotten = greatest(forgotten, (SELECT max(until) FROM gone))
	WHERE EXISTS (SELECT 1 FROM gone))
SELECT count(*) FROM gone`

const (
	// endOfBatch is the last of so many counters after $1. $2 how many, less one.
	endOfBatch = `SELECT id FROM limit_counters WHERE id > $1::bytea ORDER BY id OFFSET $2 LIMIT 1`
	// lastCounter is after all others.
	lastCounter = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
)

// purgeCounters drops counters that say nothing. $1 after which, $2 up to which, $3 clock,
// $4 how long they stay.
var purgeCounters = `DELETE FROM limit_counters WHERE id > $1::bytea AND id <= $2::bytea AND tat <= ` + clock("$3") + ` - $4::bigint`

// Purge drops nonces that have ended and counters that owe nothing, a bounded number of each.
// Call it every second; nodes may do so at the same time. Nothing depends on it but space.
// Errors wrap [gatehouse.ErrUnavailable].
func (s *State) Purge(ctx context.Context) error {
	err := errors.Join(s.purge(ctx, s.nonces), s.purge(ctx, s.counters))
	if err != nil {
		return gatehouse.Unavailable("purge state", err)
	}
	return nil
}

// purge runs batches until one says that there is not much more. It ends early where another
// node is at the same rows.
func (s *State) purge(ctx context.Context, batch func(context.Context) (more bool, err error)) error {
	for range purgeBatches {
		more, err := batch(ctx)
		if c := code(err); c == serializationFailure || c == deadlockDetected {
			return nil
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *State) nonces(ctx context.Context) (more bool, err error) {
	n := 0
	err = s.pool.QueryRowContext(ctx, purgeNonces, s.now(), purgeRows).Scan(&n)
	return n == purgeRows, err
}

// counters looks at the next ones in the order of their ids, and goes around at the end. An
// index of the instants would show those to drop, and make every charge write to it. Ids are
// digests, so a batch tells how many there are elsewhere.
func (s *State) counters(ctx context.Context) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last []byte
	err = s.pool.QueryRowContext(ctx, endOfBatch, s.cursor, purgeRows-1).Scan(&last)
	around := errors.Is(err, sql.ErrNoRows)
	if around {
		last, err = []byte(lastCounter), nil
	}
	if err != nil {
		return false, err
	}
	result, err := s.pool.ExecContext(ctx, purgeCounters, s.cursor, last, s.now(), int64(purgeKeep))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	if s.cursor = last; around {
		s.cursor = []byte{}
	}
	return n > purgeRows/4 && !around, err
}
