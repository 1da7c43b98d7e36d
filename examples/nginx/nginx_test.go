// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package nginx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// recorder is a server that keeps what it was sent.
type recorder struct {
	*httptest.Server
	connections atomic.Int64

	mu   sync.Mutex
	seen []seen
}

type seen struct {
	Method, Target, Host, Body string
	Length                     int64
	Header                     http.Header
}

func record(t *testing.T, h http.HandlerFunc) *recorder {
	rec := &recorder{}
	rec.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		rec.mu.Lock()
		rec.seen = append(rec.seen, seen{r.Method, r.RequestURI, r.Host, string(body), r.ContentLength, r.Header.Clone()})
		rec.mu.Unlock()
		h(w, r)
	}))
	rec.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			rec.connections.Add(1)
		}
	}
	rec.Start()
	t.Cleanup(rec.Close)
	return rec
}

// take returns what has been seen since the last call.
func (rec *recorder) take() []seen {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	s := rec.seen
	rec.seen = nil
	return s
}

// site is nginx with the example's configuration, between a stand-in for Gatehouse and
// one for a service.
type site struct {
	addr          string
	gate, service *recorder
	log           net.PacketConn // one datagram per line of the log
}

const jwt = "Bearer header.claims.signature"

// open lets nginx serve. The gate answers as verdict does; nil: it grants.
func open(t *testing.T, verdict http.HandlerFunc) *site {
	if verdict == nil {
		verdict = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Authorization", jwt) }
	}
	s := &site{gate: record(t, verdict), service: record(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "served")
	})}
	var err error
	if s.log, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	s.addr = testenv.Nginx(t, s.configuration(t))
	return s
}

// configuration is the example with the test's addresses, and nothing else changed.
func (s *site) configuration(t *testing.T) string {
	text, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	for _, r := range []struct {
		old, new string
		count    int
	}{
		{"listen 127.0.0.1:8000", "listen {{.Listen}}", 2},
		{"server 127.0.0.1:8080;", "server " + s.gate.Listener.Addr().String() + ";", 1},
		{"server 127.0.0.1:9000;", "server " + s.service.Listener.Addr().String() + ";", 1},
		{"access_log /var/log/nginx/gatehouse.log", "{{.Files}} access_log syslog:server=" + s.log.LocalAddr().String(), 1},
	} {
		if n := strings.Count(conf, r.old); n != r.count {
			t.Fatalf("nginx.conf has %q %d times, want %d", r.old, n, r.count)
		}
		conf = strings.ReplaceAll(conf, r.old, r.new)
	}
	return conf
}

const host = "api.example.com"

// transport adds no header of its own.
var transport = &http.Transport{DisableCompression: true}

func (s *site) do(t *testing.T, method, target, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.addr+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp)
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// raw sends a request as it is written, for what net/http would not send.
func (s *site) raw(t *testing.T, lines ...string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", lines[0], err)
	}
	return resp
}

// forged is what a client sends to be taken for somebody else.
func forged() http.Header {
	h := http.Header{}
	for _, name := range []string{
		"Authorization", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "X-Real-Ip",
		"X-Auth-User", "X-Auth-Uid", "X-Auth-Email", "X-Auth-Role", "X-Auth-Key", "X-Auth-Scopes", "X-Auth-Tenant",
		"X-Remote-User", "Remote-User", "X-Api-Key", "X_Auth_User", "X-Auth_user",
	} {
		h[name] = []string{"forged"}
	}
	return h
}

func credential() http.Header {
	return http.Header{
		"X-Auth-Apikey": {"61d025b8573501c2"}, "X-Auth-Nonce": {"1584524005143"}, "X-Auth-Signature": {"secret-signature"},
		"X-Csrf-Token": {"secret-csrf"}, "Cookie": {"_barong_session=secret-session"}, "User-Agent": {"bot/1"},
	}
}

func join(headers ...http.Header) http.Header {
	all := http.Header{}
	for _, h := range headers {
		for name, values := range h {
			all[name] = values
		}
	}
	return all
}

func TestGranted(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	const target = "/api/v2/peatio/market/orders%41?a=%2F&b=c+d"
	resp, body := s.do(t, http.MethodPost, target, `{"price":1}`, join(forged(), credential(), http.Header{"Content-Type": {"application/json"}}))
	if resp.StatusCode != http.StatusOK || body != "served" {
		t.Fatalf("got %s %s", resp.Status, body)
	}
	own := http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {"http"}}
	asked := []seen{{Method: "POST", Target: "/api/v2/auth" + target, Host: host, Header: join(own, credential())}}
	if diff := cmp.Diff(asked, s.gate.take()); diff != "" {
		t.Errorf("the gate was asked (-want +got):\n%s", diff)
	}
	served := []seen{{Method: "POST", Target: target, Host: host, Body: `{"price":1}`, Length: 11, Header: join(own, http.Header{
		"Authorization": {jwt}, "Content-Length": {"11"}, "Content-Type": {"application/json"},
		"User-Agent": {"bot/1"}, "X-Real-Ip": {"127.0.0.1"},
	})}}
	if diff := cmp.Diff(served, s.service.take()); diff != "" {
		t.Errorf("the service saw (-want +got):\n%s", diff)
	}
}

// TestPublicPath: where the gate grants without a JWT, the client's own does not pass.
func TestPublicPath(t *testing.T) {
	t.Parallel()
	s := open(t, func(http.ResponseWriter, *http.Request) {})
	if resp, _ := s.do(t, http.MethodGet, "/api/v2/peatio/public/markets", "", forged()); resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s", resp.Status)
	}
	for _, r := range s.service.take() {
		if got, sent := r.Header["Authorization"]; sent {
			t.Errorf("the service saw Authorization %q", got)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"} {
		resp, _ := s.do(t, m, "/", "", nil)
		asked, served := s.gate.take(), s.service.take()
		if resp.StatusCode != http.StatusOK || len(asked) != 1 || asked[0].Method != m || len(served) != 1 || served[0].Method != m {
			t.Errorf("%s: %s, the gate was asked %v, the service %v", m, resp.Status, asked, served)
		}
	}
}

// TestRefusals: the gate's status and reason reach the client, whatever auth_request
// makes of them.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.Header.Get("X-Auth-Nonce"))
		if err != nil {
			t.Errorf("nonce: %v", err)
		}
		if why := r.Header.Get("X-Auth-Apikey"); why != "" {
			w.Header().Set("X-Auth-Error", why)
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(status)
	})
	for _, row := range []struct {
		status      int
		why         string
		want        int
		errors      string
		retry       string
		transparent bool
	}{
		{status: 401, why: "authz.invalid_signature", want: 401, errors: "authz.invalid_signature"},
		{status: 403, why: "authz.restrict.blacklist", want: 403, errors: "authz.restrict.blacklist"},
		{status: 422, why: "authz.invalid_api_key_headers", want: 422, errors: "authz.invalid_api_key_headers"},
		{status: 423, why: "authz.restrict.blacklist", want: 423, errors: "authz.restrict.blacklist"},
		{status: 429, why: "authz.too_many", want: 429, errors: "authz.too_many", retry: "7"},
		{status: 471, why: "authz.restrict.maintenance", want: 471, errors: "authz.restrict.maintenance"},
		{status: 503, why: "server.unavailable", want: 503, errors: "server.unavailable", retry: "1"},
		{status: 500, why: "server.internal_error", want: 503, errors: "server.internal_error", retry: "1"},
		{status: 404, why: "record.not_found", want: 503, errors: "record.not_found", retry: "1"},
		{status: 302, want: 503, errors: "server.unavailable", retry: "1"},
		{status: 401, why: `"],"x":["`, want: 401, errors: "server.unavailable"},
	} {
		h := join(credential(), http.Header{"X-Auth-Nonce": {strconv.Itoa(row.status)}, "X-Auth-Apikey": {row.why}})
		resp, body := s.do(t, http.MethodPost, "/api/v2/peatio/market/orders", strings.Repeat("x", 1<<16), h)
		want := fmt.Sprintf(`{"errors":[%q]}`, row.errors)
		if resp.StatusCode != row.want || body != want || resp.Header.Get("Retry-After") != row.retry ||
			resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the gate says %d %s: got %d %s %v, want %d %s, Retry-After %q", row.status, row.why, resp.StatusCode, body, resp.Header, row.want, want, row.retry)
		}
	}
	if got := s.service.take(); got != nil {
		t.Errorf("the service saw %v", got)
	}
}

// TestNoAnswer: a gate that is down, slow or breaks off is 503, and is asked once.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	for name, verdict := range map[string]http.HandlerFunc{
		"down": nil,
		"slow": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		},
		"breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, verdict)
			if verdict == nil {
				s.gate.Close()
			}
			begin := time.Now()
			resp, body := s.do(t, http.MethodGet, "/", "", credential())
			if resp.StatusCode != http.StatusServiceUnavailable || body != `{"errors":["server.unavailable"]}` || resp.Header.Get("Retry-After") != "1" {
				t.Errorf("got %s %s %v", resp.Status, body, resp.Header)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if asked := s.gate.take(); verdict != nil && len(asked) != 1 {
				t.Errorf("the gate was asked %d times, want once", len(asked))
			}
			if got := s.service.take(); got != nil {
				t.Errorf("the service saw %v", got)
			}
		})
	}
}

// TestNeverAskedTwice: where a kept connection breaks, nginx would ask again, and find
// the nonce spent.
func TestNeverAskedTwice(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := open(t, func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	for i, want := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if resp, _ := s.do(t, http.MethodGet, "/", "", credential()); resp.StatusCode != want {
			t.Errorf("request %d: got %s, want %d", i+1, resp.Status, want)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("two requests, and the gate was asked %d times", n)
	}
}

// TestRepeatedCredential: a header field that is sent twice does not reach the service
// once.
func TestRepeatedCredential(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	h := http.Header{}
	for name, values := range credential() {
		h[name] = append(values, "other")
	}
	delete(h, "User-Agent") // net/http sends one
	s.do(t, http.MethodGet, "/", "", h)
	for _, r := range s.service.take() {
		for name := range h {
			if v, sent := r.Header[name]; sent {
				t.Errorf("the service saw %s: %q", name, v)
			}
		}
	}
	for _, r := range s.gate.take() {
		for name := range h {
			if v := r.Header[name]; len(v) > 1 {
				t.Errorf("the gate saw %s: %q", name, v)
			}
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	const requests = 40
	for range requests {
		if resp, _ := s.do(t, http.MethodGet, "/", "", nil); resp.StatusCode != http.StatusOK {
			t.Fatalf("got %s", resp.Status)
		}
	}
	if asked := len(s.gate.take()); asked != requests {
		t.Errorf("the gate was asked %d times for %d requests: decisions are not to be kept", asked, requests)
	}
	// One per worker process at most.
	if n := s.gate.connections.Load(); n > requests/2 {
		t.Errorf("%d requests took %d connections to the gate", requests, n)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for _, row := range []struct {
		line, host string
		want       int
	}{
		{"GET / HTTP/1.1", host, 200},
		{"GET / HTTP/1.1", host + ":8000", 200},
		{"GET / HTTP/1.1", "API.example.COM", 200},
		{"GET / HTTP/1.1", host + ".", 200},
		{"GET http://" + host + "/ HTTP/1.1", host, 200},
		{"GET http://" + host + "/ HTTP/1.1", "other.test", 400},
		{"GET http://other.test/ HTTP/1.1", host, 421},
		{"GET / HTTP/1.1", "other.test", 421},
		{"GET / HTTP/1.1", "127.0.0.1", 421},
	} {
		resp := s.raw(t, row.line, "Host: "+row.host)
		if resp.StatusCode != row.want {
			t.Errorf("%s, Host: %s: got %s, want %d", row.line, row.host, resp.Status, row.want)
		}
		asked, served := s.gate.take(), s.service.take()
		if row.want != 200 && (asked != nil || served != nil) {
			t.Errorf("%s, Host: %s: the gate was asked %v, the service %v", row.line, row.host, asked, served)
		}
		for _, r := range append(asked, served...) {
			if r.Host != host || r.Header.Get("X-Forwarded-Host") != host {
				t.Errorf("%s, Host: %s: passed on as %s, %s", row.line, row.host, r.Host, r.Header.Get("X-Forwarded-Host"))
			}
		}
	}
}

// TestTargets: the gate judges the very bytes that the service gets.
func TestTargets(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for _, target := range []string{
		"/", "/a?", "/a//b", "/a/../b", "/%61", "/a%2Fb", "/a%2f..%2fb", "/a;b", "/ä", `/a\b`, "/a?x=/../y", "/_gate/x",
		"/api/v2/authors", "/API/v2/auth/x",
	} {
		resp := s.raw(t, "GET "+target+" HTTP/1.1", "Host: "+host)
		asked, served := s.gate.take(), s.service.take()
		if resp.StatusCode != http.StatusOK || len(asked) != 1 || len(served) != 1 {
			t.Errorf("%s: %s, the gate was asked %v, the service %v", target, resp.Status, asked, served)
		} else if asked[0].Target != "/api/v2/auth"+target || served[0].Target != target {
			t.Errorf("%s: the gate was asked for %s, the service for %s", target, asked[0].Target, served[0].Target)
		}
	}
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for _, target := range []string{
		"/api/v2/auth", "/api/v2/auth/", "/api/v2/auth/api/v2/peatio/x", "/api/v2//auth/x", "/api/v2/%61uth/x", "/api/v2/x/../auth/x",
		"/api/v2/auth%2Fx", "/api/v2/barong/management", "/api/v2/barong/management/users/get", "/api/v2/barong//management/x",
		"/api/v2/barong/%6danagement/x", "/api/v2/barong/identity/../management/x", "/api/v2/barong/identity/%2e%2e/management/x",
		"/_gate", "/%5fgate", "//_gate?x",
	} {
		resp := s.raw(t, "POST "+target+" HTTP/1.1", "Host: "+host, "Content-Length: 0")
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %s, want 404", target, resp.Status)
		}
		if asked, served := s.gate.take(), s.service.take(); asked != nil || served != nil {
			t.Errorf("%s: Gatehouse saw %v, the service %v", target, asked, served)
		}
	}
}

// TestOwnAPI: Barong's API goes straight to Gatehouse, with the credential and the body.
func TestOwnAPI(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "_barong_session=1; Path=/; HttpOnly")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "own")
	})
	const target = "/api/v2/barong/resource/api_keys?a=b"
	resp, body := s.do(t, http.MethodPost, target, "{}", join(forged(), credential()))
	if resp.StatusCode != http.StatusTeapot || body != "own" || resp.Header.Get("Set-Cookie") == "" {
		t.Errorf("got %s %s %v", resp.Status, body, resp.Header)
	}
	got := s.gate.take()
	if len(got) != 1 || got[0].Method != http.MethodPost || got[0].Target != target || got[0].Body != "{}" || got[0].Host != host {
		t.Fatalf("Gatehouse saw %v", got)
	}
	for name, want := range join(credential(), http.Header{
		"Authorization": nil, "Forwarded": nil, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {"http"},
	}) {
		if diff := cmp.Diff(want, got[0].Header[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if served := s.service.take(); served != nil {
		t.Errorf("the service saw %v", served)
	}
}

func TestLogHasNoQuery(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.do(t, http.MethodDelete, "/api/v2/barong/resource/api_keys/61d025b8573501c2?totp_code=135790", "", nil)
	s.do(t, http.MethodGet, "/api/v2/peatio/x?signature=135790", "", credential())
	if err := s.log.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var log string
	for line := make([]byte, 4096); strings.Count(log, "\n") < 2; {
		n, _, err := s.log.ReadFrom(line)
		if err != nil {
			t.Fatalf("%v; the log says:\n%s", err, log)
		}
		log += string(line[:n]) + "\n"
	}
	if strings.Contains(log, "135790") || strings.Contains(log, "secret") || !strings.Contains(log, "GET /api/v2/peatio/x 200") {
		t.Errorf("the log says:\n%s", log)
	}
}
