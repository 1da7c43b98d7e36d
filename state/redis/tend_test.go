// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// births are the birth records that a server holds, by bucket.
func births(s *testenv.RedisServer) map[string]string {
	births := make(map[string]string)
	for _, key := range strings.Fields(s.Do("KEYS", "*birth")) {
		births[key] = s.Do("GET", key)
	}
	return births
}

// tendedOn is nil once the server wrote n births itself.
func tendedOn(s *testenv.RedisServer, n int) error {
	_, id, _ := strings.Cut(s.Do("INFO", "server"), "run_id:")
	own, all := 0, births(s)
	for _, birth := range all {
		if strings.HasPrefix(birth, id[:40]) {
			own++
		}
	}
	if own < n || own < len(all) {
		return fmt.Errorf("%d of %d births are the server's own, want %d", own, len(all), n)
	}
	return nil
}

// tended wants the floor to count from now on, though nothing is claimed before it has passed.
func (p *past) tended() {
	p.t.Helper()
	floor := p.clock.Now().Add(ahead + time.Second)
	p.clock.Advance(ahead + time.Second + time.Microsecond)
	for i := range 1000 { // every bucket
		if ok, err := p.claim(fmt.Sprint("fresh ", i), p.clock.Now()); !ok || err != nil {
			p.t.Fatalf("fresh nonce %d, the first after the floor: %v, %v", i, ok, err)
		}
	}
	if n := p.claimAll(0); n != 0 {
		p.t.Errorf("%d of %d old nonces accepted", n, len(p.signed))
	}
	if ok, err := p.claim("unknown", floor); ok || err != nil {
		p.t.Errorf("signed at the floor: %v, %v", ok, err)
	}
}

func TestTend(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "valkey-server"} {
		for name, lose := range map[string]func(t *testing.T, s *testenv.RedisServer, p *past){
			"flushed": func(t *testing.T, s *testenv.RedisServer, p *past) {
				s.Flush()
				if err := p.replay.Tend(t.Context()); err != nil { // one call is enough
					t.Fatal(err)
				}
				await(t, func() error { return tendedOn(s, 256) })
			},
			"restarted empty": func(t *testing.T, s *testenv.RedisServer, p *past) {
				s.Stop()
				if err := p.replay.Tend(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) {
					t.Errorf("stopped: %v", err)
				}
				s.Start()
				await(t, func() error { return errors.Join(p.replay.Tend(t.Context()), tendedOn(s, 256)) })
			},
		} {
			t.Run(program+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := testenv.StartRedis(t, program)
				p := newPast(t, s.URL())
				p.use(1000)
				lose(t, s, p)
				p.tended()
			})
		}
	}
}

// TestTendCluster kills a primary: each call of Tend asks all three, so it fails until the
// replica took over, and sees that it did.
func TestTendCluster(t *testing.T) {
	t.Parallel()
	servers := testenv.RedisCluster(t, "valkey-server")
	p := newPast(t, testenv.RedisClusterURL(servers))
	p.use(1000)
	servers[0].Stop()
	if err := p.replay.Tend(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("stopped: %v", err)
	}
	await(t, func() error { return p.replay.Tend(t.Context()) })
	await(t, func() error { return errors.Join(p.replay.Tend(t.Context()), tendedOn(servers[3], 50)) })
	p.clock.Advance(ahead + time.Second + time.Microsecond)
	p.use(1000)
	if n := p.claimAll(0); n != 0 {
		t.Errorf("%d of %d old nonces accepted", n, len(p.signed))
	}
}

// TestTendKnown wants nothing to change where nothing was lost.
func TestTendKnown(t *testing.T) {
	t.Parallel()
	s := testenv.StartRedis(t, "redis-server")
	p := newPast(t, s.URL())
	before := births(s)
	for range 40 { // every bucket
		if err := p.replay.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for bucket, birth := range births(s) {
		if before[bucket] != birth {
			t.Errorf("%s: %s, was %s", bucket, birth, before[bucket])
		}
	}
	p.use(1000)
}

func TestTendFails(t *testing.T) {
	t.Parallel()
	c := dial(t, testenv.Redis(t), redis.Options{})
	r := c.Replay(redis.ReplayOptions{})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.Tend(ended); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	c.Close()
	if err := r.Tend(t.Context()); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
