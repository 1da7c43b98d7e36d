// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package memory

import "testing"

// TestSipHash has the example of the paper, appendix A, and the lengths around a word's end.
func TestSipHash(t *testing.T) {
	t.Parallel()
	key := sipKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	text := "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
	if got := key.hash(text); got != 0xa129ca6149be45e5 {
		t.Errorf("hash = %#x, want 0xa129ca6149be45e5", got)
	}
	seen := map[uint64]int{}
	for n := range len(text) + 1 {
		if m, twice := seen[key.hash(text[:n])]; twice {
			t.Errorf("%d bytes and %d bytes have one hash", m, n)
		}
		seen[key.hash(text[:n])] = n
	}
	if (sipKey{1, 2}).hash(text) == (sipKey{1, 3}).hash(text) {
		t.Error("two keys give one hash")
	}
}
