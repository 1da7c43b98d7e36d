// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package client speaks the native API of a Gatehouse server: from afar with a key
// ([New]), or on the server's machine through its admin socket ([Socket]).
//
// An answer that is no success is an *[Error]. What is safe to ask twice is asked again
// where no answer came or the server was not ready: reads, and changes under an
// Idempotency-Key, which the client makes for each call. All else is asked once.
//
// A [Verifier] is what a service embeds to let a server decide about its requests. A
// [JWTVerifier] checks by itself what the server has signed, and [Revocations] tells it at
// once of what holds no longer.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// Client speaks to one server. Use [New] or [Socket]. It is safe for concurrent use.
type Client struct {
	base   string
	http   *http.Client
	signer Signer // nil: the admin socket
	tenant string
}

// Signer puts a credential on requests, in place of what there was. Every
// sign.Scheme of package client/sign is one. It is safe for concurrent use.
type Signer interface {
	// CoversBody reports whether Sign needs the body.
	CoversBody() bool
	// Sign sets header fields; body is the whole body if CoversBody, else nil.
	Sign(r *http.Request, body []byte) error
}

// Options are what [New] makes a client with. Server, and either Token or Signer, are
// required.
type Options struct {
	Server     string           // origin, such as "https://keys.example.com"
	Token      gatehouse.Secret // presented as a bearer token; or
	Signer     Signer           // what signs each request
	HTTPClient *http.Client     // sends; nil: one of the client's own. It follows no redirect
	PlainHTTP  bool             // allow http:// beyond this machine, such as inside a cluster
}

const (
	callTime = time.Minute      // bounds one request with its answer
	longTime = 11 * time.Minute // bounds one that reads a whole log
	idleMost = 64               // connections that are kept for the next request: a Verifier has many at once
)

// Errors of the client, compared with errors.Is. None holds anything of a credential.
var (
	// ErrNoServer: nothing listens where the server should be.
	ErrNoServer = errors.New("no server answers")
	// ErrPlainHTTP: the server is http:// and not this machine.
	ErrPlainHTTP = errors.New("a credential is not sent over http:// beyond this machine")
)

// New makes a client that shows a credential with each request.
// *[gatehouse.InvalidError] with field "server" or "token"; [ErrPlainHTTP].
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RequestURI() != "/" || u.Fragment != "" {
		return nil, &gatehouse.InvalidError{Field: "server", Problem: "is not of the form https://host or https://host:port"}
	}
	if u.Scheme == "http" && !o.PlainHTTP && !onThisMachine(u.Hostname()) {
		return nil, ErrPlainHTTP
	}
	if o.Token.Empty() == (o.Signer == nil) {
		return nil, &gatehouse.InvalidError{Field: "token", Problem: "either a token or a signer is required"}
	}
	if o.Signer == nil {
		if !printable(o.Token.Reveal()) {
			return nil, &gatehouse.InvalidError{Field: "token", Problem: "is not printable ASCII without blanks"}
		}
		o.Signer = bearer{o.Token}
	}
	sender := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: idleMost, IdleConnTimeout: 90 * time.Second,
	}}
	if o.HTTPClient != nil {
		sender = *o.HTTPClient
	}
	// A redirect could carry a credential elsewhere.
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: origin(u), http: &sender, signer: o.Signer}, nil
}

// origin is in normal form (RFC 3986 section 6.2.3), so that what is signed is what is sent.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":")
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

func printable(text string) bool {
	// A line's end would end the header field.
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// bearer presents a token (RFC 6750 section 2.1).
type bearer struct{ token gatehouse.Secret }

func (bearer) CoversBody() bool { return false }

func (b bearer) Sign(r *http.Request, _ []byte) error {
	r.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	return nil
}

// Socket returns a client of the server on this machine whose admin socket is at path. It
// acts as the operator, in the default tenant: see [Client.InTenant].
func Socket(path string) *Client {
	var d net.Dialer
	return &Client{base: "http://gatehouse", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}
}

// InTenant returns a client that acts in another tenant. Only the admin socket heeds it:
// elsewhere the tenant is that of the credential.
func (c *Client) InTenant(name string) *Client {
	other := *c
	other.tenant = name
	return &other
}

// Error is a problem that the server answered with.
type Error struct {
	api.Problem
	after time.Duration // of Retry-After; zero: it was absent
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Title + " (" + e.Code + ")"
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Ref != "" {
		text += " [request " + e.Ref + "]"
	}
	return text
}

// As lets [gatehouse.RetryAfter] find what the server said of a next attempt.
func (e *Error) As(target any) bool {
	again, ok := target.(**gatehouse.RetryError)
	if !ok || e.after <= 0 {
		return false
	}
	*again = &gatehouse.RetryError{After: e.after, Problem: e.Title}
	return true
}

// request is one call: what is sent, and whether it may be sent again.
type request struct {
	method, path string
	body         []byte // nil: none
	header       http.Header
	again        bool
	time         time.Duration // that it may take; zero: callTime
}

// send sends a request once and reads the answer into out (nil: it is dropped).
func (c *Client) send(ctx context.Context, q *request, out any) error {
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.time, callTime))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	maps.Copy(req.Header, q.header)
	req.Header.Set("User-Agent", "gatehouse-client")
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.tenant != "" {
		req.Header.Set("Gatehouse-Tenant", c.tenant)
	}
	if c.signer != nil {
		if err := c.signer.Sign(req, q.body); err != nil {
			return fmt.Errorf("sign request: %w", err)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return decode(resp, out)
}

// connectionError: no answer came, or not a whole one.
type connectionError struct{ error }

func (e connectionError) Unwrap() error { return e.error }

// failed tells a call without an answer.
func (c *Client) failed(err error) error {
	absent := errors.Is(err, syscall.ECONNREFUSED)
	slow, ok := errors.AsType[net.Error](err)
	switch {
	case ok && slow.Timeout():
		return fmt.Errorf("call server: %w", err)
	case c.signer == nil && (absent || errors.Is(err, fs.ErrNotExist)):
		return fmt.Errorf("%w; is gatehouse serve running with this --data?", ErrNoServer)
	case absent:
		return connectionError{fmt.Errorf("%w at %s", ErrNoServer, c.base)}
	}
	return connectionError{fmt.Errorf("call server: %w", err)}
}

const maxAnswer = 64 << 20

func decode(resp *http.Response, out any) error {
	d := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 300 {
		e := &Error{Problem: api.Problem{Status: resp.StatusCode, Code: "http_" + strconv.Itoa(resp.StatusCode), Title: resp.Status}, after: retryAfter(resp.Header)}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), api.ProblemType) {
			if err := d.Decode(&e.Problem); err != nil {
				return fmt.Errorf("read answer: %w", err)
			}
			e.Status = resp.StatusCode
		}
		return e
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	err := d.Decode(out)
	switch err.(type) {
	case nil:
		return nil
	case *json.SyntaxError, *json.UnmarshalTypeError:
		return fmt.Errorf("read answer: %w", err)
	}
	return connectionError{fmt.Errorf("read answer: %w", err)}
}
