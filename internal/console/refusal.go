// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/gate"
)

// What the API refuses, as pages tell it: in the words of its problems and with its status.

// sentence is what the API says of a problem, for people.
func sentence(p *api.Problem) string {
	text := p.Title
	if p.Detail != "" {
		text = p.Detail
	}
	if p.Field != "" {
		text = strings.ReplaceAll(p.Field, "_", " ") + ": " + text
	}
	if text == "" {
		return "The server did not accept this."
	}
	text = strings.ToUpper(text[:1]) + text[1:] + "."
	if p.Code == "code_invalid" { // wrong, or used before: of signing in, a moment ago
		text += " Wait for the next one and try again."
	}
	return text
}

// said are the sentences for problems of which the API speaks to programs, by code.
var said = map[string]string{
	"forbidden":            "Your account may not do this.",
	"precondition_failed":  "Somebody else changed this meanwhile. Look at how it is now, and try again.",
	"idempotency_mismatch": "This form was sent before, with other contents, and did its work then. Look at what it did; for something else open the form anew.",
	"in_progress":          "This form was sent a moment ago, and is being worked on. Send it again to see what came of it.",
	"answer_lost":          "This was done before, and the answer was lost. Look at how things are now.",
	"caller_changed":       "Your account changed in this moment, and nothing was done. Try again.",
}

// wrong is the sentence for what the API did not accept; empty: err is of another kind, and is
// the caller's to return.
func wrong(err error) string {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok || e.Status >= http.StatusInternalServerError || e.Status == http.StatusNotFound:
		return ""
	case e.Detail == "" && said[e.Code] != "":
		return said[e.Code]
	case e.Status != http.StatusTooManyRequests:
		return sentence(&e.Problem)
	}
	if after := gatehouse.RetryAfter(err); after > 0 {
		return "Too many attempts. Try again in " + waiting(after) + "."
	}
	return "Too many attempts. Try again later."
}

// isStatus reports whether an error is an answer of the API with this status.
func isStatus(err error, status int) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status == status
}

// refusal is what the API, or a check of the form, has against what was sent, with the status for
// the page that says so. An empty text: err is of another kind, and is the caller's to return.
func (v *visit) refusal(err error) (status int, text string) {
	if e, ok := errors.AsType[*gatehouse.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, sentence(&api.Problem{Field: e.Field, Detail: e.Problem})
	}
	if text = wrong(err); text == "" {
		return 0, ""
	}
	v.retryAfter(err)
	e, _ := errors.AsType[*client.Error](err)
	return e.Status, text
}

// refusedOr shows a form again where err is about what was sent with it.
func (v *visit) refusedOr(err error, problem *string, form func(status int) error) error {
	status, text := v.refusal(err)
	if *problem = text; text == "" {
		return err
	}
	return form(status)
}

// retryAfter passes on when another attempt makes sense.
func (v *visit) retryAfter(err error) {
	if after := gatehouse.RetryAfter(err); after > 0 {
		v.w.Header().Set("Retry-After", gate.Seconds(after))
	}
}
