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

// ErrLastAdministrator: the change would leave no person with the role superadmin and a
// password who may act. It is a [gatehouse.ErrConflict]. The system and the operator of the machine, who can
// make another, are not held back by it.
var ErrLastAdministrator = fmt.Errorf("no other superadmin may act: %w", gatehouse.ErrConflict)

// CheckRole says what is wrong with a role that somebody is to get: *gatehouse.InvalidError
// with the field role, also for a role that lets manage others in another spelling, such as
// "Admin" or "adminn": whoever had it would manage nobody. Every other name is a role, as in
// Barong, where the operator's rows of permissions name them: one that no rule names, such as
// a mistyped one, lets do nothing.
func CheckRole(role string) error {
	if !isRole(role) {
		return &gatehouse.InvalidError{Field: "role", Problem: "is not 1 to 64 printable characters without space"}
	}
	for _, known := range []string{roleAdmin, roleSuperadmin} {
		switch {
		case role == known:
		case strings.EqualFold(role, known):
			return &gatehouse.InvalidError{Field: "role", Problem: "is written " + known}
		case isSlip([]rune(strings.ToLower(role)), []rune(known)):
			return &gatehouse.InvalidError{Field: "role", Problem: "is almost " + known + ", and would manage nobody: write " + known + ", or a name less like it"}
		}
	}
	return nil
}

// isSlip reports whether a and b differ by one letter, missing or another, or by two neighbours
// that are swapped.
func isSlip(a, b []rune) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	swapped := len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
	return swapped || len(a) <= 1 && len(b) <= 1
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

// stepsDown reports whether a change takes a superadministrator out of office.
func stepsDown(before, after *Account) bool { return leads(before) && !leads(after) }

// onMachine reports whether the actor has the machine, and with it a way to make another.
func onMachine(a gatehouse.Actor) bool {
	return a.ID == "" && (a.Kind == gatehouse.ActorOperator || a.Kind == gatehouse.ActorSystem)
}

// leads reports whether a is a superadministrator in person, who may act and can sign in.
func leads(a *Account) bool {
	return a.Kind == gatehouse.PrincipalAccount && a.Role == roleSuperadmin && a.State.MayAct() && a.PasswordHash != ""
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
