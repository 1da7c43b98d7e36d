// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// VerbDenied is the verb of the event that tells of a management call which its caller may
// not make. The subject is the operation; the change "reason" holds the problem's code.
const VerbDenied = "api.denied"

// deniedLimit is how many such events one caller can leave: it must not fill the log.
var deniedLimit = []gatehouse.Limit{{Name: "denied", Count: 10, Period: time.Minute, Burst: 10}}

// How much one principal may change in a minute, with all its keys and sessions together. What
// is changed leaves rows behind that nobody deletes soon: events, receipts, counters of limits.
var (
	ownWrites   = []gatehouse.Limit{{Name: "writes", Count: 300, Period: time.Minute}}
	otherWrites = []gatehouse.Limit{{Name: "writes", Count: 6000, Period: time.Minute}}
)

var errTooFast = &refusal{Status: http.StatusTooManyRequests, Code: gatehouse.ReasonRateLimited.Code(), Title: "Too many changes in a minute; wait"}

// slowly refuses changes that come too fast. The operator is not bound, nor is who only asks.
func (h *Handler) slowly(r *http.Request, rt *route, c *caller) error {
	if rt.Method == http.MethodGet || rt.Repeat == repeatFresh || c.operator() {
		return nil
	}
	most := ownWrites
	if c.everyone() {
		most = otherWrites
	}
	ok, _, err := h.c.Limiter.Take(r.Context(), "api.write/"+c.actor.Tenant+"/"+c.principal(), most)
	if err == nil && !ok {
		return errTooFast
	}
	return err
}

// recordDenied writes down that a caller who is known tried what it may not.
func (h *Handler) recordDenied(ctx context.Context, rt *route, c *caller, reason string) {
	who := "api.denied/" + c.actor.Tenant + "/" + c.actor.Kind.String() + "/" + c.actor.ID
	if ok, _, err := h.c.Limiter.Take(ctx, who, deniedLimit); err != nil || !ok {
		return // nobody may fill the log; what is missing then is told by the attempts
	}
	e := gatehouse.NewEvent(c.actor, time.Now(), VerbDenied, rt.ID, gatehouse.OutcomeDenied, gatehouse.Change{Field: "reason", After: reason})
	if err := h.c.Audit.AppendEvent(context.WithoutCancel(ctx), e); err != nil {
		h.c.Log.ErrorContext(ctx, "denied call is not in the audit log", "operation", rt.ID, "error", err)
	}
}

// denials answers for the gate, and writes down the denials of keys that proved themselves.
func (h *Handler) denials(w http.ResponseWriter, r *http.Request, d *gate.Denial) {
	rt := h.routes[r.Pattern]
	if d.Status == http.StatusForbidden && rt != nil && d.Decision != nil && d.Decision.Key != nil {
		h.recordDenied(r.Context(), rt, h.keyCaller(r, d.Decision), d.Code)
		if d.Code == gatehouse.ReasonInsufficientScope.Code() {
			d.Title += ": it takes " + string(rt.Scope)
		}
	}
	gate.Problems(w, r, d)
}
