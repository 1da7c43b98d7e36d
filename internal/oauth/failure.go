// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// failure is an error answer (RFC 6749 section 5.2). It never repeats input.
type failure struct {
	status int
	code   string
	text   string        // for developers, in the characters of error_description
	retry  time.Duration // zero: nothing is said of it
	bearer string        // what the challenge of bearer tokens adds (RFC 6750 section 3); empty: nothing
}

// Error implements error.
func (f *failure) Error() string { return f.code + ": " + f.text }

// The failures that are always the same.
var (
	errClient      = &failure{status: http.StatusUnauthorized, code: "invalid_client", text: "no client authentication, or one that does not hold"}
	errToken       = &failure{status: http.StatusUnauthorized, code: "invalid_token", text: "the credential does not hold", bearer: `, error="invalid_token"`}
	errUnallowed   = &failure{status: http.StatusBadRequest, code: "unauthorized_client", text: "the key may not be used for this, or not from here"}
	errGrantType   = &failure{status: http.StatusBadRequest, code: "unsupported_grant_type", text: "only client_credentials is known"}
	errScope       = &failure{status: http.StatusBadRequest, code: "invalid_scope", text: "not a list of scopes that the key has"}
	errTarget      = &failure{status: http.StatusBadRequest, code: "invalid_target", text: "no token is made for this audience"}
	errTokenType   = &failure{status: http.StatusBadRequest, code: "unsupported_token_type", text: "a JWT cannot be revoked: it ends within its lifetime"}
	errTooLarge    = &failure{status: http.StatusRequestEntityTooLarge, code: "invalid_request", text: "the body is larger than 16 KiB"}
	errInternal    = &failure{status: http.StatusInternalServerError, code: "server_error", text: "something is wrong here"}
	errUnavailable = &failure{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", text: "a part that is needed does not answer", retry: time.Second}
)

func invalidRequest(text string) *failure {
	return &failure{status: http.StatusBadRequest, code: "invalid_request", text: text}
}

func tooMany(text string, after time.Duration) *failure {
	return &failure{status: http.StatusTooManyRequests, code: "temporarily_unavailable", text: text, retry: max(after, 1)}
}

// lacks is the answer to a key without a management scope.
func lacks(s gatehouse.Scope) *failure {
	return &failure{
		status: http.StatusForbidden, code: "insufficient_scope", text: "the key does not hold " + string(s) + " by name",
		bearer: `, error="insufficient_scope", scope="` + string(s) + `"`,
	}
}

// denial turns a denied decision into its answer. unproven is the one for a credential that
// does not hold or has ended; which of both is told nobody.
func denial(d *gatehouse.Decision, unproven *failure) *failure {
	switch d.Reason {
	case gatehouse.ReasonUndecided:
		return errUnavailable
	case gatehouse.ReasonRateLimited:
		return tooMany("a limit of the key is reached", d.RetryAfter)
	case gatehouse.ReasonNetworkNotAllowed, gatehouse.ReasonRouteNotAllowed, gatehouse.ReasonAmbiguousPath:
		return errUnallowed
	}
	return unproven
}

// refuse answers with the failure that err is, and logs those that are ours.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = errInternal
		if errors.Is(err, gatehouse.ErrUnavailable) || errors.Is(err, gatehouse.ErrConflict) || errors.Is(err, context.DeadlineExceeded) {
			later := *errUnavailable
			later.retry = max(later.retry, gatehouse.RetryAfter(err))
			f = &later
		}
		if !errors.Is(r.Context().Err(), context.Canceled) { // else the client is gone
			d.c.Log.Log(r.Context(), gate.LogLevel(err), "request failed", "route", r.Pattern, "error", err)
		}
	}
	h := w.Header()
	if f.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(gate.RoundUp(f.retry, time.Second), 10))
	}
	if f.status == http.StatusUnauthorized || f.bearer != "" {
		d.challenge(h, r.URL.Path != pathToken, f.bearer)
	}
	write(w, f.status, struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}{f.code, f.text})
}

// challenge invites the client credentials, and where keys count in every form, those too.
func (d *Door) challenge(h http.Header, every bool, bearer string) {
	h.Add("WWW-Authenticate", `Basic realm="gatehouse"`)
	if !every {
		return
	}
	for name, values := range d.c.Authority.Challenges() {
		for _, v := range values {
			if strings.HasPrefix(v, "Bearer ") {
				v += bearer
			}
			h.Add(name, v)
		}
	}
}
