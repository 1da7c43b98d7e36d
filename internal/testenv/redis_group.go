// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// RedisCluster starts a cluster of six servers that ends with the test: the first three are primaries, the
// others their replicas in the same order. All have one password. A primary that is silent for two seconds
// is replaced.
func RedisCluster(tb testing.TB, program string) []*RedisServer {
	tb.Helper()
	password := rand.Text()
	servers := make([]*RedisServer, 6)
	for i := range servers {
		servers[i] = startRedis(tb, program, password, []string{"cluster-enabled yes", "cluster-node-timeout 2000"})
	}
	const slots, primaries = 16384, 3
	for i, s := range servers {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i < primaries {
			s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/primaries), strconv.Itoa((i+1)*slots/primaries-1))
		}
		if i > 0 {
			host, port, _ := net.SplitHostPort(s.addr)
			_, bus, _ := strings.Cut(s.Do("CONFIG", "GET", "cluster-port"), "\n")
			servers[0].Do("CLUSTER", "MEET", host, port, bus)
		}
	}
	for i := range servers {
		servers[i].Await("cluster_known_nodes:6", "CLUSTER", "INFO")
	}
	for i, s := range servers[primaries:] {
		id := servers[i].Do("CLUSTER", "MYID")
		s.Await(id, "CLUSTER", "NODES")
		s.Do("CLUSTER", "REPLICATE", id)
	}
	for _, s := range servers {
		s.Await("cluster_state:ok", "CLUSTER", "INFO")
		s.awaitReplicas(primaries)
	}
	for _, s := range servers[primaries:] {
		s.Await("master_link_status:up", "INFO", "replication")
	}
	return servers
}

// awaitReplicas waits until the server knows n replicas of the cluster.
func (s *RedisServer) awaitReplicas(n int) {
	s.tb.Helper()
	if err := await(s.p.Done, func(ctx context.Context) error {
		nodes, err := s.do(ctx, "CLUSTER", "NODES")
		if got := strings.Count(nodes, "slave"); err == nil && got != n {
			err = fmt.Errorf("%d replicas, want %d", got, n)
		}
		return err
	}); err != nil {
		s.tb.Fatalf("testenv: redis cluster: %v", err)
	}
}

// RedisClusterURL is the URL of a cluster, by its primaries.
func RedisClusterURL(servers []*RedisServer) string {
	return groupURL(servers[:3], url.Values{"cluster": {"true"}})
}

// RedisSentinel is a primary, its replica and those that watch over them. It ends with the test.
type RedisSentinel struct {
	Primary, Replica *RedisServer
	Sentinels        []*RedisServer
}

// StartRedisSentinel starts a primary, a replica and n Sentinels, a majority of which replaces a primary
// that is silent for a second.
func StartRedisSentinel(tb testing.TB, program string, n int) *RedisSentinel {
	tb.Helper()
	password := rand.Text()
	g := &RedisSentinel{Primary: startRedis(tb, program, password, nil), Replica: startRedis(tb, program, password, nil)}
	g.Replica.Replicate(g.Primary)
	host, port, _ := net.SplitHostPort(g.Primary.addr)
	for range n {
		g.Sentinels = append(g.Sentinels, startRedis(tb, program, password, []string{
			fmt.Sprintf("sentinel monitor main %s %s %d", host, port, n/2+1),
			"sentinel auth-pass main " + password,
			"sentinel sentinel-pass " + password,
			"sentinel down-after-milliseconds main 1000",
			"sentinel failover-timeout main 3000",
		}, "--sentinel"))
	}
	for _, s := range g.Sentinels {
		s.Await(fmt.Sprintf("slaves=1,sentinels=%d", n), "INFO", "sentinel")
	}
	return g
}

// URL is that of the primary that the Sentinels name.
func (g *RedisSentinel) URL() string {
	return groupURL(g.Sentinels, url.Values{"master_set": {"main"}, "sentinel_password": {g.Primary.password}})
}

// groupURL names several servers of one password.
func groupURL(servers []*RedisServer, query url.Values) string {
	for _, s := range servers[1:] {
		query.Add("addr", s.addr)
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("", servers[0].password), Host: servers[0].addr, RawQuery: query.Encode()}
	return u.String()
}
