// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
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
// beside its floor in the same run: a bare lookup of the same row and the bare crypto.
// GATEHOUSE_BENCH_KEYS says how many keys the store holds (default 10,000). Each
// request is of another key, so rows are not found warm in a processor's cache.
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
	ctx := context.Background()

	b.Run(fmt.Sprintf("keys=%d/floor=point-lookup", total), func(b *testing.B) {
		db, err := sql.Open("sqlite", "file:"+h.path+"?mode=ro&_pragma=mmap_size(68719476736)")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		point, err := db.Prepare("SELECT state FROM keys WHERE id = $1")
		if err != nil {
			b.Fatal(err)
		}
		var state string
		for i := 0; b.Loop(); i++ {
			if err := point.QueryRow(keys[i%len(keys)].Key.ID).Scan(&state); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("keys=%d/floor=record-lookup", total), func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := h.store.Lookup(ctx, keys[i%len(keys)].Key.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("keys=%d/floor=hmac", total), func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = barong.Sign(keys[i%len(keys)].Secret.Reveal(), "1584524005143", keys[i%len(keys)].Key.ID)
		}
	})
	for name, request := range map[string]func(gatehouse.Created) *gatehouse.Request{
		"bearer": token,
		"barong": func(c gatehouse.Created) *gatehouse.Request { return triple(c, time.Now()) },
	} {
		b.Run(fmt.Sprintf("keys=%d/scheme=%s", total, name), func(b *testing.B) {
			b.ReportAllocs()
			// What a client does to make a request is not measured: requests are made some
			// ahead, each of the next key, with a nonce of its own time.
			var requests []*gatehouse.Request
			for next := 0; b.Loop(); {
				if len(requests) == 0 {
					b.StopTimer()
					for range min(512, len(keys)) {
						requests = append(requests, request(keys[next%len(keys)]))
						next++
					}
					b.StartTimer()
				}
				r := requests[len(requests)-1]
				requests = requests[:len(requests)-1]
				d, err := h.Verify(ctx, r)
				if err != nil || !d.Granted {
					b.Fatal(d.Reason, err)
				}
			}
		})
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
