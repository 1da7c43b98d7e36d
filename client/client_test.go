// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]api.Problem{
		"T (c)":                   {Title: "T", Code: "c"},
		"T (c): f":                {Title: "T", Code: "c", Field: "f"},
		"T (c): f: d":             {Title: "T", Code: "c", Field: "f", Detail: "d"},
		"T (c) [request r]":       {Title: "T", Code: "c", Ref: "r"},
		"T (c): f: d [request r]": {Title: "T", Code: "c", Field: "f", Detail: "d", Ref: "r", Status: 500},
	} {
		if got := (&client.Error{Problem: p}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The socket of a server that is gone, and none at all, are the one thing to say; what
// else may keep the client from it is not.
func TestNoServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{stale, filepath.Join(dir, "absent.sock"), filepath.Join(dir, "absent", api.SocketName)} {
		if _, err := client.Socket(path).Key(t.Context(), "x"); !errors.Is(err, client.ErrNoServer) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Socket(stale).Key(ended, "x"); errors.Is(err, client.ErrNoServer) || !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"below a file": filepath.Join(file, "s"), "too long for a socket": filepath.Join(dir, strings.Repeat("x", 120))} {
		if _, err := client.Socket(path).Key(t.Context(), "x"); err == nil || errors.Is(err, client.ErrNoServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What answers may be something else than a Gatehouse, or a Gatehouse that breaks off.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, kind, body string
		status           int
		want             string
	}{
		{"a problem", api.ProblemType, `{"status":409,"code":"exists","title":"T"}`, 409, "T (exists)"},
		{"a problem with a charset", api.ProblemType + "; charset=utf-8", `{"code":"exists","title":"T"}`, 409, "T (exists)"},
		{"a page", "text/html", "<h1>no</h1>", 404, "404 Not Found (http_404)"},
		{"a broken problem", api.ProblemType, `{"code":`, 500, "read answer: unexpected EOF"},
		{"no JSON", "text/html", "<h1>yes</h1>", 200, "read answer: invalid character '<' looking for beginning of value"},
		{"nothing", "application/json", "", 200, "read answer: EOF"},
	} {
		path := filepath.Join(t.TempDir(), "s")
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", row.kind)
			w.WriteHeader(row.status)
			_, _ = fmt.Fprint(w, row.body)
		}))
		_ = server.Listener.Close()
		var err error
		if server.Listener, err = net.Listen("unix", path); err != nil {
			t.Fatal(err)
		}
		server.Start()
		_, err = client.Socket(path).Key(t.Context(), "x")
		server.CloseClientConnections()
		server.Close()
		if err == nil || err.Error() != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
		if e, ok := errors.AsType[*client.Error](err); ok && row.kind == "text/html" && e.Status != row.status {
			t.Errorf("%s: status %d", row.name, e.Status)
		}
	}
}
