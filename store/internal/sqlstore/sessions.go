// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	sessionColumns = "s.hash, s.tenant, s.account, s.csrf, s.address, s.user_agent, s.factor, s.created, s.seen, s.idle, s.expires"

	getSession = "SELECT " + sessionColumns + ", " + accountColumns + " FROM sessions s JOIN accounts a ON a.tenant = s.tenant AND a.id = s.account WHERE s.hash = $1"

	listSessions = "SELECT " + sessionColumns + " FROM sessions s WHERE s.tenant = $1 AND s.account = $2 ORDER BY s.created DESC, s.hash"

	insertSession = "INSERT INTO sessions (hash, tenant, account, csrf, address, user_agent, factor, created, seen, idle, expires) " +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

	touchSession = "UPDATE sessions SET seen = $2, idle = $3 WHERE hash = $1"

	deleteSession = "DELETE FROM sessions WHERE hash = $1"

	purgeSessions = "DELETE FROM sessions WHERE expires < $1 OR idle < $1"

	purgeTickets = "DELETE FROM tickets WHERE expires < $1"

	insertTicket = "INSERT INTO tickets (tenant, purpose, id, subject, expires) VALUES ($1, $2, $3, $4, $5)"

	dropTickets = "DELETE FROM tickets WHERE tenant = $1 AND purpose = $2 AND subject = $3"

	hasTicket = "SELECT 1 FROM tickets WHERE tenant = $1 AND purpose = $2 AND id = $3 AND subject = $4 AND expires > $5"
)

// InsertSession implements [account.SessionStore]. gatehouse.ErrNotFound when there is
// no such account, gatehouse.ErrExists when the hash is taken.
func (db *DB) InsertSession(ctx context.Context, s *account.Session, ends []byte, e *gatehouse.Event) error {
	return db.change(ctx, "insert session", e, func(ctx context.Context, tx Querier) error {
		if len(ends) > 0 {
			if _, err := exec(ctx, tx, deleteSession, ends); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, insertSession, blob(s.Hash), s.Tenant, s.Account, s.CSRF, s.Address, blob([]byte(s.UserAgent)), flag(s.Factor),
			micros(s.Created), micros(s.Seen), micros(s.Idle), micros(s.Expires))
		return err
	})
}

// Session implements [account.SessionStore].
func (db *DB) Session(ctx context.Context, hash []byte) (account.Session, account.Account, error) {
	var s account.Session
	var a account.Account
	err := db.one(ctx, getSession, []any{blob(hash)}, func(r Row) error {
		c := columnsOf(r)
		s = c.session()
		c.account(&a)
		return c.done()
	})
	if err != nil {
		return account.Session{}, account.Account{}, db.fail("read session", err)
	}
	return s, a, nil
}

// TouchSession implements [account.SessionStore].
func (db *DB) TouchSession(ctx context.Context, hash []byte, seen, idle time.Time) error {
	return db.write(ctx, "touch session", func(ctx context.Context, tx Querier) error {
		_, err := exec(ctx, tx, touchSession, blob(hash), micros(seen), micros(idle))
		return err
	})
}

// DeleteSession implements [account.SessionStore].
func (db *DB) DeleteSession(ctx context.Context, hash []byte, e *gatehouse.Event) error {
	return db.change(ctx, "delete session", e, func(ctx context.Context, tx Querier) error {
		n, err := exec(ctx, tx, deleteSession, blob(hash))
		if err == nil && n == 0 {
			return gatehouse.ErrNotFound
		}
		return err
	})
}

// ListSessions implements [account.SessionStore].
func (db *DB) ListSessions(ctx context.Context, tenant, accountID string) ([]account.Session, error) {
	var sessions []account.Session
	err := db.read(ctx, listSessions, []any{tenant, accountID}, func(r Row) error {
		c := columnsOf(r)
		sessions = append(sessions, c.session())
		return c.done()
	})
	if err != nil {
		return nil, db.fail("list sessions", err)
	}
	return sessions, nil
}

// PurgeExpired implements [account.SessionStore].
func (db *DB) PurgeExpired(ctx context.Context, now time.Time) error {
	err := db.write(ctx, "purge expired", func(ctx context.Context, tx Querier) error {
		if _, err := exec(ctx, tx, purgeSessions, micros(now)); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, purgeTickets, micros(now)); err != nil {
			return err
		}
		_, err := exec(ctx, tx, purgeNotices, micros(now.Add(-gatehouse.KeepNotices)))
		return err
	})
	if err != nil {
		return err
	}
	return db.purgeAcks(ctx)
}

// InsertTicket implements [account.TicketStore]. gatehouse.ErrExists when its id is
// taken.
func (db *DB) InsertTicket(ctx context.Context, t *account.Ticket, only bool) error {
	return db.write(ctx, "insert ticket", func(ctx context.Context, tx Querier) error {
		if only {
			if _, err := exec(ctx, tx, dropTickets, t.Tenant, t.Purpose, t.Subject); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, insertTicket, t.Tenant, t.Purpose, t.ID, t.Subject, micros(t.Expires))
		return err
	})
}

// HasTicket implements [account.TicketStore].
func (db *DB) HasTicket(ctx context.Context, t *account.Ticket, now time.Time) (bool, error) {
	err := db.one(ctx, hasTicket, []any{t.Tenant, t.Purpose, t.ID, t.Subject, micros(now)}, func(Row) error { return nil })
	if errors.Is(err, gatehouse.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, db.fail("look up ticket", err)
	}
	return true, nil
}

// session reads the columns of sessionColumns.
func (c *columns) session() account.Session {
	return account.Session{
		Hash: c.blob(), Tenant: c.text(), Account: c.text(), CSRF: c.text(), Address: c.text(), UserAgent: string(c.blob()), Factor: c.flag(),
		Created: c.moment(), Seen: c.moment(), Idle: c.moment(), Expires: c.moment(),
	}
}
