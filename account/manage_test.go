// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestSetLimits(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	h.key(a, "k1")
	limits := []gatehouse.Limit{{Name: "fast", Count: 10, Period: time.Second, Burst: 20}, {Name: "month", Count: 1000, Refill: gatehouse.RefillMonth}}
	got, err := h.SetLimits(h.ctx, operator, a.ID, limits)
	h.must(err)
	if diff := cmp.Diff(limits, got.Limits); diff != "" {
		t.Error(diff)
	}
	again, err := h.SetLimits(h.ctx, operator, a.ID, limits)
	h.must(err)
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("the same limits again:\n%s", diff)
	}
	record, err := h.store.Lookup(h.ctx, "k1")
	h.must(err)
	if diff := cmp.Diff(limits, record.Principal.Limits); diff != "" {
		t.Errorf("of the look-up:\n%s", diff)
	}
	_, err = h.SetLimits(h.ctx, operator, a.ID, nil)
	h.must(err)
	want := []string{
		"account.limits succeeded operator limits:>fast=10/1s+20 month=1000/month",
		"account.limits succeeded operator limits:fast=10/1s+20 month=1000/month>",
	}
	if diff := cmp.Diff(want, h.events(a, account.VerbAccountLimits)); diff != "" {
		t.Error(diff)
	}
}

func TestSetRole(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	role, level, same := "trader", 7, a.Role
	for _, tt := range []struct {
		role  *string
		level *int
	}{{nil, nil}, {&same, nil}, {&role, nil}, {nil, &level}, {&same, &a.Level}} {
		_, err := h.SetRole(h.ctx, operator, a.ID, tt.role, tt.level)
		h.must(err)
	}
	want := []string{
		"account.role succeeded operator role:member>trader",
		"account.role succeeded operator level:0>7",
		"account.role succeeded operator role:trader>member level:7>0",
	}
	if diff := cmp.Diff(want, h.events(a, account.VerbAccountRole)); diff != "" {
		t.Error(diff)
	}
}

func TestManageRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	text := func(s string) *string { return &s }
	negative := -1
	for what, tt := range map[string]struct {
		call func() (account.Account, error)
		want string
	}{
		"own limits": {func() (account.Account, error) { return h.SetLimits(h.ctx, self(a), a.ID, nil) }, "forbidden"},
		"own role":   {func() (account.Account, error) { return h.SetRole(h.ctx, self(a), a.ID, text("admin"), nil) }, "forbidden"},
		"a limit without count": {func() (account.Account, error) {
			return h.SetLimits(h.ctx, operator, a.ID, []gatehouse.Limit{{Name: "x"}})
		}, "limits.count and burst are at least 1"},
		"no role":                {func() (account.Account, error) { return h.SetRole(h.ctx, operator, a.ID, text(""), nil) }, "role.is not 1 to 64 printable characters without space"},
		"a role of two":          {func() (account.Account, error) { return h.SetRole(h.ctx, operator, a.ID, text("a b"), nil) }, "role.is not 1 to 64 printable characters without space"},
		"a role that is no text": {func() (account.Account, error) { return h.SetRole(h.ctx, operator, a.ID, text("\xff"), nil) }, "role.is not 1 to 64 printable characters without space"},
		"a negative level":       {func() (account.Account, error) { return h.SetRole(h.ctx, operator, a.ID, nil, &negative) }, "level.is negative"},
	} {
		if _, err := tt.call(); word(err) != tt.want {
			t.Errorf("%s: %q, want %q", what, word(err), tt.want)
		}
	}
	_, err := h.SetLimits(h.ctx, operator, "nobody", nil)
	h.is(err, gatehouse.ErrNotFound)
	if got := h.read(a); got.Version != a.Version {
		t.Errorf("version %d, want %d", got.Version, a.Version)
	}
}

func TestCheckRole(t *testing.T) {
	t.Parallel()
	const almost = "is almost admin, and would manage nobody: write admin, or a name less like it"
	for role, want := range map[string]string{
		"": "is not 1 to 64 printable characters without space", "two words": "is not 1 to 64 printable characters without space",
		"Admin": "is written admin", "SUPERADMIN": "is written superadmin", "admin": "", "superadmin": "", "member": "", "Clerk": "",
		"adminn": almost, "dmin": almost, "admi": almost, "amdin": almost, "ADMNI": almost, "admln": almost, "\u0430dmin": almost,
		"super-admin": strings.ReplaceAll(almost, "admin", "superadmin"), "supradmin": strings.ReplaceAll(almost, "admin", "superadmin"),
		// Roles of Barong, and names that anyone may give.
		"accountant": "", "compliance": "", "technical": "", "support": "", "trader": "", "broker": "", "maker": "", "sa_maker": "", "service_account": "",
		"members": "", "administrator": "", "subadmin": "", "adm": "", "adnim": "", "a": "",
	} {
		got, problem := account.CheckRole(role), ""
		if e, ok := errors.AsType[*gatehouse.InvalidError](got); ok && e.Field == "role" {
			problem = e.Problem
		} else if got != nil {
			t.Errorf("%q: %v", role, got)
		}
		if problem != want {
			t.Errorf("%q: %q", role, problem)
		}
	}
}

// However the last superadministrator would cease to be one that may act, it is refused, but to
// the operator of the machine and to the system.
func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	member := "member"
	for name, end := range map[string]func(h *house, by gatehouse.Actor, a account.Account) error{
		"state": func(h *house, by gatehouse.Actor, a account.Account) error {
			return h.SetState(h.ctx, by, a.ID, gatehouse.PrincipalBanned)
		},
		"role": func(h *house, by gatehouse.Actor, a account.Account) error {
			_, err := h.SetRole(h.ctx, by, a.ID, &member, nil)
			return err
		},
		"delete": func(h *house, by gatehouse.Actor, a account.Account) error {
			return h.Delete(h.ctx, by, a.ID, secret(password), "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			super := "superadmin"
			lead := func(a account.Account) account.Account {
				out, err := h.SetRole(h.ctx, operator, a.ID, &super, nil)
				h.must(err)
				return out
			}
			a, banned := lead(h.person("a@example.test")), lead(h.person("b@example.test"))
			robot := lead(h.service(h.person("c@example.test")))
			h.must(h.SetState(h.ctx, operator, banned.ID, gatehouse.PrincipalBanned))
			by := self(a)
			by.Everyone = true
			h.is(end(h, by, a), account.ErrLastAdministrator)
			h.is(end(h, by, a), gatehouse.ErrConflict)
			if now := h.read(a); now.Role != super || now.State != gatehouse.PrincipalActive {
				t.Errorf("it is %s, %s", now.Role, now.State)
			}
			h.must(h.SetState(h.ctx, by, robot.ID, gatehouse.PrincipalBanned)) // which is no person
			h.must(h.SetState(h.ctx, by, banned.ID, gatehouse.PrincipalActive))
			h.must(end(h, by, a)) // there is another
			h.must(end(h, operator, banned))
			if there, err := h.HasAdministrator(h.ctx); err != nil || there {
				t.Errorf("there is one: %v, %v", there, err)
			}
		})
	}
}

// Two superadministrators who stop each other in one instant do not both succeed.
func TestAdministratorsStopEachOther(t *testing.T) {
	t.Parallel()
	h := open(t)
	super := "superadmin"
	pair := [2]account.Account{h.person("a@example.test"), h.person("b@example.test")}
	for round := range 20 {
		for _, a := range pair {
			h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalActive))
			_, err := h.SetRole(h.ctx, operator, a.ID, &super, nil)
			h.must(err)
		}
		var errs [2]error
		var calls sync.WaitGroup
		for i := range pair {
			by, other := self(pair[i]), pair[1-i]
			by.Everyone = true
			calls.Go(func() {
				if round%2 == 0 {
					errs[i] = h.SetState(h.ctx, by, other.ID, gatehouse.PrincipalBanned)
				} else {
					_, errs[i] = h.SetRole(h.ctx, by, other.ID, new("member"), nil)
				}
			})
		}
		calls.Wait()
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		h.must(errs[0])
		h.is(errs[1], account.ErrLastAdministrator)
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o, fresh := h.signedIn(a.Email), secret("An-0ther-troubadour-9")
	h.is(h.SetPassword(h.ctx, self(a), a.ID, fresh), gatehouse.ErrForbidden)
	h.is(h.SetPassword(h.ctx, operator, h.service(a).ID, fresh), gatehouse.ErrNotFound)
	h.is(h.SetPassword(h.ctx, operator, "none", fresh), gatehouse.ErrNotFound)
	if _, weak := errors.AsType[*account.PasswordError](h.SetPassword(h.ctx, operator, a.ID, secret("abc"))); !weak {
		t.Error("a weak password is taken")
	}
	if _, err := h.use(nobody, o.ID); err != nil {
		t.Errorf("refusals ended the session: %v", err)
	}
	h.must(h.SetPassword(h.ctx, operator, a.ID, fresh))
	_, err := h.use(nobody, o.ID)
	h.is(err, account.ErrNoSession)
	_, err = h.signIn(a.Email, password, "")
	h.is(err, account.ErrCredentials)
	_, err = h.signIn(a.Email, fresh.Reveal(), "")
	h.must(err)
	if diff := cmp.Diff([]string{"password.reset succeeded operator"}, h.events(a, account.VerbPasswordReset)); diff != "" {
		t.Error(diff)
	}
}
