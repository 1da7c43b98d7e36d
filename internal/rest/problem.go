// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
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
	{gatehouse.ErrConflict, http.StatusConflict, "conflict", "It changed meanwhile, or its state does not allow this"},
	{gatehouse.ErrForbidden, http.StatusForbidden, "forbidden", "The caller may not do this"},
	{account.ErrSpent, http.StatusConflict, "spent", "The one-time token was used, replaced, or never was"},
	{account.ErrOTPOff, http.StatusConflict, "otp_off", "The second factor is off"},
}

// problem turns an error into its answer. Errors without a row are ours to read in the
// log and nobody else's: the answer holds a request id only.
func problem(err error) api.Problem {
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return api.Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "The input is not usable", Field: e.Field, Detail: e.Problem}
	}
	if e, ok := errors.AsType[*account.PasswordError](err); ok {
		return api.Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "The input is not usable", Field: "password", Detail: e.Error()}
	}
	if e, ok := errors.AsType[*account.TakenError](err); ok {
		return api.Problem{Status: http.StatusConflict, Code: "exists", Title: "There is one already", Field: e.Field}
	}
	if e, ok := errors.AsType[*ConflictError](err); ok {
		return api.Problem{Status: http.StatusConflict, Code: "conflict", Title: "Its state does not allow this", Detail: e.Problem}
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return api.Problem{Status: p.status, Code: p.code, Title: p.title}
		}
	}
	return api.Problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Something is wrong here"}
}

// fail answers with the problem of err, and logs what the caller may not see.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem(err)
	if p.Status >= http.StatusInternalServerError {
		p.Ref = rand.Text()
		h.log.ErrorContext(r.Context(), "request failed", "request_id", p.Ref, "route", r.Pattern, "error", err)
		if p.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(1))
		}
	}
	w.Header().Set("Content-Type", api.ProblemType)
	write(w, p.Status, p)
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody is left to tell
}

// read decodes the body into v. Unknown members and trailing bytes are refused.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &gatehouse.InvalidError{Field: "body", Problem: "is not the JSON object that is expected here, or too large"}
	}
	// Not d.More: a stray closing bracket is no more to it, and neither is a body cut short.
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &gatehouse.InvalidError{Field: "body", Problem: "holds more than one JSON value"}
	}
	return nil
}
