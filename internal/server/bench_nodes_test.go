// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
)

// Where the nodes of the benchmark keep what they share.
const (
	benchDatabase = "GATEHOUSE_BENCH_DATABASE"
	benchRedis    = "GATEHOUSE_BENCH_REDIS"
)

// BenchmarkNodes measures Barong's gate on one, two and four processes that share PostgreSQL,
// and with Redis for the nonces besides, 32 connections spread over them. All of them, the
// servers and the clients share this machine's processors, so it tells what a process more
// costs, not what it adds where it has processors of its own.
func BenchmarkNodes(b *testing.B) {
	for _, row := range []struct {
		name  string
		redis func(testing.TB) string
	}{{"postgresql", nil}, {"redis", testenv.Redis}} {
		b.Run(row.name, func(b *testing.B) {
			shared := []string{benchDatabase + "=" + testenv.Postgres(b)}
			if row.redis != nil {
				shared = append(shared, benchRedis+"="+row.redis(b))
			}
			first := b.TempDir()
			addrs, keys := []string{}, []benchKey(nil)
			for i := range 4 {
				dir, kind := first, "gate"
				if i > 0 {
					dir, kind = b.TempDir(), "node"
					copyKeyring(b, first, dir)
				}
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(append(os.Environ(), shared...), benchServer+"="+kind, "GATEHOUSE_BENCH_DIR="+dir)
				node, _ := benchBegin(b, cmd)
				addrs = append(addrs, node.Addrs[0])
				if i == 0 {
					keys = node.Keys
				}
			}
			// A store of nonces that begins refuses what it may have forgotten.
			<-time.After(10 * time.Second)
			clients := map[int][]*benchClient{}
			counts := []int{1, 2, 4}
			for _, n := range counts {
				for i := range n {
					part := make([]benchKey, 0, len(keys)/n) // a nonce counts on all nodes: each key has one node
					for j := i; j < len(keys); j += n {
						part = append(part, keys[j])
					}
					clients[n] = append(clients[n], benchClients(b, addrs[i], part, 32/n)...)
				}
			}
			rates := map[int][]float64{}
			for b.Loop() {
				for _, n := range counts {
					rate, _ := drive(b, clients[n], 100*time.Millisecond)
					rates[n] = append(rates[n], rate)
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, n := range counts {
				b.ReportMetric(median(rates[n]), fmt.Sprintf("req/s-%d", n))
			}
		})
	}
}

func copyKeyring(b *testing.B, from, to string) {
	b.Helper()
	ring, err := os.ReadFile(filepath.Join(from, "data", "keyring"))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(to, "data"), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "data", "keyring"), ring, 0o600); err != nil {
		b.Fatal(err)
	}
}
