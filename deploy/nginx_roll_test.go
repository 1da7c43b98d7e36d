// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// openNodes starts two nodes on one PostgreSQL, and furnishes them as one house.
func openNodes(t *testing.T) (*house, [2]*node) {
	t.Helper()
	bin, dir := testenv.Binary(t), t.TempDir()
	environ := []string{"GATEHOUSE_DATABASE_URL=" + testenv.Postgres(t)}
	var nodes [2]*node
	for i := range nodes {
		n := &node{bin: bin, dir: filepath.Join(dir, string('a'+rune(i))), api: lastingAddr(t), gate: lastingAddr(t), environ: environ}
		if i > 0 { // each needs the same keyring
			text, err := os.ReadFile(filepath.Join(nodes[0].data(), "keyring"))
			if err == nil {
				err = os.MkdirAll(n.data(), 0o700)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(n.data(), "keyring"), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.kill() })
		nodes[i] = n
	}
	h := &house{node: nodes[0], keys: map[string]key{}}
	if err := h.furnish(); err != nil {
		t.Fatal(err)
	}
	return h, nodes
}

var lastingPort atomic.Int32 // how many were given away

// lastingFirst differs, as two runs of these tests may share a machine.
var lastingFirst = rand.N(12000)

// lastingAddr is a free address with a port that the system gives to nobody by itself, as the
// node is down at times, and that no other node of these tests has.
func lastingAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 20000 + (lastingFirst+int(lastingPort.Add(1)))%12000
		if l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// Nodes are replaced one after the other, and no client notices.
func TestNginxRollingRestart(t *testing.T) {
	t.Parallel()
	restarts := 2
	if os.Getenv("GATEHOUSE_NODES_FULL") == "1" {
		restarts = 20
	}
	h, nodes := openNodes(t)
	for name, f := range map[string]flavour{"auth_request": flavours["auth_request"], "njs": flavours["njs"]} {
		t.Run(name, func(t *testing.T) {
			service := startService(t)
			s := newSite(t, h, service, startNginx(t, f, service, []string{nodes[0].gate, nodes[1].gate}))
			l := startLoad(t, s)
			for i := range restarts {
				n := nodes[i%len(nodes)]
				n.end(t)
				if err := n.start(); err != nil {
					t.Fatal(err)
				}
				// nginx leaves it alone for a second: before that the other may not go.
				eventually(t, "the node is asked again", func() bool { return n.asked(t) })
			}
			l.stop()
			if l.passed.Load() < int64(restarts) || l.failed.Load() > 0 {
				t.Errorf("%d restarts: %d requests passed, %d failed", restarts, l.passed.Load(), l.failed.Load())
			}
			t.Logf("%d restarts: %d requests passed, %d failed", restarts, l.passed.Load(), l.failed.Load())
		})
	}
}

// load is clients that ask again and again.
type load struct {
	passed, failed atomic.Int64
	stop           func()
}

// startLoad starts four clients with about 50 requests a second each, until stop.
func startLoad(t *testing.T, s *site) *load {
	l := &load{}
	end := make(chan struct{})
	var wg sync.WaitGroup
	for _, way := range []string{"bearer", "x-api-key", "barong", "httpsig"} {
		wg.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				a := ask{way: way, method: http.MethodPost}
				if i%2 == 1 {
					a = ask{way: way}
				}
				if r := s.send(t, a); r.status != http.StatusOK {
					t.Logf("%s: %d %s", way, r.status, r.body)
					l.failed.Add(1)
					continue
				}
				l.passed.Add(1)
			}
		})
	}
	l.stop = sync.OnceFunc(func() {
		close(end)
		wg.Wait()
	})
	t.Cleanup(l.stop)
	return l
}
