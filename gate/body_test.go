// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
)

// unsized hides how long a body is.
type unsized struct{ io.Reader }

func post(h http.Handler, body io.Reader, length int64) *httptest.ResponseRecorder {
	return postFrom("192.0.2.1:1", h, body, length)
}

func postFrom(client string, h http.Handler, body io.Reader, length int64) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.RemoteAddr, r.ContentLength = client, length
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A body up to the limit is checked and handed on byte for byte; a longer one is
// refused before anybody is asked.
func TestBodySizes(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 4095, 4096, 4097, 70_000} {
		for _, size := range []int{0, 1, limit - 1, limit, limit + 1, 2 * limit, 5 * limit} {
			for _, declared := range []int64{int64(size), -1} {
				body := bytes.Repeat([]byte("gatehouse"), size/9+1)[:size]
				j := &judge{say: granted, body: true}
				g := newGate(t, j, Options{MaxBody: int64(limit)})
				w := post(g.Protect(echo), unsized{bytes.NewReader(body)}, declared)
				name := fmt.Sprintf("%d of %d, declared %d", size, limit, declared)
				switch {
				case size > limit:
					if w.Code != 413 || j.asked.Load() != 0 || w.Header().Get("Connection") != "close" || !strings.Contains(w.Body.String(), `"code":"body_too_large"`) {
						t.Errorf("%s: %d %s after %d questions", name, w.Code, w.Body, j.asked.Load())
					}
				case w.Code != 200 || !bytes.Equal(w.Body.Bytes(), body) || !bytes.Equal(j.last.Body.Bytes, body) || j.last.Body.State != gatehouse.BodyPresent:
					t.Errorf("%s: %d with %d bytes; asked %v with %d bytes", name, w.Code, w.Body.Len(), j.last.Body.State, len(j.last.Body.Bytes))
				}
				if g.buffers.left != defaultMaxBuffered {
					t.Errorf("%s: %d bytes stay charged", name, defaultMaxBuffered-g.buffers.left)
				}
			}
		}
	}
}

// touchy fails the test that reads it.
type touchy struct{ t *testing.T }

func (b touchy) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodyIsNotTouched(t *testing.T) {
	t.Parallel()
	pass := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, row := range map[string]struct {
		j      *judge
		length int64
		want   int
	}{
		"nobody wants it":          {&judge{say: granted}, 10, 200},
		"nobody wants it, denied":  {&judge{say: denied(gatehouse.ReasonNoCredential)}, -1, 401},
		"declared to be too large": {&judge{say: granted, body: true}, 1<<20 + 1, 413},
	} {
		w := post(newGate(t, row.j, Options{}).Protect(pass), touchy{t}, row.length)
		if w.Code != row.want || row.j.last.Body.State != gatehouse.BodyUnavailable {
			t.Errorf("%s: %d, body %v", name, w.Code, row.j.last.Body.State)
		}
	}
	j := &judge{say: granted, body: true}
	if w := post(newGate(t, j, Options{Rules: Rules{"GET /": AnyKey()}}).Protect(pass), touchy{t}, 10); w.Code != 403 {
		t.Errorf("no rule: %d", w.Code)
	}
}

// failing yields some bytes and then an error.
type failing struct {
	first string
	err   error
}

func (f *failing) Read(p []byte) (int, error) {
	n := copy(p, f.first)
	f.first = f.first[n:]
	if f.first == "" {
		return n, f.err
	}
	return n, nil
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		body   io.Reader
		length int64
		want   int
	}{
		{"error", &failing{"abc", errors.New("reset")}, -1, 400},
		{"unexpected end", &failing{"abc", io.ErrUnexpectedEOF}, 10, 400},
		{"ends early", &failing{"abc", io.EOF}, 10, 400},
		{"another limit", http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("0123456789")), 3), 10, 413},
		{"whole", &failing{"abc", io.EOF}, 3, 200},
	} {
		j := &judge{say: granted, body: true}
		g := newGate(t, j, Options{})
		w := post(g.Protect(echo), row.body, row.length)
		if w.Code != row.want || (j.asked.Load() == 0) != (row.want != 200) || g.buffers.left != defaultMaxBuffered {
			t.Errorf("%s: %d after %d questions, %d left", row.name, w.Code, j.asked.Load(), g.buffers.left)
		}
	}
}

// All bodies in memory together stay within bounds, as long as handlers have them.
func TestBuffersAreBounded(t *testing.T) {
	t.Parallel()
	const each, room = 1 << 12, 3
	g := newGate(t, &judge{say: granted, body: true}, Options{MaxBody: each, MaxBuffered: room*each + each/2})
	body := strings.Repeat("x", each)
	inside, leave := make(chan bool), make(chan bool)
	slow := g.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside <- true; <-leave }))
	var wg sync.WaitGroup
	for i := range room {
		wg.Go(func() {
			if w := postFrom(fmt.Sprintf("192.0.2.%d:1", i+2), slow, strings.NewReader(body), each); w.Code != 200 {
				t.Errorf("within bounds: %d", w.Code)
			}
		})
		<-inside
	}
	for _, length := range []int64{each, -1} {
		w := post(g.Protect(echo), unsized{strings.NewReader(body)}, length)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"code":"unavailable"`) {
			t.Errorf("beyond: %d %s", w.Code, w.Body)
		}
	}
	if w := post(g.Protect(echo), strings.NewReader("small"), 5); w.Code != 200 || w.Body.String() != "small" {
		t.Errorf("a small one beside them: %d", w.Code)
	}
	close(leave)
	wg.Wait()
	if w := post(g.Protect(echo), strings.NewReader(body), each); w.Code != 200 || g.buffers.left != room*each+each/2 {
		t.Errorf("afterwards: %d, %d left", w.Code, g.buffers.left)
	}
}

// slowly yields bytes, says so, and then waits.
type slowly struct {
	io.Reader
	there chan<- bool
	leave <-chan bool
}

func (s *slowly) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	s.there <- true
	<-s.leave
	return 0, io.ErrUnexpectedEOF
}

// Many who send half of what they announce cost little more than what they sent, and one
// client alone cannot keep out another.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	const sent, whole, many = 1<<19 + 1, 1 << 20, 64
	for name, row := range map[string]struct {
		client func(i int) string
		within int64 // bytes charged
	}{
		"many clients":    {func(i int) string { return fmt.Sprintf("192.0.2.%d:1", i+2) }, many * sent * 5 / 4},
		"one client":      {func(int) string { return "192.0.2.2:1" }, defaultMaxBuffered / 4},
		"one of IPv6":     {func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i+1) }, defaultMaxBuffered / 4},
		"unknown clients": {func(int) string { return "@" }, defaultMaxBuffered / 4},
	} {
		for _, length := range []int64{whole, -1} {
			g := newGate(t, quiet{}, Options{})
			h := g.Protect(echo)
			there, leave := make(chan bool), make(chan bool)
			var wg sync.WaitGroup
			for i := range many {
				wg.Go(func() {
					w := postFrom(row.client(i), h, &slowly{bytes.NewReader(make([]byte, sent)), there, leave}, length)
					if w.Code == 503 {
						there <- true
					}
				})
			}
			for range many {
				<-there
			}
			if taken := defaultMaxBuffered - g.buffers.left; taken > row.within {
				t.Errorf("%s, length %d: %d bytes charged, %d sent", name, length, taken, many*sent)
			}
			if w := post(h, bytes.NewReader(make([]byte, whole)), whole); w.Code != 200 {
				t.Errorf("%s, length %d: another client gets %d", name, length, w.Code)
			}
			close(leave)
			wg.Wait()
			if g.buffers.left != defaultMaxBuffered || len(g.buffers.taken) > 0 {
				t.Errorf("%s: %d left, taken %v", name, g.buffers.left, g.buffers.taken)
			}
		}
	}
}

// The last part of the room is for small bodies.
func TestSmallBodiesFindRoom(t *testing.T) {
	t.Parallel()
	b := newBudget(8<<20, 1<<20)
	for i := range 7 {
		if !b.take(clientOf(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})), 1<<20, 1<<20) {
			t.Fatalf("body %d finds no room", i)
		}
	}
	last := clientOf(netip.MustParseAddr("192.0.2.1"))
	if b.take(last, 1, small+1) || !b.take(last, small, small) {
		t.Error("a large body takes the room of small ones, or they have none")
	}
	if b := newBudget(1<<20, 1<<20); !b.take(last, 1<<20, 1<<20) {
		t.Error("a body of the limit finds no room at all")
	}
}

// A body that was read as a form before the gate is not an empty one.
func TestFormsReadBefore(t *testing.T) {
	t.Parallel()
	const urlencoded, multipart = "application/x-www-form-urlencoded", `multipart/form-data; boundary="b"`
	const part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
	value := func(r *http.Request) { _ = r.FormValue("a") }
	for name, row := range map[string]struct {
		method, kind, body string
		wants              bool
		before             func(*http.Request)
		want               int
	}{
		"form":                       {"POST", urlencoded, "a=1", true, value, 400},
		"form without fields":        {"POST", urlencoded, "%", true, value, 400},
		"parts":                      {"POST", multipart, part, true, value, 400},
		"parts of any method":        {"DELETE", multipart, part, true, value, 400},
		"parts, by reader":           {"POST", multipart, part, true, func(r *http.Request) { _, _ = r.MultipartReader() }, 400},
		"taken away":                 {"POST", urlencoded, "a=1", true, func(r *http.Request) { value(r); r.Body, r.ContentLength = http.NoBody, 0 }, 400},
		"form that nobody wants":     {"POST", urlencoded, "a=1", false, value, 200},
		"taken away, nobody wants":   {"POST", urlencoded, "a=1", false, func(r *http.Request) { value(r); r.Body, r.ContentLength = http.NoBody, 0 }, 200},
		"form that nobody has read":  {"POST", urlencoded, "a=1", true, func(*http.Request) {}, 200},
		"query of a GET":             {"GET", "", "", true, value, 200},
		"form without body":          {"POST", urlencoded, "", true, value, 200},
		"query of a GET by HTTP/2":   {"GET", "", "", true, func(r *http.Request) { value(r); r.Body = io.NopCloser(strings.NewReader("")) }, 200},
		"text beside a query's form": {"POST", "text/plain", "a", true, value, 400},
	} {
		r := httptest.NewRequest(row.method, "/?a=1", strings.NewReader(row.body))
		if row.body != "" {
			r.ContentLength = -1
		} else {
			r.Body = http.NoBody
		}
		r.Header.Set("Content-Type", row.kind)
		row.before(r)
		j := &judge{say: granted, body: row.wants}
		w := httptest.NewRecorder()
		newGate(t, j, Options{}).Protect(echo).ServeHTTP(w, r)
		if w.Code != row.want || row.want == 400 && (j.asked.Load() != 0 || !strings.Contains(w.Body.String(), `"code":"bad_body"`)) {
			t.Errorf("%s: %d %s after %d questions", name, w.Code, w.Body, j.asked.Load())
		}
	}
}

// talk sends raw text to a server of the handler and returns all that it answers.
func talk(t *testing.T, h http.Handler, text string) string {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite() // the server may have hung up already
	b, _ := io.ReadAll(bufio.NewReader(c))
	return string(b)
}

// A client that asks whether to send its body is told so only when somebody wants it.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		j      *judge
		length int
		want   []string // beginnings of the answers
	}{
		{"wanted", &judge{say: granted, body: true}, 5, []string{"HTTP/1.1 100", "HTTP/1.1 200"}},
		{"denied before", &judge{say: denied(gatehouse.ReasonNoCredential)}, 5, []string{"HTTP/1.1 401"}},
		{"too large", &judge{say: granted, body: true}, 2 << 20, []string{"HTTP/1.1 413"}},
		{"the handler wants it", &judge{say: granted}, 5, []string{"HTTP/1.1 100", "HTTP/1.1 200"}},
	} {
		text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h.test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\nhello", row.length)
		got := talk(t, newGate(t, row.j, Options{}).Protect(echo), text)
		var starts []string
		for line := range strings.SplitSeq(got, "\r\n") {
			if i := strings.Index(line, "HTTP/1.1 "); i >= 0 {
				starts = append(starts, line[i:i+12])
			}
		}
		if diff := cmp.Diff(row.want, starts); diff != "" {
			t.Errorf("%s: %s\n%s", row.name, diff, got)
		}
	}
}

// What follows a request that was refused with its body unread is no request.
func TestNoRequestHidesInABody(t *testing.T) {
	t.Parallel()
	const next = "GET /next HTTP/1.1\r\nHost: h.test\r\n\r\n"
	for name, text := range map[string]string{
		"too large":   "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: 1000\r\n\r\n" + next,
		"chunked":     "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + strings.Repeat("x", 1000) + "\r\n0\r\n\r\n" + next,
		"bad chunk":   "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n" + next,
		"ends early":  "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: 99\r\n\r\n" + next,
		"two lengths": "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + next,
	} {
		got := talk(t, newGate(t, &judge{say: granted, body: true}, Options{MaxBody: 100}).Protect(echo), text)
		if n := strings.Count(got, "HTTP/1.1 "); n != 1 || !strings.HasPrefix(got, "HTTP/1.1 4") || !strings.Contains(got, "Connection: close") {
			t.Errorf("%s: %d answers:\n%s", name, n, got)
		}
	}
}

// Bodies of every framing reach the handler, with their trailers.
func TestFramings(t *testing.T) {
	t.Parallel()
	for _, wants := range []bool{true, false} {
		for _, version := range []int{1, 2} {
			var tr http.Header
			var length int64
			next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				tr, length = r.Trailer, r.ContentLength
				_, _ = w.Write(b)
			})
			j := &judge{say: granted, body: wants}
			s := httptest.NewUnstartedServer(newGate(t, j, Options{}).Protect(next))
			s.EnableHTTP2 = version == 2
			s.StartTLS()
			t.Cleanup(s.Close)
			r, _ := http.NewRequest(http.MethodPost, s.URL+"/x", unsized{strings.NewReader("hello")})
			r.Trailer = http.Header{"X-Sum": {"7"}}
			got := fetch(t, s.Client(), r)
			want, state := int64(-1), gatehouse.BodyUnavailable
			if wants {
				want, state = 5, gatehouse.BodyPresent
			}
			if got != "hello" || length != want || j.last.Body.State != state || tr.Get("X-Sum") != "7" {
				t.Errorf("wanted %v, HTTP/%d: %q, length %d, body %v, trailers %v", wants, version, got, length, j.last.Body.State, tr)
			}
			r, _ = http.NewRequest(http.MethodGet, s.URL+"/x?y", nil)
			if got := fetch(t, s.Client(), r); got != "" || j.last.Body.State != gatehouse.BodyPresent || j.last.Target != "/x?y" {
				t.Errorf("without body, HTTP/%d: %q, body %v, target %q", version, got, j.last.Body.State, j.last.Target)
			}
		}
	}
}

func fetch(t *testing.T, c *http.Client, r *http.Request) string {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A body that nobody wants streams: the handler has its beginning before its end is
// sent, however long it is.
func TestStreaming(t *testing.T) {
	t.Parallel()
	g := newGate(t, &judge{say: granted}, Options{MaxBody: 10, MaxBuffered: 10})
	pr, pw := io.Pipe()
	first := make(chan string)
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		done <- post(g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, b)
			first <- string(b)
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, n)
		})), pr, -1)
	}()
	_, _ = io.WriteString(pw, "hello")
	if got := <-first; got != "hello" {
		t.Errorf("first bytes %q", got)
	}
	_, _ = pw.Write(make([]byte, 100_000))
	_ = pw.Close()
	if w := <-done; w.Body.String() != "100000" {
		t.Errorf("then %s bytes", w.Body)
	}
}

// Many bodies at once: each handler has its own, and nothing stays charged.
func TestBodiesAtOnce(t *testing.T) {
	t.Parallel()
	const each = 20_000
	g := newGate(t, quiet{}, Options{MaxBody: each, MaxBuffered: 4 * each})
	h := g.Protect(echo)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			body := strings.Repeat(string(rune('a'+i%26)), each-i)
			if w := postFrom(fmt.Sprintf("192.0.2.%d:1", i), h, strings.NewReader(body), -1); w.Code != 503 && (w.Code != 200 || w.Body.String() != body) {
				t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
			}
		})
	}
	wg.Wait()
	if g.buffers.left != 4*each {
		t.Errorf("%d left of %d", g.buffers.left, 4*each)
	}
}

// quiet is a verifier for many at once: it grants, and keeps nothing.
type quiet struct{}

func (quiet) Verify(context.Context, *gatehouse.Request) (gatehouse.Decision, error) {
	return granted, nil
}
func (quiet) WantsBody(*gatehouse.Request) bool { return true }
func (quiet) Challenges() gatehouse.Header      { return nil }
