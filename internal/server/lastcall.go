// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lastCall is a listener that can be closed when nobody waits in it. To close it earlier
// would reset connections that the kernel has taken and nobody has accepted, and with them
// what was sent on them.
type lastCall struct {
	*net.TCPListener
	leaving atomic.Bool
	once    sync.Once
	left    chan struct{} // closed when the listener is
}

func newLastCall(ln *net.TCPListener) *lastCall {
	return &lastCall{TCPListener: ln, left: make(chan struct{})}
}

// Accept is that of net.Listener. After leave it returns those who wait, and then
// [net.ErrClosed].
func (l *lastCall) Accept() (net.Conn, error) {
	if !l.leaving.Load() {
		conn, err := l.TCPListener.Accept()
		if err == nil || !l.leaving.Load() {
			return conn, err
		}
	}
	if conn := acceptNow(l.TCPListener); conn != nil {
		return conn, nil
	}
	// Between these two lines a connection may still come: microseconds, and not as long as
	// whoever accepts is busy.
	_ = l.Close() // it may be closed
	return nil, net.ErrClosed
}

// Close is that of net.Listener.
func (l *lastCall) Close() error {
	err := l.TCPListener.Close()
	l.once.Do(func() { close(l.left) })
	return err
}

// leave lets Accept return those who wait, and returns when the listener is closed, or with
// ctx.
func (l *lastCall) leave(ctx context.Context) {
	l.leaving.Store(true)
	_ = l.SetDeadline(time.Unix(1, 0)) // wakes Accept; the listener may be closed
	select {
	case <-l.left:
	case <-ctx.Done():
	}
}
