// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/gcra"
)

// TestPutHalf lets a process die before each store of a counter, and wants what it leaves to
// be the counter before, the counter after, or nothing where nothing was.
func TestPutHalf(t *testing.T) {
	t.Parallel()
	now := instant{steady: 1000, wall: 1000}
	const a, b = 7, 8 // ids
	for _, row := range []struct {
		name          string
		id            uint64
		before, after gcra.Used
		stores        int
	}{
		{"rate limit", a, gcra.Used{End: 1500}, gcra.Used{End: 1600}, 4},
		{"rate limit, idle before", a, gcra.Used{End: 900}, gcra.Used{End: 1100}, 4},
		{"quota", a, gcra.Used{End: 2000, Count: 5}, gcra.Used{End: 2000, Count: 6}, 4},
		{"quota in its next span", a, gcra.Used{End: 1000, Count: 5}, gcra.Used{End: 2000, Count: 1}, 4},
		{"rate limit in the place of another", b, gcra.Used{End: 1000}, gcra.Used{End: 1100}, 6},
		{"rate limit in the place of a quota", b, gcra.Used{End: 1000, Count: 5}, gcra.Used{End: 1100}, 6},
		{"quota in the place of a rate limit", b, gcra.Used{End: 1000}, gcra.Used{End: 2000, Count: 1}, 6},
		{"quota in the place of another", b, gcra.Used{End: 1000, Count: 5}, gcra.Used{End: 2000, Count: 1}, 6},
	} {
		for lived := 0; lived <= row.stores; lived++ {
			c := counter(make([]byte, counterSize))
			c.put(a, row.before, store)
			n := 0
			c.put(row.id, row.after, func(b []byte, v uint64) {
				if n++; n <= lived {
					store(b, v)
				}
			})
			whole := c.id() == a && c.value() == row.before || c.id() == row.id && c.value() == row.after
			nothing := c.idle(now) && row.before.End <= 1000
			if n != row.stores || !c.intact() || !whole && !nothing || lived == n && (c.id() != row.id || c.value() != row.after) {
				t.Errorf("%s, %d of %d stores: id %d, %+v, intact %v", row.name, lived, n, c.id(), c.value(), c.intact())
			}
		}
	}
}

// TestFullDisk wants a charge to fail, and nothing to be charged, when the file cannot grow.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	l, err := OpenLimiter(LimiterOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := l.c.file
	if l.c.file, err = os.Open(file.Name()); err != nil { // not writable
		t.Fatal(err)
	}
	limits := []gatehouse.Limit{{Name: "l", Count: 1, Period: time.Hour}}
	if ok, _, err := l.Take(t.Context(), "k", limits); ok || !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Take = %v, %v", ok, err)
	}
	if err := l.c.file.Close(); err != nil {
		t.Error(err)
	}
	l.c.file = file
	if ok, _, err := l.Take(t.Context(), "k", limits); !ok || err != nil {
		t.Errorf("Take, with room again = %v, %v", ok, err)
	}
}
