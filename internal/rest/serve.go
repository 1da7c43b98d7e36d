// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/gate"
)

// mounted is an operation with the handler that huma made of it.
type mounted struct {
	route
	op      *huma.Operation
	handler http.HandlerFunc
}

// mount makes the API's face for one kind of caller.
func (h *Handler) mount(public bool) http.Handler {
	mux := http.NewServeMux()
	var routes []gate.Route
	for i := range h.mounted {
		m := &h.mounted[i]
		if public && m.SocketOnly {
			continue
		}
		inner := h.reading(m, h.once(&m.route, m.handler))
		way := h.bySocket(&m.route, inner)
		if public {
			way = h.byCredential(&m.route, inner)
		}
		if m.Method != http.MethodGet {
			way = timed(way)
		}
		routes = append(routes, gate.Route{Pattern: m.pattern(), MaxBody: m.MaxBody, Timeout: m.Timeout, Handler: h.plain(way)})
	}
	nowhere := func(w http.ResponseWriter, r *http.Request) { h.nowhere(mux, w, r) }
	gate.Mount(mux, append(routes, gate.Route{Pattern: prefix, MaxBody: 1, Timeout: small.Timeout, Handler: h.plain(nowhere)}))
	return mux
}

// prefix is what all paths of the API begin with.
const prefix = "/v1/"

// plain sets what every answer carries, and refuses a query that cannot be read: what is left
// of it would be taken for all.
func (h *Handler) plain(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			h.fail(w, r, &gatehouse.InvalidError{Field: "query", Problem: "cannot be read"})
			return
		}
		next(w, r)
	}
}

// nowhere answers where no route is: 404, or 405 for another method.
func (h *Handler) nowhere(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != prefix {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		h.fail(w, r, &refusal{Status: http.StatusNotFound, Code: "no_route", Title: "There is no such route"})
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	h.fail(w, r, &refusal{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "The route has no such method"})
}

// reading reads the body, within the route's limit, before anything else does.
func (h *Handler) reading(m *mounted, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if m.Method == http.MethodGet {
			if m.Timeout > small.Timeout {
				patient(w, m.Timeout)
			}
			next(w, r)
			return
		}
		if r.Header.Get("If-Match") != "" && !m.matches() {
			h.fail(w, r, &gatehouse.InvalidError{Field: "If-Match", Problem: "is not looked at here: nothing was done"})
			return
		}
		body, err := io.ReadAll(r.Body)
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			h.fail(w, r, &refusal{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Title: "The body is too large"})
			return
		}
		if err != nil {
			h.fail(w, r, &refusal{Status: http.StatusBadRequest, Code: "bad_body", Title: "The body ended early, or cannot be read"})
			return
		}
		if err := h.still(r); err != nil {
			h.fail(w, r, err)
			return
		}
		if m.short != nil && m.short(w, r, &m.route, body) {
			return
		}
		if empty := strings.TrimSpace(string(body)); m.op.RequestBody == nil && empty != "" && empty != "{}" {
			h.fail(w, r, &gatehouse.InvalidError{Field: "body", Problem: "is not expected here"})
			return
		}
		if err := plainJSON(body, m.Method == http.MethodPatch); err != nil {
			h.fail(w, r, err)
			return
		}
		if m.Timeout > small.Timeout {
			patient(w, m.Timeout)
		}
		r.Body = &heldBody{bytes.NewReader(body), body}
		next(w, r)
	}
}

// matches reports whether the route looks at If-Match.
func (m *mounted) matches() bool {
	return slices.ContainsFunc(m.op.Parameters, func(p *huma.Param) bool { return p.In == "header" && p.Name == "If-Match" })
}

var errMeanwhile = &refusal{Status: http.StatusConflict, Code: "caller_changed", Title: "The caller's key or account changed while the body arrived; ask again"}

// still refuses a caller who is not any more what it was before the body was read: who
// sends it slowly must not outlive a revocation.
func (h *Handler) still(r *http.Request) error {
	c := callerOf(r.Context())
	switch {
	case c.decision != nil:
		now, err := h.c.Authority.InspectKey(r.Context(), c.actor.Tenant, c.decision.Key.ID)
		switch {
		case err != nil:
			return err
		case now.Key == nil || !now.Usable():
			return &refusal{Status: now.Reason.Status(), Code: now.Reason.Code(), Title: strings.ReplaceAll(now.Reason.Code(), "_", " ")}
		case now.Key.Version != c.decision.Key.Version || now.Principal.Version != c.decision.Principal.Version:
			return errMeanwhile
		}
	case c.account != nil:
		now, err := h.c.Sessions(r)
		for _, ended := range []error{account.ErrNoSession, account.ErrSessionMismatch, account.ErrInactive} {
			if errors.Is(err, ended) {
				return &refusal{Status: http.StatusUnauthorized, Code: "session_ended", Title: "The session has ended"}
			}
		}
		if err != nil {
			return err
		}
		if now.ID != c.account.ID || now.Version != c.account.Version {
			return errMeanwhile
		}
	}
	return nil
}

// patient moves the server's own deadlines, which are for routes that take less time. The one
// for reading ends a request too: the server reads on to learn whether the client is there.
func patient(w http.ResponseWriter, timeout time.Duration) {
	c, end := http.NewResponseController(w), time.Now().Add(timeout+small.Timeout)
	_ = c.SetReadDeadline(end) // a connection that has no deadlines needs none
	_ = c.SetWriteDeadline(end)
}

// heldBody is a body that is in memory.
type heldBody struct {
	*bytes.Reader
	all []byte
}

// Close implements io.Closer.
func (*heldBody) Close() error { return nil }
