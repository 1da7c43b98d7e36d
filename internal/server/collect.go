// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A process that keeps little alive collects garbage every few megabytes: at 5,000 checks a
// second ten times a second, and each time some requests wait. So it may let this much pile up
// before it does. One that keeps more alive than that collects as Go does by itself.
const leastPile = 64 << 20

// collectPercent is the percentage of Go's collector (GOGC) for so many live bytes.
func collectPercent(live uint64) int {
	if live >= leastPile {
		return 100
	}
	return int(100 * leastPile / max(live, 4<<20))
}

// tendCollector keeps the collector's percentage at what [collectPercent] says, until ctx ends.
// Where the environment names one, that counts.
func tendCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := func(context.Context) {
		metrics.Read(live)
		debug.SetGCPercent(collectPercent(live[0].Value.Uint64()))
	}
	set(ctx)
	every(ctx, 10*time.Second, set)
}
