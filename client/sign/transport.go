// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/seed14544106/gatehouse"
)

// DefaultMaxBody is the longest body that is signed where the options say nothing: 10
// MiB.
const DefaultMaxBody = 10 << 20

// Options are a transport's settings. The zero value is ready.
type Options struct {
	Base      http.RoundTripper // what sends; nil: http.DefaultTransport
	MaxBody   int64             // longest body in bytes that is read to be signed; zero: DefaultMaxBody
	PlainHTTP bool              // allow http:// beyond this machine, such as inside a cluster
}

// Transport is an http.RoundTripper that signs each request, and each hop of a
// redirect, for one origin. Use [New]. It is safe for concurrent use.
type Transport struct {
	origin  string
	scheme  Scheme
	base    http.RoundTripper
	maxBody int64
}

// New makes a transport that signs with s for an origin (RFC 6454), such as
// "https://api.example.com" or "http://127.0.0.1:8080". *[gatehouse.InvalidError] with
// field "origin" for what is none; [ErrPlainHTTP].
func New(origin string, s Scheme, o Options) (*Transport, error) {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RequestURI() != "/" || u.Fragment != "" {
		return nil, &gatehouse.InvalidError{Field: "origin", Problem: "is not of the form https://host or https://host:port"}
	}
	if u.Scheme == "http" && !o.PlainHTTP && !onThisMachine(u.Hostname()) {
		return nil, ErrPlainHTTP
	}
	if o.Base == nil {
		o.Base = http.DefaultTransport
	}
	return &Transport{
		origin: u.Scheme + "://" + authority(u.Scheme, u.Host), scheme: s, base: o.Base, maxBody: cmp.Or(o.MaxBody, DefaultMaxBody),
	}, nil
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// RoundTrip signs a copy of the request and sends it. Errors: those of Sign and of the
// base.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	signed, err := t.Sign(r)
	if err != nil {
		return nil, err
	}
	return t.base.RoundTrip(signed)
}

// Sign returns a signed copy of a client's request. The copy's authority is in the normal
// form of RFC 3986 section 6.2.2, and so is its target where the scheme covers it: no
// server on the way has a reason to change what was signed. The request itself stays as
// it is, but its body is used up: the copy has it, and a body that is signed can be sent
// again (GetBody). On an error the body is closed.
//
// Errors: [ErrOrigin]; [ErrBodyTooLong]; those of reading the body and of [Scheme].
func (t *Transport) Sign(r *http.Request) (_ *http.Request, err error) {
	defer func() {
		if err != nil && r.Body != nil {
			_ = r.Body.Close()
		}
	}()
	c := r.Clone(r.Context())
	c.URL.Host = authority(c.URL.Scheme, r.URL.Host)
	c.Host = authority(c.URL.Scheme, cmp.Or(r.Host, r.URL.Host))
	if c.Host != c.URL.Host || t.origin != c.URL.Scheme+"://"+c.Host {
		return nil, ErrOrigin
	}
	if c.Header == nil {
		c.Header = http.Header{}
	}
	var body []byte
	if t.scheme.CoversBody() && r.Body != nil {
		if body, err = t.read(r); err != nil {
			return nil, err
		}
		setBody(c, body)
	}
	if err := t.scheme.Sign(c, body); err != nil {
		return nil, err
	}
	return c, nil
}

// authority is a host with its port in normal form: lower case, and without the port
// that the URL's scheme implies.
func authority(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":")
}

// read takes the body of a request, whole, and closes it.
func (t *Transport) read(r *http.Request) ([]byte, error) {
	if r.ContentLength > t.maxBody {
		return nil, ErrBodyTooLong
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, t.maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(body)) > t.maxBody {
		return nil, ErrBodyTooLong
	}
	return body, r.Body.Close()
}

// setBody gives a request a body that can be sent more than once.
func setBody(r *http.Request, body []byte) {
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	r.Body, _ = r.GetBody()
}
