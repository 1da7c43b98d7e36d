// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// openOwn starts a house of the test's own, which the gateway can ask.
func (g *gateway) openOwn(t *testing.T) *house {
	t.Helper()
	n := &node{bin: testenv.Binary(t), dir: t.TempDir(), gate: anyPort, api: anyPort}
	if g.environ != nil {
		n.environ = g.environ(t)
	}
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.kill() })
	h := &house{node: n, keys: map[string]key{}}
	if err := h.furnish(); err != nil {
		t.Fatal(err)
	}
	return h
}

// freezes stops Gatehouse in the middle of its life: nobody passes, nobody waits for long, and
// it goes on when it does.
func (g *gateway) freezes(t *testing.T) {
	h := g.openOwn(t)
	service := startService(t)
	s := newSite(t, h, service, g.start(t, service, []string{g.asks(h.node)}))
	s.granted(t, s.send(t, ask{way: "bearer"}), "bearer", "unavailable")
	if err := h.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		begun := time.Now()
		r := s.send(t, ask{way: "bearer"})
		for deadline := begun.Add(patience); r.status == http.StatusOK && begun.Before(deadline); { // the signal is on its way
			begun = time.Now()
			r = s.send(t, ask{way: "bearer"})
		}
		denied(t, r, 503, "unavailable")
		if took := time.Since(begun); took > soon {
			t.Errorf("it took %v", took)
		}
	}
	if err := h.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.passesAgain(t)
}

// passesAgain asks until a request passes.
func (s *site) passesAgain(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		r := s.send(t, ask{way: "bearer"})
		if r.status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody passes any more: %d %s", r.status, r.body)
		}
	}
}

// rolls replaces two nodes one after the other, and no client notices. lost is how many requests each
// restart may cost.
func (g *gateway) rolls(t *testing.T, lost int, replace ...string) {
	restarts := 4
	if os.Getenv("GATEHOUSE_NODES_FULL") == "1" {
		restarts = 20
	}
	h, nodes := openNodes(t)
	asks := make([]string, len(nodes))
	for i, n := range nodes {
		if g.environ != nil {
			n.end(t)
			n.environ = slices.Concat(n.environ, g.environ(t))
			if err := n.start(); err != nil {
				t.Fatal(err)
			}
		}
		asks[i] = g.asks(n)
	}
	service := startService(t)
	s := newSite(t, h, service, g.start(t, service, asks, replace...))
	l := startLoad(t, s)
	for i := range restarts {
		n := nodes[i%len(nodes)]
		n.end(t)
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
	}
	l.stop()
	if l.passed.Load() < int64(restarts) || l.failed.Load() > int64(restarts*lost) {
		t.Errorf("%d restarts: %d requests passed, %d failed", restarts, l.passed.Load(), l.failed.Load())
	}
	t.Logf("%d restarts: %d requests passed, %d failed", restarts, l.passed.Load(), l.failed.Load())
}

// signers lets libraries that are not ours sign and send, with the fields that they choose to cover.
// replace has the gateway serve the address that they connect to, as they sign for it.
func (g *gateway) signers(t *testing.T, replace ...string) {
	s := g.open(t, replace...)
	s.trySigners(t, g.proof(s, "httpsig"))
}

// trySigners lets two libraries sign and send, each with another algorithm: package gate tries all
// pairs. proof is what X-Auth-Body says.
func (s *site) trySigners(t *testing.T, proof string) {
	t.Helper()
	const modules = "../gate/testdata/interop"
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is not installed, and CI is set")
		}
		t.Skip("node is not installed: signers that are not ours are not tried")
	}
	if _, err := os.Stat(modules + "/node_modules"); err != nil {
		t.Fatal(modules + "/node_modules is missing: run make deps")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for library, algorithm := range map[string]string{"http-message-signatures": "hmac-sha256", "http-message-sig": "ed25519"} {
		k := s.house.keys[map[string]string{"hmac-sha256": "httpsig", "ed25519": "ed25519"}[algorithm]]
		in, err := json.Marshal(map[string]string{
			"library": library, "algorithm": algorithm, "keyid": k.ID, "secret": k.Secret, "privateKey": k.private,
			"method": "POST", "url": "http://" + s.addr + usualTarget, "body": `{"amount":1}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(ctx, node, "sign.mjs")
		c.Dir, c.Stdin, c.Stderr = modules, bytes.NewReader(in), os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		seen := s.service.take("") // these requests bear no mark
		if !strings.Contains(string(out), `"status":200,`) || len(seen) != 1 || string(seen[0].Body) != `{"amount":1}` ||
			!slices.Equal(seen[0].Header["X-Auth-Key-Id"], []string{k.ID}) || seen[0].Header.Get("X-Auth-Body") != proof {
			t.Errorf("%s %s: %s", library, algorithm, out)
		}
	}
}
