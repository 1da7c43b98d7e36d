// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// Rulebook finds the rule of a request among the rules of a tenant.
type Rulebook interface {
	// Rule finds the rule for a method, the host that the client named and its raw target.
	// An error wraps gatehouse.ErrUnavailable: the rules cannot be read.
	Rule(ctx context.Context, tenant, method, authority, target string) (Found, error)
}

// Found is the rule of a request. The zero value denies: there is none.
type Found struct {
	Rule    Rule
	Pattern string // of the rule, for people; empty: there are no rules, or none is for it
	Two     bool   // the target can be read in two ways: there is no rule for it
}

// Minter makes the JWT for the service behind a gate.
type Minter interface {
	// Mint makes it for a granted decision. An error wraps gatehouse.ErrUnavailable.
	Mint(ctx context.Context, d *gatehouse.Decision) (string, error)
}

// fixed are rules that do not change, for every tenant.
type fixed struct{ routes *Routes }

func (f fixed) Rule(_ context.Context, _, method, authority, target string) (Found, error) {
	rule, pattern, _, ok := f.routes.FindPattern(method, authority, target)
	return Found{Rule: rule, Pattern: pattern, Two: !ok}, nil
}

// Verdict is the answer to a request that a gateway described.
type Verdict struct {
	Denial   *Denial             // nil: the request passes
	Decision *gatehouse.Decision // nil: no key was asked for, as on an open route, or nobody could decide
	token    string
	field    string
}

// The fields in which a gateway hands on who asks. On a request that passes each is there,
// empty where there is nothing to say, so that no copy of the client's own survives.
const (
	headerAuthorization = "Authorization"
	HeaderKey           = "X-Auth-Key-Id"
	HeaderSubject       = "X-Auth-Subject" // the uid of the principal
	HeaderRole          = "X-Auth-Role"
	HeaderTenant        = "X-Auth-Tenant"
	HeaderScopes        = "X-Auth-Scopes" // parted by spaces
	HeaderScheme        = "X-Auth-Scheme" // how the key was presented
	HeaderBody          = "X-Auth-Body"   // what the proof says of the body: see [gatehouse.BodyState]
)

// Identity calls set with each field that says who asks, and its value: those named above
// and the one of the JWT.
func (v *Verdict) Identity(set func(name, value string)) {
	token := v.token
	if token != "" && v.field == headerAuthorization {
		token = "Bearer " + token
	}
	set(v.field, token)
	var (
		key                  gatehouse.Key
		principal            gatehouse.Principal
		scopes, scheme, body string
	)
	if d := v.Decision; d != nil && d.Granted {
		key, principal = *d.Key, *d.Principal
		scopes, scheme, body = strings.Join(key.Scopes.Strings(), " "), d.Scheme, d.Body.String()
	}
	set(HeaderKey, key.ID)
	set(HeaderSubject, principal.UID)
	set(HeaderRole, principal.Role)
	set(HeaderTenant, key.Tenant)
	set(HeaderScopes, scopes)
	set(HeaderScheme, scheme)
	set(HeaderBody, body)
}

// Judge decides about a request that a gateway describes, for gates that do not serve it
// themselves. q is what the gateway vouches for; its Tenant and what it demands are the
// gate's to say, and more of that is: what one demands besides the rules.
//
// carrier, where it is not nil, is a request whose body is the client's: it is read where a
// proof covers it. Else q.Body says what is known.
func (g *Gate) Judge(ctx context.Context, q *gatehouse.Request, more Rule, carrier *http.Request) Verdict {
	v := Verdict{field: g.field}
	rule, denial := g.rule(ctx, q.Method, q.Authority, q.Target)
	if denial == nil {
		rule, denial = rule.and(more)
	}
	q.Tenant = g.tenant
	if v.Denial = denial; denial != nil {
		g.record(ctx, q, denial, carrier)
		v.Decision = denial.Decision
		return v
	}
	if rule.kind == ruleOpen {
		return v
	}
	rule.Demand(q)
	if carrier != nil {
		body, denial := g.supply(carrier, q)
		defer body.release()
		if v.Denial = denial; denial != nil {
			return v
		}
	}
	d, err := g.verifier.Verify(ctx, q)
	if err == nil && d.Granted && g.tokens != nil {
		v.token, err = g.tokens.Mint(ctx, &d)
	}
	switch {
	case err != nil:
		v.Denial = g.unanswered(ctx, err)
	case !d.Granted:
		v.Denial = denialOf(d.Reason).because(&d, rule)
		v.Decision = &d
	default:
		v.Decision = &d
	}
	return v
}

// record tells the authority of a request that a rule lets nobody make. What it answers counts
// for nothing, but that the denial says who asked.
func (g *Gate) record(ctx context.Context, q *gatehouse.Request, d *Denial, carrier *http.Request) {
	r, told := g.verifier.(Refuser)
	if !told || d.ruled == 0 {
		return
	}
	Rule{}.Demand(q)
	if carrier != nil {
		body, unread := g.supply(carrier, q)
		defer body.release()
		if unread != nil {
			d.hangUp = unread.hangUp
			return
		}
	}
	said, err := r.Refuse(ctx, q, d.ruled)
	if err != nil {
		g.unanswered(ctx, err)
	} else if said.Reason == d.ruled && said.Key != nil {
		d.Decision = &said
	}
}

// Vouch returns the verdict on a request that Protect let pass to its handler, with a JWT
// where the gate makes them. An error wraps gatehouse.ErrUnavailable.
func (g *Gate) Vouch(ctx context.Context) (Verdict, error) {
	v := Verdict{field: g.field, Decision: g.granted(ctx)}
	if v.Decision == nil || g.tokens == nil {
		return v, nil
	}
	var err error
	v.token, err = g.tokens.Mint(ctx, v.Decision)
	return v, err
}

// Challenge returns the fields that invite to present a credential, for the answer to a
// denied request.
func (g *Gate) Challenge(q *gatehouse.Request, d *Denial) gatehouse.Header {
	return g.challenge(http.Header(q.Header), d)
}

// unanswered is the denial where nobody could decide.
func (g *Gate) unanswered(ctx context.Context, err error) *Denial {
	if !errors.Is(ctx.Err(), context.Canceled) { // else the client is gone
		g.log.Log(ctx, LogLevel(err), "request not decided", "error", err)
	}
	return unavailable("A part that is needed does not answer").after(err)
}

// rule finds the rule of a request. A denial: nobody may.
func (g *Gate) rule(ctx context.Context, method, authority, target string) (Rule, *Denial) {
	if g.book == nil {
		return AnyKey(), nil
	}
	found, err := g.book.Rule(ctx, g.tenant, method, authority, target)
	switch {
	case err != nil:
		return Rule{}, g.unanswered(ctx, fmt.Errorf("find rule: %w", err))
	case found.Two:
		return Rule{}, denialOf(gatehouse.ReasonAmbiguousPath)
	case found.Rule.kind == ruleNone:
		return Rule{}, ruledOut(gatehouse.ReasonNoRule, "No rule lets anyone in here")
	case found.Rule.kind == ruleBlock:
		return Rule{}, ruledOut(gatehouse.ReasonRouteNotAllowed, "The rule lets nobody in here")
	}
	return found.Rule, nil
}

// Demanding is [All] and [Any] together: all of some scopes and one of others; without any, a
// valid key.
func Demanding(all, anyOf gatehouse.Scopes) Rule {
	if len(all)+len(anyOf) == 0 {
		return AnyKey()
	}
	return Rule{kind: ruleScopes, need: all, any: anyOf}
}

// and is a rule with what another demands besides. An open route that something is demanded
// of is not open. Rules that nobody can meet together are a denial, and so are two that each
// demand one of several scopes: one key may have one of each, but a request has one list.
func (r Rule) and(more Rule) (Rule, *Denial) {
	switch {
	case more.kind == ruleNone || more.kind == ruleOpen:
		return r, nil
	case more.kind == ruleBlock:
		return Rule{}, ruledOut(gatehouse.ReasonRouteNotAllowed, "The rule lets nobody in here")
	case r.kind == ruleOpen:
		return more, nil
	}
	var meets [3]bool
	r.roles, meets[0] = common(r.roles, more.roles)
	r.schemes, meets[1] = common(r.schemes, more.schemes)
	meets[2] = len(r.any) == 0 || len(more.any) == 0
	if slices.Contains(meets[:], false) {
		return Rule{}, ruledOut(gatehouse.ReasonRouteNotAllowed, "No key meets what is demanded here")
	}
	if more.kind == ruleScopes {
		r.kind = ruleScopes
	}
	r.need = append(r.need[:len(r.need):len(r.need)], more.need...)
	r.any = append(r.any[:len(r.any):len(r.any)], more.any...)
	r.signed = r.signed || more.signed
	r.cost = max(r.cost, more.cost)
	return r, nil
}

// common is what two lists allow, of which an empty one allows all; ok is false where that is
// nothing.
func common(a, b []string) (both []string, ok bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	for _, w := range a {
		if slices.Contains(b, w) {
			both = append(both, w)
		}
	}
	return both, len(both) > 0
}
