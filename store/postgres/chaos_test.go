// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/store/postgres"
)

// siege is workers who create, rotate, rename and revoke keys, each its own, and a watcher who
// verifies the keys of all of them, while something spoils the database. Each key has one
// writer, so that its history has one order: what was acknowledged, and of what was not,
// what a later read tells. The watcher is another node, which answers from what it has read
// under a lease.
type siege struct {
	*testing.T
	house  *house
	other  *house
	ledger ledger
	done   chan struct{}
	tasks  sync.WaitGroup

	mu        sync.Mutex
	moved     sync.Cond // somebody has made progress
	progress  []int     // acknowledged writes of each worker
	published []*life

	writes, reads, refused, settled atomic.Int64
}

// life is a key as the watcher sees it. A flag that is set before a call began holds for all of it.
type life struct {
	token             gatehouse.Secret
	turning, revoking atomic.Bool // a rotation, or a revocation, has begun
	revoked           atomic.Bool // the revocation was acknowledged
}

const (
	siegeWorkers = 4
	siegeLease   = 500 * time.Millisecond
	siegePause   = 10 * time.Millisecond // after a refusal, and between the looks of the watcher
)

func besiege(t *testing.T, url string) *siege {
	nodes := housesWith(t, postgres.Options{Lease: siegeLease}, url, url)
	s := &siege{T: t, house: nodes[0], other: nodes[1], done: make(chan struct{}), progress: make([]int, siegeWorkers)}
	s.moved.L = &s.mu
	for i := range siegeWorkers {
		s.tasks.Go(func() {
			for n := 0; !s.over(); n++ {
				s.live(i, n)
			}
		})
	}
	s.tasks.Go(func() {
		for !s.over() {
			s.watch()
			s.pause()
		}
	})
	return s
}

func (s *siege) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return s.Failed()
	}
}

// Errorf is that of the test, and ends the siege.
func (s *siege) Errorf(format string, args ...any) {
	s.Helper()
	s.T.Errorf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved.Broadcast()
}

// end waits for all, and looks at what they leave.
func (s *siege) end(url string) {
	close(s.done)
	s.tasks.Wait()
	s.Logf("%d writes and %d reads answered, %d refused, %d of them settled by a read", s.writes.Load(), s.reads.Load(), s.refused.Load(), s.settled.Load())
	if s.refused.Load() == 0 {
		s.Error("nothing was refused: the test tests nothing")
	}
	s.ledger.audit(s.T, s.house, url)
}

// advance waits until each worker had so many more writes acknowledged, and returns when the
// first one and the last one had one.
func (s *siege) advance(writes int) (first, all time.Duration) {
	begin := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := slices.Clone(s.progress)
	for {
		least, most := writes, 0
		for i, n := range s.progress {
			least, most = min(least, n-before[i]), max(most, n-before[i])
		}
		if first == 0 && most > 0 {
			first = time.Since(begin)
		}
		if all == 0 && least > 0 {
			all = time.Since(begin)
		}
		if least >= writes || s.Failed() {
			return first, all
		}
		s.moved.Wait()
	}
}

// wrote counts an acknowledged write, and reports whether err is nil. All other errors but
// ErrUnavailable are wrong.
func (s *siege) wrote(worker int, what string, err error) bool {
	if !s.answered(what, err) {
		return false
	}
	s.writes.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress[worker]++
	s.moved.Broadcast()
	return true
}

func (s *siege) answered(what string, err error) bool {
	if err == nil {
		return true
	}
	s.refused.Add(1)
	if !errors.Is(err, gatehouse.ErrUnavailable) {
		s.Errorf("%s: %v", what, err)
	}
	s.pause()
	return false
}

// pause leaves the processors to the server for a while.
func (s *siege) pause() {
	select {
	case <-time.After(siegePause):
	case <-s.done:
	}
}

// insist repeats a read until it is answered.
func insist[T any](s *siege, what string, read func(context.Context) (T, error)) T {
	for {
		v, err := read(context.Background())
		if s.answered(what, err) || s.Failed() {
			s.reads.Add(1)
			return v
		}
	}
}

// live walks one key through its life.
func (s *siege) live(worker, n int) {
	name, ctx := label(worker, n), context.Background()
	s.ledger.note(name, fate{})
	c, err := s.house.Create(ctx, operator, newKey(name))
	if !s.wrote(worker, "create", err) {
		return
	}
	f := fate{id: c.Key.ID, now: name, verbs: []string{"key.create"}, state: gatehouse.StateActive}
	defer func() { s.ledger.note(name, f) }()
	l := s.publish(c.Token)
	s.wants("a new key", l.token, true)

	if n%2 == 0 {
		l.turning.Store(true)
		next, err := s.house.Rotate(ctx, operator, f.id, 0, "")
		if s.happened(worker, &f, "key.rotate", err) {
			s.wants("the old secret", l.token, false)
		}
		if err == nil {
			l = s.publish(next.Token)
			s.wants("the new secret", l.token, true)
		}
	}
	if n%3 == 0 {
		renamed := name + " renamed"
		_, err := s.house.Update(ctx, operator, f.id, gatehouse.Patch{Name: &renamed})
		if s.happened(worker, &f, "key.update", err) {
			f.now = renamed
		}
	}
	if n%4 == 0 {
		return // it stays
	}
	l.revoking.Store(true)
	_, err = s.house.Revoke(ctx, operator, f.id, "")
	if s.happened(worker, &f, "key.revoke", err) {
		f.state = gatehouse.StateRevoked
		l.revoked.Store(err == nil) // only then every node knows
		s.wants("a revoked key", l.token, false)
	}
}

// happened reports whether a change was made: it was acknowledged, or a read tells so.
func (s *siege) happened(worker int, f *fate, verb string, err error) bool {
	if !s.wrote(worker, verb, err) {
		k := insist(s, "read key", func(ctx context.Context) (gatehouse.Key, error) { return s.house.Get(ctx, operator, f.id) })
		s.settled.Add(1)
		if k.Version == int64(len(f.verbs)) {
			return false
		}
	}
	f.verbs = append(f.verbs, verb)
	return true
}

func (s *siege) publish(token gatehouse.Secret) *life {
	l := &life{token: token}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = append(s.published, l)
	return l
}

// wants verifies a token until there is an answer.
func (s *siege) wants(what string, token gatehouse.Secret, granted bool) {
	d := insist(s, "verify", func(ctx context.Context) (gatehouse.Decision, error) { return s.house.use(ctx, token) })
	if d.Granted != granted && !s.Failed() {
		s.Errorf("%s: granted %v, %v", what, d.Granted, d.Reason)
	}
}

// watch verifies a key of anybody, and wants what must be so whatever its writer does meanwhile.
func (s *siege) watch() {
	s.mu.Lock()
	if len(s.published) == 0 {
		s.mu.Unlock()
		return
	}
	recent := s.published[max(0, len(s.published)-50):]
	l := recent[rand.N(len(recent))]
	s.mu.Unlock()
	revoked := l.revoked.Load()
	d, err := s.other.use(context.Background(), l.token)
	if !s.answered("verify", err) {
		return
	}
	s.reads.Add(1)
	if revoked && d.Granted {
		s.Errorf("a revoked key is granted")
	}
	if !l.turning.Load() && !l.revoking.Load() && !d.Granted {
		s.Errorf("a key that was acknowledged, and that nobody touched: %v", d.Reason)
	}
}

// TestTerminatedBackends ends all connections every 200 ms.
func TestTerminatedBackends(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(t.Context()) }()
	s := besiege(t, url)
	ended, every := 0, time.NewTicker(200*time.Millisecond)
	defer every.Stop()
	var last []int32
	for range 20 {
		<-every.C
		err := admin.QueryRow(t.Context(), "SELECT coalesce(array_agg(pid), '{}') FROM (SELECT pid, pg_terminate_backend(pid) AS sent FROM pg_stat_activity "+
			"WHERE datname = current_database() AND pid <> pg_backend_pid()) ended WHERE sent").Scan(&last)
		if err != nil {
			t.Error(err)
		}
		ended += len(last)
	}
	// On a loaded machine the last of them end late: not while the end is looked at.
	for left := 1; left > 0; {
		if err := admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", last).Scan(&left); err != nil {
			t.Fatal(err)
		}
	}
	s.advance(1)
	t.Logf("%d backends ended", ended)
	s.end(url)
}

// TestRestarts stops and starts the server 20 times under load, every other time by a crash.
// Writes go on within 2 s of the server's first answer. One of the starts may meet a machine
// that stands still.
func TestRestarts(t *testing.T) {
	t.Parallel()
	server := testenv.PostgresServer(t)
	s := besiege(t, server.URL())
	var firsts, alls []time.Duration
	for i := range 20 {
		s.advance(2)
		server.Stop([]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}[i%2])
		server.Start()
		first, all := s.advance(1)
		firsts, alls = append(firsts, first), append(alls, all)
	}
	s.end(server.URL())
	slices.Sort(firsts)
	slices.Sort(alls)
	t.Logf("first write acknowledged after the server answered: median %v, most %v; by each worker: median %v, most %v",
		firsts[10], firsts[19], alls[10], alls[19])
	if firsts[18] > 2*time.Second || firsts[19] > time.Minute {
		t.Errorf("it took %v, and %v once, to go on", firsts[18], firsts[19])
	}
}
