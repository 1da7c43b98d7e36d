// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate/forwardauth"
)

const wireFacts = "Host: gatehouse.test\r\nX-Original-Method: POST\r\nX-Original-Proto: https\r\nX-Original-Host: api.example.com\r\nX-Original-URI: /orders\r\nX-Original-Addr: 203.0.113.7\r\n"

// exchange sends bytes to a server with the handler, and returns the answer.
func exchange(t *testing.T, j *judge, sent string) *http.Response {
	t.Helper()
	return exchangeWith(t, j, forwardauth.Options{}, sent)
}

func exchangeWith(t *testing.T, j *judge, o forwardauth.Options, sent string) *http.Response {
	t.Helper()
	door, _ := doorOf(t, j, nil, o)
	s := httptest.NewServer(door)
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// A check that announces a body which never comes is answered all the same, granted or not.
func TestBodyNeverComes(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 27\r\n", "Transfer-Encoding: chunked\r\n"} {
		for reason, status := range map[gatehouse.Reason]int{0: http.StatusOK, gatehouse.ReasonNoCredential: http.StatusUnauthorized} {
			t.Run(fmt.Sprint(framing, status), func(t *testing.T) {
				t.Parallel()
				j := &judge{say: granted, body: true}
				if reason != 0 {
					j.say = gatehouse.Decision{Reason: reason}
				}
				answer := exchange(t, j, "POST /v1/authz/nginx HTTP/1.1\r\n"+wireFacts+"X-Original-Body: withheld\r\n"+framing+"\r\n")
				if answer.StatusCode != status || j.last.Body.State != gatehouse.BodyUnavailable {
					t.Errorf("%d %v", answer.StatusCode, j.last.Body)
				}
			})
		}
		answer := exchange(t, &judge{say: granted}, "POST /v1/authz/nginx HTTP/1.1\r\n"+wireFacts+"X-Original-Body: none\r\n"+framing+"\r\n")
		if answer.StatusCode != http.StatusForbidden || answer.Header.Get(forwardauth.HeaderError) != "adapter_headers" {
			t.Errorf("a body and none: %d", answer.StatusCode)
		}
	}
}

// A stranger's check is answered too, and one for no dialect.
func TestBodyOfStrangers(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]int{"nginx": http.StatusForbidden, "none": http.StatusNotFound} {
		o := forwardauth.Options{}
		if path == "nginx" {
			o.Token = gatehouse.NewSecret("a token")
		}
		answer := exchangeWith(t, &judge{}, o, "POST /v1/authz/"+path+" HTTP/1.1\r\n"+wireFacts+"Content-Length: 27\r\n\r\n")
		if answer.StatusCode != status {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

// clock keeps until when bodies may be read.
type clock struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (c *clock) SetReadDeadline(t time.Time) error {
	c.until = append(c.until, t)
	return nil
}

// A body that is sent has its time, and what is left of it after the question less.
func TestBodyHasItsTime(t *testing.T) {
	t.Parallel()
	c := plain()
	for body, want := range map[string]int{"{}": 2, "": 0} {
		c.body = body
		w := &clock{ResponseRecorder: httptest.NewRecorder()}
		door, _ := doorOf(t, &judge{say: granted, body: true}, nil, forwardauth.Options{})
		door.ServeHTTP(w, dialects["haproxy"](c))
		if len(w.until) != want {
			t.Fatalf("%q: %d deadlines", body, len(w.until))
		}
		if want == 2 && (time.Until(w.until[0]) > 10*time.Second || w.until[1].Sub(w.until[0]) > -5*time.Second) {
			t.Errorf("%v", w.until)
		}
	}
}

// A body that is sent reaches the question where a proof wants it, and not else.
func TestBodySent(t *testing.T) {
	t.Parallel()
	for framing, body := range map[string]string{"Content-Length: 2\r\n\r\n{}": "{}", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n": "{}", "Content-Length: 0\r\n\r\n": "", "\r\n": ""} {
		for _, wanted := range []bool{true, false} {
			j := &judge{say: granted, body: wanted}
			answer := exchange(t, j, "POST /v1/authz/nginx HTTP/1.1\r\n"+wireFacts+"X-Original-Body: sent\r\n"+framing)
			want := gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte(body)}
			if body != "" && !wanted {
				want = gatehouse.Body{}
			}
			if got := j.last.Body; answer.StatusCode != http.StatusOK || got.State != want.State || string(got.Bytes) != string(want.Bytes) {
				t.Errorf("%q wanted %v: %d %v %q", framing, wanted, answer.StatusCode, got.State, got.Bytes)
			}
		}
	}
}

// On the wire an allowed check has every field of identity, empty ones too, and no body.
func TestAllowedOnTheWire(t *testing.T) {
	t.Parallel()
	answer := exchange(t, &judge{say: gatehouse.Decision{Granted: true, Key: &gatehouse.Key{ID: "k1"}, Principal: &gatehouse.Principal{}}},
		"GET /v1/authz/nginx HTTP/1.1\r\n"+wireFacts+"X-Original-Body: none\r\nX-Api-Key: a\r\nX-Api-Key: b\r\n\r\n")
	if answer.StatusCode != http.StatusOK || answer.ContentLength != 0 {
		t.Errorf("%d, %d bytes", answer.StatusCode, answer.ContentLength)
	}
	for _, name := range append([]string{forwardauth.HeaderStatus, forwardauth.HeaderError}, identity...) {
		if len(answer.Header[name]) != 1 {
			t.Errorf("%s: %q", name, answer.Header[name])
		}
	}
}
