// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"net/netip"
	"net/textproto"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/gate"
)

// Rules tells what the route rules of tenants demand.
type Rules interface {
	// Demand is what a tenant's rules demand of a request. target is raw.
	Demand(ctx context.Context, tenant, method, target string) (Demand, error)
}

// Demand is what route rules demand of a request. The zero value: any valid key.
type Demand struct {
	Denied   string // code of what nobody may: "no_rule" or "ambiguous_path"; empty: the rest says
	Open     bool   // it demands nothing
	All, Any gatehouse.Scopes
	Cost     int64 // under limits and quotas; zero: 1
}

func (h *Handler) verifyOperations() []operation {
	return []operation{
		does(route{
			Method: http.MethodPost, Path: "/v1/verify", ID: "verify", Tag: "decisions", Summary: "Ask for a decision about a request", Status: http.StatusOK,
			Text:   "A denial is an answer, 200. It consumes what the request would, such as a nonce or a limit. Keys of other tenants are unknown.",
			limits: limits{MaxBody: large.MaxBody, Timeout: small.Timeout}, Scope: gatehouse.ScopeKeysVerify, Repeat: repeatFresh,
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
			d = api.Decision{Status: p.Status, Problem: &p}
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
		demand, err := h.demand(ctx, req)
		switch {
		case err != nil:
			return api.Decision{}, err
		case demand.Denied != "":
			return api.Decision{Reason: demand.Denied, Status: http.StatusForbidden}, nil
		case demand.Open && len(req.Need)+len(req.NeedAny) == 0:
			return api.Decision{Granted: true, Status: http.StatusOK}, nil
		}
	}
	d, err := h.c.Authority.Verify(ctx, req)
	if err != nil {
		return api.Decision{}, err
	}
	return decisionBody(&d), nil
}

// demand asks the tenant's rules and adds what they demand to the request.
func (h *Handler) demand(ctx context.Context, req *gatehouse.Request) (Demand, error) {
	if h.c.Rules == nil {
		return Demand{Denied: "no_rule"}, nil
	}
	d, err := h.c.Rules.Demand(ctx, req.Tenant, req.Method, req.Target)
	if err != nil {
		return Demand{}, err
	}
	if len(d.Any) > 0 && len(req.NeedAny) > 0 {
		return Demand{}, &gatehouse.InvalidError{Field: "any_scope", Problem: "cannot be demanded besides a rule that demands one of several scopes"}
	}
	req.Need = append(req.Need, d.All...)
	req.NeedAny = append(req.NeedAny, d.Any...)
	if req.Cost == 0 {
		req.Cost = d.Cost
	}
	return d, nil
}

// decisionBody is a decision as the wire has it.
func decisionBody(d *gatehouse.Decision) api.Decision {
	out := api.Decision{
		Granted: d.Granted, Scheme: d.Scheme, Status: http.StatusOK, RetryAfter: millis(d.RetryAfter),
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
	if in.Cost < 0 || in.Cost > maxCost {
		return nil, &gatehouse.InvalidError{Field: "cost", Problem: "is not from 1 to 1000000"}
	}
	req := &gatehouse.Request{
		Method: in.Method, Scheme: in.Scheme, Authority: in.Authority, Target: in.Target, Need: scopes, NeedAny: anyScope, Cost: in.Cost, Header: gatehouse.Header{},
	}
	if in.Body != nil {
		req.Body = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: *in.Body}
	}
	for name, values := range in.Headers {
		// Two spellings of one name are one field sent twice, as on the wire.
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		req.Header[canonical] = append(req.Header[canonical], values...)
	}
	if in.Peer != "" {
		if req.Peer, err = netip.ParseAddr(in.Peer); err != nil {
			return nil, &gatehouse.InvalidError{Field: "peer", Problem: "is no address"}
		}
	}
	return req, nil
}

const maxCost = 1_000_000
