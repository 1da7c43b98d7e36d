// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// acceptNow returns a connection that waits in a listener; nil: there is none. It does not
// wait, and no deadline counts.
func acceptNow(ln *net.TCPListener) (conn net.Conn) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(listener uintptr) { // fails where the listener is closed: nobody waits
		for {
			fd, _, err := syscall.Accept(int(listener))
			if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ECONNABORTED) {
				continue
			}
			if err == nil {
				f := os.NewFile(uintptr(fd), "")
				conn, _ = net.FileConn(f) // a copy; without memory or files left, there is none
				_ = f.Close()
			}
			return
		}
	})
	return conn
}
