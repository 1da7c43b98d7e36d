// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"context"
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

	"github.com/seed14544106/gatehouse/gate"
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
				if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[row.tls == nil] + " api.test"; a.StatusCode != http.StatusOK || string(b) != want {
					t.Errorf("%d %s, want %s; %s", a.StatusCode, b, want, s.log)
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

// HTTP/2 passes from end to end: lines go both ways at a time, and after them the trailers, as
// gRPC wants it.
func TestHTTP2BothWays(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{secure: true, rules: rules, gate: gate.Options{Tokens: minter{}}, service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("X-Auth-Scheme") != "bearer" || r.Header.Get("X-Forwarded-Proto") != "https" || r.Host != "api.test" {
			t.Errorf("%s %s %v", r.Proto, r.Host, r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		_ = control.Flush()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			_, _ = io.WriteString(w, "you said "+line)
			_ = control.Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})})
	out, in := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/echo.Echo/Chat", out)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "api.test"
	r.Header.Set("Te", "trailers")
	r.Header.Set("X-Auth-Role", "evil")
	r.Header.Set("Authorization", "Bearer "+s.key("bearer", "").Token.Reveal())
	a, err := s.client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if a.ProtoMajor != 2 || a.StatusCode != http.StatusOK {
		t.Fatal(a.Proto, a.Status)
	}
	lines := bufio.NewReader(a.Body)
	for range 20 {
		if _, err := io.WriteString(in, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); line != "you said hello\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	_ = in.Close()
	if _, err := lines.ReadByte(); err != io.EOF || a.Trailer.Get("Grpc-Status") != "0" {
		t.Error(err, a.Trailer)
	}
	_ = a.Body.Close()
}

// A WebSocket to a service that prefers HTTP/2 goes over HTTP/1.1.
func TestWebSocketBesideHTTP2(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{secure: true, rules: rules, service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // of the request before
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwelcome")
		_ = rw.Flush()
		_ = c.Close()
	})})
	a, err := s.client.RoundTrip(s.request(http.MethodGet, "/", nil, s.signers()["bearer"]))
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatal(err, a)
	}
	_ = a.Body.Close()
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
	a, err = http.ReadResponse(in, nil)
	if err != nil || a.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(err, a)
	}
	if b, err := io.ReadAll(in); err != nil || string(b) != "welcome" {
		t.Errorf("%q %v", b, err)
	}
}

// Every scheme passes over HTTP/2, with a body and without.
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

// A service that does not take a body in HTTP/2 holds nobody.
func TestHTTP2Stalls(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{secure: true, proxy: proxy.Options{Timeouts: proxy.Timeouts{Stall: 300 * time.Millisecond}}, service: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := s.request(http.MethodPost, "/", nil, s.signers()["bearer"]).WithContext(ctx)
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 1<<30)), 1<<30 // more than all windows hold
	a, err := s.client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	if got := code(t, a); a.StatusCode != http.StatusGatewayTimeout || got != "gateway_timeout" {
		t.Errorf("%d %s", a.StatusCode, got)
	}
	s.log.wait(t, "the service does not take the body")
}
