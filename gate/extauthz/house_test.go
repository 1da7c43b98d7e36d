// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/extauthz"
	"github.com/seed14544106/gatehouse/httpsig"
)

// house is an authority with one key of each scheme.
type house struct {
	*embedded.House
	keys    map[string]gatehouse.Created
	signers map[string]sign.Scheme
}

var schemes = []string{"bearer", "barong", "shield", "httpsig"}

func open(tb testing.TB) *house {
	tb.Helper()
	ctx := context.Background()
	e, err := embedded.Open(ctx, filepath.Join(tb.TempDir(), "data"), embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = e.Close() })
	owner, err := e.Accounts.CreateAccount(ctx, e.Actor(), account.NewAccount{Email: "you@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		tb.Fatal(err)
	}
	h := &house{House: e, keys: map[string]gatehouse.Created{}, signers: map[string]sign.Scheme{}}
	for _, scheme := range schemes {
		c, err := e.Authority.Create(ctx, e.Actor(), gatehouse.NewKey{Principal: owner.ID, Schemes: []string{scheme}, Scopes: gatehouse.Scopes{"orders.read", "orders.write"}})
		if err != nil {
			tb.Fatal(err)
		}
		h.keys[scheme] = c
	}
	mac, err := httpsig.HMACKey([]byte(h.keys["httpsig"].Secret.Reveal()))
	if err != nil {
		tb.Fatal(err)
	}
	h.signers["bearer"] = sign.Bearer(h.keys["bearer"].Token)
	h.signers["barong"] = sign.Barong(h.keys["barong"].Key.ID, h.keys["barong"].Secret)
	h.signers["shield"] = sign.Shield(h.keys["shield"].Key.ID, h.keys["shield"].Secret)
	h.signers["httpsig"] = sign.HTTPSig(&httpsig.Signer{KeyID: h.keys["httpsig"].Key.ID, Key: mac})
	return h
}

// client is a request as its client sends it, with a credential.
type client struct {
	method, target, body string
	header               http.Header
}

// signed is a request with the credential of a scheme, whole as a client of HTTP/1.1 sends it.
func (h *house) signed(tb testing.TB, scheme, method, target, body string) client {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "https://api.example.com"+target, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	if err := h.signers[scheme].Sign(r, []byte(body)); err != nil {
		tb.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return client{method: method, target: target, body: body, header: r.Header}
}

// with is the request with more header fields.
func (c client) with(fields ...string) client {
	c.header = c.header.Clone()
	for i := 0; i < len(fields); i += 2 {
		c.header[fields[i]] = append(c.header[fields[i]], fields[i+1])
	}
	return c
}

// check is what Envoy makes of a request, after check_request_utils.cc: raw fields or joined
// ones, and no body unless [sent] adds it.
func (c client) check(raw bool) *auth.CheckRequest {
	h := &auth.AttributeContext_HttpRequest{Id: "1", Method: c.method, Scheme: "https", Host: "api.example.com", Path: c.target, Protocol: "HTTP/1.1"}
	if raw {
		h.HeaderMap = &core.HeaderMap{}
	} else {
		h.Headers = map[string]string{}
	}
	in := &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            &auth.AttributeContext_Peer{Address: address("203.0.113.7", 4711)},
		Request:           &auth.AttributeContext_Request{Http: h},
		ContextExtensions: map[string]string{},
	}}
	for _, pseudo := range [][2]string{{":authority", h.GetHost()}, {":path", h.GetPath()}, {":method", h.GetMethod()}, {":scheme", h.GetScheme()}} {
		add(in, pseudo[0], pseudo[1])
	}
	for name, values := range c.header {
		for _, v := range values {
			add(in, strings.ToLower(name), v)
		}
	}
	return in
}

func address(ip string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: ip, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}}}}
}

// add adds a field as Envoy does: raw, or joined with others of its name and made UTF-8.
func add(in *auth.CheckRequest, name, value string) {
	h := in.GetAttributes().GetRequest().GetHttp()
	if m := h.GetHeaderMap(); m != nil {
		m.Headers = append(m.Headers, &core.HeaderValue{Key: name, RawValue: []byte(value)})
		return
	}
	value = text(value)
	if was, there := h.GetHeaders()[name]; there {
		value = was + "," + value
	}
	h.Headers[name] = value
}

// text is what Envoy makes of bytes where it sends text.
func text(bytes string) string {
	var b strings.Builder
	for _, c := range bytes {
		if c == '\uFFFD' {
			c = '!'
		}
		b.WriteRune(c)
	}
	return b.String()
}

const partial = "x-envoy-auth-partial-body"

// sent lets Envoy send the body (with_request_body), and the route's configuration say so.
func sent(in *auth.CheckRequest, body string, packed bool) *auth.CheckRequest {
	in.Attributes.ContextExtensions["gatehouse.body"] = "sent"
	if body == "" {
		return in
	}
	if h := in.GetAttributes().GetRequest().GetHttp(); packed {
		h.RawBody = []byte(body)
	} else {
		h.Body = text(body)
	}
	add(in, partial, "false")
	return in
}

// gateOf is a gate over a verifier.
func gateOf(tb testing.TB, v gate.Verifier, o gate.Options) *gate.Gate {
	tb.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	g, err := gate.New(v, o)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// serve starts a server on a listener and returns it with a connection to it.
func serve(tb testing.TB, g *gate.Gate, o extauthz.Options, ln net.Listener) (*extauthz.Server, *grpc.ClientConn) {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := extauthz.New(g, o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Drain(ctx) // what still runs is the test's own
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s, dial(tb, ln.Addr())
}

func dial(tb testing.TB, to net.Addr) *grpc.ClientConn {
	tb.Helper()
	target := to.String()
	if to.Network() == "unix" {
		target = "unix:" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func loopback(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// start is [serve] on loopback with what is usual.
func start(tb testing.TB, v gate.Verifier, o gate.Options) auth.AuthorizationClient {
	tb.Helper()
	_, conn := serve(tb, gateOf(tb, v, o), extauthz.Options{}, loopback(tb))
	return auth.NewAuthorizationClient(conn)
}

// ask returns the code of an answer; "granted": it lets the request pass. An answer must say
// the same in all its parts.
func ask(tb testing.TB, c auth.AuthorizationClient, in *auth.CheckRequest) string {
	tb.Helper()
	out, err := c.Check(tb.Context(), in)
	if err != nil {
		tb.Error(err)
		return ""
	}
	return codeOf(tb, out)
}

func codeOf(tb testing.TB, out *auth.CheckResponse) string {
	tb.Helper()
	no := out.GetDeniedResponse()
	if (out.GetStatus().GetCode() == 0) != (out.GetOkResponse() != nil) || (no == nil) != (out.GetOkResponse() != nil) {
		tb.Errorf("neither granted nor denied: %v", out)
	}
	if no == nil {
		return "granted"
	}
	return values(no.GetHeaders(), "x-auth-error")[0]
}

// values are those of one field.
func values(list []*core.HeaderValueOption, name string) (all []string) {
	for _, o := range list {
		if o.GetHeader().GetKey() == name {
			all = append(all, o.GetHeader().GetValue())
		}
	}
	return all
}

// judge is a verifier that says what the test wants, and keeps what it was asked.
type judge struct {
	say  gatehouse.Decision
	err  error
	hold chan struct{} // not nil: it answers when this is closed, or the call has ended

	mu    sync.Mutex
	asked int
	last  gatehouse.Request
	began chan struct{} // not nil: is told of each question
}

func (j *judge) Verify(ctx context.Context, q *gatehouse.Request) (gatehouse.Decision, error) {
	j.mu.Lock()
	j.asked++
	j.last = *q
	j.last.Body.Bytes = bytes.Clone(q.Body.Bytes)
	j.mu.Unlock()
	if j.began != nil {
		j.began <- struct{}{}
	}
	if j.hold != nil {
		select {
		case <-j.hold:
		case <-ctx.Done():
			return gatehouse.Decision{}, gatehouse.Unavailable("wait", ctx.Err())
		}
	}
	return j.say, j.err
}

func (j *judge) questions() (int, gatehouse.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked, j.last
}

func (*judge) WantsBody(*gatehouse.Request) bool { return true }

func (*judge) Challenges() gatehouse.Header {
	return gatehouse.Header{"Www-Authenticate": {`Bearer realm="gatehouse"`, `Signature realm="gatehouse"`}, "Accept-Signature": {"sig1=()"}}
}

var granted = gatehouse.Decision{
	Granted: true, Scheme: "bearer", Key: &gatehouse.Key{ID: "k1", Tenant: "t1", Scopes: gatehouse.Scopes{"a", "b"}}, Principal: &gatehouse.Principal{UID: "ID1", Role: "member"},
}

// minter makes a token that names the key.
type minter struct{}

func (minter) Mint(_ context.Context, d *gatehouse.Decision) (string, error) {
	return "jwt." + d.Key.ID, nil
}

// plain is a request that any verifier may be asked about.
func plain() client {
	return client{method: "GET", target: "/orders/7?x=%2F..&y=a,b", header: http.Header{"X-Api-Key": {"abc"}, "Accept": {"*/*"}}}
}

// sorted are values in one order.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
