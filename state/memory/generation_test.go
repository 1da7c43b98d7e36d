// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
)

// TestGeneration holds an index to a map, with digests that share slots and marks.
func TestGeneration(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		j := memoryJournal()
		g := newGeneration(j, rapid.IntRange(0, 1).Draw(t, "half"), 1<<20, 0)
		j.header.seq[g.half] = 7
		seen := map[digest]int64{}
		draw := rapid.Custom(func(t *rapid.T) digest {
			return digest{
				rapid.Uint64Range(0, 3).Draw(t, "slot") * 341, rapid.Uint64Range(0, 40).Draw(t, "low") |
					rapid.Uint64Range(0, 2).Draw(t, "mark")<<60,
			}
		})
		for i := range rapid.IntRange(1, 1500).Draw(t, "records") {
			d := draw.Draw(t, "digest")
			if i == j.records() {
				if err := j.grow(); err != nil {
					t.Fatal(err)
				}
			}
			r := j.record(g.half, i)
			r.write(d, int64(i), int64(i)+1, j.header.seq[g.half])
			g.note(r, i)
			seen[d] = int64(i)
			if other := draw.Draw(t, "other"); true {
				r, _ := g.find(other)
				if signed, ok := seen[other]; ok != (r != nil) || ok && r.signed() != signed {
					t.Fatalf("after %d records, %x: found %v, want %v %v", i+1, other, r, ok, signed)
				}
			}
			if g.n != i+1 || g.signed != int64(i) || g.until != int64(i)+1 || 2*g.n > len(g.slots) {
				t.Fatalf("after %d records: %d, %d, %d in %d slots", i+1, g.n, g.signed, g.until, len(g.slots))
			}
		}
	})
}

// TestGrowFails has a journal that cannot grow: an error, and nothing claimed.
func TestGrowFails(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	r, err := OpenReplay(Options{Dir: t.TempDir(), Fresh: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	claim := func(i int) (bool, error) {
		return r.Claim(t.Context(), "k", fmt.Sprint(i), now, now.Add(time.Second))
	}
	const room = 1 + blockRecords // the first is alone in its generation
	for i := range room {
		if ok, err := claim(i); !ok || err != nil {
			t.Fatalf("claim %d: %v, %v", i, ok, err)
		}
	}
	file := r.j.file
	r.j.file, err = os.Open(file.Name()) // not writable
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if ok, err := claim(room); ok || !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, os.ErrPermission) && err == nil {
			t.Fatalf("claim without room: %v, %v", ok, err)
		}
		for i := range room {
			if ok, err := claim(i); ok || err != nil {
				t.Fatalf("claim %d again: %v, %v", i, ok, err)
			}
		}
	}
	if err := r.j.file.Close(); err != nil {
		t.Fatal(err)
	}
	r.j.file = file
	if ok, err := claim(room); !ok || err != nil {
		t.Fatalf("claim with room again: %v, %v", ok, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
