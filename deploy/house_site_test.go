// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
)

// service stands behind a gateway and records what it is sent. It answers 200, or what the
// field X-Answer of the request says.
type service struct {
	addr string
	mu   sync.Mutex
	seen map[string][]sent // by the mark of the request
}

// sent is a request as the service got it.
type sent struct {
	Method, Target, Host string
	Header               http.Header
	Body                 []byte
	Trailer              http.Header
}

// markField names the request that a test sends, so that tests can share a gateway.
const markField = "X-Test-Mark"

// startService starts one until the end of the test.
func startService(t *testing.T) *service {
	s := &service{seen: map[string][]sent{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		mark := r.Header.Get(markField)
		s.seen[mark] = append(s.seen[mark], sent{r.Method, r.RequestURI, r.Host, r.Header.Clone(), body, r.Trailer.Clone()})
		s.mu.Unlock()
		status, err := strconv.Atoi(r.Header.Get("X-Answer"))
		if err != nil {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "of the service")
	}))
	t.Cleanup(func() { end(server) })
	s.addr = server.Listener.Addr().String()
	return s
}

// end ends a server. One that is not asked to break its connections waits for the last of them.
func end(server *httptest.Server) {
	server.CloseClientConnections()
	server.Close()
}

// take returns what the service was sent under a mark.
func (s *service) take(mark string) []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[mark]
	delete(s.seen, mark)
	return seen
}

// site is a gateway that asks the house, and a service behind it.
type site struct {
	house   *house
	service *service
	addr    string // of the gateway
	client  *http.Transport
}

// newSite is the site of a gateway that listens at addr.
func newSite(t *testing.T, h *house, s *service, addr string) *site {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	c := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 32}
	t.Cleanup(c.CloseIdleConnections)
	return &site{house: h, service: s, addr: addr, client: c}
}

// ask is a request of a client.
type ask struct {
	way     string // name of the key that is presented; empty: none
	method  string // empty: GET, or POST with a body
	target  string // empty: usualTarget
	body    []byte // nil: none
	chunked bool
	header  []string // further names and values
}

const usualTarget = "/orders/7?expand=a%20b&x=1"

// longest is how long a client waits for an answer: longer than a gateway waits for Gatehouse, and so
// short that many that wait in vain do not end the whole run.
const longest = 40 * time.Second

// reply is what the client reads, and what the service was sent meanwhile.
type reply struct {
	status int
	header http.Header
	body   []byte
	seen   []sent
}

func (r reply) problem() (p api.Problem) {
	_ = json.Unmarshal(r.body, &p) // no JSON: the zero problem, which no test wants
	return p
}

// request builds and signs a request for publicHost.
func (s *site) request(t *testing.T, a ask) *http.Request {
	t.Helper()
	if a.target == "" {
		a.target = usualTarget
	}
	if a.method == "" {
		a.method = http.MethodGet
		if a.body != nil {
			a.method = http.MethodPost
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), a.method, "http://"+publicHost+a.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.way != "" {
		if err := s.house.keys[a.way].scheme.Sign(r, a.body); err != nil {
			t.Fatal(err)
		}
	}
	if r.Body, r.ContentLength = http.NoBody, 0; len(a.body) > 0 || a.chunked {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(a.body)), int64(len(a.body))
	}
	if a.chunked {
		r.ContentLength = -1
	}
	for i := 0; i < len(a.header); i += 2 {
		r.Header[a.header[i]] = append(r.Header[a.header[i]], a.header[i+1]) // in the very spelling
	}
	return r
}

// send sends what ask says through the gateway.
func (s *site) send(t *testing.T, a ask) reply {
	t.Helper()
	if len(a.body) > 1<<16 {
		return s.do(t, listener{s.addr}, s.request(t, a))
	}
	return s.do(t, s.client, s.request(t, a))
}

// A listener sends a request on a connection of its own and listens meanwhile, so that it hears an
// answer that came before the whole body was sent. HAProxy breaks the connection after such an
// answer, and net/http's client may give it up for what broke.
type listener struct{ addr string }

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	var d net.Dialer
	conn, err := d.DialContext(r.Context(), "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() { _ = conn.Close() })()
	go func() { _ = r.Write(conn) }() // the answer tells what became of it
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// do sends a request that is built already. A gateway that does not answer fails the test: who waits
// for ever holds one of the few places of tests that run at a time, and in the end all wait.
func (s *site) do(t *testing.T, by http.RoundTripper, r *http.Request) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), longest)
	defer cancel()
	mark := rand.Text()
	r.Header.Set(markField, mark)
	resp, err := by.RoundTrip(r.WithContext(ctx))
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return s.read(t, resp, mark)
}

func (s *site) read(t *testing.T, resp *http.Response, mark string) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, body, s.service.take(mark)}
}

// raw sends a request byte by byte: its request line, the fields of r, further lines, and a
// body as it goes over the wire.
func (s *site) raw(t *testing.T, line string, r *http.Request, more []string, body string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // a connection of TCP takes one
	mark := rand.Text()
	var b bytes.Buffer
	b.WriteString(line + "\r\n" + markField + ": " + mark + "\r\n")
	_ = r.Header.Write(&b) // a buffer takes everything
	for _, m := range more {
		b.WriteString(m + "\r\n")
	}
	b.WriteString("\r\n" + body)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return s.read(t, resp, mark)
}

// identityFields are those in which a service finds who asks, besides the JWT.
var identityFields = []string{"X-Auth-Key-Id", "X-Auth-Subject", "X-Auth-Role", "X-Auth-Tenant", "X-Auth-Scopes", "X-Auth-Scheme", "X-Auth-Body"}

// credentialFields carry what clients present. No service sees one of a request that passed
// by a key, but for Authorization, which has the JWT.
var credentialFields = []string{"X-Api-Key", "X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature", "Signature", "Signature-Input"}

// granted checks that the request passed by the key and that the service knows who asked.
// proof is what X-Auth-Body says. It returns what the service was sent.
func (s *site) granted(t *testing.T, r reply, way, proof string) sent {
	t.Helper()
	if r.status != http.StatusOK || len(r.seen) != 1 || string(r.body) != "of the service" {
		t.Fatalf("%s: got %d %s, the service was asked %d times", way, r.status, r.body, len(r.seen))
	}
	k, got := s.house.keys[way], r.seen[0]
	want := map[string]string{
		"X-Auth-Key-Id": k.ID, "X-Auth-Subject": s.house.uid, "X-Auth-Role": "member", "X-Auth-Tenant": "default", "X-Auth-Scopes": "orders",
		"X-Auth-Scheme": k.Schemes[0], "X-Auth-Body": proof,
	}
	for name, value := range want {
		// A gateway may leave out a field that is empty.
		if values := got.Header[name]; len(values) > 1 || got.Header.Get(name) != value {
			t.Errorf("%s: the service was sent %s %q, want %q", way, name, values, value)
		}
	}
	for _, name := range credentialFields {
		if values := got.Header[name]; strings.Join(values, "") != "" {
			t.Errorf("%s: the service was sent the credential %s", way, name)
		}
	}
	token, ok := strings.CutPrefix(got.Header.Get("Authorization"), "Bearer ")
	if !ok || len(got.Header["Authorization"]) != 1 {
		t.Fatalf("%s: the service was sent Authorization %q, want one JWT", way, got.Header["Authorization"])
	}
	if j := s.house.jwt(t, token); j.UID != s.house.uid || j.Key != k.ID {
		t.Errorf("%s: the JWT is about %s and key %s, want %s and %s", way, j.UID, j.Key, s.house.uid, k.ID)
	}
	return got
}

// denied checks that the request did not reach the service and that the client reads why.
func denied(t *testing.T, r reply, status int, code string) {
	t.Helper()
	p := r.problem()
	if r.status != status || p.Code != code || p.Status != status || len(r.seen) != 0 {
		t.Errorf("got %d %s, the service was asked %d times; want %d %s", r.status, r.body, len(r.seen), status, code)
	}
	if got := r.header.Get("Content-Type"); got != api.ProblemType {
		t.Errorf("%s: Content-Type %q, want %q", code, got, api.ProblemType)
	}
	if invited := r.header.Get("Www-Authenticate") != ""; status == http.StatusUnauthorized && !invited {
		t.Errorf("%s: a 401 without WWW-Authenticate", code)
	}
	if wait := r.header.Get("Retry-After") != ""; wait != (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
		t.Errorf("%s: %d with Retry-After %q", code, status, r.header.Get("Retry-After"))
	}
}

// claims are those of a JWT, unchecked.
func claims(t *testing.T, authorization string) (c map[string]any) {
	t.Helper()
	part := strings.Split(authorization, ".")
	if len(part) != 3 {
		t.Fatalf("no JWT in %q", authorization)
	}
	text, err := base64.RawURLEncoding.DecodeString(part[1])
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually calls ok every 10 ms until it is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
