// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// What is done with a ticket: confirming an address, resetting a password, making the
// first administrator.

const (
	ticketConfirmation = "confirmation"
	ticketReset        = "reset"
	ticketSetup        = "setup"

	setupLife       = 24 * time.Hour
	setupTokenBytes = 32
)

// emailVerified is the private label of a confirmed address.
const emailLabel, emailVerified = "email", "verified"

// IssueConfirmation records a ticket that confirms the address of a pending account.
// ticketID is the public id of the signed token that the door mails; expires is when
// it ends. Tickets issued before stay good. gatehouse.ErrNotFound when no pending
// account has the address.
func (d *Directory) IssueConfirmation(ctx context.Context, email, ticketID string, expires time.Time) (Account, error) {
	a, err := d.mailable(ctx, email)
	if err == nil && a.State != gatehouse.PrincipalPending {
		err = gatehouse.ErrNotFound
	}
	if err != nil {
		return Account{}, d.unmailable(ctx, err, 1)
	}
	t := d.ticket(ticketConfirmation, ticketID, a.ID)
	t.Expires = expires
	if err := d.c.Tickets.InsertTicket(ctx, t, false); err != nil {
		return Account{}, fmt.Errorf("issue confirmation: %w", err)
	}
	return a, nil
}

// ConfirmEmail spends a confirmation ticket: the account gets the private label
// email=verified, which may make it active. gatehouse.ErrNotFound when no pending
// account has the address, [ErrSpent].
func (d *Directory) ConfirmEmail(ctx context.Context, actor gatehouse.Actor, ticketID, email string) (Account, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Account{}, err
	}
	a, err := d.mailable(ctx, email)
	if err != nil {
		return Account{}, err
	}
	t := d.ticket(ticketConfirmation, ticketID, a.ID)
	if a.State != gatehouse.PrincipalPending {
		return Account{}, gatehouse.ErrNotFound
	}
	if err := d.unspent(ctx, t); err != nil {
		return Account{}, err
	}
	return d.update(ctx, a.ID, func(a *Account) (Effects, *gatehouse.Event, error) {
		also, changes := d.relabel(a, withLabel(a.Labels, emailLabel, emailVerified, LabelPrivate, d.now()))
		also.Take = t
		return also, d.succeeded(as(actor, a), VerbAccountConfirm, a.ID, changes...), nil
	})
}

// IssueReset records a ticket that resets the password behind the address. Only the
// newest one counts. gatehouse.ErrNotFound when no person has the address.
func (d *Directory) IssueReset(ctx context.Context, actor gatehouse.Actor, email, ticketID string, expires time.Time) (Account, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Account{}, err
	}
	a, err := d.mailable(ctx, email)
	if err != nil {
		return Account{}, d.unmailable(ctx, err, 2)
	}
	t := d.ticket(ticketReset, ticketID, a.ID)
	t.Expires = expires
	if err := d.c.Tickets.InsertTicket(ctx, t, true); err != nil {
		return Account{}, fmt.Errorf("issue reset: %w", err)
	}
	if err := d.c.Audit.AppendEvent(ctx, d.succeeded(actor, VerbPasswordRequest, a.ID)); err != nil {
		return Account{}, fmt.Errorf("record reset: %w", err)
	}
	return a, nil
}

// ResetPassword spends a reset ticket: the account gets the password and loses all its
// sessions. Keys, state and second factor stay as they are. [ErrSpent], also when no
// person has the address; *[PasswordError].
func (d *Directory) ResetPassword(ctx context.Context, actor gatehouse.Actor, ticketID, email string, password gatehouse.Secret) (Account, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Account{}, err
	}
	a, err := d.mailable(ctx, email)
	if errors.Is(err, gatehouse.ErrNotFound) {
		return Account{}, ErrSpent
	}
	if err != nil {
		return Account{}, err
	}
	t := d.ticket(ticketReset, ticketID, a.ID)
	if err := d.unspent(ctx, t); err != nil {
		return Account{}, err
	}
	if err := d.checkPassword(password); err != nil {
		return Account{}, err
	}
	phc, err := d.hash(ctx, actor, password)
	if err != nil {
		return Account{}, err
	}
	return d.update(ctx, a.ID, func(a *Account) (Effects, *gatehouse.Event, error) {
		a.PasswordHash = phc
		if a.State == gatehouse.PrincipalPending {
			// Whoever registered the address may be another: nothing of theirs stays.
			a.OTP, a.TOTP = false, gatehouse.Sealed{}
			a.TOTPVersion++
		}
		return Effects{EndSessions: true, Take: t}, d.succeeded(as(actor, a), VerbPasswordReset, a.ID), nil
	})
}

// HasAdministrator reports whether a person with the role superadmin may act and has a
// password to sign in with. Other accounts do not count: a stranger who registers first must not take the place of the
// first administrator away.
func (d *Directory) HasAdministrator(ctx context.Context) (bool, error) {
	admins, _, err := d.List(ctx, Query{Role: roleSuperadmin})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(admins, func(a Account) bool { return leads(&a) }), nil
}

// IssueSetup returns a token that makes the first administrator, once and within 24
// hours. Tokens from earlier calls are void. gatehouse.ErrExists when there is an
// administrator already.
func (d *Directory) IssueSetup(ctx context.Context) (gatehouse.Secret, error) {
	there, err := d.HasAdministrator(ctx)
	if err != nil {
		return gatehouse.Secret{}, err
	}
	if there {
		return gatehouse.Secret{}, gatehouse.ErrExists
	}
	token := gatehouse.NewSecret(randomHex(setupTokenBytes))
	t := d.setupTicket(token)
	t.Expires = d.now().Add(setupLife)
	if err := d.c.Tickets.InsertTicket(ctx, t, true); err != nil {
		return gatehouse.Secret{}, fmt.Errorf("issue setup token: %w", err)
	}
	return token, nil
}

// CheckSetup reports whether a setup token is good, and does not spend it. [ErrSpent].
func (d *Directory) CheckSetup(ctx context.Context, token gatehouse.Secret) error {
	return d.unspent(ctx, d.setupTicket(token))
}

// Setup spends a setup token: it makes an active account with the role superadmin. Who
// has the token holds the machine, so the event's actor is the operator. [ErrSpent] and
// the errors of [Directory.Register].
func (d *Directory) Setup(ctx context.Context, actor gatehouse.Actor, token gatehouse.Secret, r Registration) (Account, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Account{}, err
	}
	t := d.setupTicket(token)
	if err := d.unspent(ctx, t); err != nil {
		return Account{}, err
	}
	there, err := d.HasAdministrator(ctx)
	if err != nil {
		return Account{}, err
	}
	if there { // made on another way since
		return Account{}, ErrSpent
	}
	actor.Kind, actor.ID = gatehouse.ActorOperator, ""
	a, err := d.draft(ctx, r)
	if err != nil {
		return Account{}, err
	}
	if a.PasswordHash, err = d.hash(ctx, actor, r.Password); err != nil {
		return Account{}, err
	}
	a.Role, a.State = roleSuperadmin, gatehouse.PrincipalActive
	a.Labels = withLabel(nil, emailLabel, emailVerified, LabelPrivate, d.now())
	a.Level = labelLevel(a.Labels, d.c.Levels)
	return d.insert(ctx, actor, a, "", t)
}

// mailable reads the account of a person by an address as it was typed.
// gatehouse.ErrNotFound.
func (d *Directory) mailable(ctx context.Context, address string) (Account, error) {
	email, ok := canonicalEmail(address)
	if !ok {
		return Account{}, gatehouse.ErrNotFound
	}
	a, err := d.person(ctx, email)
	if err != nil {
		return Account{}, fmt.Errorf("look up account: %w", err)
	}
	return a, nil
}

// unmailable is why no ticket was issued. To a stranger who asks for one, an address
// without an account costs the n writes of one that has it.
func (d *Directory) unmailable(ctx context.Context, err error, n int) error {
	if errors.Is(err, gatehouse.ErrNotFound) {
		if failed := d.storeDecoy(ctx, n); failed != nil {
			return failed
		}
	}
	return err
}

func (d *Directory) ticket(purpose, id, subject string) *Ticket {
	return &Ticket{Tenant: d.c.Tenant, Purpose: purpose, ID: id, Subject: subject}
}

// setupTicket is the ticket of a setup token, which itself is not stored.
func (d *Directory) setupTicket(token gatehouse.Secret) *Ticket {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return d.ticket(ticketSetup, hex.EncodeToString(sum[:]), "")
}

// unspent returns ErrSpent for a ticket that is no good (any more), before any work is
// done for it. That it is good once is for the store to decide, later.
func (d *Directory) unspent(ctx context.Context, t *Ticket) error {
	ok, err := d.c.Tickets.HasTicket(ctx, t, d.now())
	if err != nil {
		return fmt.Errorf("look up ticket: %w", err)
	}
	if !ok {
		return ErrSpent
	}
	return nil
}
