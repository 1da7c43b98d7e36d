// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package compact_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse/store/internal/compact"
)

// kept is what the model knows of a place.
type kept struct {
	value []byte
	stamp uint64
	at    int64
}

// model puts, gets and drops in a cache and in a map. What a cache returns is what the map
// has; what was put just now is there; and with exact everything is.
func model(maxBytes int, exact bool) func(*rapid.T) {
	return func(t *rapid.T) {
		c, want := compact.New(maxBytes), map[uint64]kept{}
		places := rapid.SliceOfN(rapid.Uint64(), 1, 40).Draw(t, "places")
		lengths := rapid.OneOf(rapid.IntRange(0, 400), rapid.IntRange(0, 400),
			rapid.SampledFrom([]int{30_000, compact.MaxValue - 1, compact.MaxValue, compact.MaxValue + 1}))
		place := rapid.SampledFrom(places)
		check := func(p uint64, must bool) {
			prefix := []byte("before")
			got, stamp, at, ok := c.Get(prefix, p)
			w, there := want[p]
			switch {
			case !bytes.HasPrefix(got, prefix):
				t.Fatalf("Get %x lost what dst held", p)
			case !ok && (len(got) != len(prefix) || stamp != 0 || at != 0):
				t.Fatalf("Get %x found nothing and returned %d bytes, stamp %d, time %d", p, len(got), stamp, at)
			case ok && (!there || !bytes.Equal(got[len(prefix):], w.value) || stamp != w.stamp || at != w.at):
				t.Fatalf("Get %x is not what was put last", p)
			case !ok && there && must:
				t.Fatalf("Get %x found nothing", p)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				p, n := place.Draw(t, "place"), lengths.Draw(t, "length")
				w := kept{bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, n), rapid.Uint64().Draw(t, "stamp"), rapid.Int64().Draw(t, "at")}
				c.Put(p, w.value, w.stamp, w.at)
				if want[p] = w; n > compact.MaxValue {
					delete(want, p)
				}
				check(p, true)
			},
			"get": func(t *rapid.T) { check(place.Draw(t, "place"), exact) },
			"drop": func(t *rapid.T) {
				p := place.Draw(t, "place")
				c.Drop(p)
				delete(want, p)
				check(p, true)
			},
			"": func(t *rapid.T) {
				if n := c.Len(); n > len(want) || exact && n != len(want) {
					t.Fatalf("Len is %d, %d places have a value", n, len(want))
				}
				if n := c.Bytes(); n > maxBytes {
					t.Fatalf("Bytes is %d of %d", n, maxBytes)
				}
			},
		})
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	t.Run("tight", func(t *testing.T) { t.Parallel(); rapid.Check(t, model(200<<10, false)) })
	t.Run("roomy", func(t *testing.T) { t.Parallel(); rapid.Check(t, model(1<<30, true)) })
}

// FuzzCache reads its input as a list of puts, with lengths up to one that is not kept, of
// gets and of drops, four bytes each. What is found must be what was put last.
func FuzzCache(f *testing.F) {
	f.Add([]byte{0, 1, 0, 9, 1, 1, 0, 0, 2, 1, 0, 0, 0, 2, 255, 255, 0, 3, 255, 230, 0, 1, 0, 10})
	value := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvw"), 2_000)
	f.Fuzz(func(t *testing.T, program []byte) {
		c, want := compact.New(200<<10), map[uint64]kept{}
		for i := 0; i+4 <= len(program); i += 4 {
			p, n := uint64(program[i+1]), int(binary.BigEndian.Uint16(program[i+2:]))
			switch program[i] % 3 {
			case 0:
				w := kept{value[i%33:][:n], uint64(i), int64(-i)}
				c.Put(p, w.value, w.stamp, w.at)
				if want[p] = w; n > compact.MaxValue {
					delete(want, p)
				}
			case 1:
				c.Drop(p)
				delete(want, p)
			}
			w, there := want[p]
			got, stamp, at, ok := c.Get(nil, p)
			if ok && (!there || !bytes.Equal(got, w.value) || stamp != w.stamp || at != w.at) {
				t.Fatalf("step %d: Get %d is not what was put last", i/4, p)
			}
		}
		if c.Len() > len(want) || c.Bytes() > 200<<10 {
			t.Fatalf("%d records of %d in %d bytes", c.Len(), len(want), c.Bytes())
		}
	})
}

func TestOff(t *testing.T) {
	t.Parallel()
	for _, maxBytes := range []int{-1, 0, 69_000} {
		c := compact.New(maxBytes)
		c.Put(1, []byte("a"), 1, 1)
		c.Drop(1)
		if _, _, _, ok := c.Get(nil, 1); ok || c.Len() != 0 || c.Bytes() != 0 {
			t.Errorf("New(%d) keeps %d records in %d bytes", maxBytes, c.Len(), c.Bytes())
		}
	}
}

// However much is put, the memory is within its bound, and it is put to use.
func TestBound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name             string
		maxBytes, length int
		least            int // records that are kept
	}{
		{"one slab", 70 << 10, 230, 120},
		{"one shard", 1 << 20, 230, 3_000},
		{"many shards", 16 << 20, 230, 50_000},
		{"long records", 16 << 20, compact.MaxValue, 200},
		{"nothing but headers: the index is full first", 4 << 20, 0, 20_000},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, value := compact.New(row.maxBytes), make([]byte, row.length)
			most := 0
			for i := range uint64(2 * row.maxBytes / (row.length + 40)) {
				c.Put(i, value, i, 0)
				if i%64 == 0 {
					most = max(most, c.Bytes())
				}
				if _, stamp, _, ok := c.Get(nil, i); !ok || stamp != i {
					t.Fatalf("what was put just now, the record %d, is not there", i)
				}
			}
			if most > row.maxBytes {
				t.Errorf("%d bytes are taken, %d are allowed", most, row.maxBytes)
			}
			if c.Len() < row.least {
				t.Errorf("%d records are kept in %d bytes, at least %d fit", c.Len(), c.Bytes(), row.least)
			}
		})
	}
}

// The oldest go first, but for those that were asked for or put again. Somewhat under 4,000 fit.
func TestOldestGoFirst(t *testing.T) {
	t.Parallel()
	value := make([]byte, 230)
	get := func(c *compact.Cache, place uint64) { c.Get(nil, place) }
	put := func(c *compact.Cache, place uint64) { c.Put(place, value, 1, 0) }
	for _, row := range []struct {
		name           string
		records, every uint64 // the first ten are renewed after every so many
		renew          func(c *compact.Cache, place uint64)
	}{{"asked for once", 5_000, 3_000, get}, {"put again once", 5_000, 3_000, put}, {"always asked for", 20_000, 1_000, get}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := compact.New(1 << 20)
			for i := range row.records {
				c.Put(i, value, 0, 0)
				for place := range uint64(10) {
					if i%row.every == row.every-1 {
						row.renew(c, place)
					}
				}
			}
			n := uint64(c.Len())
			for i := range row.records {
				_, _, _, ok := c.Get(nil, i)
				if want := i < 10 || i >= row.records+10-n; ok != want {
					t.Fatalf("the record %d of %d is there: %t; %d are kept", i, row.records, ok, n)
				}
			}
		})
	}
}

// A hundred thousand values are a few hundred objects. The test does not run beside other tests: it counts
// the objects of the whole process.
func TestNothingToWalk(t *testing.T) {
	objects := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapObjects
	}
	before := objects()
	c, value := compact.New(64<<20), make([]byte, 230)
	for i := range uint64(100_000) {
		c.Put(i, value, 0, 0)
	}
	after := objects()
	if n := int64(after) - int64(before); n >= 1_000 || c.Len() != 100_000 {
		t.Errorf("%d records are %d objects on the heap", c.Len(), n)
	}
}

// checked is a value that proves itself: place, stamp, filling, checksum.
func checked(p, stamp uint64) []byte {
	v := binary.LittleEndian.AppendUint64(nil, p)
	v = binary.LittleEndian.AppendUint64(v, stamp)
	v = append(v, bytes.Repeat([]byte{byte(stamp)}, rand.IntN(700))...)
	return binary.LittleEndian.AppendUint32(v, crc32.ChecksumIEEE(v))
}

// Each writer has places of its own, readers read all. Nobody sees the bytes of another place,
// torn bytes, or what was replaced or dropped before the read began.
func TestTogether(t *testing.T) {
	t.Parallel()
	const goroutines, each, rounds = 4, 1_000, 20_000
	c := compact.New(512 << 10)
	floors := make([]atomic.Uint64, goroutines*each) // of each place: a read that begins now must not return less
	var wg sync.WaitGroup
	var hits atomic.Int64
	for g := range goroutines {
		wg.Go(func() {
			for stamp := uint64(1); stamp <= rounds; stamp++ {
				p := uint64(g*each + rand.IntN(each))
				if stamp%8 == 0 {
					c.Drop(p)
					floors[p].Store(stamp + 1)
				} else {
					c.Put(p, checked(p, stamp), stamp, int64(p))
					floors[p].Store(stamp)
				}
			}
		})
		wg.Go(func() {
			var buffer []byte
			for range rounds {
				p := rand.Uint64N(goroutines * each)
				floor := floors[p].Load()
				value, stamp, at, ok := c.Get(buffer[:0], p)
				buffer = value
				if !ok {
					continue
				}
				hits.Add(1)
				body := value[:len(value)-4]
				if binary.LittleEndian.Uint32(value[len(body):]) != crc32.ChecksumIEEE(body) ||
					binary.LittleEndian.Uint64(body) != p || binary.LittleEndian.Uint64(body[8:]) != stamp || at != int64(p) {
					t.Errorf("Get %d returned what nobody put there", p)
					return
				}
				if stamp < floor {
					t.Errorf("Get %d returned stamp %d after %d was reached", p, stamp, floor)
					return
				}
			}
		})
	}
	wg.Wait()
	if hits.Load() == 0 {
		t.Error("no read found anything")
	}
}
