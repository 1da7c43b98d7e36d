// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed14544106/gatehouse"
)

const maxRoleRunes = 64

// ErrLastAdministrator: the change would leave no person with the role superadmin who may
// act. It is a [gatehouse.ErrConflict]. The system and the operator of the machine, who can
// make another, are not held back by it.
var ErrLastAdministrator = fmt.Errorf("no other superadmin may act: %w", gatehouse.ErrConflict)

// CheckRole says what is wrong with a role that somebody is to get: *gatehouse.InvalidError
// with the field role, also for a role that lets manage others in another spelling, such as
// "Admin": whoever had it would manage nobody.
func CheckRole(role string) error {
	if !isRole(role) {
		return &gatehouse.InvalidError{Field: "role", Problem: "is not 1 to 64 printable characters without space"}
	}
	for _, known := range []string{roleAdmin, roleSuperadmin} {
		if role != known && strings.EqualFold(role, known) {
			return &gatehouse.InvalidError{Field: "role", Problem: "is written " + known}
		}
	}
	return nil
}

const roleAdmin = "admin"

// SetLimits replaces the limits of an account, which all its keys share; none: no limits.
// They are in force when SetLimits returns. Setting those it has does nothing.
//
// Errors: *gatehouse.InvalidError with the field limits, gatehouse.ErrNotFound;
// gatehouse.ErrForbidden but for operators, the system and actors that reach everyone.
func (d *Directory) SetLimits(ctx context.Context, actor gatehouse.Actor, accountID string, limits []gatehouse.Limit) (Account, error) {
	actor, err := d.admitManager(actor)
	if err != nil {
		return Account{}, err
	}
	if err := gatehouse.CheckLimits(limits); err != nil {
		return Account{}, err
	}
	return d.manage(ctx, actor, VerbAccountLimits, accountID, func(a *Account) []gatehouse.Change {
		change := gatehouse.Change{Field: "limits", Before: limitsText(a.Limits), After: limitsText(limits)}
		a.Limits = slices.Clone(limits)
		return []gatehouse.Change{change}
	})
}

// SetRole changes the role of an account, its level, or both; nil leaves one as it is. A
// label that leads to a level moves the level again. Setting what it has does nothing.
//
// Errors: *gatehouse.InvalidError with the field role or level, gatehouse.ErrNotFound;
// gatehouse.ErrForbidden but for operators, the system and actors that reach everyone.
func (d *Directory) SetRole(ctx context.Context, actor gatehouse.Actor, accountID string, role *string, level *int) (Account, error) {
	actor, err := d.admitManager(actor)
	if err != nil {
		return Account{}, err
	}
	if role != nil && !isRole(*role) {
		return Account{}, &gatehouse.InvalidError{Field: "role", Problem: "is not 1 to 64 printable characters without space"}
	}
	if level != nil && *level < 0 {
		return Account{}, &gatehouse.InvalidError{Field: "level", Problem: "is negative"}
	}
	return d.manage(ctx, actor, VerbAccountRole, accountID, func(a *Account) []gatehouse.Change {
		before := *a
		if role != nil {
			a.Role = *role
		}
		if level != nil {
			a.Level = *level
		}
		return []gatehouse.Change{
			{Field: "role", Before: before.Role, After: a.Role},
			{Field: "level", Before: strconv.Itoa(before.Level), After: strconv.Itoa(a.Level)},
		}
	})
}

// SetPassword gives a person another password, without asking for the old one, and ends all
// sessions. Keys, state and second factor stay as they are. Whoever may call it can sign in as
// anybody who has no second factor.
//
// Errors: *[PasswordError], gatehouse.ErrNotFound, also for a service account, which never signs
// in; gatehouse.ErrForbidden but for operators, the system and actors that reach everyone.
func (d *Directory) SetPassword(ctx context.Context, actor gatehouse.Actor, accountID string, password gatehouse.Secret) error {
	actor, err := d.admitManager(actor)
	if err == nil {
		err = d.checkPassword(password)
	}
	if err != nil {
		return err
	}
	phc, err := d.hash(ctx, actor, password)
	if err != nil {
		return err
	}
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if a.Kind != gatehouse.PrincipalAccount {
			return Effects{}, nil, gatehouse.ErrNotFound
		}
		a.PasswordHash = phc
		return Effects{EndSessions: true}, d.succeeded(actor, VerbPasswordReset, a.ID), nil
	})
	return err
}

// manage updates an account with the changes that change something; none: it stays.
func (d *Directory) manage(ctx context.Context, actor gatehouse.Actor, verb, accountID string, alter func(*Account) []gatehouse.Change) (Account, error) {
	var as Account
	out, err := d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		as = *a
		changes := slices.DeleteFunc(alter(a), func(c gatehouse.Change) bool { return c.Before == c.After })
		if len(changes) == 0 {
			return Effects{}, nil, errUnchanged
		}
		return Effects{}, d.succeeded(actor, verb, a.ID, changes...), nil
	})
	if errors.Is(err, errUnchanged) {
		return as, gatehouse.InForce(ctx, d.c.Store, as.Tenant)
	}
	return out, err
}

// keepAdministrator refuses a change that takes the last superadmin away. ErrLastAdministrator.
func (d *Directory) keepAdministrator(ctx context.Context, actor gatehouse.Actor, before, after *Account) error {
	onMachine := actor.ID == "" && (actor.Kind == gatehouse.ActorOperator || actor.Kind == gatehouse.ActorSystem)
	if onMachine || !leads(before) || leads(after) {
		return nil
	}
	all, _, err := d.List(ctx, Query{Role: roleSuperadmin})
	if err == nil && !slices.ContainsFunc(all, func(a Account) bool { return a.ID != before.ID && leads(&a) }) {
		err = ErrLastAdministrator
	}
	return err
}

// leads reports whether a is a superadministrator in person, who may act.
func leads(a *Account) bool {
	return a.Kind == gatehouse.PrincipalAccount && a.Role == roleSuperadmin && a.State.MayAct()
}

func isRole(role string) bool {
	return role != "" && utf8.RuneCountInString(role) <= maxRoleRunes && utf8.ValidString(role) &&
		!strings.ContainsFunc(role, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// limitsText is limits as the events of keys and tenants tell them.
func limitsText(limits []gatehouse.Limit) string {
	words := make([]string, len(limits))
	for i, l := range limits {
		words[i] = fmt.Sprintf("%s=%d/%v+%d", l.Name, l.Count, l.Period, l.Burst)
		if l.Refill != gatehouse.RefillNone {
			words[i] = fmt.Sprintf("%s=%d/%v", l.Name, l.Count, l.Refill)
		}
	}
	return strings.Join(words, " ")
}
