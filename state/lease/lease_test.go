// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/lease"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/state/postgres"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		o    lease.Options
	}{
		{"exact", lease.Options{}},
		{"as it comes", lease.Options{For: 100 * time.Millisecond}},
		{"all is hot", lease.Options{For: 10 * time.Millisecond, From: 1}},
		{"all is hot, and for long", lease.Options{For: time.Second, From: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			gatehousetest.Limiter(t, func(_ *testing.T, now func() time.Time) gatehouse.Limiter {
				o := row.o // the tests of the suite run side by side
				o.Now = now
				return lease.New(memory.NewLimiter(10_000, now), o)
			})
		})
	}
}

func TestSuitePostgres(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	gatehousetest.Limiter(t, func(t *testing.T, now func() time.Time) gatehouse.Limiter {
		return lease.New(openPostgres(t, url, postgres.Options{Now: now}), lease.Options{For: time.Second, From: 1, Now: now})
	})
}

func openPostgres(tb testing.TB, url string, o postgres.Options) *postgres.State {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// watched is a real limiter that notes the costs it is asked for. Where hold is set, a
// charge waits for it to be closed, or for the end of its context.
type watched struct {
	gatehouse.Limiter
	charged atomic.Int64 // requests, of charges that were admitted
	mu      sync.Mutex
	costs   []int64
	hold    chan struct{}
	fail    error
}

func (w *watched) Charge(ctx context.Context, charges []gatehouse.Charge) (gatehouse.Standing, error) {
	w.mu.Lock()
	w.costs = append(w.costs, charges[0].Cost)
	hold, fail := w.hold, w.fail
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return gatehouse.Standing{}, ctx.Err()
		}
	}
	if fail != nil {
		return gatehouse.Standing{}, fail
	}
	s, err := w.Limiter.Charge(ctx, charges)
	if err == nil && s.RetryAfter == 0 {
		w.charged.Add(max(charges[0].Cost, 1))
	}
	return s, err
}

func (w *watched) set(hold chan struct{}, fail error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold, w.fail = hold, fail
}

// asked returns the costs since it was called last.
func (w *watched) asked() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	costs := w.costs
	w.costs = nil
	return costs
}

// scene is a node with leases over a limiter that is watched.
type scene struct {
	clock *gatehousetest.Clock
	inner *watched
	node  *lease.Limiter
}

func newScene(o lease.Options) *scene {
	clock := gatehousetest.NewClock()
	o.Now = clock.Now
	inner := &watched{Limiter: memory.NewLimiter(0, clock.Now)}
	return &scene{clock: clock, inner: inner, node: lease.New(inner, o)}
}

// charge charges n requests and says how many were admitted, and how the last one stands.
func (s *scene) charge(t *testing.T, n int, charges ...gatehouse.Charge) (admitted int, last gatehouse.Standing) {
	t.Helper()
	for range n {
		var err error
		if last, err = s.node.Charge(t.Context(), charges); err != nil {
			t.Fatal(err)
		}
		if last.RetryAfter == 0 {
			admitted++
		}
	}
	return admitted, last
}

func perSecond(subject string, count, cost int64) gatehouse.Charge {
	return gatehouse.Charge{Subject: subject, Cost: cost, Limits: []gatehouse.Limit{{Name: "second", Count: count, Period: time.Second}}}
}

// TestHot has a list become hot, and cold again.
func TestHot(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: 100 * time.Millisecond})
	c := perSecond("k", 100_000, 1)
	s.charge(t, lease.DefaultFrom-1, c)
	if asked := len(s.inner.asked()); asked != lease.DefaultFrom-1 {
		t.Errorf("not hot: %d questions of %d", asked, lease.DefaultFrom-1)
	}
	// The first one learns how much room there is. Half of what comes in 100 ms is 10.
	admitted, last := s.charge(t, 1+11, c)
	if diff := cmp.Diff([]int64{1, 11}, s.inner.asked()); diff != "" || admitted != 12 {
		t.Errorf("hot: %d admitted, asked (-want +got)\n%s", admitted, diff)
	}
	if want := int64(100_000 - lease.DefaultFrom - 11); last.Remaining != want {
		t.Errorf("%d remain, want %d", last.Remaining, want)
	}
	s.charge(t, 1, c)
	s.inner.asked()
	s.clock.Advance(100*time.Millisecond - 1)
	s.charge(t, 1, c)
	if asked := s.inner.asked(); asked != nil {
		t.Errorf("from the batch: asked %v", asked)
	}
	s.clock.Advance(1)
	s.charge(t, 1, c)
	if asked := s.inner.asked(); len(asked) != 1 {
		t.Errorf("the batch is over: asked %v", asked)
	}
	s.clock.Advance(3 * time.Second)
	s.charge(t, 5, c)
	if diff := cmp.Diff([]int64{1, 1, 1, 1, 1}, s.inner.asked()); diff != "" {
		t.Errorf("cold again: asked (-want +got)\n%s", diff)
	}
}

// TestStanding holds the answers from a batch to those of a limiter without leases.
func TestStanding(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: time.Second, From: 1})
	exact := memory.NewLimiter(0, s.clock.Now)
	c := perSecond("k", 1000, 3)
	for i := range 350 {
		_, got := s.charge(t, 1, c)
		want, err := exact.Charge(t.Context(), []gatehouse.Charge{c})
		if err != nil {
			t.Fatal(err)
		}
		want.Reset, got.Reset = 0, 0 // a batch is charged whole
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("request %d (-want +got)\n%s", i, diff)
		}
	}
	if asked := s.inner.asked(); len(asked) > 100 {
		t.Errorf("%d questions for 350 requests", len(asked))
	}
	// A reset is counted down, and what is left of the batch stays.
	s.charge(t, 1, perSecond("other", 1000, 1))
	s.charge(t, 100, perSecond("other", 1000, 1))
	s.inner.asked()
	_, before := s.charge(t, 1, perSecond("other", 1000, 1))
	s.clock.Advance(30 * time.Millisecond)
	_, after := s.charge(t, 1, perSecond("other", 1000, 1))
	if after.Remaining != before.Remaining-1 || after.Reset != before.Reset-30*time.Millisecond || s.inner.asked() != nil {
		t.Errorf("%+v after %+v", after, before)
	}
}

// TestRefused has another node take what a batch hoped for.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		left     int64 // what the other node leaves
		admitted int
	}{{0, 0}, {1, 1}} {
		s := newScene(lease.Options{For: 100 * time.Millisecond, From: 1})
		c := gatehouse.Charge{Subject: "k", Cost: 1, Limits: []gatehouse.Limit{{Name: "minute", Count: 60, Period: time.Minute}}}
		s.charge(t, 40, c)
		s.clock.Advance(100 * time.Millisecond)
		now, err := s.inner.Limiter.Charge(t.Context(), []gatehouse.Charge{c})
		if err != nil || now.Remaining <= row.left {
			t.Fatalf("%+v, %v", now, err)
		}
		c.Cost = now.Remaining - row.left
		if _, err := s.inner.Limiter.Charge(t.Context(), []gatehouse.Charge{c}); err != nil {
			t.Fatal(err)
		}
		c.Cost = 1
		s.inner.asked()
		admitted, last := s.charge(t, 10, c)
		asked := s.inner.asked()
		if admitted != row.admitted || asked[0] < 2 || asked[1] != 1 || len(asked) != 2+row.admitted {
			t.Errorf("%d left: %d admitted, asked %v", row.left, admitted, asked)
		}
		if last.RetryAfter <= 0 || last.RetryAfter > time.Second || last.Remaining != 0 {
			t.Errorf("%d left: %+v", row.left, last)
		}
	}
}

// TestRefusals looks at what is refused without asking.
func TestRefusals(t *testing.T) {
	t.Parallel()
	limit := func(count int64) gatehouse.Charge {
		return gatehouse.Charge{Subject: "k", Cost: 1, Limits: []gatehouse.Limit{{Name: "l", Count: count, Period: 10 * time.Second, Burst: 5}}}
	}
	s := newScene(lease.Options{For: 200 * time.Millisecond, From: 1})
	c := limit(100) // one in 100 ms
	admitted, last := s.charge(t, 6, c)
	if admitted != 5 || last.RetryAfter != 100*time.Millisecond {
		t.Fatalf("%d admitted, %+v", admitted, last)
	}
	s.inner.asked()
	s.clock.Advance(60 * time.Millisecond)
	if admitted, last = s.charge(t, 1000, c); admitted != 0 || last.RetryAfter != 40*time.Millisecond || last.Reset != 440*time.Millisecond {
		t.Errorf("%d admitted, %+v", admitted, last)
	}
	if asked := s.inner.asked(); asked != nil {
		t.Errorf("%d refusals asked for", len(asked))
	}
	s.clock.Advance(40 * time.Millisecond)
	if admitted, _ = s.charge(t, 1, c); admitted != 1 {
		t.Error("refused after the wait")
	}
	s.charge(t, 1, c)

	s.inner.asked()
	if s.charge(t, 1, limit(10)); len(s.inner.asked()) != 1 {
		t.Error("another limit did not ask")
	}
	if _, last = s.charge(t, 10, limit(10)); last.RetryAfter <= 200*time.Millisecond {
		t.Errorf("%+v", last)
	}
	s.clock.Advance(200 * time.Millisecond)
	s.inner.asked()
	if s.charge(t, 10, limit(10)); len(s.inner.asked()) != 1 {
		t.Error("a refusal was kept for longer than For, or not kept")
	}
}

// TestError has the inner limiter fail.
func TestError(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: 100 * time.Millisecond, From: 1})
	c := perSecond("k", 100_000, 1)
	s.charge(t, 500, c)
	s.clock.Advance(100 * time.Millisecond)
	broken := errors.New("broken")
	s.inner.set(nil, broken)
	for range 3 {
		if got, err := s.node.Charge(t.Context(), []gatehouse.Charge{c}); err != broken || got != (gatehouse.Standing{}) { //nolint:errorlint // unchanged
			t.Fatalf("Charge = %+v, %v", got, err)
		}
	}
	s.inner.asked()
	s.inner.set(nil, nil)
	s.charge(t, 1, c)
	if diff := cmp.Diff([]int64{1}, s.inner.asked()); diff != "" {
		t.Errorf("after an error (-want +got)\n%s", diff)
	}
}

// TestOneAsks has many requests wait for the answer to one.
func TestOneAsks(t *testing.T) {
	t.Parallel()
	const waiters = 50
	broken := errors.New("broken")
	for _, row := range []struct {
		name     string
		count    int64
		fail     error
		leaves   bool // the context of the one who asks ends
		admitted int
		refused  int
		asked    []int64
	}{
		{name: "all are admitted", count: 1 << 20, admitted: 1 + waiters, asked: []int64{1, waiters}},
		{name: "some are admitted", count: 3, admitted: 3, refused: waiters - 2, asked: []int64{1, 2}},
		{name: "all but one are refused", count: 1, admitted: 1, refused: waiters, asked: []int64{1}},
		{name: "it fails", fail: broken, asked: []int64{1}},
		{name: "the one who asks leaves", count: 1 << 20, leaves: true, admitted: waiters, asked: []int64{1, 1, waiters - 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &watched{Limiter: memory.NewLimiter(0, nil), hold: make(chan struct{}), fail: row.fail}
				node := lease.New(inner, lease.Options{For: 10 * time.Millisecond, From: 1})
				first, leave := context.WithCancel(t.Context())
				admitted, refused, failed := 0, 0, 0
				var mu sync.Mutex
				charge := func(ctx context.Context) {
					s, err := node.Charge(ctx, []gatehouse.Charge{perSecond("k", row.count, 1)})
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						if failed++; !errors.Is(err, row.fail) && ctx == t.Context() {
							t.Error(err)
						}
					case s.RetryAfter > 0:
						refused++
					default:
						admitted++
					}
				}
				go charge(first)
				synctest.Wait()
				for range waiters {
					go charge(t.Context())
				}
				impatient, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := node.Charge(impatient, []gatehouse.Charge{perSecond("k", row.count, 1)}); !errors.Is(err, context.Canceled) || !errors.Is(err, gatehouse.ErrUnavailable) {
					t.Errorf("a request whose context ends: %v", err)
				}
				synctest.Wait()
				if row.leaves {
					leave()
					synctest.Wait()
				}
				close(inner.hold)
				synctest.Wait()
				leave()
				if failed != 1+waiters-admitted-refused || row.fail != nil && failed != 1+waiters {
					t.Errorf("%d failed", failed)
				}
				if asked := inner.asked(); admitted != row.admitted || refused != row.refused || !slices.Equal(asked, row.asked) {
					t.Errorf("%d admitted, %d refused, asked %v", admitted, refused, asked)
				}
			})
		})
	}
}

// TestPanic has the inner limiter panic: the next request asks.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: time.Second, From: 1})
	whole := s.inner.Limiter
	s.inner.Limiter = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		s.charge(t, 1, perSecond("k", 10, 1))
	}()
	s.inner.Limiter = whole
	if admitted, _ := s.charge(t, 1, perSecond("k", 10, 1)); admitted != 1 {
		t.Error("refused")
	}
}

// TestManyHot has more hot lists than there are seats: each limit is kept, whoever asks.
func TestManyHot(t *testing.T) {
	t.Parallel()
	s := newScene(lease.Options{For: time.Second, From: 1})
	for i := range 10_000 {
		if admitted, _ := s.charge(t, 6, perSecond(fmt.Sprint(i), 5, 1)); admitted != 5 {
			t.Fatalf("subject %d: %d admitted, want 5", i, admitted)
		}
	}
}

// TestAllocations wants none where the batch answers.
func TestAllocations(t *testing.T) {
	s := newScene(lease.Options{For: time.Second, From: 1})
	charges := []gatehouse.Charge{perSecond("key/0123456789abcdef", 1<<40, 1), perSecond("tenant/default", 1<<40, 1)}
	s.charge(t, 100_000, charges...)
	s.inner.asked()
	n := testing.AllocsPerRun(1000, func() {
		if _, err := s.node.Charge(t.Context(), charges); err != nil {
			t.Error(err)
		}
	})
	if asked := s.inner.asked(); n != 0 || len(asked) > 1 {
		t.Errorf("%v allocations, asked %v", n, asked)
	}
}
