// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14544106/gatehouse"
)

// The second factor: a TOTP secret, and recovery codes that stand in for it wherever a
// code is asked for. A recovery code does not turn the factor off.

const (
	factorTOTP     = "totp"
	factorRecovery = "recovery"
	purposeTOTP    = "totp" // of the sealed secret's binding
)

// otpLabel is the private label of an account whose second factor is on.
const otpLabel, otpEnabled = "otp", "enabled"

// BeginOTP gives an account a new TOTP secret and returns it as the URI of [TOTPURI].
// The second factor is not on by that; every call replaces the secret. [ErrOTPOn],
// gatehouse.ErrNotFound.
func (d *Directory) BeginOTP(ctx context.Context, actor gatehouse.Actor, accountID string) (uri string, err error) {
	actor, err = d.admitTo(actor, accountID)
	if err != nil {
		return "", err
	}
	secret := NewTOTPSecret()
	a, err := d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if a.OTP {
			return Effects{}, nil, ErrOTPOn
		}
		if a.Kind != gatehouse.PrincipalAccount {
			return Effects{}, nil, gatehouse.ErrForbidden
		}
		a.TOTPVersion++
		sealed, err := d.c.Sealer.Seal(ctx, totpBinding(a), secret)
		if err != nil {
			return Effects{}, nil, gatehouse.Unavailable("seal TOTP secret", err)
		}
		a.TOTP = sealed
		return Effects{}, d.succeeded(actor, VerbOTPBegin, a.ID), nil
	})
	if err != nil {
		return "", err
	}
	return TOTPURI(d.c.Issuer, a.Email, secret), nil
}

func totpBinding(a *Account) gatehouse.Binding {
	return gatehouse.Binding{Purpose: purposeTOTP, Tenant: a.Tenant, ID: a.ID, Version: a.TOTPVersion}
}

// EnableOTP turns the second factor on, given a code of the secret that BeginOTP made.
// The account gets the private label otp=enabled and fresh recovery codes, which are
// shown this once, and loses its sessions but for the one whose id is keep.
//
// Errors: [ErrOTPOn], [ErrCodeMissing], [ErrCodeInvalid] (also where there is no
// secret), [ErrCodeUsed], *[ThrottledError], gatehouse.ErrNotFound.
func (d *Directory) EnableOTP(ctx context.Context, actor gatehouse.Actor, accountID, code string, keep gatehouse.Secret) (recovery []gatehouse.Secret, err error) {
	actor, proven, err := d.stepUp(ctx, actor, VerbOTPEnable, accountID, code, false)
	if err != nil {
		return nil, err
	}
	recovery, hashes := d.newRecovery(accountID)
	kept, _ := sessionHash(keep)
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if err := sameFactor(a, proven); err != nil {
			return Effects{}, nil, err
		}
		a.OTP = true
		also, changes := d.relabel(a, withLabel(a.Labels, otpLabel, otpEnabled, LabelPrivate, d.now()))
		also.EndSessions, also.KeepSession, also.Recovery = true, kept, hashes
		return also, d.succeeded(actor, VerbOTPEnable, a.ID, changes...), nil
	})
	if err != nil {
		return nil, err
	}
	return recovery, nil
}

// DisableOTP turns the second factor off, given a code. Its secret, its recovery codes
// and its label go, and every active key of the account and of its service accounts is
// disabled. Sessions stay.
//
// Errors: [ErrOTPOff], [ErrCodeMissing], [ErrCodeInvalid], [ErrCodeUsed],
// *[ThrottledError], gatehouse.ErrNotFound.
func (d *Directory) DisableOTP(ctx context.Context, actor gatehouse.Actor, accountID, code string) error {
	actor, proven, err := d.stepUp(ctx, actor, VerbOTPDisable, accountID, code, true)
	if err != nil {
		return err
	}
	return d.turnOff(ctx, actor, VerbOTPDisable, accountID, func(a *Account) error { return sameFactor(a, proven) })
}

// ResetOTP turns the second factor off without a code, as DisableOTP does otherwise,
// for an operator or the system; anyone else gets gatehouse.ErrForbidden. [ErrOTPOff],
// gatehouse.ErrNotFound.
func (d *Directory) ResetOTP(ctx context.Context, actor gatehouse.Actor, accountID string) error {
	actor, err := d.admitManager(actor)
	if err != nil {
		return err
	}
	return d.turnOff(ctx, actor, VerbOTPReset, accountID, func(a *Account) error {
		if !a.OTP {
			return ErrOTPOff
		}
		return nil
	})
}

func (d *Directory) turnOff(ctx context.Context, actor gatehouse.Actor, verb, accountID string, check func(*Account) error) error {
	_, err := d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if err := check(a); err != nil {
			return Effects{}, nil, err
		}
		a.OTP, a.TOTP = false, gatehouse.Sealed{}
		also, changes := d.relabel(a, withoutLabel(a.Labels, otpLabel, LabelPrivate))
		also.DisableKeys, also.Recovery = true, [][]byte{}
		return also, d.succeeded(actor, verb, a.ID, changes...), nil
	})
	return err
}

// VerifyCode tells a holder whether a code is right. It spends the code.
//
// Errors: [ErrOTPOff], [ErrCodeMissing], [ErrCodeInvalid], [ErrCodeUsed],
// *[ThrottledError], gatehouse.ErrNotFound.
func (d *Directory) VerifyCode(ctx context.Context, actor gatehouse.Actor, accountID, code string) error {
	_, _, err := d.stepUp(ctx, actor, VerbOTPVerify, accountID, code, true)
	return err
}

// VerifyStepUp is the step-up before what needs the second factor anew and is done
// elsewhere, such as a change of keys. It is [Directory.VerifyCode] but for the verb of
// the event that a refusal leaves, [VerbStepUp].
func (d *Directory) VerifyStepUp(ctx context.Context, actor gatehouse.Actor, accountID, code string) error {
	_, _, err := d.stepUp(ctx, actor, VerbStepUp, accountID, code, true)
	return err
}

// RenewRecovery replaces the recovery codes, given a code, and shows the new ones this
// once. The errors are those of [Directory.VerifyCode].
func (d *Directory) RenewRecovery(ctx context.Context, actor gatehouse.Actor, accountID, code string) ([]gatehouse.Secret, error) {
	actor, proven, err := d.stepUp(ctx, actor, VerbRecoveryRenew, accountID, code, true)
	if err != nil {
		return nil, err
	}
	recovery, hashes := d.newRecovery(accountID)
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if err := sameFactor(a, proven); err != nil {
			return Effects{}, nil, err
		}
		return Effects{Recovery: hashes}, d.succeeded(actor, VerbRecoveryRenew, a.ID), nil
	})
	if err != nil {
		return nil, err
	}
	return recovery, nil
}

// RecoveryLeft counts the recovery codes of an account that are not spent.
// gatehouse.ErrNotFound where the actor may not see the account.
func (d *Directory) RecoveryLeft(ctx context.Context, actor gatehouse.Actor, accountID string) (int, error) {
	if _, err := d.admitTo(actor, accountID); err != nil {
		return 0, err
	}
	n, err := d.c.Store.RecoveryCodes(ctx, accountID)
	if err != nil {
		return 0, fmt.Errorf("count recovery codes: %w", err)
	}
	return n, nil
}

// newRecovery makes recovery codes, and what is stored of them.
func (d *Directory) newRecovery(accountID string) (codes []gatehouse.Secret, hashes [][]byte) {
	for _, code := range NewRecoveryCodes() {
		plain, _ := NormalizeRecoveryCode(code)
		codes = append(codes, gatehouse.NewSecret(code))
		hashes = append(hashes, HashRecoveryCode(d.c.Pepper, accountID, plain))
	}
	return codes, hashes
}

// sameFactor fails with gatehouse.ErrConflict where the second factor is not any more
// the one that was proven.
func sameFactor(a, proven *Account) error {
	if a.OTP != proven.OTP || a.TOTPVersion != proven.TOTPVersion {
		return gatehouse.ErrConflict
	}
	return nil
}

// stepUp lets an actor in to the account and proves its second factor, which must be on
// or off as on says.
func (d *Directory) stepUp(ctx context.Context, actor gatehouse.Actor, verb, accountID, code string, on bool) (gatehouse.Actor, *Account, error) {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return actor, nil, err
	}
	a, err := d.account(ctx, accountID)
	switch {
	case err != nil:
		return actor, nil, fmt.Errorf("read account: %w", err)
	case a.OTP && !on:
		return actor, nil, ErrOTPOn
	case !a.OTP && on:
		return actor, nil, ErrOTPOff
	}
	_, err = d.proveCode(ctx, actor, verb, &a, code)
	return actor, &a, err
}

// proveCode is the one check of second factors. It spends the code and says which
// factor it was. A wrong or used code leaves an event of the verb. ErrCodeMissing,
// ErrCodeInvalid, ErrCodeUsed, *ThrottledError.
func (d *Directory) proveCode(ctx context.Context, actor gatehouse.Actor, verb string, a *Account, code string) (factor string, err error) {
	if code == "" {
		return "", ErrCodeMissing
	}
	factor = factorTOTP
	letters, recovery := NormalizeRecoveryCode(code)
	if recovery {
		factor = factorRecovery
	}
	try, err := d.reserveCode(ctx, actor.Address, a.ID, factor)
	if err != nil {
		return "", err
	}
	if recovery {
		err = d.spendRecovery(ctx, actor, a, letters)
	} else {
		err = d.spendStep(ctx, a, code)
	}
	switch {
	case err == nil:
		try.giveBack(ctx)
	case errors.Is(err, ErrCodeInvalid), errors.Is(err, ErrCodeUsed):
		err = d.refuse(ctx, actor, verb, a.ID, gatehouse.OutcomeFailed, err, gatehouse.Change{Field: "factor", After: factor})
	}
	return factor, err
}

// spendStep spends the step of a TOTP code. ErrCodeInvalid, ErrCodeUsed.
func (d *Directory) spendStep(ctx context.Context, a *Account, code string) error {
	if len(a.TOTP.Data) == 0 {
		return ErrCodeInvalid
	}
	secret, err := d.c.Sealer.Open(ctx, totpBinding(a), a.TOTP)
	if err != nil {
		return gatehouse.Unavailable("open TOTP secret", err)
	}
	step, ok := MatchTOTP(secret, code, d.now())
	if !ok {
		return ErrCodeInvalid
	}
	fresh, err := d.c.Store.UseStep(ctx, a.ID, a.TOTPVersion, step)
	switch {
	case err != nil:
		return fmt.Errorf("spend TOTP step: %w", err)
	case !fresh:
		return ErrCodeUsed
	}
	return nil
}

// spendRecovery spends a recovery code. ErrCodeInvalid, also for one that is spent:
// nothing is kept of it.
func (d *Directory) spendRecovery(ctx context.Context, actor gatehouse.Actor, a *Account, letters string) error {
	hash := HashRecoveryCode(d.c.Pepper, a.ID, letters)
	spent, err := d.c.Store.UseRecoveryCode(ctx, a.ID, hash, d.succeeded(as(actor, a), VerbRecoveryUse, a.ID))
	switch {
	case err != nil:
		return fmt.Errorf("spend recovery code: %w", err)
	case !spent:
		return ErrCodeInvalid
	}
	return nil
}
