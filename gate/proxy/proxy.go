// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package proxy is a gate that stands before services by itself: it serves the clients,
// asks the authority, and hands on what passes. It has the bodies, so it carries every
// scheme. docs/spec/proxy.md is its contract.
package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
)

// Options are what a proxy is made with. Upstreams are required.
type Options struct {
	Upstreams []Upstream     // the services; at least one
	Timeouts  Timeouts       // zero: the defaults
	Proxies   gate.Proxies   // whose word on the client's address and scheme counts, as in gate.Options; zero: nobody's
	Log       *slog.Logger   // has one line for each request; nil: slog.Default
	MaxHeader int64          // bytes of header of a service's answer, 1xx included; zero: 64 KiB
	Roots     *x509.CertPool // authorities that certificates of services are checked against; nil: those of the system
}

// Timeouts bound how long a proxy waits. Each that is zero has its default.
type Timeouts struct {
	Dial   time.Duration // for a connection to a service, TLS included; zero: 5 s
	Answer time.Duration // for the header of the answer, from the end of the request on; zero: 60 s
	Idle   time.Duration // that a connection to a service is kept for the next request; zero: 4 s, below the 5 s of common servers
	Stall  time.Duration // that a client or a service may neither take nor send a byte of a body; zero: 60 s. A service may be silent in its answer
}

const defaultMaxHeader = 64 << 10

// MaxFields is how many fields a request may have; one with more is 431. net/http bounds the
// bytes of a header only, and a field of three bytes takes a hundred in memory. Browsers send
// about 20 and gateways add as many; Apache httpd and Envoy take 100, HAProxy 101.
const MaxFields = 128

type proxy struct {
	gate      *gate.Gate
	routes    routes
	protected http.Handler
	forward   *httputil.ReverseProxy
	stall     time.Duration
	proxies   gate.Proxies
	log       *slog.Logger
}

// New makes a handler that lets requests pass to services as g's rules say. It reads of a
// body only what a proof covers, and streams the rest.
//
// The listener must set ReadHeaderTimeout, IdleTimeout and MaxHeaderBytes, and ReadTimeout
// for a body that a proof covers: the proxy moves the deadlines of a connection while
// bytes move. What wraps the http.ResponseWriter must have an Unwrap method (see
// [http.ResponseController]). A Content-Length beside a Transfer-Encoding is the listener's to
// refuse: net/http hides it from handlers.
//
// Errors name what is wrong with the upstreams, or say that an option cannot be used.
func New(g *gate.Gate, o Options) (http.Handler, error) {
	t := o.Timeouts
	for _, d := range []time.Duration{t.Dial, t.Answer, t.Idle, t.Stall, time.Duration(o.MaxHeader)} {
		if g == nil || d < 0 {
			return nil, errors.New("new proxy: a gate is required, and no option may be negative")
		}
	}
	routes, err := newRoutes(o.Upstreams)
	if err != nil {
		return nil, fmt.Errorf("new proxy: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	t.fill()
	p := &proxy{gate: g, routes: routes, stall: t.Stall, proxies: o.Proxies, log: o.Log}
	p.forward = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: newTransport(t, &o), ModifyResponse: answered, ErrorHandler: failed,
		BufferPool: new(buffers), ErrorLog: log.New(io.Discard, "", 0), // the line of the request says it
	}
	p.protected = g.Protect(http.HandlerFunc(p.pass))
	return p, nil
}

func (t *Timeouts) fill() {
	for _, d := range []struct {
		of      *time.Duration
		instead time.Duration
	}{{&t.Dial, 5 * time.Second}, {&t.Answer, time.Minute}, {&t.Idle, 4 * time.Second}, {&t.Stall, time.Minute}} {
		if *d.of == 0 {
			*d.of = d.instead
		}
	}
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := begin(w, r, p.stall)
	defer x.log(p.log)
	if d := unfit(x, r); d != nil {
		x.refuse(d)
	} else {
		p.protected.ServeHTTP(x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	}
	x.whole = true
}

// unfit is why no request of this kind is handed on, whoever sends it. Nil: one may be.
func unfit(x *exchange, r *http.Request) *gate.Denial {
	switch {
	case fields(r.Header) > MaxFields:
		x.Header().Set("Connection", "close")
		return &gate.Denial{Status: http.StatusRequestHeaderFieldsTooLarge, Code: "too_many_fields", Title: "The header has too many fields"}
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace:
		// The one opens a way past the gate, the other shows the client what the service is told.
		return &gate.Denial{Status: http.StatusNotImplemented, Code: "method_not_implemented", Title: "The method is not carried"}
	case !r.ProtoAtLeast(1, 1) && r.Header["Content-Length"] == nil && (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch):
		// A body in chunks would reach the service as an empty one (RFC 1945 section 7.2.2).
		return &gate.Denial{Status: http.StatusBadRequest, Code: "bad_body", Title: "The request does not say how long its body is"}
	case r.Host == "":
		return &gate.Denial{Status: http.StatusBadRequest, Code: "bad_target", Title: "The request names no host"}
	case !plainHost(r.Host):
		return badHost
	case !strings.HasPrefix(x.path, "/"), strings.HasPrefix(x.path, "//"):
		// Two slashes would reach the service as the absolute form of another target.
		return &gate.Denial{Status: http.StatusBadRequest, Code: "bad_target", Title: "The target is no path of one slash at its beginning"}
	}
	return nil
}

func fields(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// plainHost reports whether a host can be read in one way only: the gate's rules, the choice of
// the service and the service itself must not read three.
func plainHost(authority string) bool {
	_, ok := gate.CanonicalHost(authority)
	return ok
}

// pass hands on a request that the gate let pass.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	verdict, err := p.gate.Vouch(r.Context())
	x.judged(verdict.Decision)
	if err != nil {
		x.failure = err
		x.refuse(&gate.Denial{Status: http.StatusServiceUnavailable, Code: "unavailable", Title: "A part that is needed does not answer", RetryAfter: max(time.Second, gatehouse.RetryAfter(err))})
		return
	}
	to, d := p.routes.find(r.Host, x.path)
	if d != nil {
		x.refuse(d)
		return
	}
	x.verdict, x.to, x.said = &verdict, to, maps.Clone(x.Header())
	x.prepare(r)
	body, streams := r.Body.(*upload)
	if p.forward.ServeHTTP(w, r); streams {
		body.settle()
	}
}
