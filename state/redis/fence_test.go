// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// ahead is how far clients' clocks may be ahead in these tests; a floor lasts that long and a
// second more.
const ahead = 5 * time.Second

// past is a node with a cache that knows its past, and what it claimed.
type past struct {
	t      *testing.T
	clock  *gatehousetest.Clock
	replay *redis.Replay
	signed []time.Time // of the nonces 0 to len

	refused atomic.Int64 // claims that no error kept from being granted
}

func newPast(t *testing.T, url string) *past {
	t.Helper()
	p := &past{t: t, clock: gatehousetest.NewClock()}
	c := dial(t, url, redis.Options{})
	known(c, p.clock)
	p.open(c)
	return p
}

func (p *past) open(c *redis.Client) {
	p.replay = c.Replay(redis.ReplayOptions{Now: p.clock.Now, MaxAhead: ahead})
}

// claimAll claims the nonces from first on and returns how many were granted. What failed is
// claimed again, unless a floor is the reason.
func (p *past) claimAll(first int) (accepted int) {
	p.t.Helper()
	var n, next atomic.Int64
	next.Store(int64(first))
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(p.signed)); i = next.Add(1) - 1 {
				await(p.t, func() error {
					ok, err := p.claim(fmt.Sprint(i), p.signed[i])
					if ok {
						n.Add(1)
					}
					if floored(err) {
						return nil
					}
					if !ok && err == nil {
						p.refused.Add(1)
					}
					return err
				})
			}
		})
	}
	done.Wait()
	return int(n.Load())
}

// floored reports whether a claim failed because the clock has not passed the floor.
func floored(err error) bool {
	after := gatehouse.RetryAfter(err)
	return errors.Is(err, gatehouse.ErrUnavailable) && after > 0 && after <= ahead+time.Second
}

func (p *past) claim(nonce string, signed time.Time) (bool, error) {
	return p.replay.Claim(p.t.Context(), "key", nonce, signed, signed.Add(time.Minute))
}

// use claims n new nonces, all of which must be granted.
func (p *past) use(n int) {
	p.t.Helper()
	first := len(p.signed)
	for i := range n { // up to the latest that is ever accepted
		p.signed = append(p.signed, p.clock.Now().Add(ahead*time.Duration(i%100)/99))
	}
	if got := p.claimAll(first); got != n {
		p.t.Fatalf("%d of %d new nonces granted", got, n)
	}
}

// survives wants no old nonce accepted, now and when new ones are again.
func (p *past) survives() {
	p.t.Helper()
	if n := p.claimAll(0); n != 0 || p.refused.Load() > 0 {
		p.t.Errorf("%d of %d old nonces accepted, %d refused though nobody can know", n, len(p.signed), p.refused.Load())
	}
	// Signed as late as may be, but before the floor: nobody knows whether it was used.
	if ok, err := p.claim("unknown", p.clock.Now().Add(ahead)); ok || !floored(err) {
		p.t.Errorf("signed before the floor: %v, %v", ok, err)
	}
	gatehousetest.ReplayFloor(p.t, p.replay, p.clock, ahead+time.Second)
	if n := p.claimAll(0); n != 0 {
		p.t.Errorf("%d of %d old nonces accepted later", n, len(p.signed))
	}
	for i := range 1000 { // every bucket
		if ok, err := p.claim(fmt.Sprint("fresh ", i), p.clock.Now()); !ok || err != nil {
			p.t.Fatalf("fresh nonce %d after the floor: %v, %v", i, ok, err)
		}
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "valkey-server"} {
		for name, test := range map[string]func(t *testing.T, program string){
			"restarted empty": func(t *testing.T, program string) {
				s := testenv.StartRedis(t, program)
				p := newPast(t, s.URL())
				p.use(1000)
				s.Stop()
				s.Start()
				p.survives()
			},
			"flushed": func(t *testing.T, program string) {
				s := testenv.StartRedis(t, program)
				p := newPast(t, s.URL())
				p.use(1000)
				s.Flush()
				p.survives()
			},
			"file without its tail":   fenceTail,
			"replica promoted":        fenceReplica,
			"primary again":           fenceAgain,
			"never served before":     fenceNew,
			"restarted, nothing lost": fenceWhole,
		} {
			t.Run(program+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, program)
			})
		}
	}
}

var keep = []string{"appendonly yes", "appendfsync always"}

func fenceTail(t *testing.T, program string) {
	s := testenv.StartRedis(t, program, keep...)
	p := newPast(t, s.URL())
	p.use(500)
	files, err := filepath.Glob(filepath.Join(s.Dir(), "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	kept, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	before := s.Do("DBSIZE")
	p.use(500)
	s.Stop()
	if err := os.Truncate(files[0], kept.Size()); err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.Await(before, "DBSIZE") // the births and the first half are there, the tail is not
	p.survives()
}

func fenceWhole(t *testing.T, program string) {
	s := testenv.StartRedis(t, program, keep...)
	p := newPast(t, s.URL())
	p.use(1000)
	s.Stop()
	s.Start()
	s.Await("loading:0", "INFO", "persistence")
	p.survives()
}

// cut ends the replication: nothing listens there.
func cut(replica *testenv.RedisServer) { replica.Do("REPLICAOF", "127.0.0.1", "1") }

func fenceReplica(t *testing.T, program string) {
	primary := testenv.StartRedis(t, program)
	replica := testenv.StartRedisReplica(t, program, primary)
	p := newPast(t, primary.URL())
	p.use(100)
	replica.Await(primary.Do("DBSIZE"), "DBSIZE")
	cut(replica)
	p.use(900)
	primary.Stop()
	replica.Promote()
	p.open(dial(t, replica.URL(), redis.Options{}))
	p.survives()
}

// fenceAgain makes a primary a replica and a primary again, which missed all that the other
// one was told meanwhile. Its process, and all births it knows, are the same as before.
func fenceAgain(t *testing.T, program string) {
	one := testenv.StartRedis(t, program)
	two := testenv.StartRedisReplica(t, program, one)
	p := newPast(t, one.URL())
	p.use(100)
	two.Await(one.Do("DBSIZE"), "DBSIZE")
	two.Promote()
	one.Replicate(two)
	cut(one)
	p.open(dial(t, two.URL(), redis.Options{}))
	p.clock.Advance(ahead + time.Second + time.Microsecond)
	p.use(900)
	one.Promote()
	p.open(dial(t, one.URL(), redis.Options{}))
	p.survives()
}

func fenceNew(t *testing.T, program string) {
	p := &past{t: t, clock: gatehousetest.NewClock()}
	p.open(dial(t, testenv.StartRedis(t, program).URL(), redis.Options{}))
	p.survives()
}

// TestFenceSentinel kills the primary and lets the Sentinels promote the replica.
func TestFenceSentinel(t *testing.T) {
	t.Parallel()
	g := testenv.StartRedisSentinel(t, "redis-server", 1)
	p := newPast(t, g.URL())
	p.use(1000)
	g.Primary.Stop()
	p.survives()
}

// TestFenceCluster kills a primary of a cluster and lets its replica take over.
func TestFenceCluster(t *testing.T) {
	t.Parallel()
	servers := testenv.RedisCluster(t, "redis-server")
	p := newPast(t, testenv.RedisClusterURL(servers))
	p.use(1000)
	servers[0].Stop()
	p.survivesPart()
}

// survivesPart is survives where a part of the buckets was born anew.
func (p *past) survivesPart() {
	p.t.Helper()
	if n := p.claimAll(0); n != 0 {
		p.t.Errorf("%d of %d old nonces accepted", n, len(p.signed))
	}
	refused := 0
	for i := range 1000 {
		ok, err := p.claim(fmt.Sprint("early ", i), p.clock.Now())
		if ok == floored(err) {
			p.t.Fatal(ok, err)
		}
		if !ok {
			refused++
		}
	}
	if refused < 200 || refused > 500 { // a third of the slots
		p.t.Errorf("%d of 1000 not granted before the floor, want a third", refused)
	}
	p.clock.Advance(ahead + time.Second + time.Microsecond)
	p.use(1000)
	if n := p.claimAll(0); n != 0 {
		p.t.Errorf("%d of %d old nonces accepted later", n, len(p.signed))
	}
}

func TestClaimTooFar(t *testing.T) {
	t.Parallel()
	p := newPast(t, testenv.Redis(t))
	now := p.clock.Now()
	for _, row := range []struct {
		name          string
		signed, until time.Time
		far, ok       bool
	}{
		{"longest window", now, now.Add(90 * time.Second), false, true},
		{"window too long", now, now.Add(90*time.Second + 1), true, false},
		{"longest lead", now.Add(ahead), now.Add(2 * ahead), false, true},
		{"lead too long", now.Add(ahead + 1), now.Add(2 * ahead), true, false},
		{"no end", now, time.Time{}, false, false},
		{"end of time", now, time.Unix(1<<60, 0), true, false},
		{"signed at the end of time", time.Unix(1<<60, 0), now.Add(1), true, false},
		{"signed at no time", time.Time{}, now.Add(1), false, false}, // before the birth
	} {
		ok, err := p.replay.Claim(t.Context(), "k", row.name, row.signed, row.until)
		if far := errors.Is(err, redis.ErrTooFar); far != row.far || far != errors.Is(err, gatehouse.ErrUnavailable) || ok != row.ok {
			t.Errorf("%s: %v, %v", row.name, ok, err)
		}
	}
}
