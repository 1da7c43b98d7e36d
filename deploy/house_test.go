// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	signing "github.com/seed14544106/gatehouse/client/sign"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// shared is a folder for what all tests use. It goes with them.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "gatehouse-deploy-"); err != nil {
		panic(err)
	}
	code := testenv.Main(m)
	endAll()
	if h := theHouse.h; h != nil && h.log != nil && testenv.RaceFound(h.log.String()) {
		fmt.Fprintln(os.Stderr, "the house has a data race:", h.log)
		code = 1
	}
	_ = os.RemoveAll(shared)
	os.Exit(code)
}

const (
	publicHost = "api.example.com"         // that clients ask for
	audience   = "https://api.example.com" // of the JWT
	anyPort    = "127.0.0.1:0"
	owner      = "deploy@example.com" // of all keys

	// patience is how long a test waits for what must happen. A loaded machine needs seconds.
	patience = 30 * time.Second

	// soon bounds how long a gateway may wait for an answer that does not come. It should be 2 s, and is a
	// minute where nobody has told the gateway.
	soon = 20 * time.Second
)

// rules are what the house demands of a path. Every key may everywhere but in /admin/.
const rules = `{"rules":{"/":{"key":true},"GET /public/":{"open":true},"/admin/":{"all":"admin"}}}`

// ways are the ways to present a key, each by the key of the same name. The ones that sign the
// body are "shield", "httpsig" and "ed25519".
var ways = []string{"bearer", "x-api-key", "barong", "shield", "httpsig", "ed25519"}

// house is a gatehouse serve that gateways can ask, and its keys.
type house struct {
	*node
	uid  string // of the owner of all keys
	keys map[string]key
}

// key is what its holder has.
type key struct {
	api.CreatedKey
	private string         // PEM; empty: a key with a secret
	scheme  signing.Scheme // puts it on requests
}

var theHouse struct {
	once sync.Once
	h    *house
	err  error
}

// openHouse returns the house that all tests share. Besides the ways it has the keys
// "limited" (bearer: one request an hour), "counted" (bearer: a million), "elsewhere" (bearer: from another network)
// and "wide" (bearer: 64 long scopes). It looks for races, if the tests do.
func openHouse(t *testing.T) *house {
	t.Helper()
	bin := testenv.RaceBinary(t)
	theHouse.once.Do(func() {
		theHouse.h = &house{node: &node{bin: bin, dir: filepath.Join(shared, "house"), api: anyPort, gate: anyPort}, keys: map[string]key{}}
		if theHouse.err = theHouse.h.start(); theHouse.err == nil {
			theHouse.err = theHouse.h.furnish()
		}
	})
	if theHouse.err != nil {
		t.Fatal(theHouse.err)
	}
	return theHouse.h
}

// furnish makes the account, the rules and the keys.
func (h *house) furnish() error {
	ctx := context.Background()
	admin := h.admin()
	account, err := admin.CreateAccount(ctx, api.NewAccount{Email: owner, State: "active"})
	if err != nil {
		return err
	}
	h.uid = account.UID
	if err := h.putRules(); err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	for name, in := range map[string]api.NewKey{
		"bearer": {Schemes: []string{"bearer"}}, "x-api-key": {Schemes: []string{"bearer"}}, "barong": {Schemes: []string{"barong"}},
		"shield": {Schemes: []string{"shield"}}, "httpsig": {Schemes: []string{"httpsig"}},
		"ed25519":   {Schemes: []string{"httpsig"}, PublicKey: pemOf("PUBLIC KEY", publicDER)},
		"limited":   {Schemes: []string{"bearer"}, Limits: []api.Limit{{Name: "hour", Count: 1, Period: time.Hour.Milliseconds()}}},
		"counted":   {Schemes: []string{"bearer"}, Limits: []api.Limit{{Name: "hour", Count: 1_000_000, Period: time.Hour.Milliseconds()}}},
		"wide":      {Schemes: []string{"bearer"}, Scopes: manyScopes()},
		"elsewhere": {Schemes: []string{"bearer"}, Networks: []string{"192.0.2.0/24"}},
	} {
		in.Owner, in.Name = owner, name
		if in.Scopes == nil {
			in.Scopes = []string{"orders"}
		}
		k := key{}
		if k.CreatedKey, err = admin.CreateKey(ctx, in); err != nil {
			return fmt.Errorf("create key %s: %w", name, err)
		}
		if in.PublicKey != "" {
			k.private = pemOf("PRIVATE KEY", privateDER)
		}
		if k.scheme, err = schemeOf(name, &k.CreatedKey, private); err != nil {
			return err
		}
		h.keys[name] = k
	}
	return nil
}

// manyScopes are more than fit into a page of a JWT.
func manyScopes() (scopes []string) {
	for i := range 64 {
		scopes = append(scopes, fmt.Sprintf("orders-of-%s-%02d", strings.Repeat("a", 45), i))
	}
	return scopes
}

// schemeOf is how the holder of a key presents it.
func schemeOf(name string, k *api.CreatedKey, private ed25519.PrivateKey) (signing.Scheme, error) {
	secret := gatehouse.NewSecret(k.Secret)
	var sign httpsig.SignKey
	var err error
	switch name {
	case "x-api-key":
		return inField{"X-Api-Key", k.Token}, nil
	case "barong":
		return signing.Barong(k.ID, secret), nil
	case "shield":
		return signing.Shield(k.ID, secret), nil
	case "httpsig":
		sign, err = httpsig.HMACKey([]byte(k.Secret))
	case "ed25519":
		sign, err = httpsig.Ed25519PrivateKey(private)
	default:
		return signing.Bearer(gatehouse.NewSecret(k.Token)), nil
	}
	return signing.HTTPSig(&httpsig.Signer{KeyID: k.ID, Key: sign}), err
}

// inField presents a token in a header field.
type inField struct{ name, token string }

func (inField) CoversBody() bool { return false }
func (f inField) Sign(r *http.Request, _ []byte) error {
	r.Header.Set(f.name, f.token)
	return nil
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// putRules replaces the rules of the tenant.
func (h *house) putRules() error {
	socket := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.data(), api.SocketName))
	}}}
	r, err := http.NewRequest(http.MethodPut, "http://gatehouse/v1/rules", strings.NewReader(rules))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := socket.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("put rules: %s %s", resp.Status, text)
	}
	return nil
}

// jwt checks a JWT with the house's published keys.
func (h *house) jwt(t *testing.T, token string) client.JWT {
	t.Helper()
	v := client.NewJWTVerifier(client.JWTOptions{Issuer: "http://" + h.api, Audience: audience, KeysURL: "http://" + h.api + "/.well-known/jwks.json"})
	j, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Errorf("the JWT does not hold: %v", err)
	}
	return j
}

// node is one process.
type node struct {
	bin     string // path of the program
	dir     string // working directory; the data is in gatehouse-data below it
	gate    string // host:port where gateways ask; the port 0 becomes another when it starts
	api     string // host:port of the API, likewise
	ops     string // base URL of metrics and health
	environ []string
	log     *testenv.Output
	*testenv.Program
}

var (
	endMu  sync.Mutex
	ending []func() // what ends with the tests
)

func endAll() {
	for _, end := range ending {
		end()
	}
}

func (n *node) data() string { return filepath.Join(n.dir, "gatehouse-data") }

// admin speaks to the admin socket.
func (n *node) admin() *client.Client {
	return client.Socket(filepath.Join(n.data(), api.SocketName))
}

var (
	listensOn = regexp.MustCompile(`listens on http://(\S+)\n`)
	gatesOn   = regexp.MustCompile(`Gates on http://(\S+)\n`)
	opsOn     = regexp.MustCompile(`health on (http://\S+)\n`)
)

// start starts the process and returns when gateways can ask. It ends with all tests.
func (n *node) start() error {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	endMu.Lock()
	ending = append(ending, n.kill)
	endMu.Unlock()
	for deadline := time.Now().Add(patience); ; {
		err := n.begin()
		// Between two processes somebody else's connection may be given the port, for a while.
		if err == nil || !strings.Contains(n.log.String(), "address already in use") || time.Now().After(deadline) {
			return err
		}
	}
}

// begin starts a process and waits for it.
func (n *node) begin() error {
	n.log = new(testenv.Output)
	cmd := exec.Command(n.bin, "serve", "--listen", n.api, "--ops-listen", "127.0.0.1:0", "--gate-listen", n.gate)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, n.log, n.log
	cmd.Env = append([]string{"GATEHOUSE_GATE_AUDIENCE=" + audience, "GORACE=atexit_sleep_ms=0"}, n.environ...)
	cmd.WaitDelay = patience // if somebody else holds its output
	var err error
	if n.Program, err = testenv.Start(cmd); err != nil {
		return err
	}
	return n.await()
}

// await waits until gateways can ask.
func (n *node) await() error {
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text := n.log.String()
		at, gates, ops := listensOn.FindStringSubmatch(text), gatesOn.FindStringSubmatch(text), opsOn.FindStringSubmatch(text)
		if at != nil && gates != nil && ops != nil {
			n.api, n.gate, n.ops = at[1], gates[1], ops[1]
			return nil
		}
		select {
		case <-n.Done:
			return fmt.Errorf("gatehouse serve ended:\n%s", n.log)
		case <-deadline:
			return fmt.Errorf("gatehouse serve does not listen:\n%s", n.log)
		case <-tick.C:
		}
	}
}

// asked reports whether a gateway has asked the node since it started.
func (n *node) asked(t *testing.T) bool {
	t.Helper()
	resp, err := (&http.Client{Timeout: patience}).Get(n.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return checksDone.Match(text)
}

// checksDone finds a counter of checks that is not zero.
var checksDone = regexp.MustCompile(`(?m)^gatehouse_gate_checks_total\{.*\} [1-9]`)

// kill ends the process as kill -9 does.
func (n *node) kill() {
	if n.Program != nil && n.Cmd.Process != nil { // it began
		n.Kill()
	}
}

// end ends the process as an operator does.
func (n *node) end(t *testing.T) {
	t.Helper()
	if err := n.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.Done:
	case <-time.After(patience):
		t.Fatalf("the node does not end:\n%s", n.log)
	}
}
