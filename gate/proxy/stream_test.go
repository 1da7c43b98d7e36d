// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/proxy"
)

const handshake = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// A WebSocket passes after its handshake did, and ends when either side ends it.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	s := newSite(t, setting{rules: rules, service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			ended <- err
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nX-Who: %s\r\n\r\nwelcome\n", r.Header.Get("X-Auth-Scheme"))
		_ = rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil || line == "bye\n" {
				ended <- err
				return
			}
			_, _ = rw.WriteString("you said " + line)
			_ = rw.Flush()
		}
	})})
	field, id := s.bearer()
	if a := s.raw(handshake + "\r\n"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key: %d", a.StatusCode)
	}
	open := func() (io.Writer, *bufio.Reader, func() error) {
		c := s.dial()
		if _, err := io.WriteString(c, handshake+field+"\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		a, err := http.ReadResponse(r, nil)
		if err != nil || a.StatusCode != http.StatusSwitchingProtocols || a.Header.Get("X-Who") != "bearer" || !strings.EqualFold(a.Header.Get("Upgrade"), "websocket") {
			t.Fatal(err, a)
		}
		return c, r, c.Close
	}
	talk := func(w io.Writer, r *bufio.Reader, say string, want ...string) {
		if _, err := io.WriteString(w, say); err != nil {
			t.Error(err)
		}
		for _, line := range want {
			if got, err := r.ReadString('\n'); got != line+"\n" {
				t.Errorf("%q %v, want %q", got, err, line)
			}
		}
	}
	w, r, _ := open()
	talk(w, r, "one\n", "welcome", "you said one")
	talk(w, r, "two\n", "you said two")
	talk(w, r, "bye\n")
	if _, err := r.ReadByte(); err != io.EOF {
		t.Error("the service ended, and the client reads ", err)
	}
	<-ended
	w, r, end := open()
	talk(w, r, "one\n", "welcome", "you said one")
	_ = end()
	if err := <-ended; err == nil {
		t.Error("the client is gone, and the service reads on")
	}
	s.log.wait(t, "method=GET path=/chat status=101 bytes=0")
	s.log.wait(t, "key="+id+" scheme=bearer")
}

// A service that switches the protocol for a request that asked for none has no tunnel.
func TestUnaskedSwitch(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "Connection: Upgrade\r\n", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n"} {
		s := newSite(t, setting{service: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, rw, _ := http.NewResponseController(w).Hijack()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n" + answer + "\r\n")
			_ = rw.Flush()
			_ = c.Close()
		})})
		field, _ := s.bearer()
		ask := "Connection: Upgrade\r\nUpgrade: h2c\r\n"
		if !strings.Contains(answer, "h2c") {
			ask = ""
		}
		if a := s.raw("GET / HTTP/1.1\r\nHost: a\r\n" + ask + field + "\r\n"); a.StatusCode != http.StatusBadGateway || code(t, a) != "bad_gateway" {
			t.Errorf("%q: %d", answer, a.StatusCode)
		}
	}
}

// An event reaches the client while the answer goes on, and the end of the client the service.
func TestEventsAndCancellation(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := newSite(t, setting{service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: one\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})})
	field, _ := s.bearer()
	c := s.dial()
	if _, err := io.WriteString(c, "GET /events?token=in-the-query HTTP/1.1\r\nHost: a\r\n"+field+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(a.Body).ReadString('\n'); line != "data: one\n" {
		t.Fatalf("%q %v", line, err)
	}
	_ = c.Close()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the client is gone, and the service works on")
	}
	s.log.wait(t, "path=/events status=200 bytes=11")
	if text := s.log.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") || strings.Contains(text, "in-the-query") {
		t.Error(text)
	}
}

// Who is gone before the service answers is no failure of anybody's.
func TestClientGoneBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	begun, gone := make(chan struct{}), make(chan struct{})
	s := newSite(t, setting{service: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(gone)
	})})
	field, _ := s.bearer()
	c := s.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"+field+"\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	_ = c.Close()
	<-gone
	s.log.wait(t, "level=INFO msg=request method=GET path=/ status=499")
	if text := s.log.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
}

// A body that no proof covers is not kept: the service reads its beginning before the client
// sends its end, also after the answer has begun.
func TestStreamBothWays(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, line)
			_ = control.Flush()
		}
	})})
	field, _ := s.bearer()
	c := s.dial()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"+field+"\r\n"); err != nil {
		t.Fatal(err)
	}
	var back *bufio.Reader
	for i := range 20 {
		// The lines together are longer than what a server throws away before its answer.
		line := strings.Repeat(fmt.Sprintf("%09d,", i), 4000) + "\n"
		if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(line), line); err != nil {
			t.Fatal(err)
		}
		if back == nil {
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			back = bufio.NewReader(a.Body)
		}
		if got, err := back.ReadString('\n'); got != line {
			t.Fatalf("line %d: %.50q %v", i, got, err)
		}
	}
	if _, err := io.WriteString(c, "0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := back.ReadByte(); err != io.EOF {
		t.Error(err)
	}
}

// Trailers pass both ways, also those of a body that the gate has read, but not what claims
// to say who asks.
func TestTrailers(t *testing.T) {
	t.Parallel()
	var s *site
	s = newSite(t, setting{service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		s.echo(w, r)
		w.Header().Set("X-Sum", "of answer")
		w.Header().Set(http.TrailerPrefix+"X-Late", "too")
	})})
	for name, scheme := range s.signers() {
		r := s.request(http.MethodPost, "/", []byte("body"), scheme)
		r.Body, r.ContentLength = io.NopCloser(chunked{strings.NewReader("body")}), -1
		r.Trailer = http.Header{"X-Sum": {"of request"}, "X-Auth-Role": {"admin"}, "X_auth_role": {"admin"}, "Authorization": {"evil"}, "X-Forwarded-For": {"evil"}}
		a, err := s.client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if err != nil || string(b) != "body" || a.Trailer.Get("X-Sum") != "of answer" || a.Trailer.Get("X-Late") != "too" {
			t.Errorf("%s: %v %q %v", name, err, b, a.Trailer)
		}
		if got := s.reached(); len(got.trailer) != 1 || got.trailer.Get("X-Sum") != "of request" || string(got.body) != "body" {
			t.Errorf("%s: the service reads %v %q", name, got.trailer, got.body)
		}
	}
}

// Interim answers pass, and a client that waits before it sends its body is told to go on,
// or is refused without.
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})})
	signers := s.signers()
	for _, scheme := range slices.Sorted(maps.Keys(signers)) {
		for _, path := range []string{"/", "/refuse", "/long"} {
			covers := signers[scheme].CoversBody()
			if path == "/refuse" && covers {
				continue
			}
			body := []byte("body")
			if path == "/long" {
				body = bytes.Repeat(body, maxBody)
			}
			var hints []int
			r := s.request(http.MethodPost, path, body, signers[scheme])
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(status int, _ textproto.MIMEHeader) error { hints = append(hints, status); return nil },
			}))
			r.Header.Set("Expect", "100-continue")
			waits := &http.Transport{ExpectContinueTimeout: patience}
			a, err := waits.RoundTrip(r)
			if err != nil {
				t.Fatal(scheme, path, err)
			}
			b, err := io.ReadAll(a.Body)
			_ = a.Body.Close()
			waits.CloseIdleConnections()
			told, hinted := slices.Contains(hints, 100), slices.Contains(hints, 103)
			switch {
			case path == "/long" && covers:
				if a.StatusCode != http.StatusRequestEntityTooLarge || told || hinted {
					t.Error(scheme, path, a.Status, hints)
				}
			case path == "/refuse":
				if a.StatusCode != http.StatusUnprocessableEntity || told || !hinted {
					t.Error(scheme, path, a.Status, hints)
				}
			case err != nil || !bytes.Equal(b, body) || !told || !hinted:
				t.Error(scheme, path, err, a.Status, len(b), hints)
			}
		}
	}
}

// The service is asked how long it takes, not how long the listener waits for a request; and
// who neither sends nor takes is not waited for.
func TestStalls(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 1)
	s := newSite(t, setting{
		proxy: proxy.Options{Timeouts: proxy.Timeouts{Stall: 200 * time.Millisecond}},
		service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			for r.Context().Err() == nil { // more than all buffers hold
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					break
				}
			}
			gone <- struct{}{}
		}),
	})
	field, _ := s.bearer()
	c := s.dial()
	if _, err := io.WriteString(c, "POST /sends-nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n"+field+"\r\nhello"); err != nil {
		t.Fatal(err)
	}
	if a := s.answer(bufio.NewReader(c), http.MethodPost); a.StatusCode != http.StatusBadRequest || code(t, a) != "bad_body" || !a.Close {
		t.Error(a.Status)
	}
	c = s.dial()
	if _, err := io.WriteString(c, "GET /takes-nothing HTTP/1.1\r\nHost: a\r\n"+field+"\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("a client that takes nothing holds the service")
	}
	s.log.wait(t, "path=/takes-nothing status=200")
	if text := s.log.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
}

// Nothing of a credential and no query is in the log, and the code of a denial is.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: rules, gate: gate.Options{Tokens: minter{}}})
	field, id := s.bearer()
	const other = "Authorization: Bearer gh_AAAAAAAAAAAA_51FwqftsmMDHHbJAMEXXHCgGabcdefgh1b2c3d\r\n"
	for _, row := range []struct{ target, credential, want string }{
		{"/a%20b?c=query-secret", field, "method=GET path=/a%20b status=200 bytes=0 took="},
		{"/orders?c=query-secret", other, "status=401"},
		{"/orders?c=query-secret", other, "denial=invalid_credential"},
		{"/admin/x?c=query-secret", field, "status=403"},
		{"/admin/x?c=query-secret", field, "key=" + id + " scheme=bearer denial=insufficient_scope"},
		{"//x?c=query-secret", field, "denial=bad_target"},
		{"/../x", field, "denial=ambiguous_path"},
	} {
		a := s.raw("GET " + row.target + " HTTP/1.1\r\nHost: a\r\nCookie: cookie-secret\r\n" + row.credential + "\r\n")
		s.log.wait(t, row.want)
		s.log.wait(t, "request_id="+a.Header.Get("X-Request-Id"))
		if a.Header.Get("X-Request-Id") == "" {
			t.Error("no request id")
		}
	}
	_, token, _ := strings.Cut(strings.TrimSpace(field), "Bearer ")
	for _, secret := range []string{token, token[len(token)-20:], "query-secret", "cookie-secret", "jwt-of", "51Fwqf"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

// deadlines tells the last deadline for reading of the connections that a listener accepts.
type deadlines struct {
	net.Listener
	last atomic.Pointer[time.Time]
}

type watched struct {
	net.Conn
	d *deadlines
}

func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	return watched{c, d}, err
}

func (w watched) SetReadDeadline(t time.Time) error {
	w.d.last.Store(&t)
	return w.Conn.SetReadDeadline(t)
}

// A listener's ReadTimeout does not end a request whose service takes longer.
func TestSlowServiceIsNoSlowClient(t *testing.T) {
	t.Parallel()
	var d deadlines
	s := newSite(t, setting{
		accept: func(l net.Listener) net.Listener { d.Listener = l; return &d },
		service: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if last := d.last.Load(); !last.IsZero() {
				t.Error("the client's connection ends in ", time.Until(*last))
			}
		}),
	})
	field, _ := s.bearer()
	for head, body := range map[string]string{"GET / HTTP/1.1\r\n": "", "POST / HTTP/1.1\r\nContent-Length: 5\r\n": "hello"} {
		if a := s.raw(head + "Host: a\r\n" + field + "\r\n" + body); a.StatusCode != http.StatusOK {
			t.Error(a.Status)
		}
	}
}
