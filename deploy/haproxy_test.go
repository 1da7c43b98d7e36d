// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

var haproxy = gateway{
	house:  openSPOEHouse,
	asks:   func(h *house) string { return spoeOf(h.node) },
	start:  startHAProxy,
	bodies: true,
	lines:  true,
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
		n := &node{bin: bin, dir: filepath.Join(shared, "spoe"), gate: "127.0.0.1:0", api: "127.0.0.1:0", environ: []string{"GATEHOUSE_SPOE_LISTEN=127.0.0.1:0"}}
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
	conf := strings.NewReplacer(append([]string{
		"bind 127.0.0.1:8080", "bind {{.Listen}}",
		"config spoe-gatehouse.conf", "config {{.Dir}}/spoe-gatehouse.conf",
		agent, agents,
		"127.0.0.1:8081", s.addr,
	}, replace...)...).Replace(readFile(t, "haproxy/haproxy.cfg"))
	return testenv.HAProxy(t, conf, "spoe-gatehouse.conf", readFile(t, "haproxy/spoe-gatehouse.conf"))
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	haproxy.run(t)
}

var _ = time.Second
