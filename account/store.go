// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"time"

	"github.com/seed14544106/gatehouse"
)

// By says which name an account is looked up by. The zero value is invalid.
type By uint8

// The names of an account. All are unique within a tenant; a lookup by an empty
// value finds nothing.
const (
	ByInvalid By = iota
	ByID
	ByUID
	ByEmail    // compared in lower case
	ByUsername // compared in lower case
)

// Query selects accounts for a list, oldest first. Zero fields do not select.
type Query struct {
	Tenant  string // required
	Kind    gatehouse.PrincipalKind
	Owner   string
	State   gatehouse.PrincipalState
	Role    string
	Limited bool   // with limits of its own
	Text    string // how the e-mail address or the uid begins; case does not count
	Offset  int
	Limit   int // rows at most; zero: all
}

// Effects is what an update of an account does besides, in the same transaction.
// The zero value does nothing.
type Effects struct {
	// DisableKeys disables every active key of the account and of the service accounts
	// it owns; their state text becomes "inactive".
	DisableKeys bool
	// ServiceState, when not empty, becomes the state of the service accounts it owns.
	ServiceState gatehouse.PrincipalState
	// EndSessions ends the account's sessions but the one whose hash is KeepSession, and with a
	// [gatehouse.Notice] that Ends what was asserted of the account before.
	EndSessions bool
	KeepSession []byte
	// Recovery, when not nil, replaces the hashes of the recovery codes.
	Recovery [][]byte
	// KeepAdministrator fails the whole update with ErrLastAdministrator where no other
	// person of the tenant with the role superadmin and a password may act.
	KeepAdministrator bool
	// Take spends this ticket; where it is not there (any more), the whole update fails
	// with ErrSpent.
	Take *Ticket
}

// Store keeps accounts. Every write takes the Event that explains it and stores both
// or neither. Implementations pass gatehousetest.AccountStore. All errors that are
// not named here wrap [gatehouse.ErrUnavailable], but for *[gatehouse.InvalidError] as in
// [gatehouse.Store].
type Store interface {
	// Account reads one account. gatehouse.ErrNotFound.
	Account(ctx context.Context, tenant string, by By, value string) (Account, error)

	// ListAccounts reads accounts, and how many there are in all: of very many that were
	// asked for by Text, not how many, but more than the page ends with where there are more.
	ListAccounts(ctx context.Context, q Query) ([]Account, int, error)

	// InsertAccount adds an account with Version 1. gatehouse.ErrExists when its uid,
	// email or username is taken. take, where not nil, is spent in the same
	// transaction (ErrSpent).
	InsertAccount(ctx context.Context, a *Account, take *Ticket, e *gatehouse.Event) error

	// UpdateAccount replaces the account where the stored Version equals a.Version, and
	// stores it with Version+1 (a itself is not changed). gatehouse.ErrNotFound,
	// gatehouse.ErrConflict, gatehouse.ErrExists, ErrSpent, ErrLastAdministrator.
	UpdateAccount(ctx context.Context, a *Account, also Effects, e *gatehouse.Event) error

	// UseStep spends a TOTP step: it reports true once for every (version, step) of an
	// account, and only upwards: no step that is not later than one spent before. The
	// account's Version does not change.
	UseStep(ctx context.Context, accountID string, totpVersion, step int64) (bool, error)

	// UseRecoveryCode spends a recovery code by its hash. It reports true at most once.
	UseRecoveryCode(ctx context.Context, accountID string, hash []byte, e *gatehouse.Event) (bool, error)

	// RecoveryCodes counts the recovery codes that are left.
	RecoveryCodes(ctx context.Context, accountID string) (int, error)
}

// SessionStore keeps sessions.
type SessionStore interface {
	// InsertSession adds a session. ends, where not nil, is the hash of a session that
	// ends in the same transaction.
	InsertSession(ctx context.Context, s *Session, ends []byte, e *gatehouse.Event) error

	// Session reads a session and the account behind it. gatehouse.ErrNotFound. It does
	// not judge whether the session has expired.
	Session(ctx context.Context, hash []byte) (Session, Account, error)

	// TouchSession moves Seen and Idle of a session. A session that is gone stays gone.
	TouchSession(ctx context.Context, hash []byte, seen, idle time.Time) error

	// DeleteSession ends a session. gatehouse.ErrNotFound when it has ended already.
	DeleteSession(ctx context.Context, hash []byte, e *gatehouse.Event) error

	// ListSessions reads the sessions of an account, newest first.
	ListSessions(ctx context.Context, tenant, accountID string) ([]Session, error)

	// PurgeExpired deletes sessions and tickets that died before now.
	PurgeExpired(ctx context.Context, now time.Time) error
}

// Ticket is a one-time right, such as a mailed link. The store keeps no secret of it:
// ID is the public id of a signed token, or the hash of a random one.
type Ticket struct {
	Tenant  string
	Purpose string // "setup", "confirmation", "reset"
	ID      string
	Subject string // account id; empty for setup
	Expires time.Time
}

// TicketStore keeps tickets. They are spent through [Store], together with what they
// were good for.
type TicketStore interface {
	// InsertTicket adds a ticket. Where only is true, the other tickets of its purpose
	// and subject are dropped: the newest is the only one.
	InsertTicket(ctx context.Context, t *Ticket, only bool) error

	// HasTicket reports whether the ticket can still be spent at now.
	HasTicket(ctx context.Context, t *Ticket, now time.Time) (bool, error)
}
