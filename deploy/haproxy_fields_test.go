// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"net"
	"strings"
	"testing"
	"time"
)

// One upgrade goes on, and it is WebSocket's. TE is for HAProxy, as Connection is.
func TestHAProxyUpgrades(t *testing.T) {
	t.Parallel()
	s := haproxy.open(t)
	more := []string{"Host: " + publicHost, "Connection: upgrade", "Te: trailers", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
	for upgrade, want := range map[string]string{"websocket": "websocket", "h2c": ""} {
		r := s.raw(t, "GET "+usualTarget+" HTTP/1.1", s.request(t, ask{way: "bearer"}), append(more, "Upgrade: "+upgrade), "")
		if got := s.granted(t, r, "bearer", "unavailable").Header; got.Get("Upgrade") != want || got.Get("Te") != "" {
			t.Errorf("Upgrade %s became %q, TE %q", upgrade, got.Get("Upgrade"), got.Get("Te"))
		}
	}
}

// A log has paths and no queries.
func TestHAProxyLog(t *testing.T) {
	t.Parallel()
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	_ = log.SetReadDeadline(time.Now().Add(patience)) // a socket of UDP takes one
	s := haproxy.open(t, "log stdout format raw local0 info", "log "+log.LocalAddr().String()+" format raw local0 info")
	s.granted(t, s.send(t, ask{way: "bearer", target: "/orders/7?totp_code=123456"}), "bearer", "unavailable")
	line := make([]byte, 64<<10)
	for {
		n, _, err := log.ReadFrom(line)
		if err != nil {
			t.Fatalf("nothing of the request is in the log: %v", err)
		}
		text := string(line[:n])
		if strings.Contains(text, "123456") {
			t.Fatalf("the log has the query: %s", text)
		}
		if strings.Contains(text, "GET /orders/7 HTTP/1.1") {
			return
		}
	}
}
