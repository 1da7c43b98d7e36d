// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"time"

	"github.com/seed14544106/gatehouse"
)

// Refusals of the verbs, compared with errors.Is.
var (
	// ErrCredentials: unknown e-mail address or wrong password; which of the two is not told.
	ErrCredentials = errors.New("e-mail address or password is wrong")
	// ErrInactive: the account's state does not let it in. A *[StateError] says which.
	ErrInactive = errors.New("the account is not active")
	// ErrCodeMissing: a second factor is needed and none was given.
	ErrCodeMissing = errors.New("a code is needed")
	// ErrCodeInvalid: the code is wrong.
	ErrCodeInvalid = errors.New("the code is wrong")
	// ErrCodeUsed: the code was right and has been used before.
	ErrCodeUsed = errors.New("the code was used before")
	// ErrOTPOn: the second factor is on already.
	ErrOTPOn = errors.New("the second factor is on")
	// ErrOTPOff: the second factor is off.
	ErrOTPOff = errors.New("the second factor is off")
	// ErrNoSession: there is no such session, or none was given.
	ErrNoSession = errors.New("no session")
	// ErrSessionMismatch: the session had expired or was used from another user agent or
	// network; it has been ended.
	ErrSessionMismatch = errors.New("the session does not fit its user")
	// ErrSpent: the ticket was used or replaced, or never was.
	ErrSpent = errors.New("the ticket is spent")
	// ErrPasswordSame: the new password equals the old one.
	ErrPasswordSame = errors.New("the password is the old one")
)

// StateError is [ErrInactive] with the account's state. It is returned only after
// the right password.
type StateError struct{ State gatehouse.PrincipalState }

// Error implements error.
func (e *StateError) Error() string { return "the account is " + string(e.State) }

// Is reports whether target is [ErrInactive].
func (e *StateError) Is(target error) bool { return target == ErrInactive }

// ThrottledError refuses an attempt that came too soon after others.
type ThrottledError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *ThrottledError) Error() string { return "too many attempts" }

// PasswordError says what the password policy misses in a password.
type PasswordError struct{ Problems []PasswordProblem }

// Error implements error.
func (e *PasswordError) Error() string { return "the password does not satisfy the policy" }

// TakenError says that another account has this name.
type TakenError struct{ Field string } // "email" or "username"

// Error implements error.
func (e *TakenError) Error() string { return e.Field + " is taken" }

// Is reports whether target is [gatehouse.ErrExists].
func (e *TakenError) Is(target error) bool { return target == gatehouse.ErrExists }
