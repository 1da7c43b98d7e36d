// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// Verifier decides about requests. A *[gatehouse.Authority] is one.
type Verifier interface {
	Verify(ctx context.Context, r *gatehouse.Request) (gatehouse.Decision, error)
	WantsBody(r *gatehouse.Request) bool
	Challenges() gatehouse.Header
}

// Refuser is a [Verifier] that is also told of requests that a rule lets nobody make, so that
// they are in the record of the key. Its answer does not change that of the gate. A
// *[gatehouse.Authority] is one.
type Refuser interface {
	Refuse(ctx context.Context, r *gatehouse.Request, why gatehouse.Reason) (gatehouse.Decision, error)
}

// Options are what a [Gate] is made with. The zero value is usable.
type Options struct {
	Rules       Rules        // what each route demands, for Protect and Judge; nil: any valid key
	Book        Rulebook     // the same, where the rules can change; Rules is nil then
	Tenant      string       // whose keys and rules count; empty: keys of any tenant, and Book is asked for ""
	Tokens      Minter       // makes the JWT for the service; nil: there is none
	TokenField  string       // field that carries it; empty or Authorization: as Bearer; else the JWT alone
	Proxies     Proxies      // whose word on the client's address counts; zero: nobody's
	MaxBody     int64        // bytes of a body that a proof covers; zero: 1 MiB
	MaxBuffered int64        // bytes of such bodies in memory, of all requests together; one client has a quarter; zero: 64 MiB
	Strip       []string     // further fields of credentials, such as a header of Shield's own; handlers see them on open routes only
	Cookies     []string     // names of cookies that handlers never see, such as those of a console beside them
	Denials     DenyFunc     // writes denials; nil: Problems
	Log         *slog.Logger // is told what the authority could not answer; nil: slog.Default
}

const (
	defaultMaxBody     = 1 << 20
	defaultMaxBuffered = 64 << 20
)

// Gate is net/http middleware: it lets requests pass that an authority grants. The
// handler behind it finds who is asking by [gatehouse.FromContext], and no credential
// and no identity that the client claims. It is safe for concurrent use.
//
// A body that a proof covers is read before the authority is asked: the server's
// ReadTimeout bounds how long that takes. The gate stands before whoever reads bodies,
// such as by Request.FormValue: where a form was read, such a request is denied, 400
// bad_body. Who reads a body without a trace makes it an empty one.
//
// The answer tells a client how its tightest limit stands, and that its secret or key is
// about to end: see [Announce].
//
// A CORS preflight carries no credential, so it is denied like every other request
// without one, unless a rule says that its route is open, such as "OPTIONS /".
type Gate struct {
	verifier Verifier
	book     Rulebook // nil: there are no rules
	tenant   string
	tokens   Minter
	field    string // canonical, of the JWT
	proxies  Proxies
	maxBody  int64
	buffers  *budget
	strip    map[string]bool
	cookies  []string
	deny     DenyFunc
	log      *slog.Logger
}

// New makes a gate. The errors are those of [Rules.Compile], or say that an option
// cannot be used.
func New(v Verifier, o Options) (*Gate, error) {
	g := &Gate{
		verifier: v, book: o.Book, tenant: o.Tenant, tokens: o.Tokens, field: textproto.CanonicalMIMEHeaderKey(cmp.Or(o.TokenField, headerAuthorization)),
		proxies: o.Proxies, maxBody: o.MaxBody, strip: map[string]bool{}, cookies: o.Cookies, deny: o.Denials, log: o.Log,
	}
	if g.maxBody == 0 {
		g.maxBody = defaultMaxBody
	}
	if o.MaxBuffered == 0 {
		o.MaxBuffered = defaultMaxBuffered
	}
	if v == nil || !reflect.ValueOf(v).Comparable() || g.maxBody < 0 || o.MaxBuffered < g.maxBody {
		return nil, errors.New("new gate: a verifier that can be compared is required, and MaxBuffered may not be less than MaxBody")
	}
	g.buffers = newBudget(o.MaxBuffered, g.maxBody)
	for _, name := range o.Strip {
		g.strip[spelling(name)] = true
	}
	if g.deny == nil {
		g.deny = Problems
	}
	if g.log == nil {
		g.log = slog.Default()
	}
	if o.Rules == nil {
		return g, nil
	}
	if o.Book != nil {
		return nil, errors.New("new gate: Rules and Book exclude each other")
	}
	routes, err := o.Rules.Compile()
	g.book = fixed{routes}
	return g, err
}

// Protect lets requests to next pass that meet the rule of their route. What no rule is
// for is denied, 403 no_rule, and so is a target that can be read in two ways, 403
// ambiguous_path. Without rules any valid key passes.
func (g *Gate) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule, denial := g.route(r)
		if denial != nil {
			if denial.ruled != 0 {
				q := g.question(r)
				g.record(r.Context(), &q, denial, r)
			}
			g.refuse(w, r, denial)
			return
		}
		g.serve(w, r, next, rule)
	})
}

func (g *Gate) route(r *http.Request) (Rule, *Denial) {
	if g.book == nil {
		return AnyKey(), nil
	}
	// Other handlers may have changed the URL. What the client sent must be as plain as
	// what the handler sees.
	if _, ok := CanonicalPath(target(r)); !ok {
		return Rule{}, denialOf(gatehouse.ReasonAmbiguousPath)
	}
	return g.rule(r.Context(), r.Method, r.Host, cmp.Or(r.URL.EscapedPath(), "/")) // of http://host it is empty
}

// Require makes middleware that lets keys pass which have all the scopes; without any,
// every valid key. It panics for what is no scope.
//
// Behind a gate of the same verifier that has let the request pass, it looks at the scopes
// only: a credential is checked once. Another authority's word does not count, and its gate
// has taken the credential away: then the answer is 401 no_credential.
func (g *Gate) Require(scopes ...gatehouse.Scope) func(http.Handler) http.Handler {
	return g.demand(All(scopes...))
}

// RequireAny is [Gate.Require] for keys that have one of the scopes. It panics without
// any.
func (g *Gate) RequireAny(scopes ...gatehouse.Scope) func(http.Handler) http.Handler {
	return g.demand(Any(scopes...))
}

func (g *Gate) demand(rule Rule) func(http.Handler) http.Handler {
	if len(rule.need)+len(rule.any) == 0 && rule.kind == ruleScopes {
		rule.kind = ruleKey
	}
	if err := rule.check(); err != nil {
		panic("gate: " + err.Error())
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next, rule) })
	}
}

// serve asks the authority and lets the request pass to next, or denies it.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request, next http.Handler, rule Rule) {
	if rule.kind == ruleOpen {
		next.ServeHTTP(w, g.without(r, false))
		return
	}
	if d := g.granted(r.Context()); d != nil {
		if reason := rule.refuses(d); reason != 0 {
			g.refuse(w, r, denialOf(reason).because(d, rule))
			return
		}
		next.ServeHTTP(w, r)
		return
	}
	q := g.question(r)
	rule.Demand(&q)
	body, denial := g.supply(r, &q)
	defer body.release()
	if denial != nil {
		g.refuse(w, r, denial)
		return
	}
	d, err := g.verifier.Verify(r.Context(), &q)
	switch {
	case err != nil:
		g.refuse(w, r, g.unanswered(r.Context(), err))
	case !d.Granted:
		Announce(w.Header(), &d)
		g.refuse(w, r, denialOf(d.Reason).because(&d, rule))
	default:
		Announce(w.Header(), &d)
		ctx := context.WithValue(gatehouse.NewContext(r.Context(), &d), grantKey{}, grant{g.verifier, &d})
		next.ServeHTTP(w, body.giveBack(g.without(r, true)).WithContext(ctx))
	}
}

// question is what is asked about a request that the gate serves itself, but for its body and
// what the rule demands.
func (g *Gate) question(r *http.Request) gatehouse.Request {
	return gatehouse.Request{
		Method: r.Method, Scheme: g.scheme(r), Authority: r.Host, Target: target(r), Peer: g.proxies.Peer(r), Header: gatehouse.Header(r.Header), Tenant: g.tenant,
	}
}

// grant says who granted a decision.
type grant struct {
	by Verifier
	d  *gatehouse.Decision
}

type grantKey struct{}

// granted is the decision by which the gate's own verifier let the request pass.
func (g *Gate) granted(ctx context.Context) *gatehouse.Decision {
	d := gatehouse.FromContext(ctx)
	if was, _ := ctx.Value(grantKey{}).(grant); d == nil || was != (grant{g.verifier, d}) {
		return nil
	}
	return d
}

// scheme is that of the client's own connection.
func (g *Gate) scheme(r *http.Request) string {
	if g.proxies.Secure(r) {
		return "https"
	}
	return "http"
}

// target is the request target as the client sent it, in origin form (RFC 9112 section
// 3.2.1): of the absolute form, the part that the signatures of the origin form cover.
func target(r *http.Request) string {
	raw := r.RequestURI
	if raw == "" {
		return r.URL.RequestURI()
	}
	scheme, rest, absolute := strings.Cut(raw, "://")
	if !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return raw
	}
	i := strings.IndexAny(rest, "/?")
	switch {
	case i < 0:
		return "/"
	case rest[i] == '?':
		return "/" + rest[i:]
	}
	return rest[i:]
}
