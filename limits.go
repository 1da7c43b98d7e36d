// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"time"
)

// Limit is a rate limit: Count requests in every Period, up to Burst of them at once.
type Limit struct {
	Name   string        // names it in headers and metrics; unique within the key
	Count  int64         // at least 1
	Period time.Duration // at least 1 ms
	Burst  int64         // at least 1; zero means Count
}

// Limiter admits requests under limits. Implementations pass gatehousetest.Limiter.
type Limiter interface {
	// Take asks for one request of key under all limits together: either every limit
	// admits it and is charged, or none is charged and retryAfter says how long until
	// it can succeed. An error wraps ErrUnavailable; then nothing is admitted.
	Take(ctx context.Context, key string, limits []Limit) (ok bool, retryAfter time.Duration, err error)

	// Refund gives back what one admitted Take of key charged, such as an attempt that
	// turned out to be right. It never gives more than was taken.
	Refund(ctx context.Context, key string, limits []Limit) error
}

// ReplayCache remembers nonces. Implementations pass gatehousetest.ReplayCache.
//
// What a cache cannot know it refuses: a nonce whose signed time may lie before the
// cache's memory begins is not claimed.
type ReplayCache interface {
	// Claim takes (key, nonce) and reports whether it was free. signed is the time the
	// nonce was signed for; the cache remembers the pair at least until the end. It
	// succeeds at most once for a pair, whatever the concurrency and however often
	// the process restarts. An error wraps ErrUnavailable; then nothing is claimed.
	Claim(ctx context.Context, key, nonce string, signed, until time.Time) (bool, error)
}
