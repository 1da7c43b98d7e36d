// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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
	"github.com/seed14544106/gatehouse/gate/spoe"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// site is the configuration of deploy/haproxy, run by a real HAProxy, with an agent and a
// service in this process.
type site struct {
	addr  string // of HAProxy
	agent *spoe.Agent
	keys  map[string]gatehouse.Created

	mu   sync.Mutex
	seen []received
}

// received is a request as the service got it.
type received struct {
	target, host, body string
	header             http.Header
}

// minter makes a text in place of a JWT.
type minter struct{}

func (minter) Mint(_ context.Context, d *gatehouse.Decision) (string, error) {
	return "jwt-of-" + d.Key.ID, nil
}

var rules = gate.Rules{
	"/":        gate.AnyKey(),
	"/open/":   gate.Open(),
	"/orders/": gate.All("orders.read"),
	"/signed/": gate.AnyKey().SignedOnly(),
}

// patient are changes for a machine that does other things: what is late there is 503.
var patient = []string{"timeout processing 1s", "timeout processing 20s", "timeout hello      500ms", "timeout hello 20s", "timeout connect 500ms", "timeout connect 20s"}

// open starts a site. changes are pairs of texts of its configuration, old and new.
func open(t *testing.T, changes ...string) *site {
	t.Helper()
	return openOn(t, listen(t), changes...)
}

// openOn is open with the listener of the agent.
func openOn(t *testing.T, l net.Listener, changes ...string) *site {
	t.Helper()
	ctx := context.Background()
	house, err := embedded.Open(ctx, filepath.Join(t.TempDir(), "data"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = house.Close() })
	owner, err := house.Accounts.CreateAccount(ctx, house.Actor(), account.NewAccount{Email: "you@example.com", Role: "member", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{keys: map[string]gatehouse.Created{}}
	for name, key := range map[string]gatehouse.NewKey{
		"bearer":  {Schemes: []string{"bearer"}},
		"limited": {Schemes: []string{"bearer"}, Limits: []gatehouse.Limit{{Name: "minute", Count: 1, Period: time.Minute}}},
		"barong":  {Schemes: []string{"barong"}},
		"shield":  {Schemes: []string{"shield"}},
		"httpsig": {Schemes: []string{"httpsig"}},
	} {
		key.Principal = owner.ID
		if s.keys[name], err = house.Authority.Create(ctx, house.Actor(), key); err != nil {
			t.Fatal(err)
		}
	}
	g, err := gate.New(house.Authority, gate.Options{Rules: rules, Tokens: minter{}})
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(service.Close)
	s.agent = spoe.New(g, spoe.Options{})
	served := make(chan error)
	go func() { served <- s.agent.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.agent.Drain(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conf := strings.NewReplacer("127.0.0.1:8000", "{{.Listen}}", "config spoe-gatehouse.conf", "config {{.Dir}}/spoe-gatehouse.conf",
		"127.0.0.1:9002", l.Addr().String(), "127.0.0.1:9000", service.Listener.Addr().String()).Replace(read(t, "haproxy.cfg"))
	change := strings.NewReplacer(changes...)
	s.addr = testenv.HAProxy(t, change.Replace(conf), "spoe-gatehouse.conf", change.Replace(read(t, "spoe-gatehouse.conf")))
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy/haproxy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *site) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, received{r.RequestURI, r.Host, string(body), r.Header.Clone()})
}

// take returns what the service got since, and forgets it.
func (s *site) take() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.seen
	s.seen = nil
	return out
}

// send sends bytes on a connection of their own and returns the answer and its body.
func (s *site) send(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, request) }() // an early answer may stop it
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// check sends a request and compares the answer: 200, or a status and the code of a problem.
func (s *site) check(t *testing.T, request, want string) *http.Response {
	t.Helper()
	answer, body := s.send(t, request)
	got := fmt.Sprint(answer.StatusCode)
	if _, rest, ok := strings.Cut(body, `"code":"`); ok {
		code, _, _ := strings.Cut(rest, `"`)
		got += " " + code
	}
	if got != want {
		t.Errorf("%.80q: %s, want %s; %.200s", request, got, want, body)
	}
	if seen := s.take(); (len(seen) == 1) != (answer.StatusCode == 200) {
		t.Errorf("%.80q: %s, and the service got %d requests", request, got, len(seen))
	}
	return answer
}

// signed is the text of a request that a key signs. A body is sent whole, with its length.
func (s *site) signed(t *testing.T, key, method, target, body string) string {
	t.Helper()
	return s.render(t, key, method, target, body, body)
}

// sign signs a request as a key's holder does.
func (s *site) sign(t *testing.T, key string, r *http.Request, body string) {
	t.Helper()
	k := s.keys[key]
	scheme := map[string]sign.Scheme{
		"bearer": sign.Bearer(k.Token), "limited": sign.Bearer(k.Token),
		"barong": sign.Barong(k.Key.ID, k.Secret), "shield": sign.Shield(k.Key.ID, k.Secret),
	}[key]
	if key == "httpsig" {
		mac, err := httpsig.HMACKey([]byte(k.Secret.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		scheme = sign.HTTPSig(&httpsig.Signer{KeyID: k.Key.ID, Key: mac})
	}
	if err := scheme.Sign(r, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// render signs one body and sends another.
func (s *site) render(t *testing.T, key, method, target, signs, sends string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+s.addr+target, strings.NewReader(signs))
	if err != nil {
		t.Fatal(err)
	}
	s.sign(t, key, r, signs)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(sends)), int64(len(sends))
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// with adds fields to the text of a request.
func with(request, fields string) string {
	return strings.Replace(request, "\r\n", "\r\n"+fields, 1)
}
