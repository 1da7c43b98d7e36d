// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
)

// gated is a running server with gates, and a key.
type gated struct {
	public, ops, gates, proxy string // addresses
	key                       api.CreatedKey
	config                    config.Config
	stop                      func() error
}

var gateLines = regexp.MustCompile(`listens on http://(\S+)
Metrics and health on http://(\S+)
Gates on http://(\S+)
Gate for Envoy \(ext_authz, gRPC\) on (\S+)
Gate for HAProxy \(SPOE\) on (\S+)
Proxy on http://(\S+)
`)

// runGates runs a server with every gate, in front of a service.
func runGates(t *testing.T, service http.Handler, more map[string]string) *gated {
	t.Helper()
	s := httptest.NewServer(service)
	t.Cleanup(s.Close)
	set := map[string]string{
		"gate.listen": "127.0.0.1:0", "grpc.listen": "127.0.0.1:0", "spoe.listen": "127.0.0.1:0", "proxy.listen": "127.0.0.1:0",
		"proxy.upstreams": s.URL, "public_url": "https://keys.example.com", "gate.audience": "https://api.example.com",
	}
	for key, value := range more {
		set[key] = value
	}
	c := settings(t, set)
	c.PublicURL = "" // of the greeting
	g := &gated{config: c}
	var greeting string
	greeting, g.stop = run(t, c)
	found := gateLines.FindStringSubmatch(greeting)
	if found == nil {
		t.Fatalf("greeting:\n%s", greeting)
	}
	g.public, g.ops, g.gates, g.proxy = found[1], found[2], found[3], found[6]
	cl := client.Socket(filepath.Join(c.Data, api.SocketName))
	if _, err := cl.CreateAccount(t.Context(), api.NewAccount{Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	var err error
	if g.key, err = cl.CreateKey(t.Context(), api.NewKey{Owner: "alice@example.com", Schemes: []string{"bearer"}, Scopes: []string{"orders:read"}}); err != nil {
		t.Fatal(err)
	}
	return g
}

// question is what nginx asks about a GET of target.
func (g *gated) question(target string) string {
	return "GET /v1/authz/nginx HTTP/1.1\r\nHost: gate\r\nX-Original-Method: GET\r\nX-Original-URI: " + target + "\r\nX-Original-Host: api.example.com\r\n" +
		"X-Original-Proto: https\r\nX-Original-Addr: 192.0.2.7\r\nX-Original-Body: none\r\nAuthorization: Bearer " + g.key.Token + "\r\n\r\n"
}

// request is what a client asks the proxy for.
func (g *gated) request(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer " + g.key.Token + "\r\n\r\n"
}

// once sends text to addr and returns the answer.
func once(t *testing.T, addr, text string) (*http.Response, string) {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c.conn, text); err != nil {
		t.Fatal(err)
	}
	resp, body := c.read()
	_ = c.conn.Close()
	return resp, body
}

// holds checks that a JWT is for the service and says who asks.
func (g *gated) holds(t *testing.T, field string) {
	t.Helper()
	v := client.NewJWTVerifier(client.JWTOptions{
		Issuer: "http://" + g.public, Audience: "https://api.example.com", KeysURL: "http://" + g.public + "/.well-known/jwks.json",
	})
	token, _ := strings.CutPrefix(field, "Bearer ")
	j, err := v.Verify(t.Context(), token)
	if err != nil || j.Key != g.key.ID || j.Scheme != "bearer" || j.Scopes.Strings()[0] != "orders:read" || j.Expires.Sub(j.Issued) != time.Minute {
		t.Errorf("JWT %+v: %v", j, err)
	}
}

func TestGates(t *testing.T) {
	t.Parallel()
	service := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, r.RequestURI)
	}
	g := runGates(t, http.HandlerFunc(service), nil)
	resp, _ := once(t, g.gates, g.question("/orders/7"))
	if resp.StatusCode != 200 || resp.Header.Get("X-Auth-Key-Id") != g.key.ID {
		t.Fatalf("check: %d %v", resp.StatusCode, resp.Header)
	}
	g.holds(t, resp.Header.Get("Authorization"))

	resp, body := once(t, g.proxy, g.request("/orders/a%2Fb?x=1"))
	if resp.StatusCode != 403 { // ambiguous
		t.Errorf("proxy: %d %s", resp.StatusCode, body)
	}
	resp, body = once(t, g.proxy, g.request("/orders/7?x=%31"))
	if resp.StatusCode != 200 || body != "/orders/7?x=%31" {
		t.Fatalf("proxy: %d %s", resp.StatusCode, body)
	}
	g.holds(t, resp.Header.Get("X-Saw"))

	// A stranger at the public listener could ask in the name of a gateway.
	for _, addr := range []string{g.public, g.ops} {
		if resp, _ := once(t, addr, g.question("/orders/7")); resp.StatusCode != 404 || resp.Header.Get("X-Auth-Status") != "" {
			t.Errorf("asked elsewhere: %d %v", resp.StatusCode, resp.Header)
		}
	}
	// And the gates do not serve what is public.
	if resp, _ := once(t, g.gates, "GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != 404 {
		t.Errorf("the gates serve the signing keys: %d", resp.StatusCode)
	}
	_, metrics := once(t, g.ops, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, line := range []string{
		`gatehouse_gate_checks_total{gate="nginx",outcome="allowed"} 1`, `gatehouse_gate_checks_total{gate="proxy",outcome="allowed"} 1`,
		`gatehouse_gate_checks_total{gate="proxy",outcome="ambiguous_path"} 1`, `gatehouse_gate_checks_total{gate="other",outcome="other"} 1`,
		`gatehouse_gate_check_seconds_count{gate="proxy"} 2`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if err := g.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A header that nginx takes of a client is taken here, and no much larger one.
func TestHeaderOfAGate(t *testing.T) {
	t.Parallel()
	g := runGates(t, http.NotFoundHandler(), nil)
	for size, want := range map[int]int{40 << 10: 200, 80 << 10: 431} {
		text := strings.Replace(g.question("/orders/7"), "\r\n\r\n", "\r\nCookie: "+strings.Repeat("x", size)+"\r\n\r\n", 1)
		if resp, _ := once(t, g.gates, text); resp.StatusCode != want {
			t.Errorf("%d bytes: %d, want %d", size, resp.StatusCode, want)
		}
	}
}

// After the protocol is switched the connection belongs to both sides, and nothing of ours
// is written into it.
func TestProxySwitchesProtocols(t *testing.T) {
	t.Parallel()
	g := runGates(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}), nil)
	c := dial(t, g.proxy)
	upgrade := strings.Replace(g.request("/orders/socket"), "\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 1)
	if _, err := io.WriteString(c.conn, upgrade); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	if _, err := io.WriteString(c.conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.r); err != nil || string(rest) != "echo hello\n" {
		t.Errorf("after the switch: %q, %v", rest, err)
	}
}

// The certificate of a service may be of an authority of one's own.
func TestProxyWithAnAuthority(t *testing.T) {
	t.Parallel()
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	service.EnableHTTP2, service.Config.ErrorLog = true, slog.NewLogLogger(silent.Handler(), slog.LevelInfo)
	service.StartTLS()
	t.Cleanup(service.Close)
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{path: "200 HTTP/1.1", "": "502"} {
		g := runGates(t, nil, map[string]string{"proxy.upstreams": service.URL, "proxy.ca_file": file})
		if resp, body := once(t, g.proxy, g.request("/orders/7")); !strings.HasPrefix(strconv.Itoa(resp.StatusCode)+" "+body, want) {
			t.Errorf("%q: %d %s, want %s", file, resp.StatusCode, body, want)
		}
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
}

// loader asks as a gateway does, on connections that it keeps.
type loader struct {
	addr, text string
	done, lost atomic.Int64
	underWay   chan struct{} // closed after 200 answers
}

// run asks until nobody takes a connection any more, after that many requests on each.
func (l *loader) run(perConn int) {
	for {
		conn, err := net.Dial("tcp", l.addr)
		if err != nil {
			return
		}
		r := bufio.NewReader(conn)
		for range perConn {
			resp, err := l.ask(conn, r)
			if err != nil || resp.StatusCode != 200 {
				l.lost.Add(1)
				break
			}
			if l.done.Add(1) == 200 {
				close(l.underWay)
			}
			if resp.Close {
				break
			}
		}
		_ = conn.Close()
	}
}

func (l *loader) ask(conn net.Conn, r *bufio.Reader) (*http.Response, error) {
	if _, err := io.WriteString(conn, l.text); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	return resp, err
}

// Gateways lose no request when the server is told to end: what was sent is answered, on
// connections that are kept, by the gates and by the proxy.
func TestGatesDrainUnderLoad(t *testing.T) {
	t.Parallel()
	g := runGates(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") }), nil)
	loads := []*loader{{addr: g.gates, text: g.question("/orders/7")}, {addr: g.proxy, text: g.request("/orders/7")}}
	var wg sync.WaitGroup
	for _, l := range loads {
		l.underWay = make(chan struct{})
		for i := range 8 {
			wg.Go(func() { l.run(1 << (2 * i)) })
		}
	}
	for _, l := range loads {
		<-l.underWay
	}
	if err := g.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	wg.Wait()
	for _, l := range loads {
		if l.lost.Load() > 0 {
			t.Errorf("%s: %d requests lost, %d answered", l.addr, l.lost.Load(), l.done.Load())
		}
	}
}

// What is configured wrongly is said before anything listens, in one line.
func TestGatesRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const gateways = "0123456789abcdef"
	for want, more := range map[string]map[string]string{
		"everybody may read it; run: chmod o= ":            {"gate.token_file": file("open", gateways, 0o644)},
		"is not one line of 16 or more visible characters": {"gate.token_file": file("short", gateways[1:], 0o600)},
		"gate.token_file: stat":                            {"gate.token_file": filepath.Join(dir, "absent")},
		"gate.rules_file: open rules file":                 {"gate.rules_file": file("rules", "[rules]\n\"GET /x\" = []\n", 0o600)},
		"proxy.upstreams: upstream 2":                      {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "http://127.0.0.1:1,ftp://127.0.0.1"},
		"proxy.upstreams: new proxy: two upstreams":        {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "http://127.0.0.1:1,http://127.0.0.1:2"},
		"proxy.ca_file: open":                              {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "https://127.0.0.1:1", "proxy.ca_file": filepath.Join(dir, "absent")},
		"holds no certificate in PEM":                      {"proxy.listen": "127.0.0.1:0", "proxy.upstreams": "https://127.0.0.1:1", "proxy.ca_file": file("text", "text", 0o600)},
	} {
		set := map[string]string{"gate.listen": "127.0.0.1:0"}
		for key, value := range more {
			set[key] = value
		}
		refuses(t, settings(t, set), want)
	}
	for _, text := range []string{gateways, gateways + "\n", gateways + "\r\n"} {
		if token, err := gatewayToken(file("good", text, 0o640)); err != nil || token.Reveal() != gateways {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "\n", gateways + "\n" + gateways, gateways + " x", gateways + "ü"} {
		if _, err := gatewayToken(file("bad", text, 0o600)); err == nil || strings.Contains(err.Error(), gateways) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Without a gate nothing of them is made.
func TestNoGates(t *testing.T) {
	t.Parallel()
	p := wire(t, settings(t, map[string]string{"gate.token_file": "absent"}))
	if faces := p.gateFaces(new(config.Config)); faces != nil || p.gates.asked != nil {
		t.Errorf("%d faces", len(faces))
	}
}

// The rules of a file are a part of what readiness tells.
func TestReadyzNamesTheRules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.toml")
	writeRules(t, path, "[rules]\n\"/\" = { key = true }\n")
	p := wire(t, settings(t, map[string]string{"gate.listen": "127.0.0.1:0", "gate.rules_file": path}))
	p.ready.Store(true)
	if w := get(p.ops(), "/readyz"); w.Code != 200 || !strings.HasSuffix(w.Body.String(), "\nrules: ok\n") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	writeRules(t, path, "[rules")
	p.gates.rules.look(context.Background())
	p.gates.rules.look(context.Background())
	if w := get(p.ops(), "/readyz"); w.Code != 200 || !strings.HasSuffix(w.Body.String(), "\nrules: unavailable\n") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Rules that the gates do not look at are refused, and only those.
func TestRulesOfTheAPIBesideAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.toml")
	writeRules(t, path, "[rules]\n\"/\" = { key = true }\n")
	for name, row := range map[string]struct {
		set  map[string]string
		want int
	}{
		"a file":            {map[string]string{"gate.listen": "127.0.0.1:0", "gate.rules_file": path}, 409},
		"no gate":           {map[string]string{"gate.rules_file": path}, 200},
		"no file":           {map[string]string{"gate.listen": "127.0.0.1:0"}, 200},
		"another's, a file": {map[string]string{"gate.listen": "127.0.0.1:0", "gate.rules_file": path, "gate.tenant": "other"}, 200},
	} {
		p := wire(t, settings(t, row.set))
		r := httptest.NewRequest("PUT", "/v1/rules", strings.NewReader(`{"rules":{"/":{"key":true}}}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if p.admin().ServeHTTP(w, r); w.Code != row.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
