// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
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
// store holds (default 10,000). Each call is for another key, but with shield and ed25519. Bodies have
// 1 KiB.
func BenchmarkVerify(b *testing.B) {
	total := 10_000
	if text := os.Getenv("GATEHOUSE_BENCH_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			b.Fatal("GATEHOUSE_BENCH_KEYS is no number from 1000")
		}
		total = n
	}
	h := newHouseOn(b, time.Now, sqlite.Options{Cache: -1}) // each verification reads its row
	keys := fill(b, h, total, 4096)
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
	run := func(requests []*gatehouse.Request) time.Duration {
		begin := time.Now()
		for _, r := range requests {
			if d, err := h.Verify(ctx, r); err != nil || !d.Granted {
				b.Fatal(d.Reason, err)
			}
		}
		return time.Since(begin)
	}
	verify := func(request func(gatehouse.Created) *gatehouse.Request) func(int) time.Duration {
		return func(n int) time.Duration {
			// What a client does to make a request is not measured.
			requests := make([]*gatehouse.Request, n)
			for i := range requests {
				requests[i] = request(key())
			}
			return run(requests)
		}
	}
	body := make([]byte, 1<<10)
	edwards, private := publicKey(b, h)
	legacy := h.key(b, gatehouse.NewKey{Schemes: []string{"shield"}})
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
		{"shield", func(n int) time.Duration {
			requests := make([]*gatehouse.Request, n)
			for i := range requests {
				requests[i] = shieldRequest(legacy, body)
			}
			return run(requests)
		}},
		{"httpsig", verify(func(c gatehouse.Created) *gatehouse.Request {
			return signed(b, c.Key.ID, macKey(b, c), time.Now(), body, nil)
		})},
		{"ed25519", func(n int) time.Duration {
			requests := make([]*gatehouse.Request, n)
			for i := range requests {
				requests[i] = signed(b, edwards.Key.ID, private, time.Now(), body, nil)
			}
			return run(requests)
		}},
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
	h := newHouseOn(b, time.Now, sqlite.Options{Cache: -1})
	c := fill(b, h, 1, 1)[0]
	r := token(c)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := h.Verify(context.Background(), r); err != nil || !d.Granted {
			b.Fatal(d.Reason, err)
		}
	}
}

// BenchmarkVerifyGrown measures what a verification costs in a store of many keys, made
// one by one with their accounts (4 keys each) and events, against the same in a store
// of 10,000. Both are open in one process and take turns; each call is for another key
// of a sample. GATEHOUSE_BENCH_KEYS says how many (default 100,000; the bar, at most
// 1.6 times, is meant for 5,000,000: the fill takes some minutes).
func BenchmarkVerifyGrown(b *testing.B) {
	many := 100_000
	if text := os.Getenv("GATEHOUSE_BENCH_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 10_000 {
			b.Fatal("GATEHOUSE_BENCH_KEYS is no number from 10000")
		}
		many = n
	}
	type side struct {
		h    *house
		keys []gatehouse.Created
		next int
	}
	var sides [2]*side
	for i, n := range []int{10_000, many} {
		h := newHouseOn(b, time.Now, sqlite.Options{Cache: -1})
		sides[i] = &side{h: h, keys: fill(b, h, n, 1<<18)}
		if info, err := os.Stat(h.path); err == nil {
			b.Logf("%d keys: %d MB", n, info.Size()>>20)
		}
		for _, c := range sides[i].keys { // a server that has been up for a while
			if _, err := h.store.Lookup(context.Background(), c.Key.ID); err != nil {
				b.Fatal(err)
			}
		}
	}
	const round = 500
	ctx := context.Background()
	run := func(s *side, verify bool) float64 {
		requests := make([]*gatehouse.Request, round)
		ids := make([]string, round)
		for i := range requests {
			c := s.keys[s.next%len(s.keys)]
			s.next += 7919 // no order that the store knows
			requests[i], ids[i] = token(c), c.Key.ID
		}
		begin := time.Now()
		for i, r := range requests {
			if !verify {
				if _, err := s.h.store.Lookup(ctx, ids[i]); err != nil {
					b.Fatal(err)
				}
			} else if d, err := s.h.Verify(ctx, r); err != nil || !d.Granted {
				b.Fatal(d.Reason, err)
			}
		}
		return float64(time.Since(begin).Nanoseconds()) / round
	}
	var few, grown, times, records []float64
	for b.Loop() {
		x, y := run(sides[0], true), run(sides[1], true)
		few, grown, times = append(few, x), append(grown, y), append(times, y/x)
		x, y = run(sides[0], false), run(sides[1], false)
		records = append(records, y/x)
	}
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	b.ReportMetric(median(few), "few-ns")
	b.ReportMetric(median(grown), "many-ns")
	b.ReportMetric(median(times), "verify-times")
	b.ReportMetric(median(records), "record-times")
}

// fill makes keys side by side, so that writes share transactions, four to an account,
// and returns a sample of at most the given number of them, spread over the whole.
func fill(b *testing.B, h *house, total, most int) []gatehouse.Created {
	b.Helper()
	const workers, each = 256, 4
	step := max(1, (total+most-1)/most)
	sample := make([]gatehouse.Created, (total+step-1)/step)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(each)) - each; i < total; i = int(next.Add(each)) - each {
				a := h.owner
				a.ID, a.UID, a.Email = fmt.Sprintf("%016x", rand.Uint64()), fmt.Sprintf("ID%010X", i+1000), fmt.Sprintf("person.%d@example.com", i)
				if err := h.store.InsertAccount(context.Background(), &a, nil, gatehouse.NewEvent(operator, time.Now(), "account.create", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
					b.Error(err)
					return
				}
				for j := i; j < min(i+each, total); j++ {
					c, err := h.Create(context.Background(), operator, gatehouse.NewKey{Principal: a.ID, Schemes: []string{"barong", "bearer", "httpsig"}})
					if err != nil {
						b.Error(err)
						return
					}
					if j%step == 0 {
						sample[j/step] = c
					}
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
