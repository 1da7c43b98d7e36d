// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

var haproxy = gateway{
	house:   openSPOEHouse,
	asks:    spoeOf,
	start:   startHAProxy,
	environ: func(t *testing.T) []string { return []string{"GATEHOUSE_SPOE_LISTEN=" + testenv.FreeAddr(t)} },
	bodies:  true,
	lines:   true,
}

var spoeHouse struct {
	once sync.Once
	h    *house
	err  error
}

// openSPOEHouse is openHouse for one that HAProxy can ask.
func openSPOEHouse(t *testing.T) *house {
	t.Helper()
	bin := testenv.Binary(t)
	spoeHouse.once.Do(func() {
		n := &node{bin: bin, dir: filepath.Join(shared, "spoe"), gate: anyPort, api: anyPort, environ: []string{"GATEHOUSE_SPOE_LISTEN=" + anyPort}}
		spoeHouse.h = &house{node: n, keys: map[string]key{}}
		if spoeHouse.err = n.start(); spoeHouse.err == nil {
			spoeHouse.err = spoeHouse.h.furnish()
		}
	})
	if spoeHouse.err != nil {
		t.Fatal(spoeHouse.err)
	}
	return spoeHouse.h
}

var spoeOn = regexp.MustCompile(`\(SPOE\) on (\S+)\n`)

// spoeOf is where a node that has started listens for HAProxy; empty: nowhere.
func spoeOf(n *node) string {
	at := spoeOn.FindStringSubmatch(n.log.String())
	if at == nil {
		return ""
	}
	return at[1]
}

// startHAProxy starts HAProxy with its configuration, in front of the service.
func startHAProxy(t *testing.T, s *service, asks []string, replace ...string) string {
	t.Helper()
	const agent = "    server agent1 127.0.0.1:9002 check\n"
	agents := ""
	for i, addr := range asks {
		agents += strings.NewReplacer("agent1", "agent"+string(rune('1'+i)), "127.0.0.1:9002", addr).Replace(agent)
	}
	conf := strings.NewReplacer(
		"bind 127.0.0.1:8000", "bind {{.Listen}}",
		"config spoe-gatehouse.conf", "config {{.Dir}}/spoe-gatehouse.conf",
		agent, agents,
		"127.0.0.1:9000", s.addr,
	).Replace(readFile(t, "haproxy/haproxy.cfg"))
	return testenv.HAProxy(t, strings.NewReplacer(replace...).Replace(conf), "spoe-gatehouse.conf", readFile(t, "haproxy/spoe-gatehouse.conf"))
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	haproxy.run(t)
}

// Where no agent answers as one does, nobody passes: 503.
func TestHAProxyAuthorityFails(t *testing.T) {
	t.Parallel()
	haproxy.fails(t, map[string]func(*testing.T) (string, func() int32){
		"down":          nil,
		"silent":        agentThat(func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }),
		"hangs up":      agentThat(func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }),
		"speaks HTTP":   agentThat(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n") }),
		"says too much": agentThat(func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte{0xff}, 1<<16)) }),
	})
}

// agentThat stands in for an agent. How often HAProxy asks it cannot be told from its health checks.
func agentThat(serve func(net.Conn)) func(*testing.T) (string, func() int32) {
	return func(t *testing.T) (string, func() int32) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					serve(conn)
				}()
			}
		}()
		return l.Addr().String(), func() int32 { return 1 }
	}
}

// A body that a question has no room for goes on where no proof covers it, or one by its digest.
func TestHAProxyLargeBody(t *testing.T) {
	t.Parallel()
	s := haproxy.open(t)
	large := bytes.Repeat([]byte{0, 1, 0xfe, 0xff}, 1<<16)
	for _, chunked := range []bool{false, true} {
		denied(t, s.send(t, ask{way: "shield", body: large, chunked: chunked}), 413, "body_too_large")
		for way, proof := range map[string]string{"bearer": "unavailable", "httpsig": "deferred", "ed25519": "deferred"} {
			r := s.send(t, ask{way: way, body: large, chunked: chunked})
			if got := s.granted(t, r, way, proof); !bytes.Equal(got.Body, large) {
				t.Errorf("the service was sent %d bytes", len(got.Body))
			}
		}
	}
}

func TestHAProxyFrozen(t *testing.T) {
	t.Parallel()
	haproxy.freezes(t)
}

// HAProxy gives up what it has just sent to an agent that ends. Its configuration asks another one.
func TestHAProxyRollingRestart(t *testing.T) {
	t.Parallel()
	haproxy.rolls(t, 0)
}

func TestHAProxyOtherSigners(t *testing.T) {
	t.Parallel()
	haproxy.signers(t)
}
