// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// noCode is what looks like a recovery code and is none.
const noCode = "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"

// A thief has the password, or a session, and sends wrong codes of an app: the holder's
// recovery codes are as good as before.
func TestWrongCodesLeaveRecoveryAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	thief := self(a)
	thief.Address = from("203.0.113.66").Address
	for range 20 {
		_ = h.VerifyCode(h.ctx, thief, a.ID, f.wrong())
	}
	h.throttled(h.VerifyCode(h.ctx, self(a), a.ID, f.code()))
	_, err := h.signIn(a.Email, password, f.recovery[0])
	h.must(err)
	h.must(h.DisableOTP(h.ctx, self(a), a.ID, f.recovery[1]))
}

// Nor do wrong recovery codes from elsewhere keep the holder out, with an app or without.
func TestWrongRecoveryCodesFromElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	thief := self(a)
	for i := range 90 {
		thief.Address = from(fmt.Sprintf("203.0.113.%d", i)).Address
		for range 10 {
			h.is(h.VerifyCode(h.ctx, thief, a.ID, noCode), account.ErrCodeInvalid)
		}
		h.throttled(h.VerifyCode(h.ctx, thief, a.ID, noCode))
	}
	_, err := h.signIn(a.Email, password, f.recovery[0])
	h.must(err)
	_, err = h.signIn(a.Email, password, f.code())
	h.must(err)
}

// One network has ten, over all ways in, and gets them back with time.
func TestRecoveryBudget(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	h.Add(time.Hour)
	for range 5 {
		_, err := h.signIn(a.Email, password, noCode)
		h.is(err, account.ErrCodeInvalid)
		h.is(h.DisableOTP(h.ctx, self(a), a.ID, noCode), account.ErrCodeInvalid)
	}
	h.throttled(h.VerifyCode(h.ctx, self(a), a.ID, f.recovery[0]))
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.code())) // the app is another matter
	h.Add(10 * time.Minute)
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.recovery[0]))
}

// spent is a limiter whose limits of a name are used up.
type spent struct {
	gatehouse.Limiter
	name string
}

func (s *spent) Take(ctx context.Context, key string, limits []gatehouse.Limit) (bool, time.Duration, error) {
	if limits[0].Name == s.name {
		return false, time.Hour, nil
	}
	return s.Limiter.Take(ctx, key, limits)
}

// What all networks share is bounded as well. An attempt that it refuses costs its network
// nothing, and it is not that of the app's codes.
func TestRecoveryBudgetEverywhere(t *testing.T) {
	t.Parallel()
	codes := &spent{}
	h := open(t, func(c *account.Config) {
		codes.Limiter = c.Limiter
		c.Codes = codes
	})
	a := h.person("bob@example.test")
	f := h.enrol(a)
	codes.name = "everywhere"
	for range 20 {
		h.throttled(h.VerifyCode(h.ctx, self(a), a.ID, f.recovery[0]))
	}
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.code()))
	codes.name = ""
	for range 10 {
		h.is(h.VerifyCode(h.ctx, self(a), a.ID, noCode), account.ErrCodeInvalid)
	}
}

// Who has reset the password by the link in a mail is its holder: what strangers, or he
// himself, spent on the old password does not keep him from signing in with the new one.
func TestResetLiftsTheLock(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	try := func(password string) error {
		_, err := h.signIn(a.Email, password, "")
		return err
	}
	reset := func(fresh string) {
		t.Helper()
		_, err := h.IssueReset(h.ctx, nobody, a.Email, fresh, h.Now().Add(time.Hour))
		h.must(err)
		_, err = h.ResetPassword(h.ctx, nobody, fresh, a.Email, secret(fresh))
		h.must(err)
	}
	h.exhaust(a.Email)
	h.throttled(try(password))
	reset(newer)
	h.must(try(newer))

	for range 10 {
		h.is(try("wrong"), account.ErrCredentials)
	}
	h.throttled(try(newer))
	reset(password)
	h.must(try(password))

	// The new password is no easier to guess than the old one was.
	h.exhaust(a.Email)
	_, err := h.SignIn(h.ctx, from("203.0.113.200"), account.SignInRequest{Email: a.Email, Password: secret(password)})
	h.throttled(err)
	for range 10 {
		h.is(try("wrong"), account.ErrCredentials)
	}
	h.throttled(try(password))
	// And a link that was asked for, or was no good, lifts nothing.
	_, err = h.IssueReset(h.ctx, nobody, a.Email, "t", h.Now().Add(time.Hour))
	h.must(err)
	_, err = h.ResetPassword(h.ctx, nobody, "another", a.Email, secret(newer))
	h.is(err, account.ErrSpent)
	h.throttled(try(password))
}
