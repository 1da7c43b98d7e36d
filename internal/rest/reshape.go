// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
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
func (h *Handler) reshape(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *answerError:
		return e.Problem, nil
	case *huma.ErrorModel:
		return h.complaint(ctx.Operation(), e), nil
	}
	return v, nil
}

func (h *Handler) complaint(op *huma.Operation, e *huma.ErrorModel) api.Problem {
	p := api.Problem{Status: e.Status}
	switch e.Status {
	case http.StatusBadRequest:
		p.Code, p.Title, p.Field = "malformed", "The body is not the JSON that is expected here", "body"
		if e.Detail == "request body is required" {
			p.Detail = "is missing"
		}
	case http.StatusUnsupportedMediaType:
		p.Code, p.Title = "unsupported_media_type", "The body is to be application/json"
	case http.StatusUnprocessableEntity:
		p.Code, p.Title = "invalid", "The input is not usable"
		if len(e.Errors) > 0 {
			first := e.Errors[0]
			p.Field, p.Detail = h.fieldOf(first.Location), words(first.Message)
			switch name := missing(first.Message); {
			case strings.HasPrefix(first.Message, "un"): // unexpected or unknown: its name is input
				p.Field, _, _ = strings.Cut(first.Location, ".")
			case first.Location == "body" && name != "":
				p.Field = name
				if is := h.meaning(op, name); is != "" {
					p.Detail += ": " + is
				}
			case name != "":
				p.Field += "." + name
			}
		}
	default:
		p.Status, p.Code, p.Title = e.Status, "internal", "Something is wrong here"
	}
	return p
}

// missing is the member that a complaint says is missing, by a name of ours; empty: it says
// something else.
func missing(message string) string {
	name, about := strings.CutPrefix(message, "expected required property ")
	name, whole := strings.CutSuffix(name, " to be present")
	if !about || !whole {
		return ""
	}
	return name
}

// meaning is what the document says of a member of an operation's body; empty: nothing.
func (h *Handler) meaning(op *huma.Operation, name string) string {
	if op.RequestBody == nil || op.RequestBody.Content[jsonType] == nil {
		return ""
	}
	s := op.RequestBody.Content[jsonType].Schema
	if s.Ref != "" {
		s = h.api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	if p := s.Properties[name]; p != nil {
		return p.Description
	}
	return ""
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

// complaints are huma's words, by their beginnings, and ours. What follows a beginning that
// takes the place of LIMIT is of the document, and no input.
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
	{"expected number >= ", "is less than LIMIT"},
	{"expected number <= ", "is more than LIMIT"},
	{"expected number", "is no number"},
	{"expected object", "is no object"},
	{"expected array length >= ", "has fewer than LIMIT elements"},
	{"expected array length <= ", "has more than LIMIT elements"},
	{"expected array", "is no list"},
	{"expected length >= ", "is shorter than LIMIT characters"},
	{"expected length <= ", "is longer than LIMIT characters"},
	{"expected value to be one of ", "is none of LIMIT"},
	{"invalid date/time", "is no time as of RFC 3339"},
}

// words says a complaint without its input.
func words(message string) string {
	for _, c := range complaints {
		limit, ok := strings.CutPrefix(message, c.begin)
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(limit, 64); err == nil {
			limit = strconv.FormatFloat(n, 'f', -1, 64) // which huma may write as 1e+06
		}
		return strings.Replace(c.words, "LIMIT", strings.Trim(limit, `"`), 1)
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
