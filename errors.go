// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"errors"
	"fmt"
	"time"
)

// Errors of the management verbs, compared with errors.Is.
var (
	// ErrNotFound: there is no such record, or the actor may not know of it.
	ErrNotFound = errors.New("not found")
	// ErrExists: a record with this name is there already.
	ErrExists = errors.New("already exists")
	// ErrConflict: the record changed since it was read.
	ErrConflict = errors.New("changed meanwhile")
	// ErrRepeated: the change was made before, with the same [Once].
	ErrRepeated = errors.New("made before")
	// ErrForbidden: the actor may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrUnavailable: a dependency failed, so there is no answer. It says nothing
	// about the credential.
	ErrUnavailable = errors.New("unavailable")
)

// InvalidError says which input is wrong and why. It never holds the input itself.
type InvalidError struct {
	Field   string // name of the input, as the caller knows it
	Problem string // what is wrong, in words
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Problem }

// RetryError is the cause of an [ErrUnavailable] that passes by itself: a dependency cannot
// answer now, and knows when it will. Errors that hold one are no reason for an alarm.
type RetryError struct {
	After   time.Duration // until it can answer; above zero
	Problem string        // why it cannot, in words
}

// Error implements error.
func (e *RetryError) Error() string { return fmt.Sprintf("%s; retry after %v", e.Problem, e.After) }

// RetryAfter is how long until what failed with err can succeed, as its [*RetryError] says.
// Zero: it is not known.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*RetryError](err); ok {
		return max(e.After, 0)
	}
	return 0
}

// Unavailable wraps the failure of a dependency so that errors.Is finds both
// [ErrUnavailable] and cause. what names the attempt, such as "look up key".
func Unavailable(what string, cause error) error {
	if cause == nil {
		return fmt.Errorf("%s: %w", what, ErrUnavailable)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, cause)
}
