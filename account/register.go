// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
)

const (
	roleSuperadmin   = "superadmin"
	serviceUIDPrefix = "SI" // Barong's
	insertTries      = 8    // of a fresh uid, in case one is taken
	accountIDBytes   = 16
)

// Registration is what a person tells to get an account.
type Registration struct {
	Email       string // compared in lower case
	Username    string // 4 to 12 ASCII letters and digits; empty: none
	Data        string // JSON of the front end, at most 1024 characters; empty: none
	ReferralUID string // uid of who brought the person; empty: nobody
	Password    gatehouse.Secret
}

// Register makes an account in the state that it has without labels: pending, unless
// nothing is asked for activation. The event's actor is who registers.
//
// Errors, the first line that applies:
//   - gatehouse.ErrForbidden where nobody can register ([Directory.Registers]);
//   - *gatehouse.InvalidError with the field referral ("format", "unknown");
//   - all that is wrong with the rest, joined ([errors.Join]) in this order:
//     *gatehouse.InvalidError with the field email ("invalid"), then username
//     ("too_short", "too_long", "invalid"); *[PasswordError]; *gatehouse.InvalidError
//     with the field data ("invalid_format", "too_long");
//   - *[TakenError].
func (d *Directory) Register(ctx context.Context, actor gatehouse.Actor, r Registration) (Account, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Account{}, err
	}
	if !d.Registers() {
		return Account{}, gatehouse.ErrForbidden
	}
	a, err := d.draft(ctx, r)
	if err != nil {
		return Account{}, err
	}
	// Before the work of hashing, which strangers would otherwise have for the asking.
	if err := d.reserveAccount(ctx, actor.Address); err != nil {
		return Account{}, err
	}
	if a.PasswordHash, err = d.hash(ctx, actor, r.Password); err != nil {
		return Account{}, err
	}
	a.State = labelState(nil, d.c.Activation)
	return d.insert(ctx, actor, a, "", nil)
}

// Registers reports whether people can register; else operators make the accounts.
func (d *Directory) Registers() bool { return !d.c.NoRegistration }

// draft is the account that a registration asks for, but for its state and its
// password's hash.
func (d *Directory) draft(ctx context.Context, r Registration) (a Account, err error) {
	a = Account{Kind: gatehouse.PrincipalAccount, Username: r.Username, Data: r.Data, Role: d.c.DefaultRole}
	if a.Referral, err = d.referral(ctx, r.ReferralUID); err != nil {
		return Account{}, err
	}
	a.Email, err = checkEmail(r.Email)
	if err := errors.Join(err, checkUsername(r.Username), d.checkPassword(r.Password), checkData(r.Data)); err != nil {
		return Account{}, err
	}
	return a, nil
}

// referral returns the id of the account with the uid.
func (d *Directory) referral(ctx context.Context, uid string) (string, error) {
	if uid == "" {
		return "", nil
	}
	if !strings.HasPrefix(uid, d.c.UIDPrefix) {
		return "", &gatehouse.InvalidError{Field: "referral", Problem: "format"}
	}
	a, err := d.c.Store.Account(ctx, d.c.Tenant, ByUID, uid)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound):
		return "", &gatehouse.InvalidError{Field: "referral", Problem: "unknown"}
	case err != nil:
		return "", fmt.Errorf("look up referral: %w", err)
	}
	return a.ID, nil
}

// checkPassword judges a new password. *PasswordError.
func (d *Directory) checkPassword(password gatehouse.Secret) error {
	if problems := d.c.Policy.Check(password.Reveal()); len(problems) > 0 {
		return &PasswordError{Problems: problems}
	}
	return nil
}

// hash makes what is stored of a new password that the policy accepts.
func (d *Directory) hash(ctx context.Context, actor gatehouse.Actor, password gatehouse.Secret) (string, error) {
	phc, err := d.c.Hasher.Hash(ctx, actor.Address, password.Reveal())
	if err != nil {
		return "", gatehouse.Unavailable("hash password", err)
	}
	return phc, nil
}

// NewAccount is an account that an operator makes.
type NewAccount struct {
	Kind     gatehouse.PrincipalKind // zero: a person
	Email    string                  // empty, for a service account: made of the uids
	Username string                  // as in [Registration]
	Owner    string                  // id of the person a service account belongs to; empty: nobody
	Role     string                  // empty: the default role
	Level    int                     // a service account has its owner's
	// State is where the account begins; empty: where it is without labels. A service
	// account has its owner's state, and without an owner begins as pending.
	State    gatehouse.PrincipalState
	Password gatehouse.Secret  // empty: none, so no sign-in; never for a service account
	Ticket   *Ticket           // spent with it; nil: none
	Labels   []Label           // set with it; they move neither state nor level. Key and Value as of SetLabel
	Limits   []gatehouse.Limit // of all its keys together; empty: none
}

// CreateAccount makes an account on behalf of an operator or the system; anyone else
// gets gatehouse.ErrForbidden.
//
// Errors: *gatehouse.InvalidError with the field kind, email, username, state, owner
// ("unknown", "invalid"), limits or password ("invalid": of a service account);
// *[PasswordError], *[TakenError], [ErrSpent].
func (d *Directory) CreateAccount(ctx context.Context, actor gatehouse.Actor, n NewAccount) (Account, error) {
	actor, err := d.admitManager(actor)
	if err != nil {
		return Account{}, err
	}
	a := Account{Kind: n.Kind, Username: n.Username, Owner: n.Owner, Role: n.Role, Level: n.Level, State: n.State, Labels: n.Labels, Limits: slices.Clone(n.Limits)}
	if err := gatehouse.CheckLimits(n.Limits); err != nil {
		return Account{}, err
	}
	if a.Kind == gatehouse.PrincipalInvalid {
		a.Kind = gatehouse.PrincipalAccount
	}
	if a.Role == "" {
		a.Role = d.c.DefaultRole
	}
	if n.Email != "" || a.Kind != gatehouse.PrincipalService {
		if a.Email, err = checkEmail(n.Email); err != nil {
			return Account{}, err
		}
	}
	if err := checkUsername(n.Username); err != nil {
		return Account{}, err
	}
	ownerUID, err := d.place(ctx, &a)
	if err != nil {
		return Account{}, err
	}
	if !n.Password.Empty() {
		if a.Kind == gatehouse.PrincipalService {
			return Account{}, &gatehouse.InvalidError{Field: "password", Problem: "invalid"}
		}
		if err := d.checkPassword(n.Password); err != nil {
			return Account{}, err
		}
		if a.PasswordHash, err = d.hash(ctx, actor, n.Password); err != nil {
			return Account{}, err
		}
	}
	return d.insert(ctx, actor, a, ownerUID, n.Ticket)
}

// place settles owner, state and level of a new account.
func (d *Directory) place(ctx context.Context, a *Account) (ownerUID string, err error) {
	switch {
	case a.Kind != gatehouse.PrincipalAccount && a.Kind != gatehouse.PrincipalService:
		return "", &gatehouse.InvalidError{Field: "kind", Problem: "invalid"}
	case a.State != "" && !IsState(a.State):
		return "", &gatehouse.InvalidError{Field: "state", Problem: "invalid"}
	case a.Owner != "":
		return d.placeUnder(ctx, a)
	case a.State == "" && a.Kind == gatehouse.PrincipalService:
		a.State = gatehouse.PrincipalPending
	case a.State == "":
		a.State = labelState(nil, d.c.Activation)
	}
	return "", nil
}

// placeUnder gives a service account the state and level of its owner.
func (d *Directory) placeUnder(ctx context.Context, a *Account) (ownerUID string, err error) {
	owner, err := d.account(ctx, a.Owner)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound):
		return "", &gatehouse.InvalidError{Field: "owner", Problem: "unknown"}
	case err != nil:
		return "", fmt.Errorf("read owner: %w", err)
	case a.Kind != gatehouse.PrincipalService || owner.Kind != gatehouse.PrincipalAccount:
		return "", &gatehouse.InvalidError{Field: "owner", Problem: "invalid"}
	}
	a.State, a.Level = owner.State, owner.Level
	return owner.UID, nil
}

// IsState reports whether s is one of the states of an account.
func IsState(s gatehouse.PrincipalState) bool {
	switch s {
	case gatehouse.PrincipalActive, gatehouse.PrincipalPending, gatehouse.PrincipalLocked,
		gatehouse.PrincipalBanned, gatehouse.PrincipalDeleted, gatehouse.PrincipalDisabled:
		return true
	}
	return false
}

// insert gives the account its ids, and an address where it has none, and stores it.
// *TakenError, ErrSpent.
func (d *Directory) insert(ctx context.Context, actor gatehouse.Actor, a Account, ownerUID string, take *Ticket) (Account, error) {
	now, prefix, addressless := d.now(), d.c.UIDPrefix, a.Email == ""
	if a.Kind == gatehouse.PrincipalService {
		prefix = serviceUIDPrefix
	}
	a.ID, a.Tenant, a.Created, a.Updated, a.Version = randomHex(accountIDBytes), d.c.Tenant, now, now, 1
	for range insertTries {
		a.UID = prefix + d.uid()
		if addressless {
			a.Email = lowerASCII(strings.TrimPrefix(ownerUID+"+"+a.UID, "+") + "@" + d.c.Domain)
		}
		changes := []gatehouse.Change{{Field: "uid", After: a.UID}, {Field: "role", After: a.Role}, {Field: "state", After: string(a.State)}}
		if len(a.Limits) > 0 {
			changes = append(changes, gatehouse.Change{Field: "limits", After: limitsText(a.Limits)})
		}
		err := d.c.Store.InsertAccount(ctx, &a, take, d.succeeded(actor, VerbAccountCreate, a.ID, changes...))
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, gatehouse.ErrExists) {
			return Account{}, fmt.Errorf("insert account: %w", err)
		}
		if err := d.taken(ctx, &a); err != nil {
			return Account{}, err
		}
	}
	return Account{}, gatehouse.Unavailable("find a free uid", nil)
}

// taken says which name of an account is taken, if it is one that was asked for.
func (d *Directory) taken(ctx context.Context, a *Account) error {
	for _, name := range []struct {
		by           By
		value, field string
	}{{ByEmail, a.Email, "email"}, {ByUsername, a.Username, "username"}} {
		if name.value == "" {
			continue
		}
		_, err := d.c.Store.Account(ctx, d.c.Tenant, name.by, name.value)
		switch {
		case err == nil:
			return &TakenError{Field: name.field}
		case !errors.Is(err, gatehouse.ErrNotFound):
			return fmt.Errorf("look up %s: %w", name.field, err)
		}
	}
	return nil
}
