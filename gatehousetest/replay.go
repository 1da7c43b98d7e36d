// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// ReplayCache is the suite of [gatehouse.ReplayCache]. open returns a cache that reads no
// other clock than now, has room for 10,000 pairs, knows its past (nothing is refused
// because it may have been forgotten) and takes claims that end up to 60 s from now. Each
// test calls it once; tests run side by side, so that a shared server is no empty one.
//
// What the suite holds a filling to, beyond the comment on the interface:
//
//   - A pair is remembered until its end, exclusive: a claim one millisecond before it is
//     refused whatever its own times are.
//   - A claim whose end is not after now is refused, first or not. So a pair whose memory
//     is gone is never granted a second time with the times it was signed with.
//   - After its end a pair is free again for a claim with new times. A filling may remember
//     longer than it was asked to, but not for ever.
//   - A clock that goes back makes nothing free.
//
// All times are whole milliseconds; a filling may round an end outwards to the next.
func ReplayCache(t *testing.T, open func(t *testing.T, now func() time.Time) gatehouse.ReplayCache) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, c *replayCase)
	}{
		{"once", replayOnce},
		{"another key or nonce is free", replayIndependent},
		{"the border between key and nonce counts", replayBorder},
		{"any bytes", replayBytes},
		{"another time does not make a pair free", replayOtherTimes},
		{"until the end", replayUntilEnd},
		{"the end itself", replayLate},
		{"free again after the end", replayFreeAgain},
		{"expired with the times it was signed with", replayExpired},
		{"the clock goes back", replayClockBack},
		{"many pairs", replayMany},
		{"one nonce, many at once", replayRace},
		{"many nonces, many at once", replayRaces},
		{"closed", replayClosed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			row.test(t, &replayCase{clock: clock, cache: open(t, clock.Now), prefix: t.Name() + "/"})
		})
	}
}

// replayWindow is how far from now the suite's claims end.
const replayWindow = 10 * time.Second

// replayCase is one test of the suite. Keys begin with the test's name, so that tests do
// not meet in a shared server.
type replayCase struct {
	clock  *Clock
	cache  gatehouse.ReplayCache
	prefix string
}

func (c *replayCase) claimAt(t *testing.T, key, nonce string, signed, until time.Time) bool {
	t.Helper()
	first, err := c.cache.Claim(t.Context(), c.prefix+key, nonce, signed, until)
	if err != nil {
		t.Fatalf("Claim(%q, %q): %v", key, nonce, err)
	}
	return first
}

// claim claims a pair signed now.
func (c *replayCase) claim(t *testing.T, key, nonce string) bool {
	t.Helper()
	now := c.clock.Now()
	return c.claimAt(t, key, nonce, now, now.Add(replayWindow))
}

func (c *replayCase) want(t *testing.T, want bool, key, nonce string) {
	t.Helper()
	if got := c.claim(t, key, nonce); got != want {
		t.Errorf("Claim(%q, %q) = %v, want %v", key, nonce, got, want)
	}
}

func replayOnce(t *testing.T, c *replayCase) {
	c.want(t, true, "k", "1")
	for range 3 {
		c.want(t, false, "k", "1")
	}
}

func replayIndependent(t *testing.T, c *replayCase) {
	c.want(t, true, "k", "1")
	c.want(t, true, "k", "2")
	c.want(t, true, "l", "1")
	c.want(t, true, "K", "1")
	c.want(t, true, "k", "01")
	c.want(t, true, "k", "1 ")
	c.want(t, false, "k", "1")
	c.want(t, false, "k", "2")
	c.want(t, false, "l", "1")
}

func replayBorder(t *testing.T, c *replayCase) {
	for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a:b", "c"}, {"a", "b:c"}, {"a\x00b", "c"}, {"a", "b\x00c"}} {
		c.want(t, true, pair[0], pair[1])
		c.want(t, false, pair[0], pair[1])
	}
}

func replayBytes(t *testing.T, c *replayCase) {
	long := strings.Repeat("n", 5000)
	for _, nonce := range []string{"\xff\xfe", "é", "e\u0301", "{tag}", "a b\r\nc", "*", long, long + "n"} {
		c.want(t, true, "k", nonce)
		c.want(t, false, "k", nonce)
	}
}

func replayOtherTimes(t *testing.T, c *replayCase) {
	now := c.clock.Now()
	c.want(t, true, "k", "1")
	for _, shift := range []time.Duration{-time.Second, time.Millisecond, time.Second} {
		if c.claimAt(t, "k", "1", now.Add(shift), now.Add(shift+replayWindow)) {
			t.Errorf("granted again, signed %v apart", shift)
		}
	}
}

func replayUntilEnd(t *testing.T, c *replayCase) {
	c.want(t, true, "k", "short")
	now := c.clock.Now()
	if !c.claimAt(t, "k", "long", now, now.Add(5*replayWindow)) {
		t.Fatal("first claim refused")
	}
	c.clock.Advance(replayWindow - time.Millisecond)
	c.want(t, true, "k", "other")
	c.want(t, false, "k", "short")
	c.want(t, false, "k", "long")
	c.clock.Advance(4 * replayWindow)
	c.want(t, true, "k", "another")
	c.want(t, false, "k", "long")
}

func replayLate(t *testing.T, c *replayCase) {
	now := c.clock.Now()
	if c.claimAt(t, "k", "1", now.Add(-replayWindow), now) {
		t.Error("granted at its end")
	}
	if c.claimAt(t, "k", "2", now.Add(-replayWindow), now.Add(-time.Hour)) {
		t.Error("granted long after its end")
	}
	if !c.claimAt(t, "k", "3", now.Add(-replayWindow), now.Add(time.Millisecond)) {
		t.Error("refused a millisecond before its end")
	}
}

func replayFreeAgain(t *testing.T, c *replayCase) {
	c.want(t, true, "k", "1")
	for range 3 {
		c.clock.Advance(time.Hour)
		c.want(t, true, "k", "1")
		c.want(t, false, "k", "1")
	}
}

func replayExpired(t *testing.T, c *replayCase) {
	signed := c.clock.Now()
	c.want(t, true, "k", "1")
	for _, wait := range []time.Duration{replayWindow, time.Millisecond, replayWindow, time.Hour} {
		c.clock.Advance(wait)
		if c.claimAt(t, "k", "1", signed, signed.Add(replayWindow)) {
			t.Errorf("granted again at %v", c.clock.Now().Sub(signed))
		}
		c.want(t, true, "k", fmt.Sprint("other ", wait))
	}
}

func replayClockBack(t *testing.T, c *replayCase) {
	signed := c.clock.Now()
	c.want(t, true, "k", "1")
	// Claims in between give the cache every occasion to forget.
	for range 3 {
		c.clock.Advance(2 * replayWindow)
		c.claim(t, "k", "in between")
	}
	c.clock.Advance(-6 * replayWindow)
	if c.claimAt(t, "k", "1", signed, signed.Add(replayWindow)) {
		t.Error("granted again after the clock went back")
	}
}

func replayMany(t *testing.T, c *replayCase) {
	const pairs = 3000
	for round := range 2 {
		for i := range pairs {
			if first := c.claim(t, fmt.Sprint(i%7), fmt.Sprint(i)); first != (round == 0) {
				t.Fatalf("round %d: pair %d: %v", round, i, first)
			}
		}
	}
}

func replayRace(t *testing.T, c *replayCase) {
	const callers = 1000
	now := c.clock.Now()
	var granted atomic.Int64
	atOnce(callers, func(int) {
		first, err := c.cache.Claim(t.Context(), c.prefix+"k", "1", now, now.Add(replayWindow))
		if err != nil {
			t.Errorf("Claim: %v", err)
		}
		if first {
			granted.Add(1)
		}
	})
	if n := granted.Load(); n != 1 {
		t.Errorf("%d of %d callers were granted the nonce, want 1", n, callers)
	}
}

func replayRaces(t *testing.T, c *replayCase) {
	const callers, nonces = 8, 500
	now := c.clock.Now()
	var granted [nonces]atomic.Int64
	atOnce(callers, func(caller int) {
		for i := range nonces {
			i = (i + caller*nonces/callers) % nonces
			first, err := c.cache.Claim(t.Context(), c.prefix+"k", fmt.Sprint(i), now, now.Add(replayWindow))
			if err != nil {
				t.Errorf("Claim: %v", err)
			}
			if first {
				granted[i].Add(1)
			}
		}
	})
	for i := range granted {
		if n := granted[i].Load(); n != 1 {
			t.Errorf("nonce %d was granted %d times, want 1", i, n)
		}
	}
}

func replayClosed(t *testing.T, c *replayCase) {
	closer, ok := c.cache.(io.Closer)
	if !ok {
		t.Skip("the cache has nothing to close")
	}
	if err := closer.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	now := c.clock.Now()
	first, err := c.cache.Claim(t.Context(), c.prefix+"k", "1", now, now.Add(replayWindow))
	if first || !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Claim after Close = %v, %v, want an error that wraps ErrUnavailable", first, err)
	}
}

// ReplayFloor holds a cache that has lost its memory to what a floor is: one that is so far
// ahead of the clock that the cache reads, and which takes claims that end 10 s after that.
func ReplayFloor(t *testing.T, cache gatehouse.ReplayCache, clock *Clock, ahead time.Duration) {
	t.Helper()
	c := &replayCase{clock: clock, cache: cache, prefix: t.Name() + "/"}
	floor := clock.Now().Add(ahead)
	for left := ahead; left >= 0; left -= ahead / 2 {
		clock.Advance(floor.Add(-left).Sub(clock.Now()))
		for _, signed := range []time.Time{floor.Add(-ahead), clock.Now(), clock.Now().Add(left / 2)} {
			for range 2 { // a failure is none later either
				first, err := cache.Claim(t.Context(), c.prefix+"k", "1", signed, floor.Add(replayWindow))
				after := gatehouse.RetryAfter(err)
				if first || !errors.Is(err, gatehouse.ErrUnavailable) || after < max(left, time.Millisecond) || after > left+time.Millisecond {
					t.Errorf("%v before the floor, signed %v before it: %v, %v", left, floor.Sub(signed), first, err)
				}
			}
		}
		if c.claimAt(t, "k", "ended", clock.Now(), clock.Now()) {
			t.Error("granted at its end")
		}
	}
	clock.Advance(time.Millisecond)
	if c.claimAt(t, "k", "1", floor, floor.Add(replayWindow)) {
		t.Error("granted, signed at the floor")
	}
	c.want(t, true, "k", "1")
	c.want(t, false, "k", "1")
}

// atOnce calls f n times at once, with 0 to n-1, and waits for all.
func atOnce(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}
