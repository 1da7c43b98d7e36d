// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/prefixedkey"
)

// fullNodes makes the tests of several nodes as large as they are meant to be. Without it
// they are as large as there is time for.
var fullNodes = os.Getenv("GATEHOUSE_NODES_FULL") == "1"

// sized is the one size or the other.
func sized(ordinary, full int) int {
	if fullNodes {
		return full
	}
	return ordinary
}

const (
	fleetSize  = 3
	nodeSeats  = 20               // verifications at one node at once: the others must go on while one hangs
	answerTime = 20 * time.Second // a request to a node that hangs waits for it
)

// fleet is several processes on one database, each with a keyring of the same content and a
// connection of its own that can be spoiled.
type fleet struct {
	pg    *testenv.Server
	nodes []*node
	born  time.Time  // zero of all times, by the monotonic clock of this process
	spare []*tracked // keys that nobody has touched

	ahead     time.Duration // how far ahead of now requests are signed
	lastNonce int64
}

// node is one process.
type node struct {
	*server
	name   string
	proxy  *testenv.Proxy // between it and the database
	socket *http.Client   // to its admin socket
	seats  chan struct{}
}

// openFleet starts nodes on a database of their own.
func openFleet(t *testing.T, environ ...string) *fleet {
	t.Helper()
	return openFleetWith(t, func(int) []string { return environ })
}

// openFleetWith is openFleet with an environment for each node.
func openFleetWith(t *testing.T, environ func(i int) []string) *fleet {
	t.Helper()
	f := &fleet{pg: testenv.PostgresServer(t), born: time.Now()}
	for i := range fleetSize {
		dir := t.TempDir()
		if i > 0 {
			f.nodes[0].shareKeyring(dir)
		}
		proxy := testenv.NewProxy(t, f.pg.Addr())
		s := serve(t, dir, "", append(environ(i), readyKey(t), "GATEHOUSE_DATABASE_URL="+through(t, f.pg.URL(), proxy.Addr()))...)
		f.nodes = append(f.nodes, &node{
			server: s, name: string(rune('A' + i)), proxy: proxy, socket: onSocket(s), seats: make(chan struct{}, nodeSeats),
		})
	}
	return f
}

// through is the URL of a server that is reached by way of another address.
func through(t *testing.T, server, addr string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = addr
	return u.String()
}

// shareKeyring puts the node's keyring where another node will look for it.
func (n *node) shareKeyring(dir string) {
	n.t.Helper()
	data := filepath.Join(dir, "gatehouse-data")
	text, err := os.ReadFile(filepath.Join(n.data(), "keyring"))
	if err == nil {
		err = os.Mkdir(data, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "keyring"), text, 0o600)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// onSocket is a client of the admin socket that asks once.
func onSocket(s *server) *http.Client {
	var d net.Dialer
	path := filepath.Join(s.data(), api.SocketName)
	return &http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		MaxIdleConnsPerHost: 2 * nodeSeats,
	}}
}

// again starts the node anew until the end of t, with more of an environment; it has ended or
// it is killed.
func (n *node) again(t *testing.T, environ ...string) {
	t.Helper()
	n.Kill()
	n.server = serve(t, n.dir, n.addr, append(n.Cmd.Env, environ...)...)
}

// revive starts the node anew, which has ended, with more of an environment, while others ask
// it: what they find it by stays.
func (n *node) revive(t *testing.T, environ ...string) {
	t.Helper()
	n.begin(n.addr, append(n.Cmd.Env, environ...))
	eventually(t, "node "+n.name+" listens again", func() bool {
		if n.lostAddress() {
			n.begin(n.addr, n.Cmd.Env)
		}
		n.mustRun()
		ops := opsOn.FindStringSubmatch(n.out.String())
		if ops != nil {
			n.ops = ops[1]
		}
		return ops != nil
	})
}

// end ends the node as an operator does.
func (n *node) end(t *testing.T) {
	t.Helper()
	n.signal(t, syscall.SIGTERM)
	select {
	case <-n.Done:
	case <-time.After(patience):
		t.Fatal("the node does not end")
	}
	if n.Err != nil {
		t.Errorf("the node ended with %v", n.Err)
	}
}

// enter takes a seat for a verification, where one is free.
func (n *node) enter() bool {
	select {
	case n.seats <- struct{}{}:
		return true
	default:
		return false
	}
}

func (n *node) leave() { <-n.seats }

// counted adds up a counter of all nodes' metrics. One begins anew with its process.
func (f *fleet) counted(t *testing.T, name string) (sum int) {
	t.Helper()
	for _, n := range f.nodes {
		sum += n.metric(t, name)
	}
	return sum
}

// metric is one of the node's metrics.
func (n *node) metric(t *testing.T, name string) int {
	t.Helper()
	resp, err := http.Get(n.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(body(t, resp), "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(line, 64)
	if !ok || err != nil {
		t.Fatalf("node %s: no %s: %v", n.name, name, err)
	}
	return int(value)
}

// signal sends the node's process a signal.
func (n *node) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := n.Cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// now is the time since the fleet began.
func (f *fleet) now() int64 { return int64(time.Since(f.born)) }

// admin speaks to the first node.
func (f *fleet) admin() *client.Client { return f.nodes[0].client() }

// call asks the node once and reads the answer into out. Status 0: there was no whole
// answer.
func (n *node) call(ctx context.Context, path string, in, out any) (status int) {
	return n.callOnce(ctx, path, "", in, out)
}

// callOnce is call with an Idempotency-Key; empty: without.
func (n *node) callOnce(ctx context.Context, path, name string, in, out any) (status int) {
	text, err := json.Marshal(in)
	if err != nil {
		n.t.Error(err)
		return 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gatehouse"+path, bytes.NewReader(text))
	if err != nil {
		n.t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if name != "" {
		req.Header.Set("Idempotency-Key", name)
		req.GetBody = nil // and net/http does not send it again by itself
	}
	resp, err := n.socket.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	text, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, out); err != nil {
			n.t.Errorf("%s: %v", path, err)
		}
	}
	return resp.StatusCode
}

// grows waits until a counter has reached a value. It may take long, as long as it moves.
func grows(t *testing.T, what string, counter *atomic.Int64, value int64) {
	t.Helper()
	for now := counter.Load(); now < value; now = counter.Load() {
		eventually(t, what, func() bool { return counter.Load() > now })
	}
}

// presents is a check of a request with a bearer token.
func presents(token string) api.Check {
	return api.Check{Method: http.MethodGet, Target: "/", Headers: map[string][]string{"Authorization": {"Bearer " + token}}}
}

// take hands out keys that nobody has touched.
func (f *fleet) take(t *testing.T, count int) []*tracked {
	t.Helper()
	if missing := count - len(f.spare); missing > 0 {
		f.spare = append(f.spare, f.bulk(t, missing)...)
	}
	keys := f.spare[:count]
	f.spare = f.spare[count:]
	return keys
}

// bulk makes bearer keys, a thousand at a time: it takes over what another system issued.
func (f *fleet) bulk(t *testing.T, count int) []*tracked {
	t.Helper()
	const owner = "nodes@example.com"
	keys := make([]*tracked, 0, count)
	for len(keys) < count {
		in := api.Import{Scheme: "bearer", Owners: []api.ImportOwner{{Email: owner, Origin: "test:nodes"}}}
		for range min(1000, count-len(keys)) {
			k, err := prefixedkey.Generate(prefixedkey.Options{Prefix: "gh", ShortLen: 12})
			if err != nil {
				t.Fatal(err)
			}
			token := k.Reveal()
			hash := sha256.Sum256([]byte(token[strings.LastIndexByte(token, '_')+1:]))
			in.Keys = append(in.Keys, api.ImportKey{ID: k.Short, Prefix: k.Prefix, Owner: owner, Hash: hash[:]})
			keys = append(keys, &tracked{kid: k.Short, token: token})
		}
		if out, err := f.admin().Import(t.Context(), in); err != nil || !out.Written {
			t.Fatalf("import: written %v, %v", out.Written, err)
		}
	}
	return keys
}
