// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse/gate"
)

// Fields by which a client, or a proxy that nobody vouches for, could say where the
// request came from, and those that lead the service into another protocol. Who asks is
// the gate's to strip.
var (
	foreignFields = map[string]bool{
		"Forwarded": true, "X-Real-Ip": true, "X-Client-Ip": true, "Client-Ip": true, "True-Client-Ip": true, "X-Cluster-Client-Ip": true,
		"Cf-Connecting-Ip": true, "Fastly-Client-Ip": true, "X-Scheme": true, "X-Url-Scheme": true, "Front-End-Https": true,
		"X-Host": true, "X-Http-Host-Override": true, "Http2-Settings": true,
	}
	foreignPrefixes = []string{"X-Forwarded", "X-Original", "X-Envoy-"}
)

// foreign reports whether a field does not reach a service. CGI and its heirs know letters
// without case and digits, and nothing else apart: a name with other characters is a second
// spelling of some field.
func foreign(name string) bool {
	odd := func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}
	return foreignFields[name] || strings.ContainsFunc(name, odd) ||
		slices.ContainsFunc(foreignPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// prepare makes r, the gate's own copy of a request, ready to be handed on.
func (x *exchange) prepare(r *http.Request) {
	if !opensWebSocket(r) {
		// Another protocol, such as h2c, would carry further requests past the gate.
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
	}
	if r.Trailer != nil {
		x.verdict.Identity(func(name, _ string) { x.own = append(x.own, name) })
		x.trailer = http.Header{}
		x.passTrailer(r.Trailer) // what is announced, or has come
	}
	switch {
	case r.Body == nil, r.Body == http.NoBody, r.GetBody != nil:
		r.Header.Del("Expect") // the gate has read the body: the client was told to go on
	default:
		// Else the server takes the rest of the body for itself when the answer begins.
		_ = x.control.EnableFullDuplex() // not supported: the protocol is duplex
		x.upload.Store(uploadOpen)
		r.Body = &upload{ReadCloser: r.Body, x: x, trailer: r.Trailer}
	}
}

// opensWebSocket reports whether a request asks for RFC 6455 and nothing else.
func opensWebSocket(r *http.Request) bool {
	to := r.Header["Upgrade"]
	return len(to) == 1 && strings.EqualFold(to[0], "websocket") && r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && r.ContentLength == 0
}

// rewrite makes the request for the service.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	out, x := pr.Out, exchangeOf(pr.In)
	// Opaque is written as it is. Path and RawPath would be escaped anew.
	out.URL = &url.URL{Scheme: x.to.Scheme, Host: x.to.Host, Opaque: x.path, RawQuery: strings.TrimPrefix(x.query, "?"), ForceQuery: x.query != ""}
	h := out.Header
	for name := range h {
		if foreign(name) {
			delete(h, name)
		}
	}
	p.introduce(h, x)
	x.verdict.Identity(func(name, value string) {
		if h[name] = []string{value}; value == "" && name == "Authorization" {
			delete(h, name) // some services answer 400 to an empty one
		}
	})
	if out.Trailer = nil; out.Body != nil && len(x.trailer) > 0 {
		out.Trailer, out.ContentLength = x.trailer, -1
	}
	sendOnce(out, x.verdict.Decision != nil && x.verdict.Decision.Signed)
}

// introduce says where the request came from.
func (p *proxy) introduce(h http.Header, x *exchange) {
	if peer := p.proxies.Peer(x.request); peer.IsValid() {
		h.Set("X-Forwarded-For", peer.String())
	}
	proto := "http"
	if p.proxies.Secure(x.request) {
		proto = "https"
	}
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-Forwarded-Host", x.request.Host)
	h.Set(headerRequestID, x.id)
}

// sendOnce keeps the transport from sending a request again when a kept connection breaks,
// but for a GET, HEAD or OPTIONS without a body that nobody signed: see docs/decisions/0031.
func sendOnce(r *http.Request, signed bool) {
	r.GetBody = nil
	// These names let the transport repeat every method. It looks for this spelling alone.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := r.Header[name]; ok {
			delete(r.Header, name)
			r.Header[strings.ToLower(name)] = v
		}
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if signed && safe && r.Body == nil {
		r.Body = nothing{}
	}
}

// nothing is an empty body that the transport cannot begin again. For the methods that
// usually have none it looks, and announces none.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) Close() error             { return nil }

// answered makes an answer ready to be handed on.
func answered(a *http.Response) error {
	notOfService(a.Header)
	exchangeOf(a.Request).repeat()
	return nil
}

// notOfService takes from an answer what is not the service's to say.
func notOfService(h http.Header) {
	h.Del(headerRequestID) // ours is set
	h.Del("Alt-Svc")       // leads clients past the gate
}

// repeat sets again the fields of the gate and the proxy: the ReverseProxy takes them for those
// of an answer 1xx, and clears them after it.
func (x *exchange) repeat() { maps.Copy(x.Header(), x.said) }

// failed answers a request that no service answered.
func failed(_ http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	x.repeat()
	var late net.Error
	switch {
	case x.broken():
		x.Header().Set("Connection", "close")
		x.refuse(&gate.Denial{Status: http.StatusBadRequest, Code: "bad_body", Title: "The body ended early, or cannot be read"})
	case x.request.Context().Err() != nil:
		// The client is gone. One that only ended its sending must not read an empty 200.
		panic(http.ErrAbortHandler)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		x.failure = err
		x.refuse(&gate.Denial{Status: http.StatusGatewayTimeout, Code: "gateway_timeout", Title: "The service does not answer in time"})
	default:
		x.failure = err
		x.refuse(&gate.Denial{Status: http.StatusBadGateway, Code: "bad_gateway", Title: "The service does not answer"})
	}
}

// newTransport makes what speaks to the services: HTTP/1.1, without a proxy of the environment.
// In HTTP/2 all clients would share a connection that one of them can bring to its end, and
// net/http sends again what it may not (docs/decisions/0036).
func newTransport(t Timeouts, o *Options) *http.Transport {
	maxHeader := o.MaxHeader
	if maxHeader == 0 {
		maxHeader = defaultMaxHeader
	}
	dialer, protocols := net.Dialer{Timeout: t.Dial}, new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return conn{c, t.Stall}, nil
		},
		Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: t.Dial, ResponseHeaderTimeout: t.Answer, ExpectContinueTimeout: time.Second, IdleConnTimeout: t.Idle,
		MaxIdleConnsPerHost: 256, MaxResponseHeaderBytes: maxHeader,
		DisableCompression: true, // what the client asked for is what it gets
	}
}

// conn is a connection to a service. One that takes nothing would hold a request for ever.
type conn struct {
	net.Conn
	stall time.Duration
}

func (c conn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.stall)) // closed: Write says so
	return c.Conn.Write(b)
}

// buffers are lent to those who copy answers.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, _ := b.pool.Get().(*[bufferSize]byte); p != nil {
		return p[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
