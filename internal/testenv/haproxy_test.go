// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

const haproxyOK = `
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend it
	bind {{.Listen}}
	http-request return content-type text/plain file {{.Dir}}/answer.txt
`

func TestHAProxy(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("serves", func(t *testing.T) {
		addr = HAProxy(t, haproxyOK, "answer.txt", "from {{.Listen}}")
		resp, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "from "+addr {
			t.Errorf("got %s %q, %v", resp.Status, body, err)
		}
	})
	if err := dial(context.Background(), addr); err == nil {
		t.Error("HAProxy outlives its test")
	}
}

func TestHAProxySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	bin, err := program("haproxy", "haproxy", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		t.Fatal(err)
	}
	as, err := unprivileged("haproxy", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := scratchDir("haproxy", as)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if _, _, err := serveHAProxy(bin, dir, as, []string{"haproxy.cfg", "nonsense"}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v, want HAProxy's own words", err)
	}
}
