// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A service may answer before it has the whole body. The client reads the answer without
// sending more, and what it sends more is no request.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	const inside = "GET /public/inside HTTP/1.1\r\nHost: a\r\n\r\n"
	answers := map[string]string{
		"/length": "Content-Length: 3\r\n\r\nfar", "/close": "Connection: close\r\nContent-Length: 3\r\n\r\nfar", "/chunks": "Transfer-Encoding: chunked\r\n\r\n3\r\nfar\r\n0\r\n\r\n",
	}
	s := newSite(t, setting{rules: rules, address: listen(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil || answers[r.URL.Path] == "" {
			t.Errorf("the service reads %v, %v", r, err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\n"+answers[r.URL.Path])
		_, _ = c.Read(make([]byte, 1)) // it reads no more than that
	})})
	field, _ := s.bearer()
	ask := func(t *testing.T, path, body string) {
		c := s.dial()
		if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: a\r\n"+field+body); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(c)
		a, err := http.ReadResponse(in, nil)
		if err != nil || a.StatusCode != http.StatusRequestEntityTooLarge || !a.Close {
			t.Fatal(err, a)
		}
		_, _ = io.WriteString(c, inside) // while the proxy waits
		if b, err := io.ReadAll(a.Body); err != nil || string(b) != "far" {
			t.Errorf("%q %v", b, err)
		}
		_, _ = io.WriteString(c, inside)
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("another answer: %.100q", rest)
		}
	}
	t.Run("bodies", func(t *testing.T) {
		for name, body := range map[string]string{
			"a length":         "Content-Length: 400\r\n\r\nhello",
			"a great length":   "Content-Length: 4000000\r\n\r\nhello",
			"between chunks":   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
			"within a chunk":   "Transfer-Encoding: chunked\r\n\r\nff\r\nhello",
			"before any chunk": "Transfer-Encoding: chunked\r\n\r\n",
		} {
			for path := range answers {
				t.Run(name+path, func(t *testing.T) {
					t.Parallel()
					ask(t, path, body)
				})
			}
		}
	})
	if strings.Contains(s.log.String(), "inside") {
		t.Error(s.log)
	}
}

// A connection is kept after an answer to a body that came whole.
func TestKeptAfterABody(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{rules: rules})
	field, _ := s.bearer()
	c := s.dial()
	in := bufio.NewReader(c)
	for _, body := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length: 0\r\n\r\n"} {
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+field+body); err != nil {
			t.Fatal(err)
		}
		if a := s.answer(in, http.MethodPost); a.StatusCode != http.StatusOK || a.Close {
			t.Errorf("%q: %s, close %v", body, a.Status, a.Close)
		}
	}
}
