// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import "testing"

func TestCollectPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 1600, 4 << 20: 1600, 16 << 20: 400, 32 << 20: 200, 64 << 20: 100, 1 << 30: 100} {
		if got := collectPercent(live); got != want {
			t.Errorf("%d MB live: %d, want %d", live>>20, got, want)
		}
		if pile := live * uint64(collectPercent(live)) / 100; live < leastPile && pile > leastPile {
			t.Errorf("%d MB live: %d bytes pile up", live>>20, pile)
		}
	}
}
