// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/lease"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/state/postgres"
)

// BenchmarkHotCounter has 32 callers charge one counter in PostgreSQL for slices of 100 ms,
// without leases and with leases of 100 ms in turns, and prints the charges a second and
// their ratio: under a limit that admits all, and one of 500 a second that refuses most.
func BenchmarkHotCounter(b *testing.B) {
	for _, row := range []struct {
		name  string
		count int64
	}{{"admitted", 1 << 40}, {"refused", 500}} {
		b.Run(row.name, func(b *testing.B) {
			plain := openPostgres(b, testenv.Postgres(b), postgres.Options{MaxConns: 32})
			leased := lease.New(plain, lease.Options{For: 100 * time.Millisecond})
			var a, z turn
			slice(b, leased, "leased", row.count, 1200*time.Millisecond, &turn{}) // a second tells how hot it is
			b.ResetTimer()
			for b.Loop() {
				slice(b, plain, "plain", row.count, 100*time.Millisecond, &a)
				slice(b, leased, "leased", row.count, 100*time.Millisecond, &z)
			}
			b.ReportMetric(a.perSecond(), "plain/s")
			b.ReportMetric(z.perSecond(), "leased/s")
			b.ReportMetric(z.perSecond()/a.perSecond(), "leased/plain")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// turn is what one side did so far.
type turn struct {
	charges int
	took    time.Duration
}

func (t *turn) perSecond() float64 { return float64(t.charges) / t.took.Seconds() }

func slice(b *testing.B, l gatehouse.Limiter, subject string, count int64, d time.Duration, t *turn) {
	b.Helper()
	charges := []gatehouse.Charge{perSecond(subject, count, 1)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for range 32 {
		wg.Go(func() {
			n := 0
			for ; time.Since(start) < d; n++ {
				if _, err := l.Charge(b.Context(), charges); err != nil {
					b.Error(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			t.charges += n
		})
	}
	wg.Wait()
	t.took += time.Since(start)
}

// BenchmarkLocal charges from a batch, or nearly always.
func BenchmarkLocal(b *testing.B) {
	l := lease.New(memory.NewLimiter(0, nil), lease.Options{For: time.Second, From: 1})
	charges := []gatehouse.Charge{perSecond("key/0123456789abcdef", 1<<40, 1)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Charge(b.Context(), charges); err != nil {
			b.Fatal(err)
		}
	}
}
