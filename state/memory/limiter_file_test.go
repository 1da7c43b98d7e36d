// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/state/memory"
)

// The layout of limits.counters in the package comment.
const (
	countersHeader = 64 << 10
	countersBlock  = 2048 * counterBytes
	counterBytes   = 32
	counterSum     = 24
)

func openLimiter(t testing.TB, o memory.LimiterOptions) *memory.Limiter {
	t.Helper()
	l, err := memory.OpenLimiter(o)
	if err != nil {
		t.Fatalf("OpenLimiter: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

func TestLimiterFileSuite(t *testing.T) {
	t.Parallel()
	gatehousetest.Limiter(t, func(t *testing.T, now func() time.Time) gatehouse.Limiter {
		return openLimiter(t, memory.LimiterOptions{Dir: t.TempDir(), Counters: 10_000, Now: now})
	})
}

// desk is a directory, a clock and the limiter that is open just now.
type desk struct {
	t     *testing.T
	o     memory.LimiterOptions
	clock *gatehousetest.Clock
	l     *memory.Limiter
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, clock: gatehousetest.NewClock()}
	d.o = memory.LimiterOptions{Dir: t.TempDir(), Now: d.clock.Now}
	d.l = openLimiter(t, d.o)
	d.wantDoubt("")
	return d
}

func (d *desk) path() string { return filepath.Join(d.o.Dir, "limits.counters") }

// reopen ends the limiter, lets change work on the directory and opens it again.
func (d *desk) reopen(change func()) {
	d.t.Helper()
	if err := d.l.Close(); err != nil {
		d.t.Fatalf("Close: %v", err)
	}
	if change != nil {
		change()
	}
	d.l = openLimiter(d.t, d.o)
}

func (d *desk) wantDoubt(word string) {
	d.t.Helper()
	if why := d.l.Doubt(); (why == "") != (word == "") || !strings.Contains(why, word) {
		d.t.Errorf("doubt %q, want %q", why, word)
	}
}

// want charges a cost and wants so much to remain; below zero: it is refused.
func (d *desk) want(remaining int64, subject string, cost int64, limits ...gatehouse.Limit) {
	d.t.Helper()
	s, err := d.l.Charge(d.t.Context(), []gatehouse.Charge{{Subject: subject, Limits: limits, Cost: cost}})
	if err != nil {
		d.t.Fatalf("Charge(%q): %v", subject, err)
	}
	if s.RetryAfter != 0 && remaining >= 0 || s.RetryAfter == 0 && s.Remaining != remaining {
		d.t.Errorf("Charge(%q) = %+v, want %d to remain", subject, s, remaining)
	}
}

var (
	aMonth  = gatehouse.Limit{Name: "l", Count: 10, Refill: gatehouse.RefillMonth}
	tenADay = gatehouse.Limit{Name: "l", Count: 10, Period: 24 * time.Hour}
)

func TestLimiterRestart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want(7, "k", 3, aMonth)
	d.want(6, "k", 4, tenADay)
	for i := range 5000 { // more than a block
		d.want(9, fmt.Sprint("other ", i), 1, aMonth)
	}
	for range 2 {
		d.reopen(nil)
		d.wantDoubt("")
		d.want(-1, "k", 8, aMonth)
		d.want(-1, "k", 7, tenADay)
	}
	d.want(3, "k", 4, aMonth)
	d.want(4, "k", 2, tenADay)
	if err := d.l.Refund(t.Context(), "k", []gatehouse.Limit{aMonth}); err != nil {
		t.Fatal(err)
	}
	d.reopen(func() { d.clock.Advance(12 * time.Hour) })
	d.want(3, "k", 1, aMonth)
	d.want(8, "k", 1, tenADay) // time has paid off five
	for i := range 5000 {
		d.want(8, fmt.Sprint("other ", i), 1, aMonth)
	}
	d.o.Counters = 1 // what is there is kept
	d.reopen(func() { d.clock.Advance(31 * 24 * time.Hour) })
	d.wantDoubt("")
	d.want(9, "k", 1, aMonth)
	d.want(9, "k", 1, tenADay)
}

// TestLimiterStartAhead starts with a clock that is a month ahead, and sets it right.
func TestLimiterStartAhead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want(3, "k", 7, aMonth)
	d.reopen(func() { d.clock.Advance(31 * 24 * time.Hour) })
	d.clock.Advance(-31 * 24 * time.Hour)
	d.want(2, "k", 1, aMonth)
	d.reopen(nil)
	d.want(-1, "k", 3, aMonth)
}

// TestLimiterDamage spoils the file in every way that may hide a counter.
func TestLimiterDamage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		spoil   func(t *testing.T, path string)
		word    string
		a, b, c int64 // what remains of each after one more; 6 where nothing is lost
	}{
		{"nothing", func(*testing.T, string) {}, "", 6, 6, 6},
		{"removed", remove, "no file", 9, 9, 9},
		{"emptied", func(t *testing.T, path string) { truncate(t, path, 0) }, "no file", 9, 9, 9},
		{"header cut", func(t *testing.T, path string) { truncate(t, path, 50) }, "damaged", 9, 9, 9},
		{"other text", func(t *testing.T, path string) { patch(t, path, 0, []byte("somebody else's file")) }, "damaged", 9, 9, 9},
		{"other format", func(t *testing.T, path string) { flip(t, path, 16) }, "damaged", 9, 9, 9},
		{"check word of the header", func(t *testing.T, path string) { flip(t, path, 20) }, "damaged", 9, 9, 9},
		{"key changed", func(t *testing.T, path string) { flip(t, path, 30) }, "damaged", 9, 9, 9},
		{"counters cut", func(t *testing.T, path string) { truncate(t, path, countersHeader) }, "missing", 9, 9, 9},
		{"half a block", func(t *testing.T, path string) { truncate(t, path, countersHeader+countersBlock/2) }, "missing", 9, 9, 9},
		{"id changed", func(t *testing.T, path string) { flip(t, path, countersHeader) }, "damaged counters: 1", 9, 6, 6},
		{"end changed", func(t *testing.T, path string) { flip(t, path, countersHeader+counterBytes+8) }, "damaged counters: 1", 6, 9, 6},
		{"count changed", func(t *testing.T, path string) { flip(t, path, countersHeader+2*counterBytes+16) }, "damaged counters: 1", 6, 6, 9},
		{"check word changed", func(t *testing.T, path string) { flip(t, path, countersHeader+counterSum) }, "damaged counters: 1", 9, 6, 6},
		{"killed before the check word", func(t *testing.T, path string) {
			patch(t, path, countersHeader+counterSum, make([]byte, 8))
		}, "", 6, 6, 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			for _, subject := range []string{"a", "b", "c"} {
				d.want(7, subject, 3, aMonth)
			}
			d.reopen(func() { row.spoil(t, d.path()) })
			d.wantDoubt(row.word)
			d.want(row.a, "a", 1, aMonth)
			d.want(row.b, "b", 1, aMonth)
			d.want(row.c, "c", 1, aMonth)
			d.reopen(nil) // the doubt is told once, and nothing is lost again
			d.wantDoubt("")
			d.want(row.a-1, "a", 1, aMonth)
			d.want(row.b-1, "b", 1, aMonth)
			d.want(row.c-1, "c", 1, aMonth)
		})
	}
}

func TestLimiterDirectory(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := memory.OpenLimiter(d.o); !errors.Is(err, memory.ErrInUse) || !strings.Contains(err.Error(), d.o.Dir) {
		t.Errorf("second opening: %v, want ErrInUse with the directory", err)
	}
	d.want(9, "k", 1, aMonth)
	d.reopen(nil) // the failed opening has not taken the lock with it
	for _, name := range []string{"limits.counters", "limits.lock"} {
		info, err := os.Stat(filepath.Join(d.o.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
	if _, err := memory.OpenLimiter(memory.LimiterOptions{Dir: filepath.Join(d.o.Dir, "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	// A replay journal may lie in the same directory.
	open(t, memory.Options{Dir: d.o.Dir, Fresh: true})
}

func TestLimiterClosed(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*memory.Limiter{
		"file":   openLimiter(t, memory.LimiterOptions{Dir: t.TempDir()}),
		"memory": memory.NewLimiter(0, nil),
	} {
		for range 2 {
			if err := l.Close(); err != nil {
				t.Errorf("%s: Close: %v", name, err)
			}
		}
		if ok, _, err := l.Take(t.Context(), "k", onceAMinute); ok || !errors.Is(err, os.ErrClosed) || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: Take = %v, %v", name, ok, err)
		}
		if err := l.Refund(t.Context(), "k", onceAMinute); !errors.Is(err, os.ErrClosed) || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("%s: Refund = %v", name, err)
		}
	}
}

// TestLimiterFileSize wants the places of idle counters to be used again, of rate limits and
// of quotas, while subjects come and go for ever.
func TestLimiterFileSize(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	hour := gatehouse.Limit{Name: "h", Count: 1, Refill: gatehouse.RefillHour}
	for i := range 60_000 {
		d.want(0, strconv.Itoa(i), 1, onceAMinute[0], hour)
		d.clock.Advance(time.Hour / 1000) // 1,000 to 2,000 counters are in use at a time
		if i%20_000 == 0 {
			d.reopen(nil)
		}
	}
	info, err := os.Stat(d.path())
	if err != nil {
		t.Fatal(err)
	}
	if blocks := (info.Size() - countersHeader) / countersBlock; blocks < 1 || blocks > 2 {
		t.Errorf("%d blocks for 2,000 counters in use", blocks)
	}
}
