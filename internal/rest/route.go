// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/seed14544106/gatehouse"
)

// limits bound what a route takes and how long it may take.
type limits struct {
	MaxBody int64
	Timeout time.Duration
}

var (
	small = limits{MaxBody: 64 << 10, Timeout: 15 * time.Second}
	large = limits{MaxBody: 8 << 20, Timeout: time.Minute}
)

// repeat says what becomes of a POST that comes again with the same Idempotency-Key.
type repeat uint8

const (
	repeatChange repeat = iota // the store refuses to make its one change twice, and the answer is kept
	repeatAnswer               // the answer is kept; the verb makes several changes, or is harmless to do again
	repeatFresh                // it changes nothing that a repetition must not change: it is answered anew, as a decision must be
)

// route is one way into the API: what it is called, who may take it, and what bounds it.
type route struct {
	Method, Path string
	ID           string // operationId, such as "createKey"; the subject of the event of a denial
	Summary      string // half a sentence
	Text         string // more to say; may be empty
	Tag          string
	Status       int // of a success
	limits

	// Who may: exactly one of these three is set.
	Scope     gatehouse.Scope // keys that hold this management scope by name, sessions, the admin socket
	AnyCaller bool            // whoever proves to be somebody
	Public    bool            // everybody

	Everyone          bool // only who may manage the records of others in its tenant
	Services          bool // besides these, service accounts: only who manages gives their keys the scope
	DefaultTenantOnly bool // only superadministrators of the default tenant, and the operator in it
	SocketOnly        bool // only through the admin socket

	Repeat repeat // of a POST
	Reads  bool   // it changes nothing: a session needs no code of a second factor
	Kind   string // media type of the answer; empty: JSON
	Secret bool   // the answer is an api.CreatedKey

	// short answers what it can without huma, to the same effect, and reports whether it did;
	// the body is read. Nil: there is no such way.
	short func(w http.ResponseWriter, r *http.Request, rt *route, body []byte) bool

	// again answers for a change that is known to have been made, of which no answer was
	// kept; nil: nothing can be said but that. subject is that of the change's event.
	again func(ctx context.Context, c *caller, subject string) (any, error)
}

// pattern is the route as [http.ServeMux] takes it.
func (rt *route) pattern() string { return rt.Method + " " + rt.Path }

// operation is a route with what it does.
type operation struct {
	route
	register func(h *Handler, op huma.Operation)
}

// does makes an operation of a route and a verb. In holds what is asked: fields with the
// tags path, query and header, and Body. Out holds what is answered: fields with the tag
// header, and Body; an empty struct is an answer without a body.
func does[In, Out any](r route, verb func(context.Context, *caller, *In) (*Out, error)) operation {
	return operation{route: r, register: func(h *Handler, op huma.Operation) {
		huma.Register(h.api, op, func(ctx context.Context, in *In) (*Out, error) {
			c := callerOf(ctx)
			out, err := verb(ctx, c, in)
			if err != nil {
				return nil, h.answerFor(ctx, &r, c, err)
			}
			return out, nil
		})
	}}
}

// adapter is what huma registers operations with: it keeps the last one's handler.
type adapter struct {
	op      *huma.Operation
	handler http.HandlerFunc
}

// Handle implements [huma.Adapter].
func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.op = op
	a.handler = func(w http.ResponseWriter, r *http.Request) { handler(call{humago.NewContext(op, r, w)}) }
}

// ServeHTTP implements [huma.Adapter]; nobody calls it.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// call is one request to huma. Its body is in memory already, so there is no deadline to
// set for reading it.
type call struct{ plainCall }

// plainCall is huma's name under another, as it has a method Context.
type plainCall = huma.Context

// SetReadDeadline implements [huma.Context].
func (call) SetReadDeadline(time.Time) error { return nil }
