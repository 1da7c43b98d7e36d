// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

func limiterLower(t *testing.T, c *limiterCase) {
	before, after := perMinute("l", 100, 100), perMinute("l", 10, 10)
	c.admits(t, 100, "used up", before)
	c.admits(t, 0, "used up", after)
	c.clock.Advance(6 * time.Second)
	c.admits(t, 1, "used up", after)

	for range 50 {
		c.take(t, "half", before)
	}
	admitted := 0
	for range 50 {
		if ok, _ := c.take(t, "half", after); ok {
			admitted++
		}
	}
	if admitted > 10 {
		t.Errorf("%d admitted at once under a limit of 10", admitted)
	}
	c.clock.Advance(time.Minute)
	c.admits(t, 10, "half", after)
}

func limiterRaise(t *testing.T, c *limiterCase) {
	before := gatehouse.Limit{Name: "l", Count: 3, Period: 24 * time.Hour}
	after := gatehouse.Limit{Name: "l", Count: 10, Period: time.Second}
	c.admits(t, 3, "k", before)
	ok, wait := c.take(t, "k", after)
	if !ok && wait > time.Second/10+time.Millisecond {
		t.Fatalf("retry after %v under 10 a second", wait)
	}
	c.clock.Advance(time.Second)
	c.admits(t, 10, "k", after)
}

func limiterClockBack(t *testing.T, c *limiterCase) {
	l := perMinute("l", 60, 5)
	c.admits(t, 5, "k", l)
	c.clock.Advance(-time.Hour)
	c.admits(t, 0, "k", l)
	if _, wait := c.take(t, "k", l); wait > time.Hour+time.Minute {
		t.Errorf("retry after %v", wait)
	}
	c.clock.Advance(time.Hour + time.Minute)
	c.admits(t, 5, "k", l)
}

func limiterRefund(t *testing.T, c *limiterCase) {
	l := perMinute("l", 5, 5)
	c.admits(t, 5, "k", l)
	c.refund(t, "k", l)
	c.admits(t, 1, "k", l)
	for range 3 {
		c.refund(t, "k", l)
	}
	c.admits(t, 3, "k", l)
	c.refund(t, "other", l)
	c.admits(t, 0, "k", l)
	c.refund(t, "k", perMinute("other", 5, 5))
	c.admits(t, 0, "k", l)
}

func limiterRefundAll(t *testing.T, c *limiterCase) {
	narrow, wide := perMinute("narrow", 2, 2), perMinute("wide", 10, 10)
	c.admits(t, 2, "k", narrow, wide)
	c.refund(t, "k", narrow, wide)
	c.admits(t, 9, "k", wide)
	c.admits(t, 1, "k", narrow)
	c.refund(t, "k")
	c.admits(t, 0, "k", narrow)
}

func limiterRefundMore(t *testing.T, c *limiterCase) {
	l := perMinute("l", 60, 5)
	c.refund(t, "never taken", l)
	c.admits(t, 5, "never taken", l)

	c.take(t, "k", l)
	for range 3 {
		c.refund(t, "k", l)
	}
	c.admits(t, 5, "k", l)

	c.take(t, "late", l)
	c.clock.Advance(time.Hour)
	c.refund(t, "late", l)
	c.admits(t, 5, "late", l)
}
