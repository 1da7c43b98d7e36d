// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// TestSuites runs the suites on each kind of server.
func TestSuites(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) string{
		"redis":  testenv.Redis,
		"valkey": testenv.Valkey,
		"cluster": func(tb testing.TB) string {
			return testenv.RedisClusterURL(testenv.RedisCluster(tb, "valkey-server"))
		},
		"sentinel": func(tb testing.TB) string { return testenv.StartRedisSentinel(tb, "redis-server", 1).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, start(t), redis.Options{})
			known(c, gatehousetest.NewClock())
			t.Run("replay", func(t *testing.T) {
				t.Parallel()
				gatehousetest.ReplayCache(t, func(_ *testing.T, now func() time.Time) gatehouse.ReplayCache {
					return c.Replay(redis.ReplayOptions{Now: now})
				})
			})
			t.Run("limiter", func(t *testing.T) {
				t.Parallel()
				gatehousetest.Limiter(t, func(_ *testing.T, now func() time.Time) gatehouse.Limiter {
					return c.Limiter(redis.LimiterOptions{Now: now})
				})
			})
		})
	}
}

// known lets a server have been there for an hour, by the clock.
func known(c *redis.Client, clock *gatehousetest.Clock) {
	clock.Advance(-time.Hour)
	c.Replay(redis.ReplayOptions{Now: clock.Now})
	clock.Advance(time.Hour)
}
