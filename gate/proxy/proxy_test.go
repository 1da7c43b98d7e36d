// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/proxy"
	sig "github.com/seed14544106/gatehouse/httpsig"
)

// patience bounds a test that hangs.
const patience = 20 * time.Second

const maxBody = 64 << 10

// seen is a request as the service got it.
type seen struct {
	method, target, host string
	header, trailer      http.Header
	body                 []byte
	length               int64
}

// site is a proxy before one service.
type site struct {
	t       testing.TB
	house   *embedded.House
	owner   string
	url     string
	address string // of the proxy
	service *httptest.Server
	got     chan seen // what echo got
	log     *lines
	client  *http.Transport
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(p)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return n, err
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait waits until the log holds a text.
func (l *lines) wait(t testing.TB, text string) {
	t.Helper()
	end := time.After(patience)
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.more:
		case <-end:
			t.Fatalf("the log has no %s:\n%s", text, l)
		}
	}
}

// minter vouches for keys without a signature.
type minter struct{}

func (minter) Mint(_ context.Context, d *gatehouse.Decision) (string, error) {
	return "jwt-of-" + d.Key.ID, nil
}

var rules = gate.Rules{"/": gate.AnyKey(), "/public/": gate.Open(), "/admin/": gate.All("admin")}

// setting is what a test changes.
// quiet is the log of servers that are meant to fail.
var quiet = log.New(io.Discard, "", 0)

type setting struct {
	service http.Handler // nil: echo
	address string       // of a service that is no HTTP server of Go's
	rules   gate.Rules
	gate    gate.Options
	proxy   proxy.Options
	accept  func(net.Listener) net.Listener // nil: as it is
	secure  bool                            // service and proxy speak TLS, and offer HTTP/2
}

// start starts a server, with TLS and HTTP/2 where it is asked for.
func (o *setting) start(s *httptest.Server) {
	if s.EnableHTTP2 = o.secure; o.secure {
		s.StartTLS()
	} else {
		s.Start()
	}
}

func newSite(t testing.TB, o setting) *site {
	t.Helper()
	s := &site{t: t, got: make(chan seen, 64), log: &lines{more: make(chan struct{}, 1)}, client: &http.Transport{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.house, err = embedded.Open(context.Background(), filepath.Join(t.TempDir(), "data"), embedded.Options{})
	must(err)
	t.Cleanup(func() { _ = s.house.Close() })
	a, err := s.house.Accounts.CreateAccount(context.Background(), s.house.Actor(), account.NewAccount{Email: "a@example.com", State: gatehouse.PrincipalActive})
	must(err)
	s.owner = a.ID
	if o.address == "" {
		if o.service == nil {
			o.service = http.HandlerFunc(s.echo)
		}
		s.service = httptest.NewUnstartedServer(o.service)
		s.service.Config.ErrorLog = quiet
		o.start(s.service)
		t.Cleanup(s.service.Close)
		if o.secure && o.proxy.Roots == nil {
			o.proxy.Roots = s.service.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		}
		o.address = s.service.Listener.Addr().String()
	}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	o.gate.Rules, o.gate.Denials, o.gate.MaxBody, o.gate.Log = o.rules, proxy.Denials, maxBody, logger
	g, err := gate.New(s.house.Authority, o.gate)
	must(err)
	if o.proxy.Upstreams == nil {
		scheme := "http://"
		if o.secure {
			scheme = "https://"
		}
		o.proxy.Upstreams, err = proxy.ParseUpstreams([]string{scheme + o.address})
		must(err)
	}
	o.proxy.Log = logger
	h, err := proxy.New(g, o.proxy)
	must(err)
	front := httptest.NewUnstartedServer(h)
	front.Config.ReadHeaderTimeout, front.Config.IdleTimeout, front.Config.ReadTimeout = 5*time.Second, time.Minute, 15*time.Second
	front.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelError)
	if o.accept != nil {
		front.Listener = o.accept(front.Listener)
	}
	o.start(front)
	t.Cleanup(front.Close)
	if o.secure {
		s.client = front.Client().Transport.(*http.Transport)
	}
	t.Cleanup(s.client.CloseIdleConnections)
	s.url, s.address = front.URL, front.Listener.Addr().String()
	return s
}

// echo says what it got, and sends the body back. A request whose body breaks off counts for
// nothing.
func (s *site) echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.got <- seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), r.Trailer.Clone(), b, r.ContentLength}
	_, _ = w.Write(b)
}

// reached is what the service got. Every request before was asked for.
func (s *site) reached() seen {
	s.t.Helper()
	select {
	case got := <-s.got:
		return got
	case <-time.After(patience):
		s.t.Fatal("the request did not reach the service")
		return seen{}
	}
}

func (s *site) untouched() {
	s.t.Helper()
	select {
	case got := <-s.got:
		s.t.Errorf("%s %s reached the service", got.method, got.target)
	default:
	}
}

func (s *site) key(scheme, publicKey string) gatehouse.Created {
	s.t.Helper()
	c, err := s.house.Authority.Create(context.Background(), s.house.Actor(), gatehouse.NewKey{
		Principal: s.owner, Schemes: []string{scheme}, Scopes: gatehouse.Scopes{"read"}, PublicKey: publicKey,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// bearer is the header field of a new key, and the key's id.
func (s *site) bearer() (field, id string) {
	s.t.Helper()
	c := s.key("bearer", "")
	return "Authorization: Bearer " + c.Token.Reveal() + "\r\n", c.Key.ID
}

// signers has a key for every way to present one.
func (s *site) signers() map[string]sign.Scheme {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		s.t.Fatal(err)
	}
	bearer, barong, shield, mac := s.key("bearer", ""), s.key("barong", ""), s.key("shield", ""), s.key("httpsig", "")
	edwards := s.key("httpsig", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	shared, err := sig.HMACKey([]byte(mac.Secret.Reveal()))
	if err != nil {
		s.t.Fatal(err)
	}
	signing, err := sig.Ed25519PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]sign.Scheme{
		"bearer": sign.Bearer(bearer.Token), "barong": sign.Barong(barong.Key.ID, barong.Secret), "shield": sign.Shield(shield.Key.ID, shield.Secret),
		"httpsig": sign.HTTPSig(&sig.Signer{KeyID: mac.Key.ID, Key: shared}), "httpsig ed25519": sign.HTTPSig(&sig.Signer{KeyID: edwards.Key.ID, Key: signing}),
	}
}

// raw sends text on a connection of its own and returns the first answer.
func (s *site) raw(text string) *http.Response {
	s.t.Helper()
	c := s.dial()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return s.answer(bufio.NewReader(c), http.MethodGet)
}

func (s *site) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// answer reads one answer with its body.
func (s *site) answer(r *bufio.Reader, method string) *http.Response {
	s.t.Helper()
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a.Body = io.NopCloser(bytes.NewReader(b))
	return a
}

// code is that of a denial; empty: it is none.
func code(t testing.TB, a *http.Response) string {
	t.Helper()
	defer func() { _ = a.Body.Close() }()
	if a.Header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	var problem struct {
		Status int
		Code   string
	}
	if err := json.NewDecoder(a.Body).Decode(&problem); err != nil || problem.Status != a.StatusCode {
		t.Errorf("%v %+v, status %d", err, problem, a.StatusCode)
	}
	return problem.Code
}

// chunked is a body of unknown length.
type chunked struct{ io.Reader }

// Every scheme passes with every kind of body, and the service gets the client's bytes.
func TestEverySchemeEveryBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: rules, gate: gate.Options{Tokens: minter{}}})
	random := rand.NewChaCha8([32]byte{1})
	fill := func(n int) []byte {
		b := make([]byte, n)
		_, _ = random.Read(b)
		return b
	}
	bodies := map[string][]byte{"none": nil, "small": []byte(`{"amount":1}`), "binary": fill(5000), "limit": fill(maxBody), "over": fill(maxBody + 1)}
	const target = "/x%2dy/{a}/caf%C3%A9?b=%20;c&&d=%zz?"
	for name, scheme := range s.signers() {
		for size, body := range bodies {
			for _, inChunks := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s %v", name, size, inChunks), func(t *testing.T) {
					r := s.request(http.MethodPost, target, body, scheme)
					if inChunks {
						r.Body, r.ContentLength = io.NopCloser(chunked{bytes.NewReader(body)}), -1
					}
					a, err := s.client.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					if covers := name != "bearer" && name != "barong"; covers && size == "over" {
						if c := code(t, a); a.StatusCode != http.StatusRequestEntityTooLarge || c != "body_too_large" {
							t.Errorf("%d %s", a.StatusCode, c)
						}
						s.untouched()
						return
					}
					back, err := io.ReadAll(a.Body)
					_ = a.Body.Close()
					if err != nil || a.StatusCode != http.StatusOK || !bytes.Equal(back, body) {
						t.Fatal(err, a.Status, len(back), " bytes of ", len(body))
					}
					s.checkSeen(t, r, body, strings.Fields(name)[0])
				})
			}
		}
	}
}

// request is a signed request of which target are the bytes that are sent.
func (s *site) request(method, target string, body []byte, scheme sign.Scheme) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	r.URL.Opaque, r.URL.RawQuery = path, query
	if scheme.CoversBody() {
		// Signers of the client make the target plain first; what they sign is what is sent.
		r.URL.Opaque, r.URL.Path, r.URL.RawQuery = "", "/x-y/a", "b=1"
	} else {
		body = nil
	}
	if err := scheme.Sign(r, body); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) checkSeen(t *testing.T, sent *http.Request, body []byte, scheme string) {
	t.Helper()
	got := s.reached()
	if got.method != sent.Method || got.target != sent.URL.RequestURI() || got.host != s.address || !bytes.Equal(got.body, body) {
		t.Errorf("%s %s %s, %d bytes", got.method, got.target, got.host, len(got.body))
	}
	h := got.header
	if h.Get("X-Auth-Scheme") != scheme || !strings.HasPrefix(h.Get("Authorization"), "Bearer jwt-of-"+h.Get("X-Auth-Key-Id")) || h.Get("X-Auth-Tenant") != "default" ||
		h.Get("X-Auth-Scopes") != "read" || h.Get("X-Auth-Subject") == "" || h.Get("X-Auth-Role") == "" || h.Get("X-Auth-Body") == "" {
		t.Errorf("identity: %v", h)
	}
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Host") != s.address || h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Request-Id") == "" {
		t.Errorf("origin: %v", h)
	}
	for _, name := range []string{"X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature", "Signature", "Signature-Input", "Accept-Encoding"} {
		if name != "Accept-Encoding" && len(h[name]) > 0 {
			t.Errorf("%s reached the service", name)
		}
	}
}
