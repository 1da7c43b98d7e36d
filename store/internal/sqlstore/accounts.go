// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	accountColumns = "a.id, a.tenant, a.kind, a.uid, a.email, a.username, a.owner, a.role, a.level, a.state, a.data, a.referral, a.labels, " +
		"a.password_hash, a.otp, a.totp_ref, a.totp_data, a.totp_version, a.created, a.updated, a.limits, a.version"

	getAccount = "SELECT " + accountColumns + " FROM accounts a WHERE a.tenant = $1 AND "

	insertAccount = "INSERT INTO accounts (id, tenant, kind, uid, email, username, username_lower, owner, role, level, state, data, referral, labels, " +
		"password_hash, otp, totp_ref, totp_data, totp_version, created, updated, limits, place, spent_version, spent_step, version) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, -1, 0, 1)"

	updateAccount = "UPDATE accounts SET kind = $3, uid = $4, email = $5, username = $6, username_lower = $7, owner = $8, role = $9, level = $10, " +
		"state = $11, data = $12, referral = $13, labels = $14, password_hash = $15, otp = $16, totp_ref = $17, totp_data = $18, " +
		"totp_version = $19, created = $20, updated = $21, limits = $22, version = version + 1 " +
		"WHERE id = $1 AND tenant = $2 AND version = $23"

	listServices = "SELECT id FROM accounts WHERE tenant = $1 AND owner = $2 AND owner <> '' LIMIT $3"

	hasAccount = "SELECT 1 FROM accounts WHERE tenant = $1 AND id = $2"

	// Steps of a later secret are later than all steps of an earlier one.
	useStep = "UPDATE accounts SET spent_version = $2, spent_step = $3 " +
		"WHERE place = $4 AND id = $1 AND (spent_version < $2 OR (spent_version = $2 AND spent_step < $3))"
)

// mostServices is how many service accounts of one owner have notices of their own.
const mostServices = 200

// accountNames are the conditions on the second argument of getAccount. The parts
// about empty names let the partial indexes be used.
var accountNames = map[account.By]string{
	account.ByID:       "a.id = $2",
	account.ByUID:      "a.uid = $2 AND a.uid <> ''",
	account.ByEmail:    "a.email = $2 AND a.email <> ''",
	account.ByUsername: "a.username_lower = $2 AND a.username_lower <> ''",
}

// Account implements [account.Store].
func (db *DB) Account(ctx context.Context, tenant string, by account.By, value string) (account.Account, error) {
	named, ok := accountNames[by]
	if !ok {
		return account.Account{}, db.fail("read account", gatehouse.ErrNotFound)
	}
	if by == account.ByEmail || by == account.ByUsername {
		value = lower(value)
	}
	var out account.Account
	err := db.one(ctx, getAccount+named, []any{tenant, value}, func(r Row) error {
		c := columnsOf(r)
		c.account(&out)
		return c.done()
	})
	if err != nil {
		return account.Account{}, db.fail("read account", err)
	}
	return out, nil
}

// ListAccounts implements [account.Store].
func (db *DB) ListAccounts(ctx context.Context, q account.Query) ([]account.Account, int, error) {
	var accounts []account.Account
	page := db.accountPage
	if q.Text != "" {
		page = db.namedPage
	}
	total, err := page(ctx, &q, func(r Row) error {
		c := columnsOf(r)
		var a account.Account
		c.account(&a)
		accounts = append(accounts, a)
		return c.done()
	})
	if err != nil {
		return nil, 0, db.fail("list accounts", err)
	}
	return accounts, total, nil
}

// InsertAccount implements [account.Store].
func (db *DB) InsertAccount(ctx context.Context, a *account.Account, take *account.Ticket, e *gatehouse.Event) error {
	args, err := accountArgs(a)
	if err != nil {
		return db.fail("insert account", err)
	}
	return db.change(ctx, "insert account", e, func(ctx context.Context, tx Querier) error {
		if err := spend(ctx, tx, take); err != nil {
			return err
		}
		_, err := exec(ctx, tx, insertAccount, append(args, Place(a.ID))...)
		return err
	})
}

// UpdateAccount implements [account.Store].
func (db *DB) UpdateAccount(ctx context.Context, a *account.Account, also account.Effects, e *gatehouse.Event) error {
	args, err := accountArgs(a)
	if err != nil {
		return db.fail("update account", err)
	}
	args = append(args, a.Version)
	return db.told(ctx, "update account", e, func(ctx context.Context, tx Querier) ([]gatehouse.Notice, error) {
		n, err := exec(ctx, tx, updateAccount, args...)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, missed(ctx, tx, hasAccount, a.Tenant, a.ID)
		}
		if err := effects(ctx, tx, a, also); err != nil {
			return nil, err
		}
		if err := copyOwner(ctx, tx, a.Tenant, a.ID); err != nil {
			return nil, err
		}
		return accountNotices(ctx, tx, a, e.Ends() || also.DisableKeys || also.ServiceState != "", also.EndSessions)
	})
}

// accountNotices are those of an account and its service accounts. The end of its sessions ends
// what was asserted of the account alone. Where service accounts are many, one of the tenant
// stands for all: each would be a row to write, and one to read on every node.
func accountNotices(ctx context.Context, tx Querier, a *account.Account, ends, sessions bool) ([]gatehouse.Notice, error) {
	notices := notice(gatehouse.NoticePrincipal, a.Tenant, a.ID, ends || sessions)
	err := tx.Query(ctx, listServices, []any{a.Tenant, a.ID, int64(mostServices + 1)}, func(r Row) error {
		c := columnsOf(r)
		notices = append(notices, notice(gatehouse.NoticePrincipal, a.Tenant, c.text(), ends)...)
		return c.done()
	})
	if len(notices) > 1+mostServices {
		notices = append(notices[:1], notice(gatehouse.NoticeTenant, a.Tenant, "", ends)...)
	}
	return notices, err
}

// UseStep implements [account.Store]. An account that is not there has no steps.
func (db *DB) UseStep(ctx context.Context, accountID string, totpVersion, step int64) (bool, error) {
	used := false
	err := db.write(ctx, "use totp step", func(ctx context.Context, tx Querier) error {
		n, err := exec(ctx, tx, useStep, accountID, totpVersion, step, Place(accountID))
		used = n > 0
		return err
	})
	return used && err == nil, err
}

// lower is the text that a name is compared by. What is no text stays as it is, to be
// refused: strings.ToLower would make text of it.
func lower(s string) string {
	if !storable(s) {
		return s
	}
	return strings.ToLower(s)
}

// account reads the columns of accountColumns.
func (c *columns) account(a *account.Account) {
	a.ID, a.Tenant = c.text(), c.text()
	a.Kind = enum(c, parsePrincipalKind)
	a.UID, a.Email, a.Username, a.Owner, a.Role = c.text(), c.text(), c.text(), c.text(), c.text()
	a.Level = int(c.number())
	a.State = enum(c, parsePrincipalState)
	a.Data, a.Referral = c.text(), c.text()
	a.Labels = list[account.Label](c, c.text())
	a.PasswordHash = c.text()
	a.OTP = c.flag()
	a.TOTP = gatehouse.Sealed{Ref: c.text(), Data: c.blob()}
	a.TOTPVersion = c.number()
	a.Created, a.Updated = c.moment(), c.moment()
	a.Limits = c.limits()
	a.Version = c.number()
}

// accountArgs are the arguments $1 to $22 of insertAccount and updateAccount.
func accountArgs(a *account.Account) ([]any, error) {
	kind := principalKindName(a.Kind)
	if kind == "" {
		return nil, &gatehouse.InvalidError{Field: "kind", Problem: "is none"}
	}
	if parsePrincipalState(string(a.State)) == "" {
		return nil, &gatehouse.InvalidError{Field: "state", Problem: "is none"}
	}
	labels := make([]account.Label, len(a.Labels))
	for i, l := range a.Labels {
		if !allStorable([]any{l.Key, l.Value, l.Scope}) {
			return nil, errUnstorable
		}
		l.Created, l.Updated = asStored(l.Created), asStored(l.Updated)
		labels[i] = l
	}
	labelList, err := jsonList(labels)
	if err != nil {
		return nil, err
	}
	limits, err := limitList(a.Limits)
	if err != nil {
		return nil, err
	}
	return []any{
		a.ID, a.Tenant, kind, a.UID, lower(a.Email), a.Username, lower(a.Username), a.Owner, a.Role, int64(a.Level),
		string(a.State), a.Data, a.Referral, labelList, a.PasswordHash, flag(a.OTP), a.TOTP.Ref, blob(a.TOTP.Data), a.TOTPVersion,
		micros(a.Created), micros(a.Updated), limits,
	}, nil
}
