// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, spoil := range map[string]func(*account.Config){
		"store":         func(c *account.Config) { c.Store = nil },
		"session store": func(c *account.Config) { c.Sessions = nil },
		"ticket store":  func(c *account.Config) { c.Tickets = nil },
		"audit store":   func(c *account.Config) { c.Audit = nil },
		"sealer":        func(c *account.Config) { c.Sealer = nil },
		"limiter":       func(c *account.Config) { c.Limiter = nil },
		"hasher":        func(c *account.Config) { c.Hasher = nil },
		"policy":        func(c *account.Config) { c.Policy = nil },
		"pepper":        func(c *account.Config) { c.Pepper = c.Pepper[:15] },
		"prefix":        func(c *account.Config) { c.UIDPrefix = "I" },
		"prefix letter": func(c *account.Config) { c.UIDPrefix = "I1" },
		"prefix length": func(c *account.Config) { c.UIDPrefix = "ABCDEFG" },
		"idle":          func(c *account.Config) { c.Idle = -1 },
		"absolute":      func(c *account.Config) { c.Absolute = -1 },
		"domain":        func(c *account.Config) { c.Domain = "a b" },
	} {
		c := h.config
		spoil(&c)
		if _, err := account.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), string(c.Pepper)) {
			t.Errorf("%s: the error holds the pepper", name)
		}
	}
}

// verbs are all verbs that want one account changed or proven.
func verbs(h *house, id string) map[string]func(gatehouse.Actor) error {
	none := gatehouse.Secret{}
	return map[string]func(gatehouse.Actor) error{
		"EndSessions":    func(a gatehouse.Actor) error { return h.EndSessions(h.ctx, a, id, none) },
		"SetData":        func(a gatehouse.Actor) error { _, err := h.SetData(h.ctx, a, id, "{}"); return err },
		"ChangePassword": func(a gatehouse.Actor) error { return h.ChangePassword(h.ctx, a, id, secret(password), secret(newer)) },
		"Delete":         func(a gatehouse.Actor) error { return h.Delete(h.ctx, a, id, secret(password), "") },
		"SetLabel":       func(a gatehouse.Actor) error { _, err := h.SetLabel(h.ctx, a, id, "k", "v", "public"); return err },
		"DeleteLabel":    func(a gatehouse.Actor) error { _, err := h.DeleteLabel(h.ctx, a, id, "k", "public"); return err },
		"BeginOTP":       func(a gatehouse.Actor) error { _, err := h.BeginOTP(h.ctx, a, id); return err },
		"EnableOTP":      func(a gatehouse.Actor) error { _, err := h.EnableOTP(h.ctx, a, id, "123456", none); return err },
		"DisableOTP":     func(a gatehouse.Actor) error { return h.DisableOTP(h.ctx, a, id, "123456") },
		"VerifyCode":     func(a gatehouse.Actor) error { return h.VerifyCode(h.ctx, a, id, "123456") },
		"VerifyStepUp":   func(a gatehouse.Actor) error { return h.VerifyStepUp(h.ctx, a, id, "123456") },
		"RenewRecovery":  func(a gatehouse.Actor) error { _, err := h.RenewRecovery(h.ctx, a, id, "123456"); return err },
		"SetState":       func(a gatehouse.Actor) error { return h.SetState(h.ctx, a, id, gatehouse.PrincipalBanned) },
		"ResetOTP":       func(a gatehouse.Actor) error { return h.ResetOTP(h.ctx, a, id) },
	}
}

func TestActors(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, eve := h.person("bob@example.test"), h.person("eve@example.test")
	foreign := self(a)
	foreign.Tenant = "other"
	tenantless := self(a)
	tenantless.Tenant = ""
	key := self(a)
	key.Kind = gatehouse.ActorKey
	invalid := self(a)
	invalid.Kind = gatehouse.ActorInvalid
	before := h.read(a)
	log := len(h.events(a))
	for name, verb := range verbs(h, a.ID) {
		managers := name == "SetState" || name == "ResetOTP"
		for _, tt := range []struct {
			name  string
			actor gatehouse.Actor
			want  error
		}{
			{"another account", self(eve), gatehouse.ErrNotFound},
			{"nobody", nobody, gatehouse.ErrNotFound},
			{"a key", key, gatehouse.ErrNotFound},
			{"another tenant", foreign, gatehouse.ErrForbidden},
			{"no tenant", tenantless, gatehouse.ErrForbidden},
			{"no kind", invalid, gatehouse.ErrForbidden},
			{"zero", gatehouse.Actor{}, gatehouse.ErrForbidden},
		} {
			want := tt.want
			if managers {
				want = gatehouse.ErrForbidden
			}
			if err := verb(tt.actor); !errors.Is(err, want) {
				t.Errorf("%s by %s: %v, want %v", name, tt.name, err, want)
			}
		}
		if managers {
			h.is(verb(self(a)), gatehouse.ErrForbidden)
		}
	}
	if diff := cmp.Diff(before, h.read(a)); diff != "" {
		t.Errorf("the account changed: %s", diff)
	}
	if n := len(h.events(a)); n != log {
		t.Errorf("%d events were written", n-log)
	}
	// An unknown account answers its would-be holder like everybody.
	for name, verb := range verbs(h, "unknown") {
		if err := verb(operator); !errors.Is(err, gatehouse.ErrNotFound) {
			t.Errorf("%s of an unknown account: %v", name, err)
		}
	}
	// Verbs without an account refuse who is no actor at all.
	_, err := h.SignIn(h.ctx, gatehouse.Actor{}, account.SignInRequest{Email: a.Email, Password: secret(password)})
	h.is(err, gatehouse.ErrForbidden)
	_, err = h.Register(h.ctx, gatehouse.Actor{}, registration("new@example.test"))
	h.is(err, gatehouse.ErrForbidden)
	_, err = h.OpenSession(h.ctx, foreign, a.ID, gatehouse.Secret{})
	h.is(err, gatehouse.ErrForbidden)
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o := h.signedIn(a.Email)
	h.config.Tenant = "other"
	d, err := account.New(h.config)
	h.must(err)
	_, err = d.Account(h.ctx, account.ByID, a.ID)
	h.is(err, gatehouse.ErrNotFound)
	_, _, err = d.FindSession(h.ctx, o.ID)
	h.is(err, account.ErrNoSession)
	_, err = d.CheckSession(h.ctx, nobody, o.ID, o.Session)
	h.is(err, account.ErrNoSession)
	stranger := nobody
	stranger.Tenant = ""
	h.is(d.SignOut(h.ctx, stranger, o.ID), account.ErrNoSession)
	_, err = d.SignIn(h.ctx, stranger, account.SignInRequest{Email: a.Email, Password: secret(password)})
	h.is(err, account.ErrCredentials)
	b, err := d.Register(h.ctx, stranger, registration("bob@example.test")) // the same address is free there
	h.must(err)
	if b.Tenant != "other" {
		t.Errorf("tenant %q", b.Tenant)
	}
}

// Every change is one event, and nothing that is secret is in any.
func TestEveryChangeIsOneEvent(t *testing.T) {
	t.Parallel()
	h := open(t)
	none := gatehouse.Secret{}
	soon := h.Now().Add(24 * time.Hour)
	h.begin(h.person("first@example.test")) // the sealer makes its data key, which is an event too
	secrets := []string{password, newer}
	count := func() int { return len(h.allEvents()) }
	step := func(name, verb string, do func() error) {
		t.Helper()
		before := count()
		h.must(do())
		log := h.allEvents() // newest first
		if n := len(log) - before; n != 1 || log[0].Verb != verb || log[0].Outcome != gatehouse.OutcomeSucceeded {
			t.Errorf("%s: %d events, the last one %s %s; want one %s", name, n, log[0].Verb, log[0].Outcome, verb)
		}
	}
	var (
		a account.Account
		o account.Opened
		f *factor
	)
	step("Register", account.VerbAccountCreate, func() (err error) {
		a, err = h.Register(h.ctx, nobody, registration("bob@example.test"))
		return err
	})
	_, err := h.IssueConfirmation(h.ctx, a.Email, "ticket-one", soon)
	h.must(err)
	step("ConfirmEmail", account.VerbAccountConfirm, func() error { _, err := h.ConfirmEmail(h.ctx, nobody, "ticket-one", a.Email); return err })
	step("OpenSession", account.VerbSessionCreate, func() (err error) { o, err = h.OpenSession(h.ctx, nobody, a.ID, none); return err })
	secrets = append(secrets, o.ID.Reveal(), o.Session.CSRF)
	step("SignIn", account.VerbSessionCreate, func() (err error) {
		o, err = h.SignIn(h.ctx, nobody, account.SignInRequest{Email: a.Email, Password: secret(password), Previous: o.ID})
		return err
	})
	step("SetData", account.VerbAccountUpdate, func() error { _, err := h.SetData(h.ctx, self(a), a.ID, `"personal"`); return err })
	secrets = append(secrets, o.ID.Reveal(), o.Session.CSRF, "personal")
	step("BeginOTP", account.VerbOTPBegin, func() error { f = h.begin(a); return nil })
	secrets = append(secrets, string(f.secret))
	enabled := f.code()
	step("EnableOTP", account.VerbOTPEnable, func() error {
		codes, err := h.EnableOTP(h.ctx, self(a), a.ID, enabled, o.ID)
		for _, c := range codes {
			secrets = append(secrets, c.Reveal())
		}
		return err
	})
	renewed := f.code()
	step("RenewRecovery", account.VerbRecoveryRenew, func() error {
		codes, err := h.RenewRecovery(h.ctx, self(a), a.ID, renewed)
		for _, c := range codes {
			secrets = append(secrets, c.Reveal())
		}
		return err
	})
	recovery := secrets[len(secrets)-1]
	step("VerifyCode, recovery", account.VerbRecoveryUse, func() error { return h.VerifyCode(h.ctx, self(a), a.ID, recovery) })
	disabled := f.code()
	secrets = append(secrets, enabled, renewed, disabled)
	step("DisableOTP", account.VerbOTPDisable, func() error { return h.DisableOTP(h.ctx, self(a), a.ID, disabled) })
	step("ChangePassword", account.VerbPasswordChange, func() error { return h.ChangePassword(h.ctx, self(a), a.ID, secret(password), secret(newer)) })
	step("IssueReset", account.VerbPasswordRequest, func() error { _, err := h.IssueReset(h.ctx, nobody, a.Email, "ticket-two", soon); return err })
	step("ResetPassword", account.VerbPasswordReset, func() error {
		_, err := h.ResetPassword(h.ctx, nobody, "ticket-two", a.Email, secret(password))
		return err
	})
	step("SetLabel", account.VerbLabelSet, func() error { _, err := h.SetLabel(h.ctx, operator, a.ID, "lock", "x", "private"); return err })
	step("DeleteLabel", account.VerbLabelDelete, func() error { _, err := h.DeleteLabel(h.ctx, operator, a.ID, "lock", "private"); return err })
	step("SetState", account.VerbAccountState, func() error { return h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalPending) })
	step("EndSessions", account.VerbSessionEndAll, func() error { return h.EndSessions(h.ctx, self(a), a.ID, none) })
	o = h.signedIn(a.Email)
	step("SignOut", account.VerbSessionDelete, func() error { return h.SignOut(h.ctx, nobody, o.ID) })
	step("Delete", account.VerbAccountDelete, func() error { return h.Delete(h.ctx, self(a), a.ID, secret(password), "") })

	log, err := json.Marshal(h.allEvents())
	h.must(err)
	text := string(log) + fmt.Sprintf("%+v", h.allEvents())
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("the log holds %q", s)
		}
	}
	for _, e := range h.allEvents() {
		if e.Subject == a.ID && e.Actor.Kind == gatehouse.ActorAccount && (e.Actor.ID != a.ID || e.Actor.Address.String() != home || e.Actor.UserAgent != agent) {
			t.Errorf("%s by %+v", e.Verb, e.Actor)
		}
	}
}

// Changes of one account at once all happen, each once.
func TestUpdatesDoNotLoseEachOther(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	count := together(4, func(i int) error {
		_, err := h.SetLabel(h.ctx, self(a), a.ID, fmt.Sprintf("k%d", i), "v", account.LabelPublic)
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 4}, count); diff != "" {
		t.Error(diff)
	}
	if got := h.read(a); len(got.Labels) != 4 || got.Version != a.Version+4 {
		t.Errorf("%d labels, version %d", len(got.Labels), got.Version)
	}
	if n := len(h.events(a, account.VerbLabelSet)); n != 4 {
		t.Errorf("%d events", n)
	}
}
