// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// What refers to a data key is read table by table, in the order of the primary keys, and
// replaced row by row where it is still what was read.

const (
	keysFrom = "SELECT place, id, tenant, version, materials FROM keys WHERE place >= $1 ORDER BY place LIMIT $2"

	accountsFrom = "SELECT place, id, tenant, version, totp_version, totp_ref, totp_data FROM accounts " +
		"WHERE place >= $1 AND totp_ref <> '' ORDER BY place LIMIT $2"

	signingKeysFrom = "SELECT id, tenant, private_ref, private_data FROM signing_keys WHERE id > $1 ORDER BY id LIMIT $2"

	receiptsFrom = "SELECT tenant, id, sealed_ref, sealed_data FROM receipts " +
		"WHERE (tenant, id) > ($1, $2) AND sealed_ref <> '' ORDER BY tenant, id LIMIT $3"

	resealKey = "UPDATE keys SET materials = $1, version = version + 1 WHERE place = $2 AND id = $3 AND version = $4"

	resealAccount = "UPDATE accounts SET totp_ref = $1, totp_data = $2, version = version + 1 WHERE place = $3 AND id = $4 AND version = $5"

	resealSigningKey = "UPDATE signing_keys SET private_ref = $1, private_data = $2 WHERE id = $3 AND private_ref = $4 AND private_data = $5"

	resealReceipt = "UPDATE receipts SET sealed_ref = $1, sealed_data = $2 WHERE tenant = $3 AND id = $4 AND sealed_ref = $5 AND sealed_data = $6"

	countRows = "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM accounts WHERE totp_ref <> '') + " +
		"(SELECT count(*) FROM signing_keys) + (SELECT count(*) FROM receipts WHERE sealed_ref <> '')"

	allMaterials = "SELECT materials FROM keys"

	countRefs = "SELECT totp_ref, count(*) FROM accounts WHERE totp_ref <> '' GROUP BY totp_ref " +
		"UNION ALL SELECT private_ref, count(*) FROM signing_keys GROUP BY private_ref " +
		"UNION ALL SELECT sealed_ref, count(*) FROM receipts WHERE sealed_ref <> '' GROUP BY sealed_ref"

	getRewrap = "SELECT kek FROM rewrap"

	dropRewrap = "DELETE FROM rewrap"

	insertRewrap = "INSERT INTO rewrap (kek) VALUES ($1)"
)

// unreadable is seal.Unreadable.
const unreadable = ""

// onlyVersion is the version in the binding of a signing key and of a receipt, which have
// only one.
const onlyVersion = 1

// sealedRow is a row with the sealed secrets in it.
type sealedRow struct {
	place   string // in its table
	secrets []sealedSecret
	replace func(fresh []gatehouse.Sealed) (text string, args []any, err error)
	follow  func(ctx context.Context, tx Querier) error // after it was replaced; nil: nothing
}

type sealedSecret struct {
	binding gatehouse.Binding
	sealed  gatehouse.Sealed
}

// sealedTable is a table with sealed secrets.
type sealedTable struct {
	name  string
	first string // place to begin at
	text  string
	place func(text string) ([]any, error) // its first arguments
	row   func(*columns) sealedRow
}

// sealedTables are read in this order.
var sealedTables = []sealedTable{
	{"keys", strconv.FormatInt(math.MinInt64, 10), keysFrom, fromPlace, (*columns).sealedKey},
	{"accounts", strconv.FormatInt(math.MinInt64, 10), accountsFrom, fromPlace, (*columns).sealedAccount},
	{"signing_keys", "", signingKeysFrom, fromID, (*columns).sealedSigningKey},
	{"receipts", separator, receiptsFrom, fromIDs, (*columns).sealedReceipt},
}

func fromPlace(text string) ([]any, error) {
	place, err := strconv.ParseInt(text, 10, 64)
	return []any{place}, err
}

func fromID(id string) ([]any, error) { return []any{id}, nil }

func fromIDs(text string) ([]any, error) {
	tenant, id, two := strings.Cut(text, separator)
	if !two {
		return nil, errPlace
	}
	return []any{tenant, id}, nil
}

// Reseal is the method of seal.Rows.
func (db *DB) Reseal(ctx context.Context, after string, limit int, again func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (next string, read, stale int, err error) {
	rows, next, err := db.sealedRows(ctx, after, limit)
	if err != nil {
		return "", 0, 0, db.fail("read sealed secrets", err)
	}
	var changes []func(ctx context.Context, tx Querier) error
	for _, row := range rows {
		text, args, err := row.again(ctx, again)
		if err != nil {
			return "", 0, 0, err
		}
		if text != "" {
			changes = append(changes, func(ctx context.Context, tx Querier) error {
				n, err := exec(ctx, tx, text, args...)
				if err != nil || n == 0 || row.follow == nil { // none: somebody was faster
					return err
				}
				return row.follow(ctx, tx)
			})
		}
	}
	if len(changes) == 0 {
		return next, len(rows), 0, nil
	}
	err = db.commit(ctx, "", func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		for _, change := range changes {
			if err := change(ctx, tx); err != nil {
				return nil, err
			}
		}
		return notice(gatehouse.NoticeAll, "", "", false), nil
	})
	if err != nil {
		return "", 0, 0, db.fail("seal secrets again", err)
	}
	return next, len(rows), len(changes), nil
}

// again asks about every secret of the row, and returns the statement that replaces it;
// empty where all stay.
func (row *sealedRow) again(ctx context.Context, ask func(context.Context, gatehouse.Binding, gatehouse.Sealed) (gatehouse.Sealed, error)) (text string, args []any, err error) {
	fresh, changed := make([]gatehouse.Sealed, len(row.secrets)), false
	for i, s := range row.secrets {
		if fresh[i], err = ask(ctx, s.binding, s.sealed); err != nil {
			return "", nil, err
		}
		changed = changed || fresh[i].Ref != s.sealed.Ref
	}
	if !changed || row.replace == nil {
		return "", nil, nil
	}
	return row.replace(fresh)
}

var errPlace = errors.New("not a place in the tables")

// sealedRows reads the rows after a place, "table:place", and the place to go on from.
func (db *DB) sealedRows(ctx context.Context, after string, limit int) (rows []sealedRow, next string, err error) {
	table, place, _ := strings.Cut(after, ":")
	i := slices.IndexFunc(sealedTables, func(t sealedTable) bool { return t.name == table })
	if after == "" {
		i, place = 0, sealedTables[0].first
	}
	if i < 0 || limit < 1 {
		return nil, "", errPlace
	}
	t := sealedTables[i]
	first, err := t.place(place)
	if err != nil {
		return nil, "", errPlace
	}
	err = db.read(ctx, t.text, append(first, int64(limit)), func(r Row) error {
		c := columnsOf(r)
		rows = append(rows, t.row(&c))
		return c.done()
	})
	switch {
	case err != nil:
		return nil, "", err
	case len(rows) == limit && rows[limit-1].place != "":
		return rows, t.name + ":" + rows[limit-1].place, nil
	case i+1 < len(sealedTables):
		return rows, sealedTables[i+1].name + ":" + sealedTables[i+1].first, nil
	}
	return rows, "", nil
}

// CountRows is the method of seal.Rows.
func (db *DB) CountRows(ctx context.Context) (int, error) {
	n := 0
	err := db.read(ctx, countRows, nil, func(r Row) error {
		c := columnsOf(r)
		n = int(c.number())
		return c.done()
	})
	return n, db.fail("count sealed secrets", err)
}

// References is the method of seal.Rows.
func (db *DB) References(ctx context.Context) (map[string]int, error) {
	refs := map[string]int{}
	err := db.read(ctx, allMaterials, nil, func(r Row) error {
		c := columnsOf(r)
		materials, err := decodeMaterials(c.blob())
		if err != nil {
			refs[unreadable]++
		}
		for _, m := range materials {
			if m.Kind == gatehouse.MaterialSealed || m.Kind == gatehouse.MaterialDigest {
				refs[m.Ref]++
			}
		}
		return c.done()
	})
	if err == nil {
		err = db.read(ctx, countRefs, nil, func(r Row) error {
			c := columnsOf(r)
			refs[c.text()] += int(c.number())
			return c.done()
		})
	}
	if err != nil {
		return nil, db.fail("count references", err)
	}
	return refs, nil
}

// RewrapWish is the method of seal.Rows.
func (db *DB) RewrapWish(ctx context.Context) (kek string, err error) {
	err = db.read(ctx, getRewrap, nil, func(r Row) error {
		c := columnsOf(r)
		kek = c.text()
		return c.done()
	})
	return kek, db.fail("read rewrap", err)
}

// SetRewrapWish is the method of seal.Rows.
func (db *DB) SetRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error {
	return db.change(ctx, "set rewrap", e, func(ctx context.Context, tx Querier) error {
		if _, err := exec(ctx, tx, dropRewrap); err != nil {
			return err
		}
		_, err := exec(ctx, tx, insertRewrap, kek)
		return err
	})
}

// DropRewrapWish is the method of seal.Rows.
func (db *DB) DropRewrapWish(ctx context.Context, kek string, e *gatehouse.Event) error {
	return db.change(ctx, "drop rewrap", e, func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, dropRewrap+" WHERE kek = $1", kek)
		return err
	})
}
