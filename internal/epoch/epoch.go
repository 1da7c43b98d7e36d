// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package epoch counts time in nanoseconds since 1970, as counters and nonces keep it.
package epoch

import "time"

// most is two centuries, in seconds. It leaves room for a sum with a day.
const most = 200 * 365 * 24 * 60 * 60

// Nanos returns the time since 1970 in nanoseconds. Times more than two centuries away from it
// count as that: it fits, and so does its sum with a day.
func Nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < -most:
		return -most * 1e9
	case s >= most:
		return most * 1e9
	}
	return t.UnixNano()
}
