// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"

	"github.com/seed14544106/gatehouse"
)

// Unreadable counts in [Rows.References] what nobody can tell the reference of: rows that
// cannot be read. No KEK, pepper or data key has this name.
const Unreadable = ""

// Rows are the rows of a store that refer to keys of a keyring, directly or through a
// data key. Implementations pass gatehousetest.Rows. Errors that are not named here wrap
// [gatehouse.ErrUnavailable].
type Rows interface {
	// Reseal reads the next rows that may hold sealed secrets, limit at most, after the
	// place after (empty: from the beginning), and calls again for every sealed secret
	// in them. The binding is the secret's own, without its purpose. Where again returns
	// another Sealed than it was given, the row is replaced, unless somebody changed it
	// since it was read; the change moves the row's version on, so that a writer who
	// read it before gets gatehouse.ErrConflict, and writes no event. A row that cannot
	// be read is one secret with an empty Sealed.
	//
	// next is the place to go on from, empty after the last row; read counts the rows;
	// stale counts those of which again returned another Sealed, replaced or not. An
	// error of again changes nothing and is returned as it is.
	Reseal(ctx context.Context, after string, limit int, again func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (next string, read, stale int, err error)

	// CountRows returns how many rows Reseal reads from the beginning to the end.
	CountRows(ctx context.Context) (int, error)

	// References counts the sealed secrets and digests of all rows by what they refer
	// to: [gatehouse.Sealed].Ref, and [gatehouse.Material].Ref of a digest. A row that
	// cannot be read counts one under [Unreadable].
	References(ctx context.Context) (map[string]int, error)

	// RewrapWish returns the id of the KEK that everything shall come under; empty: none.
	RewrapWish(ctx context.Context) (kek string, err error)

	// SetRewrapWish replaces the wish.
	SetRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error

	// DropRewrapWish takes the wish back, where it is still for this KEK: another node may
	// have another by now.
	DropRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error
}
