// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"strings"
	"testing"
)

func TestRedis(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "valkey-server"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			s := StartRedis(t, program)
			if got := s.Do("SET", "a", "1"); got != "OK" {
				t.Errorf("SET: %q", got)
			}
			if got := s.Do("CONFIG", "GET", "save"); got != "save\n" {
				t.Errorf("save: %q", got)
			}
			stranger := &RedisServer{addr: s.addr, password: "wrong"}
			if answer, err := stranger.do(context.Background(), "GET", "a"); err == nil {
				t.Errorf("a wrong password reads %q", answer)
			}
			if !strings.Contains(s.URL(), s.Addr()) {
				t.Errorf("URL %q does not name the address", s.URL())
			}
			replica := StartRedis(t, program, "masterauth "+s.password)
			replica.Replicate(s)
			if got := replica.Do("GET", "a"); got != "1" {
				t.Errorf("the replica has %q", got)
			}
			s.Stop()
			if err := dial(context.Background(), s.addr); err == nil {
				t.Error("a stopped server takes connections")
			}
			s.Start()
			if got := s.Do("GET", "a"); got != "" {
				t.Errorf("the server remembers %q", got)
			}
		})
	}
}

func TestRedisGroups(t *testing.T) {
	t.Parallel()
	servers := RedisCluster(t, "valkey-server")
	for _, s := range servers {
		s.Await("cluster_slots_ok:16384", "CLUSTER", "INFO")
	}
	g := StartRedisSentinel(t, "redis-server", 3)
	g.Primary.Stop()
	g.Replica.Await("role:master", "INFO", "replication")
}
