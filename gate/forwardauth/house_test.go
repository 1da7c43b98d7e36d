// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

// judge is a verifier that says what the test wants, and keeps what it was asked.
type judge struct {
	say  gatehouse.Decision
	err  error
	body bool // wants bodies

	mu    sync.Mutex
	asked int
	last  gatehouse.Request
}

func (j *judge) Verify(_ context.Context, q *gatehouse.Request) (gatehouse.Decision, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked++
	j.last = *q
	j.last.Header = maps.Clone(q.Header)
	j.last.Body.Bytes = bytes.Clone(q.Body.Bytes)
	return j.say, j.err
}

func (j *judge) WantsBody(*gatehouse.Request) bool { return j.body }

func (*judge) Challenges() gatehouse.Header {
	return gatehouse.Header{"Www-Authenticate": {`Bearer realm="gatehouse"`}, "Accept-Signature": {"sig1=()"}}
}

var granted = gatehouse.Decision{
	Granted: true, Scheme: "bearer", Key: &gatehouse.Key{ID: "k1", Tenant: "t1", Scopes: gatehouse.Scopes{"a", "b"}}, Principal: &gatehouse.Principal{UID: "ID1", Role: "member"},
}

// minter makes a token that names the key.
type minter struct{}

func (minter) Mint(_ context.Context, d *gatehouse.Decision) (string, error) {
	return "jwt." + d.Key.ID, nil
}

// doorOf is the handler over a verifier, and what it logs.
func doorOf(tb testing.TB, v gate.Verifier, rules gate.Rules, o forwardauth.Options) (http.Handler, *bytes.Buffer) {
	tb.Helper()
	log := &bytes.Buffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	g, err := gate.New(v, gate.Options{Rules: rules, Tokens: minter{}, Log: o.Log})
	if err != nil {
		tb.Fatal(err)
	}
	return forwardauth.New(g, o), log
}

// client is a request as its client sent it.
type client struct {
	method, scheme, host, target, addr string
	header                             http.Header
	body                               string
}

func plain() client {
	return client{method: "GET", scheme: "https", host: "api.example.com", target: "/orders/7?x=%2F..&y=a,b", addr: "203.0.113.7", header: http.Header{"X-Api-Key": {"abc"}, "Accept": {"*/*"}}}
}

// with is the request with more fields.
func (c client) with(fields ...string) client {
	c.header = c.header.Clone()
	for i := 0; i < len(fields); i += 2 {
		c.header.Add(fields[i], fields[i+1])
	}
	return c
}

// dialects are what each gateway makes of a request: its fields in place of the client's
// own of that name, and the client's other fields as they came.
var dialects = map[string]func(c client) *http.Request{
	"nginx":         func(c client) *http.Request { return c.original("nginx") },
	"haproxy":       func(c client) *http.Request { return c.original("haproxy") },
	"caddy":         func(c client) *http.Request { return c.forwarded("caddy") },
	"traefik":       func(c client) *http.Request { return c.forwarded("traefik") },
	"traefik/body":  func(c client) *http.Request { return c.send(c.forwarded("traefik/body")) },
	"ingress-nginx": ingress,
	"envoy":         envoy,
}

func (c client) original(dialect string) *http.Request {
	r := c.check("POST", forwardauth.Root+dialect)
	set(r.Header, "X-Original-Method", c.method, "X-Original-Proto", c.scheme, "X-Original-Host", c.host, "X-Original-Uri", c.target, "X-Original-Addr", c.addr, "X-Original-Body", "none")
	return c.send(r)
}

func (c client) forwarded(dialect string) *http.Request {
	r := c.check("GET", forwardauth.Root+dialect+"?the=client's")
	set(r.Header, "X-Forwarded-Method", c.method, "X-Forwarded-Proto", c.scheme, "X-Forwarded-Host", c.host, "X-Forwarded-Uri", c.target, "X-Forwarded-For", c.addr)
	return r
}

// keeps reports whether the gateway of a dialect keeps all bodies.
func keeps(dialect string) bool {
	return dialect == "ingress-nginx" || dialect == "caddy" || dialect == "traefik"
}

func ingress(c client) *http.Request {
	r := c.check("GET", forwardauth.Root+"ingress-nginx")
	set(r.Header, "X-Original-Method", c.method, "X-Original-Url", c.scheme+"://"+c.host+c.target, "X-Real-Ip", c.addr)
	return r
}

func envoy(c client) *http.Request {
	r := c.check(c.method, forwardauth.Root+"envoy"+c.target)
	r.Host = c.host
	set(r.Header, "X-Forwarded-Proto", c.scheme, "X-Forwarded-For", c.addr, "X-Envoy-Auth-Partial-Body", "false")
	return c.send(r)
}

func (c client) check(method, uri string) *http.Request {
	return (&http.Request{
		Method: method, RequestURI: uri, URL: &url.URL{Path: "/not/to/be/read"}, Host: "gatehouse.test", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: "127.0.0.1:4711", Header: c.header.Clone(), Body: http.NoBody,
	}).WithContext(context.Background())
}

// send makes the client's body that of the check, where there is one.
func (c client) send(r *http.Request) *http.Request {
	if c.body != "" {
		if r.Header["X-Original-Body"] != nil {
			r.Header.Set("X-Original-Body", "sent")
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
	}
	return r
}

func set(h http.Header, fields ...string) {
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
}

// ask returns the answer to a check, and its code; empty: it was granted.
func ask(door http.Handler, r *http.Request) (_ *http.Response, code string) {
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	return w.Result(), w.Result().Header.Get(forwardauth.HeaderError)
}
