// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gate"
	"github.com/seed14544106/gatehouse/gate/spoe"
	"github.com/seed14544106/gatehouse/internal/spop"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request, 1)}
	_, addr := serve(t, v, spoe.Options{Proxies: gate.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	vars := h.ask(question(args()))
	want := map[string]string{
		"status": "200", "code": "", "title": "", "retry_after": "", "www_authenticate": "", "accept_signature": "", "token": "",
		"key_id": "k", "subject": "u", "role": "r", "tenant": "t", "scopes": "a b", "scheme": "bearer", "body": "unavailable",
		"ratelimit": "", "ratelimit_policy": "", "deprecation": "", "sunset": "",
	}
	if diff := cmp.Diff(want, vars); diff != "" {
		t.Error(diff)
	}
	got := <-v.asked
	if diff := cmp.Diff(&gatehouse.Request{
		Method: "POST", Scheme: "https", Authority: "a.test", Target: "/a?b", Peer: netip.MustParseAddr("192.0.2.7"), Cost: 1,
		Header: gatehouse.Header{"X-Api-Key": {"1", "2"}, "X_api_key": {"3"}}, Body: gatehouse.Body{State: gatehouse.BodyPresent, Bytes: []byte("body")},
	}, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	behind := spop.AppendPairs(nil, []spop.Pair{{Name: "host", Value: "a.test"}, {Name: "x-forwarded-for", Value: "9.9.9.9, 192.0.2.8, 10.0.0.1"}, {Name: "x-forwarded-proto", Value: "https"}})
	for src, want := range map[string]string{"10.0.0.2": "192.0.2.8 https", "11.0.0.2": "11.0.0.2 http"} {
		h.ask(question(args(spop.Item{Name: "src", Value: spop.Addr(netip.MustParseAddr(src))}, spop.Item{Name: "scheme", Value: spop.String("http")}, spop.Item{Name: "hdrs", Value: spop.Binary(behind)})))
		if got := <-v.asked; got.Peer.String()+" "+got.Scheme != want {
			t.Errorf("%s: %s %s, want %s", src, got.Peer, got.Scheme, want)
		}
	}
}

// TestBodyStates holds every way in which a body can be described against what may be
// believed of it.
func TestBodyStates(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request, 1)}
	_, addr := serve(t, v, spoe.Options{})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	for name, row := range map[string]struct {
		waited  bool
		body    spop.Data
		size    int64
		lengths []string
		padding int
		want    bool
	}{
		"whole":                       {true, spop.Binary([]byte("body")), 4, []string{"4"}, 0, true},
		"not waited for":              {false, spop.Binary([]byte("body")), 4, []string{"4"}, 0, false},
		"none":                        {true, spop.Binary(nil), 0, nil, 0, true},
		"null":                        {true, spop.Data{}, 0, []string{"0"}, 0, true},
		"not waited for, none":        {false, spop.Binary(nil), 0, nil, 0, false},
		"cut":                         {true, spop.Binary([]byte("bod")), 4, []string{"4"}, 0, false},
		"cut, by the length":          {true, spop.Binary([]byte("body")), 4, []string{"5"}, 0, false},
		"cut, by the size":            {true, spop.Binary([]byte("body")), 5, []string{"4"}, 0, false},
		"a size below zero":           {true, spop.Binary([]byte("body")), -4, []string{"4"}, 0, false},
		"two lengths":                 {true, spop.Binary([]byte("body")), 4, []string{"4", "4"}, 0, false},
		"a length of another form":    {true, spop.Binary([]byte("body")), 4, []string{"04"}, 0, false},
		"in chunks":                   {true, spop.Binary([]byte("body")), 4, nil, 0, true},
		"in chunks, a full buffer":    {true, spop.Binary([]byte("body")), 4, nil, 7 << 10, false},
		"none, a full buffer":         {true, spop.Binary(nil), 0, nil, 7 << 10, false},
		"with a length, but no room":  {true, spop.Binary([]byte("body")), 4, []string{"4"}, 7 << 10, true},
		"none, as its length says it": {true, spop.Binary(nil), 0, []string{"0"}, 7 << 10, true},
	} {
		pairs := []spop.Pair{{Name: "host", Value: "a.test"}, {Name: "padding", Value: strings.Repeat("p", row.padding)}}
		for _, l := range row.lengths {
			pairs = append(pairs, spop.Pair{Name: "content-length", Value: l})
		}
		h.ask(question(args(spop.Item{Name: "waited", Value: spop.Bool(row.waited)}, spop.Item{Name: "body", Value: row.body},
			spop.Item{Name: "body_size", Value: spop.Int64(row.size)}, spop.Item{Name: "hdrs", Value: spop.Binary(spop.AppendPairs(nil, pairs))})))
		if got := (<-v.asked).Body; (got.State == gatehouse.BodyPresent) != row.want || row.want && string(got.Bytes) != string(row.body.Bytes) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWrongQuestions(t *testing.T) {
	t.Parallel()
	v := &verifier{asked: make(chan *gatehouse.Request, 100)}
	_, addr := serve(t, v, spoe.Options{})
	h := dial(t, "tcp", addr)
	h.greet(greeting)
	text := func(name string, values ...string) (out []spop.Item) {
		for _, v := range values {
			out = append(out, spop.Item{Name: name, Value: spop.String(v)})
		}
		return out
	}
	var changes []spop.Item
	changes = append(changes, text("method", "", "GE T", "GET\r", "a(b")...)
	changes = append(changes, text("target", "", "a", "*", "/a b", "/a#b", "http://a.test/", "/\x00")...)
	changes = append(changes, text("host", "", "b.test", "A.test", "u@a.test", "a.test/", "a.test, b.test", "a test")...)
	changes = append(changes, text("scheme", "", "HTTPS", "ws")...)
	for _, name := range []string{"method", "target", "host", "scheme", "src", "hdrs", "waited", "body_size"} {
		changes = append(changes, spop.Item{Name: name, Value: spop.Data{}})
	}
	for _, name := range []string{"src", "hdrs", "waited", "body", "body_size", "unknown"} {
		changes = append(changes, text(name, "127.0.0.1")...)
	}
	for _, pairs := range [][]spop.Pair{{}, {{Name: "host", Value: "a.test"}, {Name: "host", Value: "a.test"}}, {{Name: "host", Value: "a.test"}, {Name: "a b"}}, {{Name: "host", Value: "a.test"}, {Name: "a", Value: "b\nc"}}} {
		changes = append(changes, spop.Item{Name: "hdrs", Value: spop.Binary(spop.AppendPairs(nil, pairs))})
	}
	payloads := [][]byte{nil, spop.Message{Name: "other", Args: args()}.Append(nil), append(question(args()), question(args())...), question(append(args(), args()[0]))}
	for i := range 7 {
		payloads = append(payloads, question(append(args()[:i:i], args()[i+1:]...)))
	}
	for _, c := range changes {
		payloads = append(payloads, question(args(c)))
	}
	for _, payload := range payloads {
		vars := h.ask(payload)
		if vars["status"] != "403" || vars["code"] != "adapter_headers" || vars["key_id"] != "" || vars["title"] == "" {
			t.Errorf("%q: %v", payload, vars)
		}
	}
	if len(v.asked) != 0 {
		t.Errorf("the authority was asked %d times", len(v.asked))
	}
	if vars := h.ask(question(args(append(text("method", "OPTIONS"), text("target", "*")...)...))); vars["status"] != "200" {
		t.Error(vars)
	}
}

func TestDenials(t *testing.T) {
	t.Parallel()
	cut := spop.Item{Name: "body_size", Value: spop.Int64(5)}
	for name, row := range map[string]struct {
		v       *verifier
		args    []spop.Item
		frame   uint32
		status  string
		code    string
		retry   string
		invites string
	}{
		"unauthorized": {&verifier{deny: gatehouse.ReasonNoCredential}, args(), 16380, "401", "no_credential", "", "A, B"},
		"down":         {&verifier{err: errors.New("down")}, args(), 16380, "503", "unavailable", "1", ""},
		"panic":        {&verifier{panic: true}, args(), 16380, "503", "unavailable", "", ""},
		"no body":      {&verifier{deny: gatehouse.ReasonBodyUnavailable}, args(spop.Item{Name: "waited", Value: spop.Bool(false)}), 16380, "403", "body_unavailable", "", ""},
		"body cut":     {&verifier{deny: gatehouse.ReasonBodyUnavailable}, args(cut), 16380, "413", "body_too_large", "", ""},
		"long answer": {&verifier{}, args(spop.Item{Name: "hdrs", Value: spop.Binary(spop.AppendPairs(nil, []spop.Pair{{Name: "host", Value: "a.test"}, {Name: "long"}}))}),
			512, "503", "unavailable", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr := serve(t, row.v, spoe.Options{})
			h := dial(t, "tcp", addr)
			hello := greeting
			hello.MaxFrame = row.frame
			h.greet(hello)
			vars := h.ask(question(row.args))
			if vars["status"] != row.status || vars["code"] != row.code || vars["retry_after"] != row.retry || vars["www_authenticate"] != row.invites || vars["key_id"] != "" {
				t.Error(vars)
			}
		})
	}
}

// BenchmarkCheck is a check from frame to frame over loopback, with a verifier that does
// nothing: one at a time, and with 20 on their way, as HAProxy has them.
func BenchmarkCheck(b *testing.B) {
	for name, inFlight := range map[string]int{"one": 1, "twenty": 20} {
		b.Run(name, func(b *testing.B) {
			_, addr := serve(b, &verifier{}, spoe.Options{})
			h := dial(b, "tcp", addr)
			h.greet(greeting)
			payload := question(args())
			b.ReportAllocs()
			for i := range b.N {
				if i >= inFlight {
					h.next(spop.Ack)
				}
				h.send(spop.Notify, spop.Fin, uint64(i)+1, payload)
			}
		})
	}
}
