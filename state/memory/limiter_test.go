// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/state/memory"
)

func TestLimiterSuite(t *testing.T) {
	t.Parallel()
	for _, counters := range []int{0, 10_000, 50_000} {
		t.Run(fmt.Sprint(counters, " counters"), func(t *testing.T) {
			t.Parallel()
			gatehousetest.Limiter(t, func(_ *testing.T, now func() time.Time) gatehouse.Limiter {
				return memory.NewLimiter(counters, now)
			})
		})
	}
}

var onceAMinute = []gatehouse.Limit{{Name: "l", Count: 1, Period: time.Minute}}

func take(t *testing.T, l *memory.Limiter, key string, limits []gatehouse.Limit) bool {
	t.Helper()
	ok, _, err := l.Take(t.Context(), key, limits)
	if err != nil {
		t.Fatalf("Take(%q): %v", key, err)
	}
	return ok
}

// TestLimiterFull wants an error when there is no room, and every counter in use kept.
func TestLimiterFull(t *testing.T) {
	t.Parallel()
	const counters = 1000
	clock := gatehousetest.NewClock()
	l := memory.NewLimiter(counters, clock.Now)
	for i := range counters {
		if !take(t, l, strconv.Itoa(i), onceAMinute) {
			t.Fatalf("key %d refused", i)
		}
	}
	for i := range 3 * counters {
		ok, wait, err := l.Take(t.Context(), fmt.Sprint("new ", i), onceAMinute)
		if ok || wait != 0 || !errors.Is(err, memory.ErrFull) || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Fatalf("Take without room = %v, %v, %v", ok, wait, err)
		}
		clock.Advance(time.Millisecond)
	}
	for i := range counters {
		if take(t, l, strconv.Itoa(i), onceAMinute) {
			t.Fatalf("the counter of key %d was dropped", i)
		}
	}
	clock.Advance(time.Minute)
	for i := range counters {
		if !take(t, l, fmt.Sprint("new ", i), onceAMinute) {
			t.Fatalf("new key %d refused", i)
		}
	}
}

// TestLimiterFullAllOrNone wants nothing charged when there is room for a part only.
func TestLimiterFullAllOrNone(t *testing.T) {
	t.Parallel()
	l := memory.NewLimiter(3, gatehousetest.NewClock().Now)
	two := []gatehouse.Limit{{Name: "a", Count: 1, Period: time.Minute}, {Name: "b", Count: 1, Period: time.Minute}}
	if !take(t, l, "k", two) {
		t.Fatal("refused")
	}
	if ok, _, err := l.Take(t.Context(), "other", two); ok || !errors.Is(err, memory.ErrFull) {
		t.Fatalf("Take = %v, %v", ok, err)
	}
	if !take(t, l, "other", two[:1]) {
		t.Error("the first limit was charged")
	}
}

// TestLimiterSweep lets other keys make the limiter sweep while a counter still owes a
// little.
func TestLimiterSweep(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	l := memory.NewLimiter(1000, clock.Now)
	take(t, l, "k", onceAMinute)
	clock.Advance(time.Minute - 1)
	for i := range 999 {
		take(t, l, strconv.Itoa(i), onceAMinute)
	}
	if take(t, l, "k", onceAMinute) {
		t.Error("admitted a nanosecond early")
	}
	clock.Advance(1)
	if !take(t, l, "k", onceAMinute) {
		t.Error("refused after a minute")
	}
}

// TestLimiterNames wants keys and names told apart, also where they are the same text.
func TestLimiterNames(t *testing.T) {
	t.Parallel()
	l := memory.NewLimiter(100, gatehousetest.NewClock().Now)
	for _, key := range []string{"", "a", "b"} {
		for _, name := range []string{"", "a", "b"} {
			if !take(t, l, key, []gatehouse.Limit{{Name: name, Count: 1, Period: time.Minute}}) {
				t.Errorf("key %q, limit %q shares a counter", key, name)
			}
		}
	}
}

// TestLimiterMemory wants counters that owe nothing to go, while keys come and go for ever.
func TestLimiterMemory(t *testing.T) {
	clock := gatehousetest.NewClock()
	l := memory.NewLimiter(0, clock.Now)
	before := heap()
	for i := range 300_000 {
		if !take(t, l, strconv.Itoa(i), onceAMinute) {
			t.Fatalf("key %d refused", i)
		}
		clock.Advance(time.Minute / 1000) // about a thousand owe something at a time
	}
	if grown := heap() - before; grown > 2_000_000 {
		t.Errorf("%d bytes for a thousand counters in use", grown)
	}
	runtime.KeepAlive(l)
}

// BenchmarkTake takes for random keys of a million.
func BenchmarkTake(b *testing.B) {
	for _, limits := range [][]gatehouse.Limit{
		{{Name: "second", Count: 1000, Period: time.Second}},
		{{Name: "second", Count: 1000, Period: time.Second}, {Name: "day", Count: 1_000_000, Period: 24 * time.Hour}},
	} {
		b.Run(fmt.Sprint(len(limits), " limits"), func(b *testing.B) {
			l := memory.NewLimiter(2<<20, nil)
			random := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				key := randomKey(random)
				if _, _, err := l.Take(b.Context(), string(key[:]), limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCharge charges for a thousand keys in turns, as Verify does: with one limit, and
// with one of the key, its owner and its tenant each.
func BenchmarkCharge(b *testing.B) {
	rate := []gatehouse.Limit{{Name: "second", Count: 1 << 40, Period: time.Second}}
	month := []gatehouse.Limit{{Name: "month", Count: 1 << 60, Refill: gatehouse.RefillMonth}}
	var keys [1000][]gatehouse.Charge
	for i := range keys {
		keys[i] = []gatehouse.Charge{
			{Subject: fmt.Sprintf("key/%026d", i), Limits: rate},
			{Subject: fmt.Sprintf("owner/%026d", i%100), Limits: rate},
			{Subject: "tenant/default", Limits: month},
		}
	}
	for _, limits := range []int{1, 3} {
		for _, where := range []string{"memory", "file"} {
			b.Run(fmt.Sprint(limits, " limits, ", where), func(b *testing.B) {
				l := memory.NewLimiter(0, nil)
				if where == "file" {
					l = openLimiter(b, memory.LimiterOptions{Dir: b.TempDir()})
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if s, err := l.Charge(b.Context(), keys[i%len(keys)][:limits]); err != nil || s.RetryAfter != 0 {
						b.Fatal(s, err)
					}
				}
			})
		}
	}
}
