// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/seed14544106/gatehouse"
)

// Account reads an account by one of its names. An e-mail address counts in lower
// case. gatehouse.ErrNotFound.
func (d *Directory) Account(ctx context.Context, by By, value string) (Account, error) {
	if by == ByEmail {
		email, ok := canonicalEmail(value)
		if !ok {
			return Account{}, gatehouse.ErrNotFound
		}
		value = email
	}
	a, err := d.c.Store.Account(ctx, d.c.Tenant, by, value)
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// List reads the accounts of the directory's tenant that q selects, and how many there
// are, as [Store] counts them. q.Tenant is not read.
func (d *Directory) List(ctx context.Context, q Query) ([]Account, int, error) {
	q.Tenant = d.c.Tenant
	accounts, total, err := d.c.Store.ListAccounts(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("list accounts: %w", err)
	}
	return accounts, total, nil
}

// SetData replaces the front end's text on an account: JSON of at most 1024 characters,
// or nothing. *gatehouse.InvalidError with the field data ("invalid_format",
// "too_long"), gatehouse.ErrNotFound.
func (d *Directory) SetData(ctx context.Context, actor gatehouse.Actor, accountID, data string) (Account, error) {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return Account{}, err
	}
	if err := checkData(data); err != nil {
		return Account{}, err
	}
	return d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		a.Data = data
		// The text is the person's own: the log tells that it changed, not how.
		return Effects{}, d.succeeded(actor, VerbAccountUpdate, a.ID, gatehouse.Change{Field: "data"}), nil
	})
}

// ChangePassword replaces the password of an account, given the old one. Sessions and
// keys stay.
//
// Errors, the first that applies: gatehouse.ErrNotFound, *[ThrottledError],
// [ErrCredentials], [ErrPasswordSame], *[PasswordError]; gatehouse.ErrConflict where
// another changed the password meanwhile.
func (d *Directory) ChangePassword(ctx context.Context, actor gatehouse.Actor, accountID string, old, fresh gatehouse.Secret) error {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return err
	}
	a, err := d.provePasswordOf(ctx, actor, VerbPasswordChange, accountID, old)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(old.Reveal()), []byte(fresh.Reveal())) == 1 {
		return ErrPasswordSame
	}
	if err := d.checkPassword(fresh); err != nil {
		return err
	}
	phc, err := d.hash(ctx, actor, fresh)
	if err != nil {
		return err
	}
	proven := a.PasswordHash
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if a.PasswordHash != proven {
			return Effects{}, nil, gatehouse.ErrConflict
		}
		a.PasswordHash = phc
		return Effects{}, d.succeeded(actor, VerbPasswordChange, a.ID), nil
	})
	return err
}

// ConfirmPassword tells whether a password is that of the account. It is asked for where
// a session alone must not do, such as before the second factor is turned on.
//
// Errors: gatehouse.ErrNotFound, *[ThrottledError], [ErrCredentials].
func (d *Directory) ConfirmPassword(ctx context.Context, actor gatehouse.Actor, accountID string, password gatehouse.Secret) error {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return err
	}
	_, err = d.provePasswordOf(ctx, actor, VerbPasswordConfirm, accountID, password)
	return err
}

// provePasswordOf checks the password of an account that is known by its id, under the
// same budgets as a sign-in. gatehouse.ErrNotFound, *ThrottledError, ErrCredentials.
func (d *Directory) provePasswordOf(ctx context.Context, actor gatehouse.Actor, verb, accountID string, password gatehouse.Secret) (Account, error) {
	a, err := d.account(ctx, accountID)
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	proven, try, _, err := d.provePassword(ctx, actor, verb, a.Email, password)
	if err != nil {
		return Account{}, err
	}
	try.giveBack(ctx)
	if proven.ID != accountID {
		return Account{}, gatehouse.ErrConflict // the address has moved on
	}
	return proven, nil
}

// Delete closes an account for good, given its password and, where the second factor
// is on, a code: it gets the private label delete, is deleted by it, and its keys and
// service accounts stop. The record stays.
//
// Errors: gatehouse.ErrNotFound, *[ThrottledError], [ErrCredentials],
// [ErrCodeMissing], [ErrCodeInvalid], [ErrCodeUsed].
func (d *Directory) Delete(ctx context.Context, actor gatehouse.Actor, accountID string, password gatehouse.Secret, code string) error {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return err
	}
	a, err := d.provePasswordOf(ctx, actor, VerbAccountDelete, accountID, password)
	if err != nil {
		return err
	}
	if a.OTP {
		if _, err := d.proveCode(ctx, actor, VerbAccountDelete, &a, code); err != nil {
			return err
		}
	}
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		also, changes := d.relabel(a, withLabel(a.Labels, "delete", "requested", LabelPrivate, d.now()))
		return also, d.succeeded(actor, VerbAccountDelete, a.ID, changes...), nil
	})
	return err
}

// SetState puts an account into a state by hand. Leaving the active state disables the
// account's keys and takes its service accounts along; coming back brings nothing back.
// Sessions stay: who holds one is refused by the state. Setting the state it is in does
// nothing.
//
// Errors: *gatehouse.InvalidError with the field state, gatehouse.ErrNotFound;
// gatehouse.ErrForbidden but for operators and the system.
func (d *Directory) SetState(ctx context.Context, actor gatehouse.Actor, accountID string, state gatehouse.PrincipalState) error {
	actor, err := d.admitManager(actor)
	if err != nil {
		return err
	}
	if !IsState(state) {
		return &gatehouse.InvalidError{Field: "state", Problem: "invalid"}
	}
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if a.State == state {
			return Effects{}, nil, errUnchanged
		}
		before := a.State
		a.State = state
		change := gatehouse.Change{Field: "state", Before: string(before), After: string(state)}
		return cascade(a.Kind, before, state), d.succeeded(actor, VerbAccountState, a.ID, change), nil
	})
	if errors.Is(err, errUnchanged) {
		return gatehouse.InForce(ctx, d.c.Store, d.c.Tenant)
	}
	return err
}

// errUnchanged ends an update that has nothing to do.
var errUnchanged = errors.New("unchanged")
