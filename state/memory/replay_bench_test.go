// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/state/memory"
)

// BenchmarkClaim claims nonces for random keys of a million, with a window of 10 s, at a
// rate of arrival: that decides how many pairs are remembered, and so how far they are from
// the processor.
func BenchmarkClaim(b *testing.B) {
	for _, rate := range []int64{1000, 10_000, 40_000} {
		b.Run(fmt.Sprint(rate, " a second"), func(b *testing.B) {
			begin := time.Now()
			var now atomic.Int64
			r := open(b, memory.Options{Dir: b.TempDir(), Fresh: true, Now: func() time.Time {
				_ = time.Now() // reading the real clock is a part of the cost
				return begin.Add(time.Duration(now.Load()))
			}})
			random := rand.New(rand.NewPCG(1, 2))
			claim := func() {
				signed := begin.Add(time.Duration(now.Add(int64(time.Second) / rate)))
				var nonce [8]byte
				binary.LittleEndian.PutUint64(nonce[:], uint64(signed.UnixNano()))
				key := randomKey(random)
				ok, err := r.Claim(b.Context(), string(key[:]), string(nonce[:]), signed, signed.Add(10*time.Second))
				if !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
			for range 25 * rate { // until the generations have their size
				claim()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				claim()
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		r := open(b, memory.Options{Dir: b.TempDir(), Fresh: true})
		var n atomic.Int64
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			var nonce [16]byte
			for p.Next() {
				i := n.Add(1)
				now := time.Now()
				if _, err := r.Claim(b.Context(), "0123456789abcdef", string(strconv.AppendInt(nonce[:0], i, 36)), now, now.Add(10*time.Second)); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// randomKey makes one of a million keys. It makes the text itself: by the time a request
// gets here its key is near the processor, and a table of a million keys is not.
func randomKey(random *rand.Rand) (key [16]byte) {
	n := random.Uint64N(1_000_000)
	binary.LittleEndian.PutUint64(key[:], n)
	binary.LittleEndian.PutUint64(key[8:], n*0x9e3779b97f4a7c15)
	return key
}

// BenchmarkOpen opens a journal with two million records that still count.
func BenchmarkOpen(b *testing.B) {
	o := memory.Options{Dir: b.TempDir(), Fresh: true}
	r := open(b, o)
	for i := range 2 * memory.DefaultCapacity {
		now := time.Now()
		if ok, err := r.Claim(b.Context(), "k", strconv.Itoa(i), now, now.Add(time.Minute)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	for b.Loop() {
		b.StopTimer() // Close waits for the disk
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		var err error
		if r, err = memory.OpenReplay(o); err != nil {
			b.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
