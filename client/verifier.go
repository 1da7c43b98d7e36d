// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Verifier decides about requests by asking a server, for a service that is far from the
// authority: package gate's New takes one. The client's key needs the scope keys:verify.
// It is safe for concurrent use.
//
// Nothing is kept: each request asks the server, so that a revoke is in force here at
// once, and a request waits for the server's answer. Requests with a JWT can be decided
// without the server, see [VerifierOptions.JWT].
type Verifier struct {
	client *Client
	o      VerifierOptions
}

// VerifierOptions are what a [Verifier] is made with. The zero value is ready for a server
// with its default schemes.
type VerifierOptions struct {
	// Timeout bounds how long a decision takes; zero: 5 s.
	Timeout time.Duration
	// WantsBody reports whether the credential of a request is checked with the bytes of the
	// body. Nil: it is for those of RFC 9421 and of CodeIgniter Shield, in its usual field.
	WantsBody func(*gatehouse.Request) bool
	// Challenges are the header fields of an answer 401; nil: one for bearer tokens.
	Challenges gatehouse.Header
	// JWT decides, without asking the server, about requests that show a JWT as their bearer
	// token. It knows of the key its id, tenant, scopes and the JWT's end, and of the principal
	// the uid; what else bounds the key was judged when the JWT was made. What a route demands
	// and the JWT does not show is refused. Nil: the server is asked about these too, and
	// refuses them.
	JWT *JWTVerifier
}

const verifyTime = 5 * time.Second

// NewVerifier makes a verifier. It panics without a client.
func NewVerifier(c *Client, o VerifierOptions) *Verifier {
	if c == nil {
		panic("client: a verifier needs a client")
	}
	if o.Timeout == 0 {
		o.Timeout = verifyTime
	}
	if o.WantsBody == nil {
		o.WantsBody = signsBody
	}
	if o.Challenges == nil {
		o.Challenges = gatehouse.Header{"Www-Authenticate": {`Bearer realm="gatehouse"`}}
	}
	return &Verifier{client: c, o: o}
}

func signsBody(r *gatehouse.Request) bool {
	return len(r.Header["Signature-Input"]) > 0 || slices.ContainsFunc(r.Header["Authorization"], func(v string) bool { return strings.HasPrefix(v, "HMAC-SHA256 ") })
}

// WantsBody reports whether the request's credential, if it is one of those that sign a
// body, can only be checked fully with the body's bytes.
func (v *Verifier) WantsBody(r *gatehouse.Request) bool { return v.o.WantsBody(r) }

// Challenges are the header fields of an answer 401. They are shared and must not be
// changed.
func (v *Verifier) Challenges() gatehouse.Header { return v.o.Challenges }

// Verify asks the server about a request, once: the check consumes what the request would.
// A denial is an answer. Whatever keeps the server from an answer, and an answer that
// makes no sense, is an error that wraps [gatehouse.ErrUnavailable]; then the Decision is
// zero, which denies.
//
// Of the principal the decision holds ID and UID (both the owner's uid), tenant and, of a
// grant, an active state. [gatehouse.Decision.NamedKey] is empty: the server does not tell.
func (v *Verifier) Verify(ctx context.Context, r *gatehouse.Request) (gatehouse.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, v.o.Timeout)
	defer cancel()
	if token := jwt(r); v.o.JWT != nil && token != "" {
		return v.o.JWT.decide(ctx, r, token)
	}
	answer, err := v.client.Verify(ctx, checkOf(r))
	if err != nil {
		return gatehouse.Decision{}, gatehouse.Unavailable("ask server", err)
	}
	d, err := decisionOf(&answer, time.Now())
	if err != nil {
		return gatehouse.Decision{}, gatehouse.Unavailable("ask server", err)
	}
	if r.Tenant != "" && d.Key != nil && d.Key.Tenant != r.Tenant {
		// A key of another tenant is unknown here.
		return gatehouse.Decision{Reason: gatehouse.ReasonInvalidCredential, Scheme: d.Scheme, Time: d.Time}, nil
	}
	return d, nil
}

func checkOf(r *gatehouse.Request) api.Check {
	c := api.Check{
		Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Target: r.Target, Headers: r.Header,
		Scopes: r.Need.Strings(), AnyScope: r.NeedAny.Strings(), Roles: r.Roles, Schemes: r.Schemes, Signed: r.Signed, Cost: r.Cost,
	}
	if r.Peer.IsValid() {
		c.Peer = r.Peer.String()
	}
	if r.Body.State == gatehouse.BodyPresent {
		body := r.Body.Bytes
		if body == nil {
			body = []byte{} // nil would be no body at all
		}
		c.Body = &body
	}
	return c
}

var errSense = errors.New("the server's answer makes no sense")

// decisionOf reads an answer. What is not wholly a grant is none.
func decisionOf(a *api.Decision, now time.Time) (gatehouse.Decision, error) {
	if a.Problem != nil {
		return gatehouse.Decision{}, &Error{Problem: *a.Problem}
	}
	body, known := bodies[a.Body]
	d := gatehouse.Decision{
		Scheme: a.Scheme, Signed: a.Signed, Time: now.UTC(), Body: body, Digest: a.Digest, RetryAfter: time.Duration(a.RetryAfter) * time.Millisecond,
		Deprecated: instant(a.Deprecated), Sunset: instant(a.Sunset),
	}
	if l := a.Limit; l != nil {
		d.Limit = gatehouse.Standing{Name: l.Name, Count: l.Count, Remaining: l.Remaining, Reset: time.Duration(l.Reset) * time.Second, Period: time.Duration(l.Period) * time.Second, RetryAfter: d.RetryAfter}
	}
	if a.Key != nil {
		var err error
		if d.Key, err = keyOf(a.Key); err != nil {
			return gatehouse.Decision{}, err
		}
		if d.Principal = principalOf(a); d.Principal == nil {
			return gatehouse.Decision{}, errSense
		}
	}
	if !a.Granted {
		reason, ok := gatehouse.ParseReason(a.Reason)
		if !ok || reason == gatehouse.ReasonUndecided {
			return gatehouse.Decision{}, errSense
		}
		d.Reason = reason
		return d, nil
	}
	if a.Reason != "" || a.Status != http.StatusOK || d.Key == nil || d.Key.State != gatehouse.StateActive || !d.Principal.State.MayAct() || a.Scheme == "" || !known {
		return gatehouse.Decision{}, errSense
	}
	d.Granted = true
	return d, nil
}

// principalOf is whom the key speaks for; nil: the answer does not say. Its id is the server's
// own: here it is the uid.
func principalOf(a *api.Decision) *gatehouse.Principal {
	p := a.Principal
	if p == nil || p.UID != a.Key.Owner {
		return nil
	}
	kind := gatehouse.PrincipalAccount
	if p.Kind == "service" {
		kind = gatehouse.PrincipalService
	}
	return &gatehouse.Principal{
		ID: p.UID, UID: p.UID, Tenant: a.Key.Tenant, Kind: kind, Email: p.Email, Username: p.Username, Role: p.Role, Level: p.Level,
		State: gatehouse.PrincipalState(p.State), SecondFactor: p.SecondFactor,
	}
}

var bodies = map[string]gatehouse.BodyState{
	"": gatehouse.BodyUnavailable, "unavailable": gatehouse.BodyUnavailable, "deferred": gatehouse.BodyDeferred, "verified": gatehouse.BodyVerified,
}

// keyOf is the key without its material. What a bound of it cannot be read from is an
// error: a service must not take the key for one that can more.
func keyOf(k *api.Key) (*gatehouse.Key, error) {
	out := gatehouse.Key{
		ID: k.ID, Tenant: k.Tenant, Principal: k.Owner, Name: k.Name, Prefix: k.Prefix, Schemes: k.Schemes, Methods: k.Methods, Paths: k.Paths,
		Signed: k.Signed, Metadata: k.Metadata, State: gatehouse.ParseState(k.State), StateText: k.StateText,
		NotBefore: instant(k.NotBefore), Expires: instant(k.Expires), Unused: time.Duration(k.Unused) * time.Second, LastUsed: instant(k.LastUsed),
		Created: k.Created, Updated: k.Updated, Version: k.Version,
	}
	if k.Replay == gatehouse.ReplayWindow.String() {
		out.Replay = gatehouse.ReplayWindow
	}
	var err error
	if out.Scopes, err = gatehouse.ParseScopes(k.Scopes); err != nil || k.ID == "" || k.Tenant == "" || k.Owner == "" {
		return nil, errSense
	}
	for _, text := range k.Networks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errSense
		}
		out.Networks = append(out.Networks, p)
	}
	for _, l := range k.Limits {
		refill, ok := gatehouse.ParseRefill(l.Refill)
		if !ok {
			return nil, errSense
		}
		out.Limits = append(out.Limits, gatehouse.Limit{Name: l.Name, Count: l.Count, Period: time.Duration(l.Period) * time.Millisecond, Burst: l.Burst, Refill: refill})
	}
	return &out, nil
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
