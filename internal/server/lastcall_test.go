// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A face takes so many connections and no more, and takes others when some have ended.
func TestMostConnections(t *testing.T) {
	t.Parallel()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := ln.(*lastCall)
	l.most, l.log = 2, slog.New(slog.NewTextHandler(&log, nil))
	taken, ended := make(chan net.Conn, 3), make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			taken <- conn
		}
	}()
	dial(t, l.Addr().String())
	dial(t, l.Addr().String())
	first := <-taken
	<-taken
	if _, err := dial(t, l.Addr().String()).r.ReadByte(); err == nil {
		t.Error("one more than there is room for has an answer")
	}
	_ = first.Close()
	_ = first.Close() // as often as one likes
	dial(t, l.Addr().String())
	<-taken
	if _, err := dial(t, l.Addr().String()).r.ReadByte(); err == nil {
		t.Error("again one more than there is room for has an answer")
	}
	_ = l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "no room for more connections"); got != 2 {
		t.Errorf("said %d times: %s", got, &log)
	}
}

func TestSeldomly(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := seldomly(slog.New(slog.NewTextHandler(&log, nil))).Handler()
	begin := time.Now()
	say := func(level slog.Level, text string, after time.Duration) {
		if err := h.WithAttrs(nil).Handle(t.Context(), slog.NewRecord(begin.Add(after), level, text, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		say(slog.LevelWarn, "one", time.Duration(i)*100*time.Millisecond)
		say(slog.LevelWarn, "two", time.Duration(i)*time.Second)
		say(slog.LevelError, "three", 0)
	}
	say(slog.LevelWarn, "one", time.Second)
	if got := log.String(); strings.Count(got, "msg=one") != 2 || strings.Count(got, "msg=one left_out=4") != 1 ||
		strings.Count(got, "msg=two") != 5 || strings.Count(got, "msg=three") != 5 || strings.Count(got, "left_out") != 1 {
		t.Error(got)
	}
}

// Strangers do not fill the log of the gates.
func TestStrangersInTheLog(t *testing.T) {
	t.Parallel()
	c := settings(t, map[string]string{"gate.listen": "127.0.0.1:0", "gate.peers": "192.0.2.1/32"})
	var log bytes.Buffer
	p := wire(t, c)
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	h := p.gateFaces(&c)[0].serves(nil).(*web).Handler
	const checks = 100
	for range checks {
		r := httptest.NewRequest(http.MethodGet, "/v1/authz/nginx", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Error(w.Code)
		}
	}
	if got := strings.Count(log.String(), "unknown gateway"); got == 0 || got > checks/2 {
		t.Errorf("said %d times", got)
	}
}
