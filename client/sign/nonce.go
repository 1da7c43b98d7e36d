// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"strconv"
	"sync"
	"time"
)

const (
	// maxAhead leaves most of a server's window (5 s) for clocks that differ.
	maxAhead = 1000
	// maxWindow is longer than any server's window.
	maxWindow = 60_000
)

// nonces are times in milliseconds that strictly grow. The zero value is ready.
type nonces struct {
	mu   sync.Mutex
	last int64
}

// next returns the time, or the nonce after the last one where that is later.
// [ErrTooFast] when it would be more than maxAhead later.
func (n *nonces) next() (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now().UnixMilli()
	if n.last > now+maxWindow {
		// The clock was set back. No server accepted those nonces by the time that is right.
		n.last = 0
	}
	ms := max(now, n.last+1)
	if ms > now+maxAhead {
		return "", ErrTooFast
	}
	n.last = ms
	return strconv.FormatInt(ms, 10), nil
}
