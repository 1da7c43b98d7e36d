// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

func (h *Handler) verifyOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/verify", ID: "verify", Tag: "decisions", Summary: "Ask for a decision about a request", Status: http.StatusOK,
			Text:   "A denial is an answer, 200. It consumes what the request would, such as a nonce or a limit. Keys of other tenants are unknown.",
			limits: limits{MaxBody: large.MaxBody, Timeout: small.Timeout}, Scope: gatehouse.ScopeKeysVerify, Repeat: repeatFresh,
			short: h.verifyShort,
		}, h.verify),
		does(route{
			Method: http.MethodPost, Path: "/v1/verify/batch", ID: "verifyBatch", Tag: "decisions", Summary: "Ask for up to 100 decisions", Status: http.StatusOK,
			Text:   "Each is answered for itself, in the order asked.",
			limits: large, Scope: gatehouse.ScopeKeysVerify, Repeat: repeatFresh,
		}, h.verifyBatch),
	}
}

type decisionOut struct{ Body api.Decision }

func (h *Handler) verify(ctx context.Context, c *caller, in *struct{ Body api.Check }) (*decisionOut, error) {
	d, err := h.decide(ctx, c, &in.Body)
	return &decisionOut{Body: d}, err
}

// verifyShort is verify without huma, which reads a body three times and writes by reflection.
// It answers what asks for nothing but a decision, in a body that [readCheck] takes; false: it
// did nothing.
func (h *Handler) verifyShort(w http.ResponseWriter, r *http.Request, rt *route, body []byte) bool {
	if !h.plainAsk(r) {
		return false
	}
	check, ok := readCheck(body)
	if !ok {
		return false
	}
	ctx := r.Context()
	c := callerOf(ctx)
	d, err := h.decide(ctx, c, &check)
	if err != nil {
		send(w, h.answerFor(ctx, rt, c, err))
		return true
	}
	w.Header().Set("Content-Type", jsonType)
	answer := answers.Get().(*[]byte)
	*answer = append(appendDecision((*answer)[:0], &d), '\n')
	_, _ = w.Write(*answer) // the client is gone: nobody is left to tell
	answers.Put(answer)
	return true
}

// answers is room to write decisions in.
var answers = sync.Pool{New: func() any { return new([]byte) }}

const jsonType = "application/json"

// plainAsk reports whether a request has JSON, takes it, and asks for nothing that is looked
// at elsewhere.
func (h *Handler) plainAsk(r *http.Request) bool {
	if r.URL.RawQuery != "" || len(r.Header[onceField]) > 0 {
		return false
	}
	kind, parameters, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if kind != jsonType && kind != "" || strings.Contains(parameters, "+") { // huma looks for the kind behind it
		return false
	}
	takes, err := h.api.Negotiate(r.Header.Get("Accept"))
	return err == nil && takes == jsonType
}

// maxChecks is how many decisions one call asks for.
const maxChecks = 100

type decisionsOut struct{ Body api.Decisions }

func (h *Handler) verifyBatch(ctx context.Context, c *caller, in *struct{ Body api.Checks }) (*decisionsOut, error) {
	if len(in.Body.Checks) > maxChecks {
		return nil, &gatehouse.InvalidError{Field: "checks", Problem: "more than 100"}
	}
	out := &decisionsOut{Body: api.Decisions{Decisions: []api.Decision{}}}
	for i := range in.Body.Checks {
		d, err := h.decide(ctx, c, &in.Body.Checks[i])
		if err != nil {
			p := h.explain(ctx, "verifyBatch", err)
			d = api.Decision{Status: p.Status, Problem: &p, RetryAfter: millis(gatehouse.RetryAfter(err))}
		}
		out.Body.Decisions = append(out.Body.Decisions, d)
	}
	return out, nil
}

// decide answers one check.
func (h *Handler) decide(ctx context.Context, c *caller, in *api.Check) (api.Decision, error) {
	req, err := question(in)
	if err != nil {
		return api.Decision{}, err
	}
	req.Tenant = c.actor.Tenant
	if in.Rules {
		if d, err := h.demand(ctx, req); d != nil || err != nil {
			return *cmp.Or(d, &api.Decision{}), err
		}
	}
	d, err := h.c.Authority.Verify(ctx, req)
	if err != nil {
		return api.Decision{}, err
	}
	return decisionBody(&d), nil
}

// demand asks the tenant's rules and adds what they demand to the request. A decision: no
// key is asked for any more.
func (h *Handler) demand(ctx context.Context, req *gatehouse.Request) (*api.Decision, error) {
	found, err := h.c.Rules.Rule(ctx, req.Tenant, req.Method, req.Authority, req.Target)
	if err != nil {
		return nil, err
	}
	var rule gatehouse.Request // what it demands
	found.Rule.Demand(&rule)
	asks := len(req.Need)+len(req.NeedAny)+len(req.Roles)+len(req.Schemes) > 0 || req.Signed
	switch reason := refusedBy(&found); {
	case reason == gatehouse.ReasonNoRule || reason == gatehouse.ReasonRouteNotAllowed:
		// Whoever asks is refused. That is in the usage of the key, if it can be had.
		if _, err := h.c.Authority.Refuse(ctx, req, reason); err != nil {
			h.c.Log.WarnContext(ctx, "refusal not recorded", "error", err)
		}
		fallthrough
	case reason != 0:
		return &api.Decision{Reason: reason.Code(), Status: http.StatusForbidden}, nil
	case found.Rule.Open() && !asks:
		return &api.Decision{Granted: true, Status: http.StatusOK}, nil
	}
	for _, list := range []struct {
		field     string
		rule, own int
	}{{"any_scope", len(rule.NeedAny), len(req.NeedAny)}, {"roles", len(rule.Roles), len(req.Roles)}, {"schemes", len(rule.Schemes), len(req.Schemes)}} {
		if list.rule > 0 && list.own > 0 {
			return nil, &gatehouse.InvalidError{Field: list.field, Problem: "cannot be demanded besides a rule that demands one of several"}
		}
	}
	req.Need, req.NeedAny = append(req.Need, rule.Need...), append(req.NeedAny, rule.NeedAny...)
	req.Roles, req.Schemes = append(req.Roles, rule.Roles...), append(req.Schemes, rule.Schemes...)
	req.Signed = req.Signed || rule.Signed
	req.Cost = cmp.Or(req.Cost, rule.Cost)
	return nil, nil
}

// refusedBy is why nobody may; zero: the rule says.
func refusedBy(found *gate.Found) gatehouse.Reason {
	switch {
	case found.Two:
		return gatehouse.ReasonAmbiguousPath
	case found.Rule.Blocked():
		return gatehouse.ReasonRouteNotAllowed
	case found.Rule.None():
		return gatehouse.ReasonNoRule
	}
	return 0
}

// decisionBody is a decision as the wire has it.
func decisionBody(d *gatehouse.Decision) api.Decision {
	out := api.Decision{
		Granted: d.Granted, Scheme: d.Scheme, Signed: d.Signed, Status: http.StatusOK, RetryAfter: millis(d.RetryAfter),
		Deprecated: timeOut(d.Deprecated), Sunset: timeOut(d.Sunset),
	}
	if !d.Granted {
		out.Reason, out.Status = d.Reason.Code(), d.Reason.Status()
	}
	if d.Granted {
		out.Body, out.Digest = d.Body.String(), d.Digest
	}
	if d.Key != nil {
		k := keyBody(d.Key, d.Principal.UID)
		out.Key = &k
		out.Principal = principalBody(d.Principal)
	}
	if l := d.Limit; l.Name != "" {
		out.Limit = &api.LimitState{Name: l.Name, Count: l.Count, Remaining: l.Remaining, Reset: wholeSeconds(l.Reset), Period: wholeSeconds(l.Period)}
	}
	return out
}

func principalBody(p *gatehouse.Principal) *api.Principal {
	kind := kindAccount
	if p.Kind == gatehouse.PrincipalService {
		kind = kindService
	}
	return &api.Principal{
		UID: p.UID, Kind: kind, Email: p.Email, Username: p.Username, Role: p.Role, Level: p.Level, State: string(p.State), SecondFactor: p.SecondFactor,
	}
}

// wholeSeconds rounds up, as millis.
func wholeSeconds(d time.Duration) int64 { return gate.RoundUp(d, time.Second) }

// millis rounds up: who waits for less than was said is refused again.
func millis(d time.Duration) int64 { return gate.RoundUp(d, time.Millisecond) }

// question turns a check into the request it is about.
func question(in *api.Check) (*gatehouse.Request, error) {
	scopes, err := gatehouse.ParseScopes(in.Scopes)
	if err != nil {
		return nil, err
	}
	anyScope, err := gatehouse.ParseScopes(in.AnyScope)
	if err != nil {
		return nil, &gatehouse.InvalidError{Field: "any_scope", Problem: "holds what is no scope, or more than 64"}
	}
	if slices.Contains(in.Roles, "") { // principals may have none
		return nil, &gatehouse.InvalidError{Field: "roles", Problem: "holds an empty text"}
	}
	if in.Cost < 0 || in.Cost > maxCost {
		return nil, &gatehouse.InvalidError{Field: "cost", Problem: "is not from 1 to 1000000"}
	}
	req := &gatehouse.Request{
		Method: in.Method, Scheme: in.Scheme, Authority: in.Authority, Target: in.Target, Header: headerOf(in.Headers),
		Need: scopes, NeedAny: anyScope, Roles: in.Roles, Schemes: in.Schemes, Signed: in.Signed, Cost: in.Cost,
	}
	if in.Body != nil {
		req.Body = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: *in.Body}
	}
	if in.Peer != "" {
		if req.Peer, err = netip.ParseAddr(in.Peer); err != nil {
			return nil, &gatehouse.InvalidError{Field: "peer", Problem: "is no address"}
		}
	}
	return req, nil
}

const maxCost = 1_000_000

// headerOf is header fields by their canonical names. Two spellings of one name are one field
// sent twice, as on the wire.
func headerOf(spelled map[string][]string) gatehouse.Header {
	plain := spelled != nil
	for name := range spelled {
		plain = plain && textproto.CanonicalMIMEHeaderKey(name) == name
	}
	if plain {
		return spelled
	}
	all := gatehouse.Header{}
	for name, values := range spelled {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		all[canonical] = append(all[canonical], values...)
	}
	return all
}
