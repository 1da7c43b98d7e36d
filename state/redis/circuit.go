// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"sync"
	"time"
)

// pause is for how long after a failure nobody waits for the server but one prober.
const pause = time.Second

// circuit keeps callers from waiting for a server that just failed. After a failure it is
// open for a pause; until then one caller at a time tries, and its success closes it. The
// zero value is closed.
type circuit struct {
	mu      sync.Mutex
	failed  error // why it is open
	until   time.Time
	probing bool
}

// do calls f, or returns why it does not.
func (c *circuit) do(f func() error) error {
	probe, err := c.enter()
	if err != nil {
		return err
	}
	err = f()
	c.mu.Lock()
	defer c.mu.Unlock()
	if probe {
		c.probing = false
	}
	if c.failed = err; err != nil {
		c.until = time.Now().Add(pause)
	}
	return err
}

func (c *circuit) enter() (probe bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil || !time.Now().Before(c.until) && !c.probing {
		return false, nil
	}
	if c.probing {
		return false, c.failed
	}
	c.probing = true
	return true, nil
}
