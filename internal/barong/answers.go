// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// answer is what a handler says when nothing went wrong.
type answer struct {
	status int
	body   any // nil with 204 only; the integer 200 is a body
	header http.Header
	cookie *http.Cookie
}

// null is the body of a success that has nothing to say.
var null = json.RawMessage("null")

// refusal is an answer that refuses, on its way out as an error.
type refusal struct {
	status int
	codes  []string
	retry  time.Duration // of Retry-After; zero: none
}

// Error implements error.
func (r *refusal) Error() string { return strings.Join(r.codes, ", ") }

func refuse(status int, codes ...string) error { return &refusal{status: status, codes: codes} }

// failures is the JSON of every refusal.
type failures struct {
	Errors []string `json:"errors"`
}

// row translates one error of the ground.
type row struct {
	err    error
	status int
	code   string
}

// say translates what the ground refuses into Barong's words: the first row that the
// error is, or what every call has in common. slow is the code of a throttled attempt.
// Other errors come back as they are.
func say(err error, slow string, rows ...row) error {
	for _, r := range rows {
		if errors.Is(err, r.err) {
			return refuse(r.status, r.code)
		}
	}
	if throttled := new(account.ThrottledError); errors.As(err, &throttled) {
		return &refusal{status: http.StatusTooManyRequests, codes: []string{slow}, retry: throttled.RetryAfter}
	}
	if codes := recordCodes(err); len(codes) > 0 {
		return refuse(http.StatusUnprocessableEntity, codes...)
	}
	return err
}

// recordCodes are the codes of what is wrong with a record, one after the other where
// the ground joined several errors. None: the error is about something else.
func recordCodes(err error) (codes []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			codes = append(codes, recordCodes(e)...)
		}
		return codes
	}
	password, taken, invalid := new(account.PasswordError), new(account.TakenError), new(gatehouse.InvalidError)
	switch {
	case errors.As(err, &password):
		for _, p := range password.Problems {
			codes = append(codes, "password."+string(p))
		}
	case errors.As(err, &taken):
		codes = []string{taken.Field + ".taken"}
	case errors.As(err, &invalid):
		codes = []string{invalid.Field + "." + invalid.Problem}
	}
	return codes
}

// Codes that many calls share.
const (
	codeUnavailable = "server.unavailable"
	codeInternal    = "server.internal_error"
	codeNotFound    = "record.not_found"
	codeBearer      = "jwt.decode_and_verify"
	codeTOTPUsed    = "totp.error"
	codeTOTPSlow    = "totp.too_many_attempts"
)

// settle is the one bridge from an error to an answer. What is no refusal is a failure:
// its cause goes to the log with an id that the answer carries, and nowhere else.
func (d *Door) settle(w http.ResponseWriter, r *http.Request, err error) *refusal {
	said := new(refusal)
	switch {
	case errors.As(err, &said):
		return said
	case errors.Is(err, gatehouse.ErrNotFound):
		return &refusal{status: http.StatusNotFound, codes: []string{codeNotFound}}
	case errors.Is(err, account.ErrLastAdministrator):
		return &refusal{status: http.StatusUnprocessableEntity, codes: []string{"resource.user.last_administrator"}}
	case errors.Is(err, gatehouse.ErrUnavailable), errors.Is(err, gatehouse.ErrConflict),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		said = &refusal{status: http.StatusServiceUnavailable, codes: []string{codeUnavailable}, retry: max(time.Second, gatehouse.RetryAfter(err))}
	default:
		said = &refusal{status: http.StatusInternalServerError, codes: []string{codeInternal}}
	}
	if errors.Is(err, context.Canceled) {
		return said // the client has gone: nobody reads this, and nothing of ours failed
	}
	id := requestID()
	w.Header().Set("X-Request-Id", id)
	d.c.Logger.Log(r.Context(), gate.LogLevel(err), "request failed", "request", id, "method", r.Method, "path", r.URL.Path, "status", said.status, "error", err)
	return said
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// write sends a body as JSON of the content type.
func write(w http.ResponseWriter, status int, contentType string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		// Bodies are our own types, all of which have a JSON form.
		panic("barong: encode answer: " + err.Error())
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone
}

func (r *refusal) write(w http.ResponseWriter, contentType string) {
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(r.retry.Seconds())), 10))
	}
	write(w, r.status, contentType, failures{r.codes})
}

func (a *answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.cookie != nil {
		http.SetCookie(w, a.cookie)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	write(w, a.status, contentJSON, a.body)
}

const (
	contentJSON = "application/json"
	// contentGate is what Barong's gate calls its JSON.
	contentGate = "text/html; charset=utf-8"
)

// stamp prints a time as Barong does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// orNull is the text, or JSON's null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
