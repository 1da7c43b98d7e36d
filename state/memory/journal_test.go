// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/state/memory"
)

// The layout in the package comment, as the tests of damage use it.
const (
	fileHeader = 64 << 10
	fileHalf   = 4096 * fileRecord
	fileRecord = 40
	fileCounts = 120
	fileBoot   = 72
	fileSum    = 28
)

// recordAt returns where the record of nonce n is in a journal whose nonces were claimed in
// order from 1 on, at one time: the first is alone in generation 0, because the generation
// before it was empty, and the others are in generation 1.
func recordAt(n int) int64 {
	if n == 1 {
		return fileHeader
	}
	return fileHeader + fileHalf + int64(n-2)*fileRecord
}

// fiveClaims returns a house where nonces 1 to 5 are claimed.
func fiveClaims(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, memory.Options{Fresh: true, MaxAhead: time.Second})
	for n := 1; n <= 5; n++ {
		h.want(true, fmt.Sprint(n), 0)
	}
	return h
}

// TestTornRecord leaves what a process leaves that dies while it writes a record, at every
// byte of it.
func TestTornRecord(t *testing.T) {
	t.Parallel()
	h := fiveClaims(t)
	for torn := 1; torn < fileRecord; torn++ {
		h.reopen(func() {
			b, err := os.ReadFile(h.path())
			if err != nil {
				t.Fatal(err)
			}
			whole := b[recordAt(5):][:fileRecord]
			patch(t, h.path(), recordAt(6), append(whole[:torn:torn], make([]byte, fileRecord-torn)...))
		})
		h.wantNoFloor()
		for n := 1; n <= 5; n++ {
			h.want(false, fmt.Sprint(n), 0)
		}
	}
	h.want(true, "6", 0)
	h.want(true, "7", 0)
	h.reopen(nil)
	h.wantNoFloor()
	for n := 1; n <= 7; n++ {
		h.want(false, fmt.Sprint(n), 0)
	}
}

// TestUncountedRecord leaves what a process leaves that dies between a record and its count.
func TestUncountedRecord(t *testing.T) {
	t.Parallel()
	h := fiveClaims(t)
	h.reopen(func() { patch(t, h.path(), fileCounts+8, []byte{3}) }) // of 4 in generation 1
	h.wantNoFloor()
	h.want(false, "5", 0)
	h.want(true, "6", 0)
	h.reopen(nil)
	h.want(false, "5", 0)
	h.want(false, "6", 0)
}

// TestDamagedRecord changes each byte of a record that others follow.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	h := fiveClaims(t)
	whole, err := os.ReadFile(h.path())
	if err != nil {
		t.Fatal(err)
	}
	for at := range int64(fileRecord) {
		h.reopen(func() {
			patch(t, h.path(), 0, whole)
			flip(t, h.path(), recordAt(3)+at)
		})
		h.wantFloor(time.Second, "damaged")
		h.wantUnknown(time.Second, "3", 0)
		// Signed anew, above the floor: who is refused now is refused by a record.
		h.clock.Advance(2 * time.Second)
		for _, n := range []int{1, 2, 4, 5} {
			h.want(false, fmt.Sprint(n), 0)
		}
		h.want(true, "6", 0)
		h.reopen(nil)
		h.clock.Advance(2 * time.Second) // the record is as damaged as before
		for _, n := range []int{1, 2, 4, 5, 6} {
			h.want(false, fmt.Sprint(n), 0)
		}
		h.clock.Advance(-4 * time.Second)
	}
}

// TestOtherBoot changes the boot id in the header. What the file knows still counts, and
// the floor is above all of it.
func TestOtherBoot(t *testing.T) {
	t.Parallel()
	for name, boot := range map[string]string{
		"another": "00000000-0000-4000-8000-000000000000",
		"none":    "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := fiveClaims(t)
			h.want(true, "ahead", time.Second)
			h.clock.Advance(-10 * time.Second) // the new boot's clock is late
			h.reopen(func() {
				rewriteHeader(t, h.path(), func(b []byte) {
					clear(b[fileBoot : fileBoot+36])
					copy(b[fileBoot:], boot)
				})
			})
			h.wantFloor(11*time.Second, "machine was started")
			h.clock.Advance(12 * time.Second)
			for n := 1; n <= 5; n++ {
				h.want(false, fmt.Sprint(n), 0)
			}
			h.want(true, "6", 0)
			h.reopen(nil)
			if _, why := h.r.Floor(); why != "" {
				t.Errorf("the floor was raised again: %s", why)
			}
			h.want(false, "6", 0)
		})
	}
}

// rewriteHeader changes the header of a journal and makes its check word fit.
func rewriteHeader(t *testing.T, path string, change func(b []byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:fileCounts]
	change(b)
	clear(b[fileSum : fileSum+4])
	binary.LittleEndian.PutUint32(b[fileSum:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	patch(t, path, 0, b)
}

// TestOldMarker has the lock file of a journal that is gone: the directory is not fresh.
func TestOldMarker(t *testing.T) {
	t.Parallel()
	h := newHouse(t, memory.Options{Fresh: true})
	h.want(true, "1", 0)
	h.reopen(func() { remove(t, h.path()) })
	h.wantFloor(90*time.Second, "no journal")
	h.reopen(func() {
		remove(t, h.path())
		remove(t, filepath.Join(h.o.Dir, "replay.lock"))
	})
	h.wantNoFloor() // only the caller knows better now
}
