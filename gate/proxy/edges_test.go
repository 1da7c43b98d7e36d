// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate/proxy"
)

// So many fields pass, and one more ends the connection before anybody is asked.
func TestMostFields(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{})
	field, _ := s.bearer() // and Content-Length
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
	if a := s.raw(head + field + strings.Repeat("A:\r\n", proxy.MaxFields-2) + "\r\n"); a.StatusCode != http.StatusOK {
		t.Error(a.Status)
	}
	s.reached()
	// The body that is announced does not come.
	a := s.raw(strings.Replace(head, "0", "9", 1) + field + strings.Repeat("A:\r\n", proxy.MaxFields-1) + "\r\n")
	if got := code(t, a); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !a.Close || got != "too_many_fields" {
		t.Errorf("%s %s, close %v", a.Status, got, a.Close)
	}
	s.untouched()
}

// What frames, routes or proves a request is no trailer.
func TestForbiddenTrailers(t *testing.T) {
	t.Parallel()
	s := newSite(t, setting{})
	field, _ := s.bearer()
	forbidden := []string{"Host", "Connection", "keep-alive", "TE", "Upgrade", "Proxy-Connection", "Proxy-Authorization", "Expect", "Range", "If-Match", "Cookie", "Content-Type", "Content-Encoding", "Cache-Control"}
	for _, announced := range []bool{true, false} {
		text := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + field
		if announced {
			text += "Trailer: X-Sum, " + strings.Join(forbidden, ", ") + "\r\n"
		} else {
			text += "Trailer: X-Sum\r\n"
		}
		text += "\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n"
		for _, name := range forbidden {
			text += name + ": evil\r\n"
		}
		if a := s.raw(text + "\r\n"); a.StatusCode != http.StatusOK {
			t.Fatal(a.Status)
		}
		if got := s.reached(); string(got.body) != "body" || got.trailer.Get("X-Sum") != "1" || len(got.trailer) != 1 || got.host != "a" {
			t.Errorf("announced %v: the service reads %v for %s", announced, got.trailer, got.host)
		}
	}
}

// After an answer 1xx of the service the last one has the fields of the gate and the proxy, and in
// none are those that are not the service's to say.
func TestFieldsAfterInterimAnswers(t *testing.T) {
	t.Parallel()
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Request-Id"], w.Header()["Alt-Svc"] = []string{"evil"}, []string{"evil"}
		w.WriteHeader(http.StatusEarlyHints)
		switch r.URL.Path {
		case "/dies":
			panic(http.ErrAbortHandler)
		case "/socket":
			w.Header()["Connection"], w.Header()["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
	})
	s := newSite(t, setting{service: service})
	c, err := s.house.Authority.Create(t.Context(), s.house.Actor(), gatehouse.NewKey{
		Principal: s.owner, Schemes: []string{"bearer"}, Limits: []gatehouse.Limit{{Name: "own", Count: 100, Period: time.Hour}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/": 200, "/dies": 502, "/socket": 101} {
		conn := s.dial()
		text := "GET " + path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + c.Token.Reveal() + "\r\n"
		if path == "/socket" {
			text += "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		}
		if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		var ids []string
		for _, want := range []int{103, status} {
			a, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(path, err)
			}
			_, _ = io.Copy(io.Discard, a.Body)
			ids = append(ids, a.Header["X-Request-Id"]...)
			if a.StatusCode != want || a.Header["Alt-Svc"] != nil || a.Header.Get("RateLimit") == "" {
				t.Errorf("%s: %s %v", path, a.Status, a.Header)
			}
		}
		if len(ids) != 2 || ids[0] != ids[1] || slices.Contains(ids, "evil") {
			t.Errorf("%s: the ids are %v", path, ids)
		}
	}
}
