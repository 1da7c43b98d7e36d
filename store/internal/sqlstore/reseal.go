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

	resealKey = "UPDATE keys SET materials = $1, version = version + 1 WHERE place = $2 AND id = $3 AND version = $4"

	resealAccount = "UPDATE accounts SET totp_ref = $1, totp_data = $2, version = version + 1 WHERE place = $3 AND id = $4 AND version = $5"

	resealSigningKey = "UPDATE signing_keys SET private_ref = $1, private_data = $2 WHERE id = $3 AND private_ref = $4 AND private_data = $5"

	countRows = "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM accounts WHERE totp_ref <> '') + (SELECT count(*) FROM signing_keys)"

	allMaterials = "SELECT materials FROM keys"

	countRefs = "SELECT totp_ref, count(*) FROM accounts WHERE totp_ref <> '' GROUP BY totp_ref " +
		"UNION ALL SELECT private_ref, count(*) FROM signing_keys GROUP BY private_ref"

	getRewrap = "SELECT kek FROM rewrap"

	dropRewrap = "DELETE FROM rewrap"

	insertRewrap = "INSERT INTO rewrap (kek) VALUES ($1)"
)

// unreadable is seal.Unreadable.
const unreadable = ""

// signingKeyVersion is the version in the binding of a signing key: it has only one.
const signingKeyVersion = 1

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
	place func(text string) (any, error) // its first argument
	row   func(*columns) sealedRow
}

// sealedTables are read in this order.
var sealedTables = []sealedTable{
	{"keys", strconv.FormatInt(math.MinInt64, 10), keysFrom, fromPlace, (*columns).sealedKey},
	{"accounts", strconv.FormatInt(math.MinInt64, 10), accountsFrom, fromPlace, (*columns).sealedAccount},
	{"signing_keys", "", signingKeysFrom, func(id string) (any, error) { return id, nil }, (*columns).sealedSigningKey},
}

func fromPlace(text string) (any, error) { return strconv.ParseInt(text, 10, 64) }

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
	// As in change: before anyone is told, no kept record answers any more.
	defer db.hot.changed()
	err = db.write(ctx, "seal secrets again", func(ctx context.Context, tx Querier) error {
		for _, change := range changes {
			if err := change(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", 0, 0, err
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
	err = db.read(ctx, t.text, []any{first, int64(limit)}, func(r Row) error {
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

// following is the first place after a row's; empty after the last that there can be.
func following(place int64) string {
	if place == math.MaxInt64 {
		return ""
	}
	return strconv.FormatInt(place+1, 10)
}

// sealedKey reads the columns of keysFrom.
func (c *columns) sealedKey() sealedRow {
	place, id, tenant, version := c.number(), c.text(), c.text(), c.number()
	row := sealedRow{place: following(place)}
	materials, err := decodeMaterials(c.blob())
	if err != nil {
		row.secrets = []sealedSecret{{binding: gatehouse.Binding{Tenant: tenant, ID: id}}}
		return row
	}
	var at []int // where the sealed ones are
	for i, m := range materials {
		if m.Kind == gatehouse.MaterialSealed {
			at = append(at, i)
			row.secrets = append(row.secrets, sealedSecret{
				gatehouse.Binding{Tenant: tenant, ID: id, Version: m.Version}, gatehouse.Sealed{Ref: m.Ref, Data: m.Data},
			})
		}
	}
	row.replace = func(fresh []gatehouse.Sealed) (string, []any, error) {
		for j, i := range at {
			materials[i].Ref, materials[i].Data = fresh[j].Ref, fresh[j].Data
		}
		column, err := encodeMaterials(materials)
		return resealKey, []any{column, place, id, version}, err
	}
	return row
}

// sealedAccount reads the columns of accountsFrom.
func (c *columns) sealedAccount() sealedRow {
	place, id, tenant, version := c.number(), c.text(), c.text(), c.number()
	b := gatehouse.Binding{Tenant: tenant, ID: id, Version: c.number()}
	return sealedRow{
		place:   following(place),
		secrets: []sealedSecret{{b, gatehouse.Sealed{Ref: c.text(), Data: c.blob()}}},
		replace: func(fresh []gatehouse.Sealed) (string, []any, error) {
			return resealAccount, []any{fresh[0].Ref, blob(fresh[0].Data), place, id, version}, nil
		},
		follow: func(ctx context.Context, tx Querier) error { return copyOwner(ctx, tx, tenant, id) },
	}
}

// sealedSigningKey reads the columns of signingKeysFrom.
func (c *columns) sealedSigningKey() sealedRow {
	id, tenant := c.text(), c.text()
	old := gatehouse.Sealed{Ref: c.text(), Data: c.blob()}
	return sealedRow{
		place:   id,
		secrets: []sealedSecret{{gatehouse.Binding{Tenant: tenant, ID: id, Version: signingKeyVersion}, old}},
		replace: func(fresh []gatehouse.Sealed) (string, []any, error) {
			return resealSigningKey, []any{fresh[0].Ref, blob(fresh[0].Data), id, old.Ref, blob(old.Data)}, nil
		},
	}
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
		if _, err := exec(ctx, tx, dropRewrap); err != nil || kek == "" {
			return err
		}
		_, err := exec(ctx, tx, insertRewrap, kek)
		return err
	})
}
