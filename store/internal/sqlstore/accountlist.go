// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// manyAccounts is how many accounts are not read to be put in order.
const manyAccounts = 10000

const accountOrder = "a.created, a.id"

// accountsOf selects accounts by all that is asked but the text.
func accountsOf(q *account.Query) *selection {
	s := selectFrom("accounts a", q.Tenant)
	if q.Kind != gatehouse.PrincipalInvalid {
		s.and("kind =", principalKindName(q.Kind))
	}
	if q.Owner != "" {
		s.and("owner <> '' AND owner =", q.Owner)
	}
	if q.State != "" {
		s.and("state =", string(q.State))
	}
	if q.Limited {
		s.text.WriteString(" AND limits <> ''")
	}
	switch q.Role {
	case "":
	case "member": // of whom the index has none
		s.and("role =", q.Role)
	default:
		s.and("role <> 'member' AND role =", q.Role)
	}
	return s
}

// namedAccounts selects accounts by all that is asked.
func namedAccounts(q *account.Query) *selection {
	s := accountsOf(q)
	s.text.WriteString(" AND " + named(s, q.Text))
	return s
}

func (db *DB) accountPage(ctx context.Context, q *account.Query, each func(Row) error) (int, error) {
	return db.page(ctx, accountColumns, accountsOf(q), accountOrder, q.Offset, q.Limit, each)
}

// namedPage is accountPage for accounts whose address or uid begins so. A few are read and put
// in order. Where many begin so, accounts are walked in their order until the page is full, and
// not counted.
func (db *DB) namedPage(ctx context.Context, q *account.Query, each func(Row) error) (int, error) {
	s, some := namedAccounts(q), 0
	text := "SELECT count(*) FROM (SELECT 1 " + s.text.String() + " LIMIT " + s.parameter(int64(manyAccounts)) + ") c"
	err := db.read(ctx, text, s.args, func(r Row) error {
		c := columnsOf(r)
		some = int(c.number())
		return c.done()
	})
	if err != nil || some == 0 {
		return 0, err
	}
	if some < manyAccounts || q.Limit <= 0 {
		return db.page(ctx, accountColumns, namedAccounts(q), "a.created + 0, a.id", q.Offset, q.Limit, each)
	}
	return db.walkNamed(ctx, q, each)
}

// walkNamed reads one row more than the page has, to tell whether it is the last.
func (db *DB) walkNamed(ctx context.Context, q *account.Query, each func(Row) error) (int, error) {
	s, rows := accountsOf(q), 0
	s.text.WriteString(" AND " + barred(named(s, q.Text)) + " ORDER BY " + accountOrder +
		" LIMIT " + s.parameter(int64(q.Limit)+1) + " OFFSET " + s.parameter(int64(max(q.Offset, 0))))
	err := db.read(ctx, "SELECT "+accountColumns+" "+s.text.String(), s.args, func(r Row) error {
		if rows++; rows > q.Limit {
			return nil
		}
		return each(r)
	})
	return max(q.Offset, 0) + rows, err
}

// named is the condition that the address or the uid begins so. Uids are upper case. The parts
// about empty names let the partial indexes be used.
func named(s *selection, text string) string {
	begins := func(column, text string) string {
		return column + " <> '' AND " + column + " >= " + s.parameter(text) + " AND " + column + " < " + s.parameter(text+lastRune)
	}
	if !storable(text) {
		return "1 = 0"
	}
	return "(" + begins("email", lower(text)) + " OR " + begins("uid", strings.ToUpper(text)) + ")"
}
