// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestOTPLife(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	s := h.service(a)
	enable := func(code string, keep gatehouse.Secret) ([]gatehouse.Secret, error) {
		return h.EnableOTP(h.ctx, self(a), a.ID, code, keep)
	}
	_, err := enable("123456", gatehouse.Secret{})
	h.is(err, account.ErrCodeInvalid) // no secret yet
	_, err = enable("", gatehouse.Secret{})
	h.is(err, account.ErrCodeMissing)
	old := h.begin(a)
	f := h.begin(a)
	if bytes.Equal(old.secret, f.secret) {
		t.Error("the secret was not replaced")
	}
	_, err = enable(old.now(), gatehouse.Secret{})
	h.is(err, account.ErrCodeInvalid)
	h.is(h.VerifyCode(h.ctx, self(a), a.ID, f.now()), account.ErrOTPOff)
	h.is(h.DisableOTP(h.ctx, self(a), a.ID, f.now()), account.ErrOTPOff)
	h.is(h.ResetOTP(h.ctx, operator, a.ID), account.ErrOTPOff)
	_, err = h.RenewRecovery(h.ctx, self(a), a.ID, f.now())
	h.is(err, account.ErrOTPOff)

	mine, other := h.signedIn(a.Email), h.signedIn(a.Email)
	codes, err := enable(f.now(), mine.ID)
	h.must(err)
	if len(codes) != 10 {
		t.Errorf("%d recovery codes", len(codes))
	}
	_, err = h.use(nobody, mine.ID)
	h.must(err)
	_, err = h.use(nobody, other.ID)
	h.is(err, account.ErrNoSession)
	on := h.read(a)
	if !on.OTP || len(on.Labels) != 1 || on.Labels[0].Key != "otp" || on.Labels[0].Value != "enabled" || on.Labels[0].Scope != account.LabelPrivate {
		t.Errorf("%v, %v", on.OTP, on.Labels)
	}
	if on.State != gatehouse.PrincipalActive {
		t.Errorf("the account became %s", on.State) // it was made active by hand, without labels
	}
	_, err = enable(f.code(), gatehouse.Secret{})
	h.is(err, account.ErrOTPOn)
	_, err = h.BeginOTP(h.ctx, self(a), a.ID)
	h.is(err, account.ErrOTPOn)

	h.key(a, "k1")
	h.key(s, "k2")
	h.is(h.VerifyCode(h.ctx, self(a), a.ID, ""), account.ErrCodeMissing)
	h.is(h.VerifyStepUp(h.ctx, self(a), a.ID, ""), account.ErrCodeMissing)
	h.is(h.VerifyStepUp(h.ctx, self(a), a.ID, f.wrong()), account.ErrCodeInvalid)
	h.is(h.VerifyCode(h.ctx, self(a), a.ID, f.wrong()), account.ErrCodeInvalid)
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.now()))
	h.is(h.DisableOTP(h.ctx, self(a), a.ID, f.now()), account.ErrCodeUsed)
	h.is(h.VerifyStepUp(h.ctx, self(a), a.ID, f.now()), account.ErrCodeUsed)
	h.must(h.VerifyStepUp(h.ctx, self(a), a.ID, f.code()))
	h.must(h.DisableOTP(h.ctx, self(a), a.ID, f.code()))
	off := h.read(a)
	if off.OTP || len(off.Labels) != 0 || len(off.TOTP.Data) != 0 || off.TOTPVersion != on.TOTPVersion {
		t.Errorf("%v, %v, secret of %d bytes, version %d", off.OTP, off.Labels, len(off.TOTP.Data), off.TOTPVersion)
	}
	for _, k := range []string{"k1", "k2"} {
		if got := h.keyState(k); got != "disabled inactive" {
			t.Errorf("key %s is %s", k, got)
		}
	}
	if n, err := h.store.RecoveryCodes(h.ctx, a.ID); err != nil || n != 0 {
		t.Errorf("%d recovery codes are left, %v", n, err)
	}
	_, err = h.use(nobody, mine.ID)
	h.must(err) // sessions stay
	if got := h.read(s).State; got != gatehouse.PrincipalActive {
		t.Errorf("the service account is %s", got)
	}
	_, err = enable(f.now(), gatehouse.Secret{})
	h.is(err, account.ErrCodeInvalid) // the secret is gone

	h.must(func() error { // a new secret has steps of its own: this one was spent with the old
		_, err := enable(h.begin(a).now(), gatehouse.Secret{})
		return err
	}())
	h.must(h.ResetOTP(h.ctx, operator, a.ID))
	h.signedIn(a.Email)
	want := []string{
		"otp.enable failed account factor:>totp",
		"otp.begin succeeded account",
		"otp.begin succeeded account",
		"otp.enable failed account factor:>totp",
		"otp.enable succeeded account",
		"stepup.verify failed account factor:>totp",
		"otp.verify failed account factor:>totp",
		"otp.disable failed account factor:>totp",
		"stepup.verify failed account factor:>totp",
		"otp.disable succeeded account",
		"otp.enable failed account factor:>totp",
		"otp.begin succeeded account",
		"otp.enable succeeded account",
		"otp.reset succeeded operator",
	}
	got := h.events(a, account.VerbOTPBegin, account.VerbOTPEnable, account.VerbOTPDisable, account.VerbOTPVerify, account.VerbStepUp, account.VerbOTPReset)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOTPURI(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *account.Config) { c.Issuer = "Acme" })
	a := h.person("bob@example.test")
	uri, err := h.BeginOTP(h.ctx, self(a), a.ID)
	h.must(err)
	if !strings.HasPrefix(uri, "otpauth://totp/Acme:bob@example.test?") {
		t.Error(uri)
	}
}

// One step is good once, whatever it is used for.
func TestOneStepOneUse(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	code := f.code()
	count := together(10, func(i int) error {
		if i%2 == 0 {
			return h.VerifyCode(h.ctx, self(a), a.ID, code)
		}
		_, err := h.RenewRecovery(h.ctx, self(a), a.ID, code)
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 1, account.ErrCodeUsed.Error(): 9}, count); diff != "" {
		t.Error(diff)
	}
	// Not a step before one that was spent either, though its code is still shown.
	h.Add(time.Hour)
	early := f.now()
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.code()))
	h.is(h.VerifyCode(h.ctx, self(a), a.ID, early), account.ErrCodeUsed)
}

func TestRecoveryCodeTurnsTheFactorOff(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.recovery[0]))
	h.is(h.DisableOTP(h.ctx, self(a), a.ID, f.recovery[0]), account.ErrCodeInvalid)
	h.must(h.DisableOTP(h.ctx, self(a), a.ID, f.recovery[1]))
	if h.read(a).OTP {
		t.Error("the second factor is on")
	}
}

// Where the second factor is asked for activation, its label moves the state.
func TestOTPForActivation(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *account.Config) { c.Activation = map[string]string{"otp": "enabled"} })
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	f := h.enrol(a)
	if got := h.read(a).State; got != gatehouse.PrincipalActive {
		t.Errorf("%s with the factor on", got)
	}
	h.must(h.DisableOTP(h.ctx, self(a), a.ID, f.code()))
	if got := h.read(a).State; got != gatehouse.PrincipalPending {
		t.Errorf("%s with the factor off", got)
	}
}

// A sealed secret in another account's row does not open.
func TestSealedSecretIsBound(t *testing.T) {
	t.Parallel()
	h := open(t)
	alice, bob := h.person("alice@example.test"), h.person("bob@example.test")
	fa := h.enrol(alice)
	h.enrol(bob)
	stolen, victim := h.read(alice), h.read(bob)
	victim.TOTP, victim.TOTPVersion = stolen.TOTP, stolen.TOTPVersion
	e := gatehouse.NewEvent(operator, h.Now(), "test", bob.ID, gatehouse.OutcomeSucceeded)
	h.must(h.store.UpdateAccount(h.ctx, &victim, account.Effects{}, e))
	_, err := h.signIn(bob.Email, password, fa.code())
	h.is(err, gatehouse.ErrUnavailable)
}

// stepped runs something between the proof of a code and what it is good for.
type stepped struct {
	account.Store
	run func()
}

func (s stepped) UseStep(ctx context.Context, id string, version, step int64) (bool, error) {
	ok, err := s.Store.UseStep(ctx, id, version, step)
	s.run()
	return ok, err
}

// A code is good for the second factor that it proved, not for what came in its place.
func TestCodesDoNotOutrunTheirFactor(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	meanwhile := func() {}
	c := h.config
	c.Store = stepped{h.store, func() { meanwhile() }}
	d, err := account.New(c)
	h.must(err)

	f := h.begin(a)
	meanwhile = func() { h.begin(a) }
	_, err = d.EnableOTP(h.ctx, self(a), a.ID, f.code(), gatehouse.Secret{})
	h.is(err, gatehouse.ErrConflict)
	if h.read(a).OTP {
		t.Error("another secret was enabled than the one that was proven")
	}
	f = h.begin(a)
	meanwhile = func() {
		_, err := h.EnableOTP(h.ctx, self(a), a.ID, f.code(), gatehouse.Secret{})
		h.must(err)
	}
	_, err = d.EnableOTP(h.ctx, self(a), a.ID, f.code(), gatehouse.Secret{})
	h.is(err, gatehouse.ErrConflict)
	meanwhile = func() { h.must(h.ResetOTP(h.ctx, operator, a.ID)) }
	_, err = d.RenewRecovery(h.ctx, self(a), a.ID, f.code())
	h.is(err, gatehouse.ErrConflict)
	f = h.enrol(a)
	h.is(d.DisableOTP(h.ctx, self(a), a.ID, f.code()), gatehouse.ErrConflict)
}
