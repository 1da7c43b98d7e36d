// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
)

// BenchmarkRound measures a claim and charges beside a bare PING and a SET NX, in turns, by
// one caller and by 64 at once. The metrics are nanoseconds of each, and their ratio to SET.
func BenchmarkRound(b *testing.B) {
	server := testenv.StartRedis(b, "redis-server")
	c, err := Open(b.Context(), server.URL(), Options{Timeout: 5 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	r := c.Replay(ReplayOptions{Now: func() time.Time { return time.Now().Add(-time.Hour) }, MaxWindow: 24 * time.Hour, MaxAhead: time.Minute})
	l := c.Limiter(LimiterOptions{})
	rate := []gatehouse.Limit{{Name: "second", Count: 1 << 40, Period: time.Second}}
	month := []gatehouse.Limit{{Name: "month", Count: 1 << 60, Refill: gatehouse.RefillMonth}}
	now := time.Now().Add(-59*time.Minute - 30*time.Second)
	kinds := []struct {
		name string
		do   func(ctx context.Context, n int) error
	}{
		{"ping", func(ctx context.Context, _ int) error { return c.Ping(ctx) }},
		{"set", func(ctx context.Context, n int) error {
			return c.r.Do(ctx, c.r.B().Set().Key("bench"+strconv.Itoa(n)).Value("1").Nx().PxMilliseconds(10_000).Build()).Error()
		}},
		{"claim", func(ctx context.Context, n int) error {
			_, err := r.Claim(ctx, "0123456789abcdef", strconv.Itoa(n), now, now.Add(time.Hour))
			return err
		}},
		{"charge", func(ctx context.Context, n int) error {
			_, err := l.Charge(ctx, []gatehouse.Charge{{Subject: "key/" + strconv.Itoa(n%1000), Limits: rate}})
			return err
		}},
		{"charge3", func(ctx context.Context, n int) error {
			_, err := l.Charge(ctx, []gatehouse.Charge{
				{Subject: "key/" + strconv.Itoa(n%1000), Limits: rate},
				{Subject: "owner/" + strconv.Itoa(n%100), Limits: rate}, {Subject: "tenant", Limits: month},
			})
			return err
		}},
	}
	n := 0
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers, " callers"), func(b *testing.B) {
			spent := make([]time.Duration, len(kinds))
			for b.Loop() {
				for i, kind := range kinds {
					begin := time.Now()
					var done sync.WaitGroup
					for caller := range callers {
						done.Go(func() {
							for k := range 10 {
								if err := kind.do(b.Context(), n+10*caller+k); err != nil {
									b.Error(err)
								}
							}
						})
					}
					done.Wait()
					spent[i] += time.Since(begin)
				}
				n += 10 * callers
			}
			for i, kind := range kinds {
				b.ReportMetric(float64(spent[i].Nanoseconds())/float64(10*callers*b.N), kind.name+"-ns")
				b.ReportMetric(float64(spent[i])/float64(spent[1]), kind.name+"/set")
			}
		})
	}
}
