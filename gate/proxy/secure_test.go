// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/gate/proxy"
)

// A service of https is spoken to where its certificate is good. Else the answer is 502, the
// log says why, and the client does not read it.
func TestCertificates(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		roots   *x509.CertPool // nil: that of the service
		address string         // of the service, in place of its own
		tls     *tls.Config    // of a service that is not Go's usual one
		want    string         // of the log; empty: it passes
	}{
		"of the authority":     {},
		"unknown authority":    {roots: x509.NewCertPool(), want: "certificate signed by unknown authority"},
		"another name":         {address: "localhost", want: "certificate is valid for example.com"},
		"an old version":       {tls: &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, want: "protocol version"},
		"HTTP/1.1 over TLS":    {tls: &tls.Config{NextProtos: []string{"http/1.1"}}},
		"a client certificate": {tls: &tls.Config{ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"http/1.1"}}, want: "certificate required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto+" "+r.Host) }))
			service.TLS, service.EnableHTTP2, service.Config.ErrorLog = row.tls, row.tls == nil, quiet
			service.StartTLS()
			t.Cleanup(service.Close)
			if row.roots == nil {
				row.roots = service.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			to := service.URL
			if row.address != "" {
				to = strings.Replace(to, "127.0.0.1", row.address, 1)
			}
			upstreams, err := proxy.ParseUpstreams([]string{to})
			if err != nil {
				t.Fatal(err)
			}
			s := newSite(t, setting{address: "-", proxy: proxy.Options{Upstreams: upstreams, Roots: row.roots}})
			field, _ := s.bearer()
			a := s.raw("GET / HTTP/1.1\r\nHost: api.test\r\n" + field + "\r\n")
			b, err := io.ReadAll(a.Body)
			if err != nil {
				t.Fatal(err)
			}
			if row.want == "" {
				// Also where the service offers HTTP/2.
				if a.StatusCode != http.StatusOK || string(b) != "HTTP/1.1 api.test" {
					t.Errorf("%d %s; %s", a.StatusCode, b, s.log)
				}
				return
			}
			if a.StatusCode != http.StatusBadGateway || !strings.Contains(string(b), `"code":"bad_gateway"`) || strings.Contains(string(b), "certificate") || strings.Contains(string(b), "tls") {
				t.Errorf("%d %s", a.StatusCode, b)
			}
			s.log.wait(t, row.want)
		})
	}
}

// A WebSocket passes over TLS on both sides, to a service that offers HTTP/2, too.
func TestWebSocketOverTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{secure: true, rules: rules, service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwelcome")
		_ = rw.Flush()
		_ = c.Close()
	})})
	field, _ := s.bearer()
	c, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.client.TLSClientConfig.RootCAs, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, handshake+field+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	a, err := http.ReadResponse(in, nil)
	if err != nil || a.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(err, a)
	}
	if b, err := io.ReadAll(in); err != nil || string(b) != "welcome" {
		t.Errorf("%q %v", b, err)
	}
}

// Every scheme passes from clients that speak HTTP/2, with a body and without.
func TestHTTP2EveryScheme(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{secure: true, rules: rules})
	signers := s.signers()
	for _, name := range slices.Sorted(maps.Keys(signers)) {
		for _, body := range []string{"", "hello"} {
			r := s.request(http.MethodGet, "/x%2dy?b=%20", []byte(body), signers[name])
			if body == "" {
				r.Body = http.NoBody
			}
			a, err := s.client.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			back, _ := io.ReadAll(a.Body)
			_ = a.Body.Close()
			if got := s.reached(); a.StatusCode != http.StatusOK || string(back) != body || got.target != r.URL.RequestURI() || got.header.Get("X-Auth-Scheme") != strings.Fields(name)[0] {
				t.Errorf("%s: %s %q, the service reads %s %v", name, a.Status, back, got.target, got.header)
			}
		}
	}
}
