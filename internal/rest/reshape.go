// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// answerError is how a problem leaves a verb through huma.
type answerError struct {
	api.Problem
	cause error
}

// Error implements error.
func (e *answerError) Error() string { return e.Code }

// GetStatus implements [huma.StatusError].
func (e *answerError) GetStatus() int { return e.Status }

// GetHeaders implements [huma.HeadersError].
func (e *answerError) GetHeaders() http.Header { return retry(&e.Problem, e.cause) }

// ContentType implements [huma.ContentTypeFilter].
func (e *answerError) ContentType(string) string { return api.ProblemType }

// answerFor is what a verb's error is answered with.
func (h *Handler) answerFor(ctx context.Context, rt *route, c *caller, err error) *answerError {
	if errors.Is(err, gatehouse.ErrRepeated) {
		c.repeated = true
	}
	p := h.explain(ctx, rt.ID, err)
	if p.Status == http.StatusForbidden {
		h.recordDenied(ctx, rt, c, p.Code)
	}
	return &answerError{p, err}
}

// reshape turns huma's own complaints about a request into problems of ours. Of what huma
// says only what is known to hold no input is kept.
func (h *Handler) reshape(_ huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *answerError:
		return e.Problem, nil
	case *huma.ErrorModel:
		return h.complaint(e), nil
	}
	return v, nil
}

func (h *Handler) complaint(e *huma.ErrorModel) api.Problem {
	p := api.Problem{Status: e.Status}
	switch e.Status {
	case http.StatusBadRequest:
		p.Code, p.Title, p.Field = "malformed", "The body is not the JSON that is expected here", "body"
	case http.StatusUnsupportedMediaType:
		p.Code, p.Title = "unsupported_media_type", "The body is to be application/json"
	case http.StatusUnprocessableEntity:
		p.Code, p.Title = "invalid", "The input is not usable"
		if len(e.Errors) > 0 {
			first := e.Errors[0]
			p.Field, p.Detail = h.fieldOf(first.Location), words(first.Message)
			if strings.HasPrefix(first.Message, "un") { // unexpected or unknown: its name is input
				p.Field, _, _ = strings.Cut(first.Location, ".")
			}
		}
	default:
		p.Status, p.Code, p.Title = e.Status, "internal", "Something is wrong here"
	}
	return p
}

// fieldOf is the place in the input, as far as it has names of ours: the names of others
// are input. A place in the body is told without the word body.
func (h *Handler) fieldOf(location string) string {
	first, rest, _ := strings.Cut(location, ".")
	var known []string
	for rest != "" {
		var segment string
		segment, rest, _ = strings.Cut(rest, ".")
		name, index, listed := strings.Cut(segment, "[")
		if !h.names[name] || listed && strings.Trim(index, "0123456789[]") != "" {
			break
		}
		known = append(known, segment)
	}
	if len(known) == 0 {
		return first
	}
	return strings.Join(known, ".")
}

// complaints are huma's words, by their beginnings, and ours.
var complaints = []struct{ begin, words string }{
	{"unexpected property", "has a member that is not known"},
	{"unknown query parameter", "has a parameter that is not known"},
	{"expected required property", "is missing"},
	{"required ", "is missing"},
	{"expected string to be RFC 3339 date-time", "is no time as of RFC 3339"},
	{"expected string to be base64 encoded", "is not base64"},
	{"expected string", "is no text"},
	{"expected boolean", "is neither true nor false"},
	{"invalid boolean", "is neither true nor false"},
	{"expected integer", "is no whole number"},
	{"invalid integer", "is no whole number"},
	{"expected number >=", "is too small"},
	{"expected number <=", "is too large"},
	{"expected number", "is no number"},
	{"expected object", "is no object"},
	{"expected array length", "has too few or too many elements"},
	{"expected array", "is no list"},
	{"expected length", "is too short or too long"},
	{"expected value to be one of", "is none of the values that are known"},
	{"invalid date/time", "is no time as of RFC 3339"},
}

// words says a complaint without its input.
func words(message string) string {
	for _, c := range complaints {
		if strings.HasPrefix(message, c.begin) {
			return c.words
		}
	}
	return "is not usable"
}

// learnNames notes the names that the API has for its input.
func (h *Handler) learnNames() {
	for _, s := range h.api.OpenAPI().Components.Schemas.Map() {
		for name := range s.Properties {
			h.names[name] = true
		}
	}
	for _, o := range h.mounted {
		for _, p := range o.op.Parameters {
			h.names[p.Name] = true
		}
	}
}

// takeEmptyBytes takes back what huma checks of base64, once that is documented: to huma an
// empty text is none, and a body may well be empty. What is no base64 does not become bytes
// anyway.
func (h *Handler) takeEmptyBytes() {
	for _, s := range h.api.OpenAPI().Components.Schemas.Map() {
		for _, p := range s.Properties {
			p.ContentEncoding = ""
		}
	}
}
