// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/scheme/barong"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// BenchmarkVerify measures a verification in process, with its row read from SQLite,
// beside its floors: a bare point lookup (one column of the row by its key, prepared,
// through database/sql) and the bare crypto. They take turns in short rounds, so that
// what else the machine does falls on all; the medians are reported, and the median of
// each round's ratio to the point lookup. GATEHOUSE_BENCH_KEYS says how many keys the
// store holds (default 10,000). Each call is for another key.
func BenchmarkVerify(b *testing.B) {
	total := 10_000
	if text := os.Getenv("GATEHOUSE_BENCH_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			b.Fatal("GATEHOUSE_BENCH_KEYS is no number from 1000")
		}
		total = n
	}
	h := newHouseOn(b, time.Now, sqlite.Options{Hot: -1}) // each verification reads its row
	keys := fill(b, h, total)
	db, err := sql.Open("sqlite", "file:"+h.path+"?mode=ro&_pragma=mmap_size(2147418112)&_pragma=cache_size(-16384)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	point, err := db.Prepare("SELECT state FROM keys WHERE id = $1")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	next := 0
	key := func() gatehouse.Created { next++; return keys[next%len(keys)] }
	verify := func(request func(gatehouse.Created) *gatehouse.Request) func(int) time.Duration {
		return func(n int) time.Duration {
			// What a client does to make a request is not measured.
			requests := make([]*gatehouse.Request, n)
			for i := range requests {
				requests[i] = request(key())
			}
			begin := time.Now()
			for _, r := range requests {
				if d, err := h.Verify(ctx, r); err != nil || !d.Granted {
					b.Fatal(d.Reason, err)
				}
			}
			return time.Since(begin)
		}
	}
	rows := []struct {
		name string
		run  func(n int) time.Duration
	}{
		{"point", func(n int) time.Duration {
			begin, state := time.Now(), ""
			for range n {
				if err := point.QueryRow(key().Key.ID).Scan(&state); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(begin)
		}},
		{"record", func(n int) time.Duration {
			begin := time.Now()
			for range n {
				if _, err := h.store.Lookup(ctx, key().Key.ID); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(begin)
		}},
		{"hmac", func(n int) time.Duration {
			begin := time.Now()
			for range n {
				k := key()
				_ = barong.Sign(k.Secret.Reveal(), "1584524005143", k.Key.ID)
			}
			return time.Since(begin)
		}},
		{"bearer", verify(token)},
		{"barong", verify(func(c gatehouse.Created) *gatehouse.Request { return triple(c, time.Now()) })},
	}
	const round = 250
	took, ratio := make([][]float64, len(rows)), make([][]float64, len(rows))
	for b.Loop() {
		for i, row := range rows {
			took[i] = append(took[i], float64(row.run(round).Nanoseconds())/round)
			ratio[i] = append(ratio[i], took[i][len(took[i])-1]/took[0][len(took[i])-1])
		}
	}
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	for i, row := range rows {
		b.ReportMetric(median(took[i]), row.name+"-ns")
		if i > 0 {
			b.ReportMetric(median(ratio[i]), row.name+"/point")
		}
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkVerifyAllocs counts what a verification allocates.
func BenchmarkVerifyAllocs(b *testing.B) {
	h := newHouseOn(b, time.Now, sqlite.Options{Hot: -1})
	c := fill(b, h, 1)[0]
	r := token(c)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := h.Verify(context.Background(), r); err != nil || !d.Granted {
			b.Fatal(d.Reason, err)
		}
	}
}

// fill makes keys side by side, so that writes share transactions, and returns a
// sample of at most 4,096 of them, spread over the whole.
func fill(b *testing.B, h *house, total int) []gatehouse.Created {
	b.Helper()
	const workers, most = 256, 4096
	step := max(1, total/most)
	sample := make([]gatehouse.Created, (total+step-1)/step)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < total; i = int(next.Add(1)) - 1 {
				c, err := h.Create(context.Background(), operator, gatehouse.NewKey{Principal: h.owner.ID, Schemes: []string{"barong", "bearer"}})
				if err != nil {
					b.Error(err)
					return
				}
				if i%step == 0 {
					sample[i/step] = c
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return sample
}
