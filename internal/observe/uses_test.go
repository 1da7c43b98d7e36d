// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/observe"
)

func TestGrantedUsesAreWritten(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	ks := h.keys(t, 4, time.Time{})
	at := noon.Add(time.Microsecond)
	u.Observe(nil, granted(ks[0], noon), nil, 0)
	u.Observe(nil, granted(ks[0], noon.Add(time.Minute)), nil, 0)
	u.Observe(nil, granted(ks[0], noon.Add(time.Minute-time.Second)), nil, 0) // another clock
	u.Observe(nil, granted(ks[1], at), nil, 0)
	denied := granted(ks[2], at)
	denied.Granted, denied.Reason = false, gatehouse.ReasonRateLimited
	u.Observe(nil, denied, nil, 0)
	u.Observe(nil, granted(ks[3], at), errors.New("x"), 0)
	u.Observe(nil, &gatehouse.Decision{Time: at, Reason: gatehouse.ReasonInvalidCredential}, nil, 0)
	h.wantUsed(t, time.Time{}, ks...)

	mustFlush(t, u.Flush)
	h.wantUsed(t, noon.Add(time.Minute), ks[0])
	h.wantUsed(t, at, ks[1])
	h.wantUsed(t, time.Time{}, ks[2:]...)
	mustFlush(t, u.Flush)
	if !slices.Equal(h.sizes, []int{2}) {
		t.Errorf("writes of %v uses; want one of 2", h.sizes)
	}
}

// A use is noted from a minute after the one that the record knows.
func TestUsesOfAMinuteAreOne(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	k := h.keys(t, 1, noon)[0]
	u.Observe(nil, granted(k, noon.Add(time.Minute-time.Microsecond)), nil, 0)
	u.Observe(nil, granted(k, noon.Add(-time.Hour)), nil, 0)
	mustFlush(t, u.Flush)
	h.wantUsed(t, noon, k)
	if len(h.sizes) != 0 {
		t.Errorf("writes of %v uses; want none", h.sizes)
	}
	u.Observe(nil, granted(k, noon.Add(time.Minute)), nil, 0)
	mustFlush(t, u.Flush)
	h.wantUsed(t, noon.Add(time.Minute), k)
}

func TestUsesSurviveAFailure(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	ks := h.keys(t, 2, time.Time{})
	h.broken = errors.New("disk on fire")
	u.Observe(nil, granted(ks[0], noon), nil, 0)
	mustFail(t, u.Flush)
	u.Observe(nil, granted(ks[0], noon.Add(time.Hour)), nil, 0)
	u.Observe(nil, granted(ks[1], noon), nil, 0)
	mustFail(t, u.Flush)
	h.wantMetric(t, "gatehouse_use_failures_total", 2)
	h.broken = nil
	mustFlush(t, u.Flush)
	h.wantUsed(t, noon.Add(time.Hour), ks[0])
	h.wantUsed(t, noon, ks[1])
	h.wantMetric(t, "gatehouse_uses_dropped_total", 0)
}

// However many keys are used, what is kept has a bound, and so have the transactions.
func TestUsesAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	const room = 1 << 14
	h.broken = errors.New("disk on fire")
	for round := range 3 {
		for i := range 2 * room {
			u.Observe(nil, granted(&gatehouse.Key{ID: fmt.Sprint(round, "/", i)}, noon), nil, 0)
		}
		mustFail(t, u.Flush)
	}
	h.broken, h.sizes = nil, nil
	mustFlush(t, u.Flush)
	written := 0
	for _, n := range h.sizes {
		written += n
		if n > 500 {
			t.Errorf("%d uses in one transaction", n)
		}
	}
	if written < room/2 || written > room {
		t.Errorf("%d uses were kept; want %d at most, and not much less", written, room)
	}
	h.wantMetric(t, "gatehouse_uses_dropped_total", float64(3*2*room-written))
}

// Nothing that was noted before a flush is lost to it, whoever notes at the same time.
func TestUsesAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	ks := h.keys(t, 50, time.Time{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				u.Observe(nil, granted(ks[(i*7+w)%len(ks)], noon.Add(time.Duration(i)*time.Second)), nil, 0)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if err := u.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	last := noon.Add(time.Hour)
	for _, k := range ks {
		u.Observe(nil, granted(k, last), nil, 0)
	}
	mustFlush(t, u.Flush)
	h.wantUsed(t, last, ks...)
	h.wantMetric(t, "gatehouse_uses_dropped_total", 0)
}

func TestNotingAUseAllocatesNothing(t *testing.T) {
	h := open(t)
	u := observe.NewUses(h, h.metrics)
	d := granted(&gatehouse.Key{ID: "k"}, noon)
	u.Observe(nil, d, nil, 0) // the first keeps a copy of the id
	n := testing.AllocsPerRun(100, func() {
		d.Time = d.Time.Add(time.Second)
		u.Observe(nil, d, nil, 0)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkUse is what noting a use adds to a request: of a key whose record knows of a
// use within the minute, and of one key or of 4,096 that are not written yet.
func BenchmarkUse(b *testing.B) {
	for _, row := range []struct {
		name     string
		keys     int
		lastUsed time.Time
	}{{"known", 1, noon}, {"one", 1, time.Time{}}, {"many", 4096, time.Time{}}} {
		b.Run(row.name, func(b *testing.B) {
			u := observe.NewUses(nil, observe.New("v1"))
			ds := make([]*gatehouse.Decision, row.keys)
			for i := range ds {
				ds[i] = granted(&gatehouse.Key{ID: fmt.Sprintf("%016x", i), LastUsed: row.lastUsed}, noon)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					u.Observe(nil, ds[i%len(ds)], nil, 0)
				}
			})
		})
	}
}
