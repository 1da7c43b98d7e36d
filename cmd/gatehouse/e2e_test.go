// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// site is the whole of it: nginx with the example's configuration, Gatehouse, and the
// example's service. Both talk through recorders.
type site struct {
	*server
	nginx string // base URL

	mu   sync.Mutex
	seen []http.Header // what the service was sent
}

const publicHost = "api.example.com"

func openSite(t *testing.T, environ ...string) *site {
	s := &site{server: serve(t, t.TempDir(), "", environ...)}
	s.signingKeys()
	service := startService(t, "http://"+s.addr+"/.well-known/jwks.json")
	spy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Clone())
		s.mu.Unlock()
		httputil.NewSingleHostReverseProxy(service).ServeHTTP(w, r)
	}))
	t.Cleanup(spy.Close)

	conf, err := os.ReadFile("../../examples/nginx/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	s.nginx = "http://" + testenv.Nginx(t, strings.NewReplacer(
		"listen 127.0.0.1:8000", "listen {{.Listen}}",
		"server 127.0.0.1:8080;", "server "+s.addr+";",
		"server 127.0.0.1:9000;", "server "+spy.Listener.Addr().String()+";",
		"access_log /var/log/nginx/gatehouse.log", "{{.Files}} access_log {{.Dir}}/api.log",
	).Replace(string(conf)))
	return s
}

// readyKey is the setting that spares a server the making of an RSA key.
func readyKey(t *testing.T) string {
	t.Helper()
	path, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return "GATEHOUSE_BARONG_JWT_PRIVATE_KEY=" + path
}

var rsaKey = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "rsa.pem")
	if out, err := exec.Command("openssl", "genrsa", "-out", path, "2048").CombinedOutput(); err != nil {
		return "", fmt.Errorf("make RSA key: %w\n%s", err, out)
	}
	return path, nil
})

// serviceBinary builds examples/service.
var serviceBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "service")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../examples/service").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build examples/service: %w\n%s", err, out)
	}
	return path, nil
})

// startService starts examples/service.
func startService(t *testing.T, jwks string) *url.URL {
	t.Helper()
	bin, err := serviceBinary()
	if err != nil {
		t.Fatal(err)
	}
	log := new(testenv.Output)
	cmd := exec.Command(bin, "--listen", "127.0.0.1:0", "--jwks", jwks, "--audience", "peatio")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("service:\n%s", log)
		}
	})
	var addr string
	eventually(t, "the service listens", func() bool {
		_, rest, found := strings.Cut(log.String(), "listening on ")
		addr, _, _ = strings.Cut(rest, "\n")
		return found && strings.HasSuffix(rest, "\n")
	})
	return &url.URL{Scheme: "http", Host: addr}
}

// take returns what the service was sent since the last call.
func (s *site) take() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// holder is somebody who comes through nginx.
func (s *site) holder(email, password string) *holder {
	return &holder{t: s.t, base: s.nginx, host: publicHost, email: email, password: password}
}

// stranger is a program that has a key at most.
func (s *site) stranger() *holder { return s.holder("", "") }

const orders = "/api/v2/peatio/market/orders?limit=1"

// firstAdmin makes the first administrator with the curl command that the server
// printed, to the letter.
func (s *server) firstAdmin() (email, password string) {
	s.t.Helper()
	line := regexp.MustCompile(`(?m)^ *(curl .*)$`).FindStringSubmatch(s.greeting)
	if line == nil {
		s.t.Fatalf("no curl command in:\n%s", s.greeting)
	}
	for _, want := range []string{"201", "409"} { // the link works once
		out, err := exec.Command("sh", "-c", line[1]+" --silent --output /dev/null --write-out '%{http_code}'").CombinedOutput()
		if err != nil || string(out) != want {
			s.t.Fatalf("%s: %s, %v, want %s", line[1], out, err, want)
		}
	}
	email = regexp.MustCompile(`email=(\S+)`).FindStringSubmatch(line[1])[1]
	password = regexp.MustCompile(`password='?([^' ]+)`).FindStringSubmatch(line[1])[1]
	return email, password
}

// TestSeed walks the document that this project began with: sign in, turn the second
// factor on, make a key, call a service with it.
func TestSeed(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	admin := s.holder(s.firstAdmin())

	user := into[struct{ UID, Email, Role, State string }](t, admin.must(http.StatusOK, admin.signIn("")))
	if user.UID == "" || user.Email != admin.email || user.Role != "superadmin" || user.State != "active" || admin.csrf == "" {
		t.Fatalf("signed in as %+v, csrf token %q", user, admin.csrf)
	}
	admin.enableOTP()
	if r := admin.signIn(""); r.status != http.StatusUnauthorized || r.errors() != "identity.session.missing_otp" {
		t.Errorf("sign-in without a code: %d %s", r.status, r.body)
	}
	admin.must(http.StatusOK, admin.signIn(admin.code()))

	k := admin.createKey()
	want := newKey{Algorithm: "HS256", KID: k.KID, State: "active", Scope: []string{}, Secret: k.Secret, Created: k.Created}
	if diff := cmp.Diff(want, k); diff != "" || k.Secret.Lease != 2764800 || time.Since(k.Created).Abs() > time.Minute {
		t.Errorf("the new key (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(k.KID) || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(k.Secret.Data.Value) {
		t.Errorf("key id %q, secret of %d characters", k.KID, len(k.Secret.Data.Value))
	}

	bot := s.stranger()
	triple := signed(t, k, now())
	r := bot.call(http.MethodGet, orders, nil, triple...)
	if who := into[struct{ UID, Email, Role string }](t, r); r.status != http.StatusOK || who.UID != user.UID || who.Email != user.Email || who.Role != user.Role {
		t.Fatalf("the service answered %d %s, want %+v", r.status, r.body, user)
	}
	checkToken(t, s.take(), user.UID)

	if r := bot.call(http.MethodGet, orders, nil, triple...); r.status != http.StatusUnauthorized || r.errors() != "authz.signature_blacklisted" {
		t.Errorf("replayed: %d %s", r.status, r.body)
	}
	// A session is as good as a key, with the CSRF token where something changes.
	admin.must(http.StatusOK, admin.call(http.MethodPost, orders, nil))
	admin.csrf = ""
	if r := admin.call(http.MethodPost, orders, nil); r.status != http.StatusUnauthorized || r.errors() != "authz.missing_csrf_token" {
		t.Errorf("a session without the CSRF token: %d %s", r.status, r.body)
	}
	if seen := s.take(); len(seen) != 1 {
		t.Errorf("the service was asked %d times", len(seen))
	}
}

// checkToken reads the JWT that the service got. That it verifies the service has said
// by its answer.
func checkToken(t *testing.T, seen []http.Header, uid string) {
	t.Helper()
	if len(seen) != 1 || len(seen[0]["Authorization"]) != 1 {
		t.Fatalf("the service was sent %v", seen)
	}
	part := strings.Split(strings.TrimPrefix(seen[0].Get("Authorization"), "Bearer "), ".")
	var claims struct {
		Iss, Sub, UID, State string
		Aud                  []string
		Iat, Exp             int64
	}
	text, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		t.Fatalf("the JWT's claims are %q", text)
	}
	if claims.Iss != "barong" || claims.Sub != "session" || claims.UID != uid || claims.State != "active" ||
		!slices.Equal(claims.Aud, []string{"peatio", "barong"}) || claims.Exp-claims.Iat != 3600 {
		t.Errorf("the JWT's claims are %s", text)
	}
	for _, name := range []string{"Cookie", "X-Csrf-Token", "X-Auth-Apikey", "X-Auth-Nonce", "X-Auth-Signature"} {
		if v, sent := seen[0][name]; sent {
			t.Errorf("the service was sent %s: %q", name, v)
		}
	}
}

// member makes an account with a second factor and a key.
func (s *site) member(email string) (*holder, newKey) {
	s.t.Helper()
	const password = "Correct-horse-7-battery"
	s.gatehouse(password+"\n", "account", "create", email, "--password-stdin")
	h := s.holder(email, password)
	h.must(http.StatusOK, h.signIn(""))
	h.enableOTP()
	return h, h.createKey()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := openSite(t, readyKey(t), longWindow)
	_, k := s.member("member@example.com")
	bot := s.stranger()
	ago := func(d time.Duration) []string {
		return signed(t, k, strconv.FormatInt(time.Now().Add(-d).UnixMilli(), 10))
	}
	good := ago(-longAhead) // fresh for 100 s
	with := func(i int, value string) []string {
		h := slices.Clone(good)
		h[i] = value
		return h
	}
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		path    string
		headers []string
		status  int
		code    string
	}{
		"nothing":               {orders, nil, 401, "authz.invalid_session"},
		"no key":                {orders, good[2:], 422, "authz.invalid_api_key_headers"},
		"no nonce":              {orders, append(good[:2:2], good[4:]...), 422, "authz.invalid_api_key_headers"},
		"no signature":          {orders, good[:4], 422, "authz.invalid_api_key_headers"},
		"blank signature":       {orders, with(5, ""), 422, "authz.invalid_api_key_headers"},
		"unknown key":           {orders, with(1, "0123456789abcdef"), 401, "authz.unexistent_apikey"},
		"nonce of words":        {orders, with(3, "now"), 401, "authz.nonce_not_valid_timestamp"},
		"nonce of the past":     {orders, ago(60_001 * ms), 401, "authz.nonce_expired"},
		"nonce of the future":   {orders, ago(-5 * time.Minute), 401, "authz.nonce_expired"},
		"another nonce":         {orders, with(3, strconv.FormatInt(time.Now().UnixMilli()+1, 10)), 401, "authz.invalid_signature"},
		"signature of capitals": {orders, with(5, strings.ToUpper(good[5])), 401, "authz.invalid_signature"},
		"a blocked path":        {"/api/v2/peatio/management/x", ago(0), 401, "authz.permission_denied"},
		"a path of two minds":   {"/api/v2/peatio/public/../market/orders", ago(1 * ms), 401, "authz.permission_denied"},
		"a path for others":     {"/api/v2/peatio/admin/orders", ago(2 * ms), 401, "authz.invalid_permission"},
	} {
		if r := bot.call(http.MethodGet, row.path, nil, row.headers...); r.status != row.status || r.errors() != row.code {
			t.Errorf("%s: got %d %s, want %d %s", name, r.status, r.body, row.status, row.code)
		}
	}
	if seen := s.take(); seen != nil {
		t.Errorf("the service was asked: %v", seen)
	}
	// None of it has used up the nonce.
	bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, good...))
}

// TestForgedHeaders: what a client says of itself reaches neither the service nor the
// gate's judgement.
func TestForgedHeaders(t *testing.T) {
	t.Parallel()
	s := openSite(t, readyKey(t))
	h, k := s.member("member@example.com")
	uid := into[struct{ UID string }](t, h.must(http.StatusOK, h.call(http.MethodGet, "/api/v2/barong/resource/users/me", nil))).UID
	bot := s.stranger()
	bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, signed(t, k, now())...))
	stolen := s.take()[0].Get("Authorization")

	forged := []string{
		"Authorization", stolen, "X-Auth-User", "victim", "X-Auth-Uid", "victim", "X-Auth-Email", "victim", "X-Auth-Role", "superadmin",
		"X-Auth-Scopes", "all", "X-Auth-Tenant", "victim", "X_Auth_Role", "superadmin", "X-Forwarded-For", "10.9.8.7",
		"X-Forwarded-Host", "victim", "Forwarded", "for=10.9.8.7", "X-Original-Uri", "/api/v2/peatio/public", "X-Http-Method-Override", "GET",
	}
	// A JWT is what a service gets; it opens nothing from outside.
	for _, path := range []string{orders, "/api/v2/barong/resource/users/me"} {
		if r := bot.call(http.MethodGet, path, nil, forged...); r.status != http.StatusUnauthorized {
			t.Errorf("%s with a stolen JWT: %d %s", path, r.status, r.body)
		}
	}
	s.take()
	r := bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, append(signed(t, k, now()), forged...)...))
	if who := into[struct{ UID, Role string }](t, r); who.UID != uid || who.Role != "member" {
		t.Errorf("the service took the caller for %+v", who)
	}
	seen := s.take()
	if len(seen) != 1 {
		t.Fatalf("the service was asked %d times", len(seen))
	}
	for name, values := range seen[0] {
		for _, v := range values {
			if strings.Contains(v, "victim") || strings.Contains(v, "10.9.8.7") || v == "superadmin" || v == "all" {
				t.Errorf("the service was sent %s: %s", name, v)
			}
		}
	}
	// A path that passes without a credential passes without an identity.
	r = bot.call(http.MethodGet, "/api/v2/peatio/public/markets", nil, "Authorization", "Bearer x")
	if seen := s.take(); r.status != http.StatusUnauthorized || len(seen) != 1 || seen[0]["Authorization"] != nil {
		t.Errorf("a public path: %d, the service was sent %v", r.status, seen)
	}
}

// TestRevoke: a key that is deleted has worked for the last time.
func TestRevoke(t *testing.T) {
	t.Parallel()
	s := openSite(t, readyKey(t))
	h, k := s.member("member@example.com")
	bot := s.stranger()
	bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, signed(t, k, now())...))
	old := strconv.FormatInt(time.Now().Add(-5001*time.Millisecond).UnixMilli(), 10) // where nobody sets the window
	if r := bot.call(http.MethodGet, orders, nil, signed(t, k, old)...); r.status != http.StatusUnauthorized || r.errors() != "authz.nonce_expired" {
		t.Errorf("signed 5 s ago: %d %s", r.status, r.body)
	}
	path := "/api/v2/barong/resource/api_keys/" + k.KID
	if r := h.call(http.MethodDelete, path, nil); r.status != http.StatusUnprocessableEntity {
		t.Errorf("delete without a code: %d %s", r.status, r.body)
	}
	h.must(http.StatusNoContent, h.call(http.MethodDelete, path+"?totp_code="+h.code(), nil))
	for range 3 {
		if r := bot.call(http.MethodGet, orders, nil, signed(t, k, now())...); r.status != http.StatusUnauthorized || r.errors() != "authz.unexistent_apikey" {
			t.Errorf("revoked: %d %s", r.status, r.body)
		}
	}
	s.Kill()
	s.server = s.restart()
	if r := bot.call(http.MethodGet, orders, nil, signed(t, k, now())...); r.status != http.StatusUnauthorized || r.errors() != "authz.unexistent_apikey" {
		t.Errorf("revoked, after a crash: %d %s", r.status, r.body)
	}
}

// TestReplayAfterKill: a nonce that was used stays used when the server is killed inside
// its window, and the key works on at once.
func TestReplayAfterKill(t *testing.T) {
	t.Parallel()
	s := openSite(t, readyKey(t), longWindow)
	_, k := s.member("member@example.com")
	bot := s.stranger()
	// From the future, as far as the window lets it: it must still be fresh afterwards.
	triple := signed(t, k, strconv.FormatInt(time.Now().Add(longAhead).UnixMilli(), 10))
	bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, triple...))
	s.Kill()
	if r := bot.call(http.MethodGet, orders, nil, signed(t, k, now())...); r.status != http.StatusServiceUnavailable || r.errors() != "server.unavailable" {
		t.Errorf("while the server is down: %d %s", r.status, r.body)
	}
	s.server = s.restart()
	if r := bot.call(http.MethodGet, orders, nil, triple...); r.status != http.StatusUnauthorized || r.errors() != "authz.signature_blacklisted" {
		t.Errorf("replayed after a crash: %d %s", r.status, r.body)
	}
	bot.must(http.StatusOK, bot.call(http.MethodGet, orders, nil, signed(t, k, now())...))
}

// TestDrain: SIGTERM ends the process once the requests that it has begun are answered.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "")
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const text = `{"email":"nobody@example.com","password":"x"}`
	_, err = fmt.Fprintf(conn, "POST /api/v2/barong/identity/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(text))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	// "Continue" says that the handler waits for the body.
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no new connections are taken", func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	s.mustRun()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, resp); resp.StatusCode != http.StatusUnauthorized || !resp.Close || text != `{"errors":["identity.session.invalid_params"]}` {
		t.Errorf("got %s, close %v, %s", resp.Status, resp.Close, text)
	}
	select {
	case <-s.Done:
		if s.Err != nil {
			t.Errorf("the server ended with %v", s.Err)
		}
	case <-time.After(patience):
		t.Error("the server does not end")
	}
	// Nothing is broken behind it.
	s.restart()
}
