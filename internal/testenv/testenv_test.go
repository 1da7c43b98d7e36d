// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		orphan()
	}
	os.Exit(Main(m))
}

func TestFreeAddr(t *testing.T) {
	t.Parallel()
	addr := FreeAddr(t)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if host, _, _ := net.SplitHostPort(addr); host != "127.0.0.1" {
		t.Errorf("address %s is not on 127.0.0.1", addr)
	}
}

func TestStackUnwindsInReverse(t *testing.T) {
	t.Parallel()
	var s stack
	var got []int
	for i := range 3 {
		s.push(func() { got = append(got, i) })
	}
	s.unwind()
	s.unwind()
	if want := []int{2, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	errNotYet := errors.New("not yet")
	calls := 0
	if err := await(nil, func(context.Context) error {
		if calls++; calls < 3 {
			return errNotYet
		}
		return nil
	}); err != nil || calls != 3 {
		t.Errorf("err %v after %d calls, want none after 3", err, calls)
	}
	gone := make(chan struct{})
	close(gone)
	if err := await(gone, func(context.Context) error { return errNotYet }); !errors.Is(err, errNotYet) {
		t.Errorf("err %v, want %v", err, errNotYet)
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	if path, err := program("sh", "dash"); err != nil || path == "" {
		t.Errorf("program(sh) = %q, %v", path, err)
	}
	const want = "gatehouse-no-such is not installed (Debian package some-package); run: make deps"
	if _, err := program("gatehouse-no-such", "some-package", t.TempDir()); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/gatehouse-such", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := program("gatehouse-such", "some-package", "/nonexistent", dir); err != nil || path != dir+"/gatehouse-such" {
		t.Errorf("program in a folder = %q, %v", path, err)
	}
}
