// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14544106/gatehouse/gate/proxy"
)

// many is n fields of a header, each with a value of so many bytes.
func many(n, size int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%x: %s\r\n", i, strings.Repeat("y", size))
	}
	return b.String()
}

// serveFace is a face that answers each request with the length of its body.
func serveFace(t *testing.T) *face {
	t.Helper()
	f := openFace(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}), new(atomic.Bool))
	go func() { _ = f.serve() }()
	t.Cleanup(func() { _ = f.server.(*web).Close() })
	return f
}

// What a header may not have is refused when it has come, whether or not the rest does, and the
// connection ends.
func TestRefusedHeaders(t *testing.T) {
	t.Parallel()
	f := serveFace(t)
	const head = "POST / HTTP/1.1\r\nHost: x\r\n"
	for name, row := range map[string]struct {
		text   string
		status int
	}{
		"half a header of tiny fields": {head + strings.Repeat("a:\n", 4000), 431},
		"one field too many":           {head + many(proxy.MaxFields, 0), 431},
		"the last that may come":       {head + many(proxy.MaxFields-1, 0) + "\r\n", 200},
		"folded lines":                 {head + "X: a\r\n" + strings.Repeat(" b\r\n", proxy.MaxFields), 431},
		"length and coding":            {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"coding and length":            {head + "transfer-ENCODING:chunked\nX: y\ncontent-LENGTH:4\n\n0\r\n\r\n", 400},
		"both in HTTP/1.0":             {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody", 400},
		"a length in a value":          {head + "X: a\r\n Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
		"names that only begin so":     {head + "Content-Length-Of: 1\r\nTransfer-Encoding-Of: 2\r\nContent-Length: 0\r\n\r\n", 200},
	} {
		c := dial(t, f.listener.Addr().String())
		if _, err := io.WriteString(c.conn, row.text); err != nil {
			t.Fatal(err)
		}
		resp, _ := c.read()
		if refused := row.status != 200; resp.StatusCode != row.status || resp.Close != refused || refused && !c.ended() {
			t.Errorf("%s: %s, close %v", name, resp.Status, resp.Close)
		}
	}
}

// Lines of a body are no fields, and what came with one request does not count in the next.
func TestHeaderAfterHeader(t *testing.T) {
	t.Parallel()
	c := dial(t, serveFace(t).listener.Addr().String())
	const chunks = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
	body := strings.Repeat("\n\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 200)
	sized := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", many(100, 1), len(body), body)
	for i, row := range []struct{ text, body string }{{sized, fmt.Sprint(len(body))}, {chunks, "2"}, {chunks, "2"}, {sized, fmt.Sprint(len(body))}, {sized, fmt.Sprint(len(body))}} {
		if _, err := io.WriteString(c.conn, row.text); err != nil {
			t.Fatal(err)
		}
		if resp, got := c.read(); resp.StatusCode != 200 || resp.Close || got != row.body {
			t.Errorf("%d: %s %q, close %v", i, resp.Status, got, resp.Close)
		}
	}
}

// Empty lines that net/http passes over after a POST end no header.
func TestHeaderAfterEmptyLines(t *testing.T) {
	t.Parallel()
	f := serveFace(t)
	for text, status := range map[string]int{"POST / HTTP/1.1\r\nHost: x\r\n" + many(proxy.MaxFields, 0): 431, "GET / HTTP/1.1\r\nHost: x\r\n\r\n": 200} {
		for _, empty := range []string{"\r\n", "\n", "\r\n\r\n"} {
			c := dial(t, f.listener.Addr().String())
			for i, row := range []struct {
				text   string
				status int
			}{{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 200}, {empty + text, status}} {
				if _, err := io.WriteString(c.conn, row.text); err != nil {
					t.Fatal(err)
				}
				if resp, _ := c.read(); resp.StatusCode != row.status {
					t.Errorf("%q: %d: %s", empty, i, resp.Status)
				}
			}
		}
	}
}

// A request that comes with the one before it is answered too. Where its framing was not seen the
// connection ends, and there are no more fields than fit into what is read at a time.
func TestRequestsInOnePiece(t *testing.T) {
	t.Parallel()
	f := serveFace(t)
	const plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	lines := strings.Repeat("\n", 3*proxy.MaxFields)
	for name, row := range map[string]struct {
		text   string
		status int
		last   bool
	}{
		"plain":            {plain, 200, false},
		"a body of lines":  {fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(lines), lines), 200, false},
		"a coding":         {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, true},
		"both":             {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, true},
		"many tiny fields": {"GET / HTTP/1.1\r\n" + strings.Repeat("a:\n", 3000), 431, true},
	} {
		c := dial(t, f.listener.Addr().String())
		if _, err := io.WriteString(c.conn, plain+row.text); err != nil {
			t.Fatal(err)
		}
		if resp, _ := c.read(); resp.StatusCode != 200 || resp.Close {
			t.Errorf("%s: the first: %s, close %v", name, resp.Status, resp.Close)
		}
		if resp, _ := c.read(); resp.StatusCode != row.status || resp.Close != row.last {
			t.Errorf("%s: %s, close %v", name, resp.Status, resp.Close)
		}
	}
}

// Long headers have so much room together, and give it back. Short ones need none.
func TestRoomForHeaders(t *testing.T) {
	t.Parallel()
	f := serveFace(t)
	l := f.listener.(*lastCall)
	long := "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 2*easy) + "\r\n\r\n"
	ask := func(text string) int {
		c := dial(t, l.Addr().String())
		if _, err := io.WriteString(c.conn, text); err != nil {
			t.Fatal(err)
		}
		resp, _ := c.read()
		_ = c.conn.Close()
		until(t.Context(), func() bool { return l.open.Load() == 0 })
		return resp.StatusCode
	}
	for range 2 {
		if got := ask(long); got != http.StatusOK {
			t.Error(got)
		}
	}
	if got := l.headers.Load(); got != 0 {
		t.Errorf("%d bytes are still charged", got)
	}
	l.headers.Store(roomForHeaders)
	if got := ask(long); got != http.StatusServiceUnavailable {
		t.Error("without room:", got)
	}
	if got := ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != http.StatusOK {
		t.Error("a short one without room:", got)
	}
	if got := l.headers.Load(); got != roomForHeaders {
		t.Errorf("%d bytes are charged", got-roomForHeaders)
	}
}

// A header is read as net/http reads it, in pieces of any size.
func FuzzHeader(f *testing.F) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\nbody\n\n", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "GET / HTTP/1.1\r\nX: a\r\n Content-Length: 1\r\n\t\r\n\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\r\n",
	} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if len(text) > easy {
			return
		}
		size = max(1, size%64)
		whole, pieces := header{room: new(atomic.Int64)}, header{room: new(atomic.Int64)}
		refusal, inPieces := whole.take(text), ""
		for rest := text; len(rest) > 0 && inPieces == ""; {
			n := min(size, len(rest))
			inPieces, rest = pieces.take(rest[:n]), rest[n:]
		}
		if refusal != inPieces || whole.bytes != pieces.bytes || whole.ended != pieces.ended || whole.coded != pieces.coded || whole.lines != pieces.lines {
			t.Fatalf("whole: %q %d; in pieces of %d: %q %d", refusal, whole.bytes, size, inPieces, pieces.bytes)
		}
		in := bytes.NewReader(text)
		r := bufio.NewReader(in)
		tp := textproto.NewReader(r)
		if line, err := tp.ReadLine(); err != nil || line == "" { // net/http answers 400
			return
		}
		fields, err := tp.ReadMIMEHeader()
		if err != nil {
			return
		}
		n := 0
		for _, values := range fields {
			n += len(values)
		}
		length, coded := len(fields["Content-Length"]) > 0, len(fields["Transfer-Encoding"]) > 0
		switch read := len(text) - in.Len() - r.Buffered(); {
		case n > proxy.MaxFields && refusal == "", length && coded && refusal == "":
			t.Errorf("%d fields, length %v, coding %v: not refused", n, length, coded)
		case refusal == "" && (!whole.ended || whole.bytes != int64(read) || whole.coded != coded):
			t.Errorf("read %d bytes, coding %v; net/http %d, %v", whole.bytes, whole.coded, read, coded)
		}
	})
}

// A connection that is closed while it is refused is no trouble.
func TestRefusedAndGone(t *testing.T) {
	t.Parallel()
	l := serveFace(t).listener.(*lastCall)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n"+strings.Repeat("a:\n", 4000))
	_ = conn.Close()
	until(t.Context(), func() bool { return l.open.Load() == 0 })
}
