// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// problems is the one bridge from errors to answers. The first row that matches wins.
var problems = []struct {
	err    error
	status int
	code   string
	title  string
}{
	{account.ErrBusy, http.StatusServiceUnavailable, "unavailable", "Too much to do; try again"},
	{gatehouse.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "A part that is needed does not answer; the server's log says which"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "unavailable", "It took too long"},
	{gatehouse.ErrNotFound, http.StatusNotFound, "not_found", "There is no such record"},
	{gatehouse.ErrExists, http.StatusConflict, "exists", "There is one already"},
	{account.ErrLastAdministrator, http.StatusConflict, "conflict", "It is the last superadmin that may act; make another one first"},
	{gatehouse.ErrConflict, http.StatusConflict, "conflict", "It changed meanwhile, or its state does not allow this"},
	{gatehouse.ErrRepeated, http.StatusConflict, "repeated", "It was done before"},
	{gatehouse.ErrForbidden, http.StatusForbidden, "forbidden", "The caller may not do this"},
	{account.ErrCodeMissing, http.StatusForbidden, "code_missing", "A code of the second factor is needed"},
	{account.ErrCodeInvalid, http.StatusForbidden, "code_invalid", "The code is wrong"},
	{account.ErrCodeUsed, http.StatusForbidden, "code_invalid", "The code was used before"},
	{account.ErrSpent, http.StatusConflict, "spent", "The one-time token was used, replaced, or never was"},
	{account.ErrOTPOff, http.StatusConflict, "otp_off", "The second factor is off"},
}

// fieldNames are the names that inputs have here where the ground calls them otherwise.
var fieldNames = map[string]string{"grace": "grace_s", "signed": "signed_only", "unused": "unused_s"}

// codeWords are what the account room tells by a code, as Barong does, by field and code.
var codeWords = map[string]string{
	"email.invalid":      "is no e-mail address, such as name@example.com",
	"username.too_short": userNames,
	"username.too_long":  userNames,
	"username.invalid":   userNames,
	"name.too_short":     userNames,
	"name.too_long":      userNames,
	"name.invalid":       userNames,
	"state.invalid":      "is none of active, pending, locked, banned, disabled, deleted",
	"owner.invalid":      "is a service account: only an account owns one",
}

const userNames = "is not 4 to 12 letters or digits, of ASCII"

// passwordWords are what a password lacks, by the code.
var passwordWords = map[account.PasswordProblem]string{
	account.PasswordTooLong:      "is longer than 72 bytes",
	account.PasswordRequirements: "does not match account.password_pattern, which by default takes 8 to 80 characters with a small letter, a capital and a digit",
	account.PasswordWeak:         "is too easy to guess: make it longer, or less like a word",
}

// invalid is the answer to input that is not usable.
func invalid(field, problem string) api.Problem {
	p := api.Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "The input is not usable", Field: cmp.Or(fieldNames[field], field)}
	p.Detail = cmp.Or(codeWords[field+"."+problem], problem)
	return p
}

// ofPassword says what a password lacks.
func ofPassword(e *account.PasswordError) string {
	var lacks []string
	for _, p := range e.Problems {
		lacks = append(lacks, passwordWords[p])
	}
	return cmp.Or(strings.Join(lacks, "; "), e.Error())
}

// refusal is an error that is its own answer. It never holds input.
type refusal api.Problem

// Error implements error.
func (e *refusal) Error() string { return e.Code + ": " + e.Title }

// problem turns an error into its answer. Errors without a row are ours to read in the
// log and nobody else's: the answer holds a request id only.
func problem(err error) api.Problem {
	if e, ok := errors.AsType[*refusal](err); ok {
		return api.Problem(*e)
	}
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return invalid(e.Field, e.Problem)
	}
	if e, ok := errors.AsType[*account.PasswordError](err); ok {
		return invalid("password", ofPassword(e))
	}
	if e, ok := errors.AsType[*account.TakenError](err); ok {
		return api.Problem{Status: http.StatusConflict, Code: "exists", Title: "There is one already", Field: e.Field}
	}
	if e, ok := errors.AsType[*ConflictError](err); ok {
		return api.Problem{Status: http.StatusConflict, Code: "conflict", Title: "Its state does not allow this", Detail: e.Problem}
	}
	if _, ok := errors.AsType[*account.ThrottledError](err); ok {
		return api.Problem{Status: http.StatusTooManyRequests, Code: gatehouse.ReasonRateLimited.Code(), Title: "Too many wrong codes; wait"}
	}
	if e, ok := errors.AsType[*gatehouse.RetryError](err); ok {
		return api.Problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Title: "A part that is needed does not answer yet", Detail: e.Problem}
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return api.Problem{Status: p.status, Code: p.code, Title: p.title}
		}
	}
	return api.Problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Something is wrong here"}
}

// explain is the problem of err, which tells what the caller may not see to the log only.
func (h *Handler) explain(ctx context.Context, where string, err error) api.Problem {
	p := problem(err)
	if p.Status >= http.StatusInternalServerError {
		p.Ref = rand.Text()
		h.c.Log.Log(ctx, gate.LogLevel(err), "request failed", "request_id", p.Ref, "route", where, "error", err)
	}
	return p
}

// fail answers with the problem of err.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	send(w, &answerError{h.explain(r.Context(), r.Pattern, err), err})
}

// send writes a problem.
func send(w http.ResponseWriter, e *answerError) {
	w.Header().Set("Content-Type", api.ProblemType)
	for name, values := range e.GetHeaders() {
		w.Header()[name] = values
	}
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e.Problem) // the client is gone: nobody is left to tell
}

// retry is the header of a problem that passes by waiting, and of the error it is about.
func retry(p *api.Problem, err error) http.Header {
	switch p.Status {
	case http.StatusServiceUnavailable:
		return http.Header{"Retry-After": {strconv.FormatInt(max(1, wholeSeconds(gatehouse.RetryAfter(err))), 10)}}
	case http.StatusTooManyRequests:
		wait := time.Minute
		if e, ok := errors.AsType[*account.ThrottledError](err); ok {
			wait = e.RetryAfter
		}
		return http.Header{"Retry-After": {strconv.FormatInt(max(1, wholeSeconds(wait)), 10)}}
	}
	return nil
}
