// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/postgres"
)

// BenchmarkState measures a claim and charges beside a bare statement of one round trip, in
// turns, and prints the ratios.
func BenchmarkState(b *testing.B) {
	url := testenv.Postgres(b)
	s := open(b, url, postgres.Options{Fresh: true})
	pool, err := sql.Open("pgx", url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	rate := []gatehouse.Limit{{Name: "second", Count: 1 << 30, Period: time.Second}}
	month := []gatehouse.Limit{{Name: "month", Count: 1 << 60, Refill: gatehouse.RefillMonth}}
	turns := []struct {
		name string
		call func(ctx context.Context, i int) error
		took time.Duration
	}{
		{name: "bare", call: func(ctx context.Context, i int) error {
			return pool.QueryRowContext(ctx, "SELECT $1::bigint", i).Scan(&i)
		}},
		{name: "claim", call: func(ctx context.Context, i int) error {
			now := time.Now()
			if first, err := s.Claim(ctx, "k", fmt.Sprint(i), now, now.Add(10*time.Second)); err != nil || !first {
				return fmt.Errorf("%v, %w", first, err)
			}
			return nil
		}},
		{name: "replay", call: func(ctx context.Context, i int) error {
			now := time.Now()
			_, err := s.Claim(ctx, "k", fmt.Sprint(i), now, now.Add(10*time.Second))
			return err
		}},
		{name: "charge1", call: func(ctx context.Context, i int) error {
			_, err := s.Charge(ctx, []gatehouse.Charge{{Subject: fmt.Sprint("key/", i%1000), Limits: rate}})
			return err
		}},
		{name: "charge3", call: func(ctx context.Context, i int) error {
			_, err := s.Charge(ctx, []gatehouse.Charge{{Subject: fmt.Sprint("key/", i%1000), Limits: rate},
				{Subject: fmt.Sprint("owner/", i%100), Limits: rate}, {Subject: "tenant/default", Limits: month}})
			return err
		}},
	}
	n := 0
	for b.Loop() {
		for i := range turns {
			at := time.Now()
			if err := turns[i].call(b.Context(), n); err != nil {
				b.Fatal(turns[i].name, err)
			}
			turns[i].took += time.Since(at)
		}
		n++
	}
	for _, turn := range turns {
		b.ReportMetric(float64(turn.took.Nanoseconds())/float64(n)/1000, turn.name+"-µs")
		b.ReportMetric(float64(turn.took)/float64(turns[0].took), turn.name+"/bare")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHotCounter charges one counter from 32 connections.
func BenchmarkHotCounter(b *testing.B) {
	s := open(b, testenv.Postgres(b), postgres.Options{MaxConns: 32})
	rate := []gatehouse.Limit{{Name: "second", Count: 1 << 30, Period: time.Second}}
	b.SetParallelism((32 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, _, err := s.Take(b.Context(), "k", rate); err != nil {
				b.Error(err)
			}
		}
	})
}
