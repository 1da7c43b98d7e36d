// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/state/memory"
)

func open(t testing.TB, o memory.Options) *memory.Replay {
	t.Helper()
	r, err := memory.OpenReplay(o)
	if err != nil {
		t.Fatalf("OpenReplay: %v", err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

func TestReplaySuite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		dir  func(t *testing.T) string
	}{
		{"journal", func(t *testing.T) string { return t.TempDir() }},
		{"plain memory", func(*testing.T) string { return "" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			gatehousetest.ReplayCache(t, func(t *testing.T, now func() time.Time) gatehouse.ReplayCache {
				return open(t, memory.Options{Dir: row.dir(t), Fresh: true, Now: now})
			})
		})
	}
}

// house is a directory, a clock and the replay cache that is open just now.
type house struct {
	t     *testing.T
	o     memory.Options
	clock *gatehousetest.Clock
	r     *memory.Replay
}

func newHouse(t *testing.T, o memory.Options) *house {
	t.Helper()
	h := &house{t: t, o: o, clock: gatehousetest.NewClock()}
	h.o.Dir, h.o.Now = t.TempDir(), h.clock.Now
	h.r = open(t, h.o)
	return h
}

func (h *house) path() string { return filepath.Join(h.o.Dir, "replay.journal") }

// reopen ends the cache, lets change work on the directory and opens it again.
func (h *house) reopen(change func()) {
	h.t.Helper()
	if err := h.r.Close(); err != nil {
		h.t.Fatalf("Close: %v", err)
	}
	if change != nil {
		change()
	}
	h.r = open(h.t, h.o)
}

// want claims a nonce signed so long from now, with a window of 10 s.
func (h *house) want(want bool, nonce string, ahead time.Duration) {
	h.t.Helper()
	signed := h.clock.Now().Add(ahead)
	got, err := h.r.Claim(h.t.Context(), "k", nonce, signed, signed.Add(10*time.Second))
	if err != nil {
		h.t.Fatalf("Claim(%q): %v", nonce, err)
	}
	if got != want {
		h.t.Errorf("Claim(%q, signed %v from now) = %v, want %v", nonce, ahead, got, want)
	}
}

// wantUnknown wants nobody to know whether a nonce signed so long from now was used, until
// the clock has gone on for after.
func (h *house) wantUnknown(after time.Duration, nonce string, ahead time.Duration) {
	h.t.Helper()
	signed := h.clock.Now().Add(ahead)
	ok, err := h.r.Claim(h.t.Context(), "k", nonce, signed, signed.Add(10*time.Second))
	if ok || !errors.Is(err, gatehouse.ErrUnavailable) || gatehouse.RetryAfter(err) != after {
		h.t.Errorf("Claim(%q, signed %v from now) = %v, %v, want to be told to wait for %v", nonce, ahead, ok, err, after)
	}
}

// wantFloor wants a floor so long from now, raised for a reason with this word.
func (h *house) wantFloor(ahead time.Duration, word string) {
	h.t.Helper()
	at, why := h.r.Floor()
	if want := h.clock.Now().Add(ahead); !at.Equal(want) || !strings.Contains(why, word) {
		h.t.Errorf("floor %v because %q, want %v because of %q", at, why, want, word)
	}
}

func (h *house) wantNoFloor() {
	h.t.Helper()
	if at, why := h.r.Floor(); !at.IsZero() || why != "" {
		h.t.Errorf("floor %v because %q, want none", at, why)
	}
}

func TestPlainRestart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	h.wantNoFloor()
	h.want(true, "1", 0)
	h.clock.Advance(time.Second)
	for range 3 {
		h.o.Fresh = !h.o.Fresh // it makes no difference once there is a journal
		h.reopen(nil)
		h.wantNoFloor()
		h.want(false, "1", -time.Second)
		h.want(false, "1", 0)
		h.want(true, h.clock.Now().String(), -9*time.Second) // signed long before the restart
		h.clock.Advance(time.Second)
	}
	h.clock.Advance(10 * time.Second)
	h.reopen(nil)
	h.want(true, "1", 0)
}

// TestEdges looks at both sides of the end of a claim and of the time it is given back.
func TestEdges(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	for range 5 {
		h.want(true, "1", 0)
		h.clock.Advance(10*time.Second - 1)
		h.want(false, "1", 0)
		h.clock.Advance(1)
	}
	h.want(true, "2", -10*time.Second+1)
	h.want(false, "3", -10*time.Second)
}

// TestForgotten restarts with the clock set back to a time when a forgotten pair had not
// expired.
func TestForgotten(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	h.want(true, "1", 0)
	for range 3 {
		h.clock.Advance(20 * time.Second)
		h.want(true, "in between", 0)
	}
	h.reopen(func() { h.clock.Advance(-60 * time.Second) })
	h.wantNoFloor()
	h.want(false, "1", 0)
	h.want(false, "2", 0) // it may have been forgotten as well
	h.clock.Advance(30*time.Second + 1)
	h.want(true, "3", 0)
}

// TestTurnWithoutClaim lets a refused claim drop a generation.
func TestTurnWithoutClaim(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	h.want(true, "1", 0)
	h.want(true, "2", 0)
	h.clock.Advance(time.Minute)
	h.want(false, "2", -time.Minute)
	h.reopen(nil)
	h.wantNoFloor()
	h.want(true, "1", 0)
}

// TestRestartCapacity lets every life have another capacity.
func TestRestartCapacity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true, Capacity: 20_000})
	nonce := func(i int) string { return fmt.Sprint(i) }
	for i := range 12_000 {
		h.want(true, nonce(i), 0)
	}
	for _, capacity := range []int{5000, 1, 100_000} {
		h.o.Capacity = capacity
		h.reopen(nil)
		h.clock.Advance(time.Millisecond)
		for i := range 12_000 {
			h.want(false, nonce(i), -h.clock.Now().Sub(gatehousetest.NewClock().Now()))
		}
		h.want(true, fmt.Sprint("capacity ", capacity), 0)
	}
}

func TestFloorWithoutJournal(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		o    memory.Options
		long time.Duration
	}{
		{"defaults", memory.Options{}, 90 * time.Second},
		{"own window", memory.Options{MaxWindow: 20 * time.Second}, 20 * time.Second},
		{"own lead", memory.Options{MaxAhead: 6 * time.Second}, 6 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, row.o)
			h.wantFloor(row.long, "no journal")
			h.wantUnknown(row.long, "1", 0)
			h.wantUnknown(row.long, "2", -time.Second)
			h.clock.Advance(row.long)
			h.wantUnknown(time.Millisecond, "3", 0)
			h.wantUnknown(time.Millisecond, "4", -time.Nanosecond)
			h.clock.Advance(time.Nanosecond)
			h.want(true, "5", 0)
			h.want(false, "6", -time.Nanosecond)
			at, _ := h.r.Floor()
			h.reopen(nil) // the floor stays where it was, and the reason is gone
			if again, why := h.r.Floor(); !again.Equal(at) || why != "" {
				t.Errorf("after a restart: floor %v because %q, want %v", again, why, at)
			}
			h.want(false, "7", -time.Nanosecond)
			h.want(true, "8", 0)
		})
	}
}

func TestFloorInPlainMemory(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	r := open(t, memory.Options{Now: clock.Now})
	if at, why := r.Floor(); !at.Equal(clock.Now().Add(90*time.Second)) || why == "" {
		t.Errorf("floor %v because %q", at, why)
	}
	gatehousetest.ReplayFloor(t, open(t, memory.Options{Now: clock.Now, MaxAhead: 5 * time.Second}), clock, 5*time.Second)
	r = open(t, memory.Options{Now: clock.Now, Fresh: true})
	if at, why := r.Floor(); !at.IsZero() || why != "" {
		t.Errorf("fresh: floor %v because %q", at, why)
	}
}

// TestDoubt spoils the journal in every way that may hide a claim.
func TestDoubt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, h *house)
		word  string
	}{
		{"journal removed", func(t *testing.T, h *house) { remove(t, h.path()) }, "no journal"},
		{"emptied", func(t *testing.T, h *house) { truncate(t, h.path(), 0) }, "no journal"},
		{"header cut", func(t *testing.T, h *house) { truncate(t, h.path(), 50) }, "damaged"},
		{"records cut", func(t *testing.T, h *house) { truncate(t, h.path(), 64<<10) }, "damaged"},
		{"other text", func(t *testing.T, h *house) { patch(t, h.path(), 0, []byte("somebody else's file")) }, "damaged"},
		{"other format", func(t *testing.T, h *house) { rewriteHeader(t, h.path(), func(b []byte) { b[16] = 2 }) }, "damaged"},
		{"secret changed", func(t *testing.T, h *house) { flip(t, h.path(), 60) }, "damaged"},
		{"floor changed", func(t *testing.T, h *house) { flip(t, h.path(), 40) }, "damaged"},
		{"first record changed", func(t *testing.T, h *house) { flip(t, h.path(), 64<<10) }, "damaged"},
		{"zeros over the records", func(t *testing.T, h *house) { patch(t, h.path(), 64<<10, make([]byte, 40)) }, "damaged"},
		{"copied back", func(t *testing.T, h *house) {
			b, err := os.ReadFile(h.path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(h.path()+".copy", b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(h.path()+".copy", h.path()); err != nil {
				t.Fatal(err)
			}
		}, "copy"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, memory.Options{Fresh: true, MaxAhead: 5 * time.Second})
			h.want(true, "1", 0)
			h.want(true, "2", 4*time.Second)
			h.clock.Advance(time.Second)
			h.reopen(func() { row.spoil(t, h) })
			h.wantFloor(5*time.Second, row.word)
			h.wantUnknown(5*time.Second, "1", -time.Second)
			h.wantUnknown(5*time.Second, "2", 3*time.Second)
			h.wantUnknown(5*time.Second, "unknown", 0)
			h.wantUnknown(5*time.Second, "unknown", 5*time.Second)
			h.clock.Advance(5*time.Second + 1)
			h.want(false, "1", -6*time.Second-1)
			h.want(false, "2", -2*time.Second-1)
			h.want(true, "unknown", 0)
			h.reopen(nil)
			h.want(false, "unknown", 0)
			h.want(true, "after", 0)
		})
	}
}

// TestBeginAnew wants nothing kept of a file whose header is damaged.
func TestBeginAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	h.want(true, "1", 0)
	h.reopen(func() { flip(t, h.path(), 60) })
	if info, err := os.Stat(h.path()); err != nil || info.Size() != 64<<10 {
		t.Errorf("the file has %d bytes, %v, want a header", info.Size(), err)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	if _, err := memory.OpenReplay(h.o); !errors.Is(err, memory.ErrInUse) || !strings.Contains(err.Error(), h.o.Dir) {
		t.Errorf("second opening: %v, want ErrInUse with the directory", err)
	}
	h.want(true, "1", 0)
	h.reopen(nil) // the failed opening has not taken the lock with it
	for _, name := range []string{"replay.journal", "replay.lock"} {
		info, err := os.Stat(filepath.Join(h.o.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
	if _, err := memory.OpenReplay(memory.Options{Dir: filepath.Join(h.o.Dir, "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for field, o := range map[string]memory.Options{
		"MaxWindow": {MaxWindow: -1},
		"MaxAhead":  {MaxAhead: 25 * time.Hour},
		"Capacity":  {Capacity: memory.MaxCapacity + 1},
	} {
		var invalid *gatehouse.InvalidError
		if _, err := memory.OpenReplay(o); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: %v, want InvalidError of %s", o, err, field)
		}
	}
}

func TestClaimTooFar(t *testing.T) {
	t.Parallel()
	clock := gatehousetest.NewClock()
	r := open(t, memory.Options{Fresh: true, MaxAhead: 5 * time.Second, Now: clock.Now})
	now := clock.Now()
	for _, row := range []struct {
		name          string
		signed, until time.Time
		far, ok       bool
	}{
		{"longest window", now, now.Add(90 * time.Second), false, true},
		{"window too long", now, now.Add(90*time.Second + 1), true, false},
		{"longest lead", now.Add(5 * time.Second), now.Add(10 * time.Second), false, true},
		{"lead too long", now.Add(5*time.Second + 1), now.Add(10 * time.Second), true, false},
		{"no end", now, time.Time{}, false, false},
		{"end of time", now, time.Unix(1<<60, 0), true, false},
		{"signed at the end of time", time.Unix(1<<60, 0), now.Add(1), true, false},
		{"signed at no time", time.Time{}, now.Add(1), false, true},
	} {
		ok, err := r.Claim(t.Context(), "k", row.name, row.signed, row.until)
		if far := errors.Is(err, memory.ErrTooFar); far != row.far || far != errors.Is(err, gatehouse.ErrUnavailable) || ok != row.ok {
			t.Errorf("%s: %v, %v", row.name, ok, err)
		}
	}
}

// TestFull fills generation upon generation faster than claims expire.
func TestFull(t *testing.T) {
	t.Parallel()
	const capacity = 100
	h := newHouse(t, memory.Options{Fresh: true, Capacity: capacity})
	begin := h.clock.Now()
	claim := func(i int) bool { // nonce i is signed i ms after the begin
		signed := begin.Add(time.Duration(i) * time.Millisecond)
		ok, err := h.r.Claim(t.Context(), "k", fmt.Sprint(i), signed, signed.Add(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for i := range 10 * capacity {
		if !claim(i) {
			t.Fatalf("claim %d refused", i)
		}
		h.clock.Advance(time.Millisecond)
		if i%97 == 0 {
			h.reopen(nil)
		}
		// At least the latest claims that fill a generation are above the floor.
		if at, _ := h.r.Floor(); !at.IsZero() && at.Sub(begin) > time.Duration(i-capacity)*time.Millisecond {
			t.Fatalf("claim %d: floor %v after the begin", i, at.Sub(begin))
		}
	}
	for i := range 10 * capacity {
		if claim(i) {
			t.Errorf("nonce %d granted again", i)
		}
	}
	at, _ := h.r.Floor()
	if at.IsZero() {
		t.Fatal("no floor")
	}
	for ahead, want := range map[time.Duration]bool{-time.Millisecond: false, 0: false, time.Millisecond: true} {
		if got, err := h.r.Claim(t.Context(), "k", "unknown", at.Add(ahead), at.Add(10*time.Second)); err != nil || got != want {
			t.Errorf("signed %v from the floor: %v, %v, want %v", ahead, got, err, want)
		}
	}
	h.clock.Advance(time.Hour)
	h.want(true, "an hour later", 0)
	h.want(true, "signed a while ago", -9*time.Second) // no floor is above it
}

// TestMemory wants a burst to be given back once it has expired.
func TestMemory(t *testing.T) {
	clock := gatehousetest.NewClock()
	r := open(t, memory.Options{Fresh: true, Dir: t.TempDir(), Now: clock.Now})
	claim := func(nonce string) {
		now := clock.Now()
		if ok, err := r.Claim(t.Context(), "k", nonce, now, now.Add(10*time.Second)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	before := heap()
	for i := range 100_000 {
		claim(fmt.Sprint(i))
	}
	burst := heap()
	for i := range 4 {
		clock.Advance(time.Minute)
		claim(fmt.Sprint("later ", i))
	}
	after := heap()
	if grown := burst - before; grown < 500_000 || grown > 4_000_000 {
		t.Errorf("100,000 claims take %d bytes of heap", grown)
	}
	if kept := after - before; kept > 100_000 {
		t.Errorf("%d bytes are kept after the burst has expired", kept)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// patch writes b at an offset of a file.
func patch(t *testing.T, path string, offset int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, offset); err != nil {
		t.Fatal(err)
	}
}

// flip inverts the byte at an offset of a file.
func flip(t *testing.T, path string, offset int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	patch(t, path, offset, []byte{^b[offset]})
}
