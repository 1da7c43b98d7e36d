// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/epoch"
)

// ErrTooFar: a claim ends or was signed further in the future than the options allow. It
// comes with [gatehouse.ErrUnavailable].
var ErrTooFar = errors.New("too far in the future")

// claimText inserts a pair where the birth allows it. A pair that has ended gives its row to a
// new claim. It returns the server's time, whether the birth is good, its floor, zero without
// one, and the time after the row was written, NULL where none was.
//
// The last guards against a claim that stood still while its pair ended and was purged: it
// has written a row where the first claim's was. $1 digest, $2 until, $3 signed, $4 how far
// ahead it may be, $5 how far the end may be, $6 clock.
var claimText = `
WITH t AS MATERIALIZED (SELECT ` + clock("$6") + ` AS now),
b AS MATERIALIZED (SELECT floor, forgotten, self = 'nonces'::regclass::oid::bigint AS good FROM nonce_birth),
claimed AS (
	INSERT INTO nonces AS n (digest, until)
	SELECT $1::bytea, $2::bigint FROM t, b
	WHERE b.good AND $3::bigint > b.floor AND $2 > b.forgotten AND $2 > t.now AND $3 <= t.now + $4::bigint AND $2 <= t.now + $5::bigint
	ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE n.until <= ` + clock("$6") + `
	RETURNING ` + clock("$6") + ` AS written)
SELECT t.now, coalesce((SELECT good FROM b), false), coalesce((SELECT floor FROM b), 0), (SELECT written FROM claimed) FROM t`

// Claim implements [gatehouse.ReplayCache]. It is one statement.
//
// A pair is free again when the server's clock shows its end. A claim that ends when the
// clock shows its end or before is refused, and so is one signed at or before the floor, once
// the clock has passed that. Errors wrap [gatehouse.ErrUnavailable]; beside it
// *[gatehouse.RetryError] until then, [ErrTooFar] for a claim beyond MaxWindow or MaxAhead, or
// the driver's. After one of these the nonce may be used up: where the connection broke while
// the server committed.
func (s *State) Claim(ctx context.Context, key, nonce string, signed, until time.Time) (bool, error) {
	var (
		now, floor int64
		good       bool
		written    sql.NullInt64
	)
	id, at, end := digest(key, nonce), epoch.Nanos(signed), epoch.Nanos(until)
	ahead, window := int64(s.o.MaxAhead+s.o.Skew), int64(s.o.MaxWindow+s.o.Skew)
	err := s.again(ctx, func() error {
		return s.pool.QueryRowContext(ctx, claimText, id, end, at, ahead, window, s.now()).Scan(&now, &good, &floor, &written)
	})
	if err == nil && !good {
		// The floor of the birth that this sees to, by whichever node, is no farther ahead.
		floor = now + int64(s.birthAhead())
		err = s.bear(ctx, onPool(s.pool), false)
	}
	switch {
	case err != nil:
		return false, gatehouse.Unavailable("claim nonce", err)
	case written.Valid:
		return written.Int64 < end, nil
	case at > now+ahead || end > now+window:
		return false, gatehouse.Unavailable("claim nonce", ErrTooFar)
	case at <= floor && end > now:
		return false, gatehouse.BelowFloor(time.Duration(floor - now))
	}
	return false, nil
}

// birthText begins a memory where there is no birth of this very table. It returns the floor,
// NULL if there is one. $1 clock, $2 what is added to it; NULL: no floor.
var birthText = `
WITH born AS (
	INSERT INTO nonce_birth AS b (one, floor, forgotten, self, system)
	SELECT 1, coalesce(` + clock("$1") + ` + $2::bigint, 0), 0, 'nonces'::regclass::oid::bigint, c.system_identifier
	FROM pg_control_system() c
	ON CONFLICT (one) DO UPDATE SET floor = greatest(b.floor, excluded.floor), self = excluded.self, system = excluded.system
	WHERE b.self <> excluded.self OR b.system <> excluded.system
	RETURNING floor)
SELECT (SELECT floor FROM born)`

type row interface{ Scan(into ...any) error }

type queryRow func(ctx context.Context, text string, args ...any) row

func onPool(pool *sql.DB) queryRow {
	return func(ctx context.Context, text string, args ...any) row {
		return pool.QueryRowContext(ctx, text, args...)
	}
}

// birthAhead is how far the floor of a birth is ahead. The clock of this server may be behind
// the one that earlier claims were held to, hence the second Skew.
func (s *State) birthAhead() time.Duration { return s.o.MaxAhead + 2*s.o.Skew }

// bear sees to it that there is a birth. Nodes that do so together make one.
func (s *State) bear(ctx context.Context, query queryRow, fresh bool) error {
	var (
		ahead any
		floor sql.NullInt64
	)
	if !fresh {
		ahead = int64(s.birthAhead())
	}
	err := s.again(ctx, func() error { return query(ctx, birthText, s.now(), ahead).Scan(&floor) })
	if err == nil && floor.Int64 > 0 {
		s.o.Logger.WarnContext(ctx, "what nonces were used before is not known: those signed up to the floor are not claimed",
			"floor", time.Unix(0, floor.Int64).UTC())
	}
	return err
}

// digest stands for a list of texts: 128 bits of SHA-256. Each text has its length in front,
// so that no two lists read the same.
func digest(texts ...string) []byte {
	var buf [256]byte // keeps texts of a usual length off the heap
	b := buf[:0]
	for _, t := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(t)))
		b = append(b, t...)
	}
	sum := sha256.Sum256(b)
	return sum[:16]
}
