// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	// The account and the service accounts it owns.
	disableKeys = "UPDATE keys SET state = 'disabled', state_text = 'inactive', updated = $3, version = version + 1 " +
		"WHERE tenant = $1 AND state = 'active' AND principal IN " +
		"(SELECT CAST($2 AS TEXT) UNION ALL SELECT id FROM accounts WHERE tenant = $1 AND owner = $2 AND owner <> '')"

	setServiceState = "UPDATE accounts SET state = $3, updated = $4, version = version + 1 " +
		"WHERE tenant = $1 AND owner = $2 AND owner <> '' AND state <> $3"

	endSessions = "DELETE FROM sessions WHERE tenant = $1 AND account = $2"

	dropCodes = "DELETE FROM recovery_codes WHERE tenant = $1 AND account = $2"

	insertCode = "INSERT INTO recovery_codes (tenant, account, hash) VALUES ($1, $2, $3)"

	useCode = "DELETE FROM recovery_codes WHERE account = $1 AND hash = $2"

	countCodes = "SELECT count(*) FROM recovery_codes WHERE account = $1"

	// Who may act is said by [gatehouse.PrincipalState.MayAct]. The part about members lets the
	// partial index be used.
	otherAdministrator = "SELECT 1 FROM accounts WHERE tenant = $1 AND role = 'superadmin' AND role <> 'member' AND kind = 'account' " +
		"AND state IN ('active', 'pending') AND password_hash <> '' AND id <> $2 LIMIT 1"

	spendTicket = "DELETE FROM tickets WHERE tenant = $1 AND purpose = $2 AND id = $3 AND subject = $4"
)

// effects does what an update of an account does besides.
func effects(ctx context.Context, tx Querier, a *account.Account, also account.Effects) error {
	if err := spend(ctx, tx, also.Take); err != nil {
		return err
	}
	if also.KeepAdministrator {
		if err := keepAdministrator(ctx, tx, a); err != nil {
			return err
		}
	}
	if also.DisableKeys {
		if _, err := exec(ctx, tx, disableKeys, a.Tenant, a.ID, micros(a.Updated)); err != nil {
			return err
		}
	}
	if also.ServiceState != "" {
		if parsePrincipalState(string(also.ServiceState)) == "" {
			return &gatehouse.InvalidError{Field: "state", Problem: "is none"}
		}
		if _, err := exec(ctx, tx, setServiceState, a.Tenant, a.ID, string(also.ServiceState), micros(a.Updated)); err != nil {
			return err
		}
	}
	if also.EndSessions {
		if err := endOthers(ctx, tx, a, also.KeepSession); err != nil {
			return err
		}
	}
	if also.Recovery == nil {
		return nil
	}
	return replaceCodes(ctx, tx, a, also.Recovery)
}

// keepAdministrator fails where the account is the last administrator's. account.ErrLastAdministrator.
// Of two changes that would each leave the other's account, both in one chain of events, one runs
// behind the other, again if need be, and sees it.
func keepAdministrator(ctx context.Context, tx Querier, a *account.Account) error {
	there, err := has(ctx, tx, otherAdministrator, a.Tenant, a.ID)
	if err == nil && !there {
		return account.ErrLastAdministrator
	}
	return err
}

func endOthers(ctx context.Context, tx Querier, a *account.Account, keep []byte) error {
	if len(keep) == 0 {
		_, err := exec(ctx, tx, endSessions, a.Tenant, a.ID)
		return err
	}
	_, err := exec(ctx, tx, endSessions+" AND hash <> $3", a.Tenant, a.ID, keep)
	return err
}

func replaceCodes(ctx context.Context, tx Querier, a *account.Account, hashes [][]byte) error {
	if _, err := exec(ctx, tx, dropCodes, a.Tenant, a.ID); err != nil {
		return err
	}
	for _, hash := range hashes {
		if _, err := exec(ctx, tx, insertCode, a.Tenant, a.ID, blob(hash)); err != nil {
			return err
		}
	}
	return nil
}

// spend takes a ticket out, nil for none. account.ErrSpent when it is not there.
func spend(ctx context.Context, tx Querier, t *account.Ticket) error {
	if t == nil {
		return nil
	}
	n, err := exec(ctx, tx, spendTicket, t.Tenant, t.Purpose, t.ID, t.Subject)
	if err == nil && n == 0 {
		return account.ErrSpent
	}
	return err
}

// UseRecoveryCode implements [account.Store]. A code that is not there changes nothing,
// so e is not stored then.
func (db *DB) UseRecoveryCode(ctx context.Context, accountID string, hash []byte, e *gatehouse.Event) (bool, error) {
	used := false
	err := db.change(ctx, "use recovery code", e, func(ctx context.Context, tx Querier) error {
		n, err := exec(ctx, tx, useCode, accountID, blob(hash))
		used = n > 0
		if err == nil && !used {
			return errNothing
		}
		return err
	})
	return used && err == nil, err
}

// RecoveryCodes implements [account.Store].
func (db *DB) RecoveryCodes(ctx context.Context, accountID string) (int, error) {
	left := 0
	err := db.one(ctx, countCodes, []any{accountID}, func(r Row) error {
		c := columnsOf(r)
		left = int(c.number())
		return c.done()
	})
	if err != nil {
		return 0, db.fail("count recovery codes", err)
	}
	return left, nil
}
