// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	later := &RetryError{After: 3 * time.Second, Problem: "it sleeps"}
	for name, row := range map[string]struct {
		err  error
		want time.Duration
	}{
		"none":                {nil, 0},
		"another":             {errors.New("x"), 0},
		"nobody knows when":   {Unavailable("claim nonce", context.DeadlineExceeded), 0},
		"itself":              {later, 3 * time.Second},
		"wrapped":             {Unavailable("verify", Unavailable("claim nonce", later)), 3 * time.Second},
		"beside another":      {errors.Join(errors.New("x"), later), 3 * time.Second},
		"in the past already": {&RetryError{After: -1}, 0},
	} {
		if got := RetryAfter(row.err); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
	if got := later.Error(); got != "it sleeps; retry after 3s" {
		t.Errorf("it says %q", got)
	}
}

func TestBelowFloor(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for ahead, want := range map[time.Duration]time.Duration{
		0: ms, 1: ms, ms - 1: ms, ms: ms, ms + 1: 2 * ms, 7 * time.Second: 7 * time.Second, 7*time.Second - 1: 7 * time.Second,
	} {
		if err := BelowFloor(ahead); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != want {
			t.Errorf("%v ahead: %v, want %v", ahead, err, want)
		}
	}
	for _, passed := range []time.Duration{-1, -time.Hour} {
		if err := BelowFloor(passed); err != nil {
			t.Errorf("%v: %v", passed, err)
		}
	}
}
