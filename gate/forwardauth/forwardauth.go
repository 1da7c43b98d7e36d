// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package forwardauth answers gateways that ask by HTTP, before they pass a request on,
// whether they may: nginx's auth_request and its like.
//
// Each kind of gateway describes the client's request in its own dialect, at its own path.
// A dialect reads the fields that its gateway documents, each exactly once, and no others:
// a field of another dialect is one that clients can write. docs/spec/forwardauth.md is
// the contract.
package forwardauth

import (
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Root is the path below which each dialect has its own, such as /v1/authz/nginx.
const Root = "/v1/authz/"

// HeaderGateway is the field in which a gateway shows Options.Token.
const HeaderGateway = "X-Gatehouse-Gateway"

// Options are what the handler of [New] is made with. The zero value is usable.
type Options struct {
	Peers   []netip.Prefix   // networks of the gateways; nil: this machine's own
	Token   gatehouse.Secret // what a gateway shows besides, in HeaderGateway; empty: nothing
	Proxies gate.Proxies     // whose addresses in X-Forwarded-For are not the client's; zero: nobody's
	Log     *slog.Logger     // is told of gateways that are unknown or say too little; nil: slog.Default
}

// New returns the handler for the checks of gateways, of every dialect. It wants a listener
// of its own, since it looks at the raw path. It answers 200 where g lets the client's
// request pass. The fields that are not the client's are gone from a check when it is
// answered: who wants them, for a log, reads them before.
func New(g *gate.Gate, o Options) http.Handler {
	if o.Peers == nil {
		o.Peers = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	h := &handler{gate: g, peers: gate.TrustProxies(o.Peers...), token: []byte(o.Token.Reveal()), proxies: o.Proxies, log: o.Log}
	if h.log == nil {
		h.log = slog.Default()
	}
	return h
}

type handler struct {
	gate    *gate.Gate
	peers   gate.Proxies
	token   []byte
	proxies gate.Proxies
	log     *slog.Logger
}

// dialect is how one kind of gateway describes a client's request.
type dialect struct {
	name   string
	facts  []string     // the fields that read looks at, canonical
	read   func(*check) // calls the check's methods, one for each fact
	below  bool         // the client's target follows the dialect's path
	coarse bool         // the gateway knows no denial but 401 and 403
	remove bool         // the gateway is told which fields the service may not see
}

var dialects = []*dialect{&nginx, &haproxy, &ingress, &caddy, &traefik, &traefikBody, &envoy}

// ServeHTTP answers a check.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.knows(r) {
		h.log.WarnContext(r.Context(), "check of an unknown gateway", "peer", r.RemoteAddr)
		a := answer{w: w, r: r, dialect: &dialect{}}
		a.deny(&gate.Denial{Status: http.StatusForbidden, Code: "gateway_unknown", Title: "This gateway is not known here"})
		return
	}
	d, target := find(r.RequestURI)
	if d == nil {
		a := answer{w: w, r: r, dialect: &dialect{}}
		a.deny(&gate.Denial{Status: http.StatusNotFound, Code: "not_found", Title: "No dialect of gateways has this path"})
		return
	}
	a := answer{w: w, r: r, dialect: d, strips: h.gate.Strips}
	c := check{r: r, below: target, proxies: h.proxies}
	d.read(&c)
	v := h.judge(&a, &c)
	if v.Decision != nil {
		gate.Announce(w.Header(), v.Decision)
	}
	if v.Denial != nil {
		a.deny(v.Denial)
		return
	}
	a.allow(&v)
}

// judge asks the gate about what was read, if it can be asked.
func (h *handler) judge(a *answer, c *check) (v gate.Verdict) {
	switch {
	case c.bad != "":
		h.log.WarnContext(c.r.Context(), "check says too little", "dialect", a.dialect.name, "header", c.bad, "problem", c.problem)
		v.Denial = &gate.Denial{Status: http.StatusForbidden, Code: "adapter_headers", Title: "The gateway does not describe the request as it should"}
		return v
	case !c.plain():
		v.Denial = &gate.Denial{Status: http.StatusForbidden, Code: gatehouse.ReasonAmbiguousPath.Code(), Title: "The path can be read in two ways"}
		return v
	case c.carrier != nil:
		a.expect(wholeBody)
	}
	c.strip(a.dialect)
	if v = h.gate.Judge(c.r.Context(), &c.q, gate.Rule{}, c.carrier); v.Denial != nil {
		v.Denial.Challenge = h.gate.Challenge(&c.q, v.Denial)
	}
	return v
}

// knows reports whether a check comes from a gateway that may ask.
func (h *handler) knows(r *http.Request) bool {
	conn, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	if !h.peers.Trusts(conn.Addr().Unmap().WithZone("")) {
		return false
	}
	sent := r.Header[HeaderGateway]
	return len(h.token) == 0 || len(sent) == 1 && subtle.ConstantTimeCompare([]byte(sent[0]), h.token) == 1
}

// find finds the dialect of a check by its raw target, and what follows the dialect's path.
// There is one spelling of each path. Some gateways append the client's query, which says
// nothing.
func find(raw string) (_ *dialect, below string) {
	path, ok := strings.CutPrefix(raw, Root)
	if !ok {
		return nil, ""
	}
	for _, d := range dialects {
		rest, ok := strings.CutPrefix(path, d.name)
		switch {
		case !ok:
		case d.below && rest != "" && (rest[0] == '/' || rest[0] == '*'):
			return d, rest
		case !d.below && (rest == "" || rest[0] == '?'):
			return d, ""
		}
	}
	return nil, ""
}
