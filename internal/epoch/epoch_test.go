// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package epoch_test

import (
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/epoch"
)

func TestNanos(t *testing.T) {
	t.Parallel()
	const limit = 200 * 365 * 24 * 60 * 60
	for _, row := range []struct {
		at   time.Time
		want int64
	}{
		{time.Unix(1, 2), 1e9 + 2},
		{time.Unix(-1, 2), -1e9 + 2},
		{time.Time{}, -limit * 1e9},
		{time.Unix(limit, 0), limit * 1e9},
		{time.Unix(limit-1, 999_999_999), limit*1e9 - 1},
		{time.Unix(1<<62, 0), limit * 1e9},
		{time.Unix(-1<<62, 0), -limit * 1e9},
	} {
		if got := epoch.Nanos(row.at); got != row.want {
			t.Errorf("Nanos(%v) = %d, want %d", row.at.Unix(), got, row.want)
		}
	}
}
