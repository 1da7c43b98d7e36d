// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A stream of HTTP/2 that says content-length 0 and stays open is answered: nobody waits
// for a body that nobody wants.
func TestOpenStreamIsAnswered(t *testing.T) {
	t.Parallel()
	g := newGate(t, &judge{say: denied(1)}, Options{})
	s := httptest.NewUnstartedServer(g.Protect(echo))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.CloseClientConnections)
	for _, length := range []string{"0", "5", ""} {
		c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com", NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		fields := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}
		if length != "" {
			fields = append(fields, [2]string{"content-length", length})
		}
		if err := errOf(c.SetDeadline(time.Now().Add(20*time.Second)), openStream(c, fields)); err != nil {
			t.Fatal(err)
		}
		const headers = 1 // type of a frame, RFC 9113 section 6.2
		for kind := byte(0xff); kind != headers; {
			var head [9]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				t.Fatalf("content-length %q: no answer: %v", length, err)
			}
			kind = head[3]
			if _, err := io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func errOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// openStream begins a connection and sends HEADERS without END_STREAM (RFC 9113 sections
// 3.4 and 6.2), its fields as literals (RFC 7541 section 6.2.2).
func openStream(w io.Writer, fields [][2]string) error {
	var block []byte
	for _, f := range fields {
		block = append(block, 0, byte(len(f[0])))
		block = append(append(block, f[0]...), byte(len(f[1])))
		block = append(block, f[1]...)
	}
	frames := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, 4, 0, 0, 0, 0, 0)
	frames = append(append(frames, 0, 0, byte(len(block)), 1, 4, 0, 0, 0, 1), block...)
	_, err := w.Write(frames)
	return err
}

// panics is a body of somebody's own that panics when it has given n bytes.
type panics struct{ n int }

func (b *panics) Read(p []byte) (int, error) {
	if b.n == 0 {
		panic(http.ErrAbortHandler)
	}
	n := min(b.n, len(p))
	b.n -= n
	return n, nil
}

// A panic while a body is read leaves nothing charged.
func TestPanicIsNotCharged(t *testing.T) {
	t.Parallel()
	g := newGate(t, &judge{say: granted, body: true}, Options{})
	h := g.Protect(echo)
	for range 100 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			r := httptest.NewRequest(http.MethodPost, "/", &panics{900 << 10})
			r.ContentLength = -1
			h.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, 100<<10))))
	if w.Code != http.StatusOK || len(g.buffers.taken) != 0 {
		t.Errorf("%d; %v is charged", w.Code, g.buffers.taken)
	}
}

// Every spelling that CGI and its heirs make one name of is gone.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Remote-User", "remote_user", "Remote.User", "Remote+User", "X-Forwarded~User", "X!Auth!User"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[name] = []string{"root"}
		newGate(t, &judge{say: granted}, Options{}).Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if len(r.Header[name]) > 0 {
				t.Errorf("%s reaches the handler", name)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}
