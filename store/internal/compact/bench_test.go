// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/store/internal/compact"
)

const (
	million   = 1_000_000
	rowLength = 200
	maxBytes  = 300_000_000
)

// The bars: a million records take at most 300 MB, and a full collection works at most 10 ms.
const (
	mostMB   = 300
	mostWork = 10 * time.Millisecond
)

func placeOf(i uint64) uint64 {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, i))
	return binary.BigEndian.Uint64(sum[:])
}

// filled keeps n values, those given in turns.
func filled(n int, values ...[]byte) (*compact.Cache, []uint64) {
	c, places := compact.New(maxBytes), make([]uint64, n)
	for i := range places {
		places[i] = placeOf(uint64(i))
		c.Put(places[i], values[i%len(values)], 1, 1)
	}
	return c, places
}

// BenchmarkGet reads records that are there: any of a thousand and of a million, one by all
// processors, and any while a processor in turn writes one record for sixteen that are read.
func BenchmarkGet(b *testing.B) {
	c, places := filled(million, make([]byte, rowLength))
	if c.Len() != million {
		b.Fatalf("%d records of %d are kept", c.Len(), million)
	}
	for _, row := range []struct {
		name   string
		among  int
		writes bool
	}{{"of=1000", 1_000, false}, {"of=1e6", million, false}, {"one", 1, false}, {"of=1e6/writes", million, true}} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				buffer, value := make([]byte, 0, 512), make([]byte, rowLength)
				for i := 0; pb.Next(); i++ {
					p := places[rand.IntN(row.among)]
					if row.writes && i%16 == 0 {
						c.Put(p, value, 1, 1)
					}
					if _, _, _, ok := c.Get(buffer, p); !ok {
						b.Error("a record is gone")
						return
					}
				}
			})
		})
	}
}

// BenchmarkPut writes records: a million into an empty cache, each in its own place, and new
// ones into a full cache, where old ones make room.
func BenchmarkPut(b *testing.B) {
	value := make([]byte, rowLength)
	b.Run("empty", func(b *testing.B) {
		var c *compact.Cache
		for i := 0; b.Loop(); i++ {
			if i%million == 0 {
				c = compact.New(maxBytes)
			}
			c.Put(uint64(i%million)*0x9e3779b97f4a7c15, value, 1, 1)
		}
	})
	c, places := filled(million, make([]byte, rowLength))
	b.Run("same", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Put(places[rand.IntN(million)], value, 1, 1)
		}
	})
	for range million / 2 {
		c.Put(rand.Uint64(), value, 1, 1)
	}
	b.Run("full", func(b *testing.B) {
		b.ReportAllocs()
		var longest time.Duration
		for b.Loop() {
			begin := time.Now()
			c.Put(rand.Uint64(), value, 1, 1)
			longest = max(longest, time.Since(begin))
		}
		b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
	})
}

// marked is the processor time that marking and pauses of the collector have taken: the
// runtime's own estimate, of all mark workers and assists.
func marked() time.Duration {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/gc/pause:cpu-seconds"},
	}
	metrics.Read(samples)
	var sum float64
	for _, s := range samples {
		sum += s.Value.Float64()
	}
	return time.Duration(sum * float64(time.Second))
}

func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// pointers is a million records as the ground has them, in a map.
func pointers() any {
	m := make(map[string]*gatehouse.Record)
	now := time.Now()
	for i := range million {
		id := fmt.Sprintf("key_%012d", i)
		m[id] = &gatehouse.Record{
			Key: gatehouse.Key{
				ID: id, Tenant: "default", Principal: fmt.Sprintf("acct_%012d", i/10), Name: fmt.Sprint("key ", i), Schemes: []string{"bearer"},
				Scopes: gatehouse.Scopes{"orders:read", "orders:write"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				Created: now, Updated: now, Materials: []gatehouse.Material{{Data: make([]byte, 32)}},
			},
		}
	}
	return m
}

// BenchmarkCollect collects all garbage, of which there is none, with a million records in
// memory: in the cache, and beside it in a map of what a row is made into.
//
// The records in the cache are those of keys that were made and looked up, of each scheme in
// turn, as the cache of a database packs them.
func BenchmarkCollect(b *testing.B) {
	rows := packed(b)
	for _, row := range []struct {
		name string
		make func() any
		bars bool
	}{
		{"nothing", func() any { return nil }, false},
		{"compact", func() any {
			c, _ := filled(million, rows...)
			if c.Len() != million {
				b.Errorf("%d records of %d are kept", c.Len(), million)
			}
			return c
		}, true},
		{"pointers", pointers, false},
	} {
		b.Run(row.name, func(b *testing.B) {
			before := heap()
			held := row.make()
			after := heap()
			mb := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / 1e6
			var works []time.Duration
			for b.Loop() {
				begin := marked()
				runtime.GC()
				works = append(works, marked()-begin)
			}
			slices.Sort(works)
			work := works[len(works)/2] // the runtime counts the time in which others had the processor
			runtime.KeepAlive(held)
			b.ReportMetric(mb, "MB")
			b.ReportMetric(float64(int64(after.HeapObjects)-int64(before.HeapObjects)), "objects")
			b.ReportMetric(float64(work)/1e6, "GC-work-ms/op")
			b.ReportMetric(float64(b.Elapsed())/1e6/float64(b.N), "GC-wall-ms/op")
			if row.bars && (mb > mostMB || work > mostWork) {
				b.Errorf("%.0f MB and %v of the collector's work, at most %d MB and %v are allowed", mb, work, mostMB, mostWork)
			}
		})
	}
}
