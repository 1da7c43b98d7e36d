// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/gatehousetest"
	"github.com/seed14544106/gatehouse/internal/gcra"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/memory"
	"github.com/seed14544106/gatehouse/state/redis"
)

// model is a limiter that forgets nothing.
type model map[string]gcra.Used

// charge returns how the tightest limit stands, without its size.
func (m model) charge(now time.Time, charges []gatehouse.Charge) (tightest gatehouse.Standing) {
	next, admitted := model{}, true
	refused := model{}
	for _, c := range charges {
		for _, l := range c.Limits {
			id := c.Subject + l.Name + l.Refill.String()
			old, known := m[id]
			s := gatehouse.Standing{Name: l.Name}
			var wait int64
			var ok bool
			if l.Refill == gatehouse.RefillNone {
				rate, _ := gcra.New(l.Count, l.Period, l.Burst)
				old.End, ok, wait, s.Remaining = rate.Take(old.End, now.UnixNano(), max(c.Cost, 1))
				s.Reset = time.Duration(old.End - now.UnixNano())
			} else {
				q := quotaAt(l, now)
				old, ok, wait, s.Remaining = q.Take(old, now.UnixNano(), max(c.Cost, 1))
				if old.Count > 0 {
					s.Reset = time.Duration(q.End - now.UnixNano())
				}
			}
			next[id], admitted = old, admitted && ok
			if known && !ok {
				refused[id] = old
			}
			s.RetryAfter = time.Duration(wait)
			if tightest.Name == "" || s.RetryAfter > tightest.RetryAfter || s.RetryAfter == tightest.RetryAfter && s.Remaining < tightest.Remaining {
				tightest = s
			}
		}
	}
	if !admitted {
		next = refused
	}
	maps.Copy(m, next)
	return tightest
}

func (m model) refund(now time.Time, subject string, limits []gatehouse.Limit) {
	for _, l := range limits {
		id := subject + l.Name + l.Refill.String()
		old, known := m[id]
		rate, _ := gcra.New(l.Count, l.Period, l.Burst)
		switch {
		case !known:
		case l.Refill == gatehouse.RefillNone:
			m[id] = gcra.Used{End: rate.Refund(old.End, now.UnixNano())}
		default:
			m[id] = quotaAt(l, now).Refund(old)
		}
	}
}

func quotaAt(l gatehouse.Limit, now time.Time) gcra.Quota {
	begin, end := l.Refill.Span(now)
	longest := [...]time.Duration{0, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour}[l.Refill]
	return gcra.Quota{Count: l.Count, Begin: begin.UnixNano(), End: end.UnixNano(), Longest: int64(longest)}
}

// TestLimiterModel wants every standing to be that of package gcra, to the nanosecond and
// for any numbers, also where the clock is set back.
func TestLimiterModel(t *testing.T) {
	t.Parallel()
	c := dial(t, testenv.Redis(t), redis.Options{})
	var run atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		clock := gatehousetest.NewClock()
		prefix := fmt.Sprint(run.Add(1), "/")
		want, real := model{}, c.Limiter(redis.LimiterOptions{Now: clock.Now})
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			clock.Advance(time.Duration(rapid.SampledFrom([]int64{0, 1, 999, 1e6, 1e9, 3600e9, 86400e9, -1e9, -3600e9, 40 * 86400e9}).Draw(t, "advance")) *
				time.Duration(rapid.Int64Range(1, 30).Draw(t, "times")))
			var charges []gatehouse.Charge
			for _, subject := range rapid.SampledFrom([]string{"a", "b", "ab", "ba"}).Draw(t, "subjects") {
				charges = append(charges, gatehouse.Charge{Subject: prefix + string(subject), Limits: drawLimits(t), Cost: drawNumber(t, "cost")})
			}
			if rapid.IntRange(0, 3).Draw(t, "refund") == 0 {
				want.refund(clock.Now(), charges[0].Subject, charges[0].Limits)
				if err := real.Refund(context.Background(), charges[0].Subject, charges[0].Limits); err != nil {
					t.Fatal(err)
				}
				continue
			}
			got, err := real.Charge(context.Background(), charges)
			want := want.charge(clock.Now(), charges)
			if err == nil && want.RetryAfter == gcra.Never && got.RetryAfter > 0 {
				continue // the wait is a period, so another limit may be the tightest
			}
			if got.Count, got.Period = 0, 0; err != nil || got != want {
				t.Fatalf("at %v: Charge(%+v)\n%+v, %v, want\n%+v", clock.Now(), charges, got, err, want)
			}
		}
	})
}

func drawLimits(t *rapid.T) (limits []gatehouse.Limit) {
	for i := range rapid.IntRange(1, 3).Draw(t, "limits") {
		l := gatehouse.Limit{Name: fmt.Sprint(i), Count: max(drawNumber(t, "count"), 1)}
		if l.Refill = gatehouse.Refill(rapid.IntRange(0, 4).Draw(t, "refill")); l.Refill == gatehouse.RefillNone {
			l.Period = max(time.Duration(drawNumber(t, "period")), time.Millisecond)
			l.Burst = drawNumber(t, "burst")
		}
		limits = append(limits, l)
	}
	return limits
}

func drawNumber(t *rapid.T, label string) int64 {
	return rapid.OneOf(rapid.Int64Range(0, 20), rapid.Int64Range(0, 1e12),
		rapid.SampledFrom([]int64{999_999_999, 1e9, 1e9 + 1, 1 << 53, 1<<53 + 1, 1 << 62, math.MaxInt64})).Draw(t, label)
}

// TestLimiterSpans charges at both ends of spans, where script and calendar must agree.
func TestLimiterSpans(t *testing.T) {
	t.Parallel()
	c := dial(t, testenv.Valkey(t), redis.Options{})
	clock := gatehousetest.NewClock()
	l := c.Limiter(redis.LimiterOptions{Now: clock.Now})
	for refill, spans := range map[gatehouse.Refill]int{
		gatehouse.RefillHour: 100, gatehouse.RefillDay: 500, gatehouse.RefillWeek: 500,
		gatehouse.RefillMonth: 12 * 198, // to 2168: 2000 and 2100 are among the years
	} {
		quota := []gatehouse.Limit{{Name: "l", Count: 1, Refill: refill}}
		_, begin := refill.Span(time.Unix(0, 0))
		for range spans {
			_, end := refill.Span(begin)
			for _, at := range []time.Time{begin, end.Add(-1)} {
				clock.Advance(at.Sub(clock.Now()))
				if ok, _, err := l.Take(t.Context(), "k", quota); ok != (at == begin) || err != nil {
					t.Fatalf("%v at %v: %v, %v", refill, at, ok, err)
				}
			}
			begin = end
		}
	}
}

// TestLimiterShared charges by three nodes, by the server's clock.
func TestLimiterShared(t *testing.T) {
	t.Parallel()
	s := testenv.StartRedis(t, "redis-server")
	var nodes [3]*redis.Limiter
	for i := range nodes {
		nodes[i] = dial(t, s.URL(), redis.Options{}).Limiter(redis.LimiterOptions{})
	}
	limits := []gatehouse.Limit{{Name: "hour", Count: 100, Period: time.Hour}, {Name: "month", Count: 500, Refill: gatehouse.RefillMonth}}
	if n := parallel(1000, func(i int) bool {
		ok, _, err := nodes[i%3].Take(t.Context(), "k", limits)
		if err != nil {
			t.Error(err)
		}
		return ok
	}); n != 100 {
		t.Errorf("%d of 1000 admitted under a limit of 100", n)
	}
	for _, key := range strings.Fields(s.Do("KEYS", "*")) {
		if ttl := s.Do("PTTL", key); ttl == "-1" {
			t.Errorf("the counter %s never expires", key)
		}
	}
	soon := []gatehouse.Limit{{Name: "soon", Count: 1, Period: 50 * time.Millisecond}}
	for range 5 { // the server's clock pays off
		await(t, func() error {
			if ok, wait, err := nodes[0].Take(t.Context(), "soon", soon); !ok {
				return fmt.Errorf("refused for %v: %w", wait, err)
			}
			return nil
		})
	}
}

// parallel calls f n times at once, and counts the true answers.
func parallel(n int, f func(i int) bool) int64 {
	var admitted atomic.Int64
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			if f(i) {
				admitted.Add(1)
			}
		})
	}
	done.Wait()
	return admitted.Load()
}

// TestLimiterFallback kills the server under three nodes.
func TestLimiterFallback(t *testing.T) {
	t.Parallel()
	s := testenv.StartRedis(t, "redis-server", keep...)
	var fallen atomic.Int64
	var nodes [3]*redis.Limiter
	for i := range nodes {
		nodes[i] = dial(t, s.URL(), redis.Options{}).Limiter(redis.LimiterOptions{
			Local: memory.NewLimiter(0, nil), Nodes: func() int { return len(nodes) },
			OnFallback: func(err error) {
				if err == nil {
					t.Error("OnFallback without a reason")
				}
				fallen.Add(1)
			},
		})
	}
	limits := []gatehouse.Limit{{Name: "l", Count: 100, Period: time.Hour}}
	take := func(i int) bool {
		ok, _, err := nodes[i%3].Take(t.Context(), "k", limits)
		if err != nil {
			t.Error(err)
		}
		return ok
	}
	if n := parallel(60, take); n != 60 || fallen.Load() != 0 {
		t.Fatalf("%d of 60 admitted, %d by a node alone", n, fallen.Load())
	}
	var during int64
	var done sync.WaitGroup
	done.Go(func() { during = parallel(500, take) }) // some before, some after
	s.Stop()
	done.Wait()
	after := parallel(1000, take)
	if total := 60 + during + after; total > 100+3*34 || total < 60+3*34 {
		t.Errorf("%d admitted, want at most 100 and 34 by each node", total)
	}
	if fallen.Load() < 1000 {
		t.Errorf("%d decided by a node alone, want 1000 at least", fallen.Load())
	}
	s.Start() // with what it had on the disk
	await(t, func() error {
		before := fallen.Load()
		for i := range nodes {
			take(i)
		}
		if fallen.Load() != before {
			return errors.New("still alone")
		}
		return nil
	})
	if n := parallel(1000, take); 60+during+after+n > 100+3*34 {
		t.Errorf("%d more admitted after the server was back", n)
	}
}

// TestLimiterAlone wants no answer where there is nobody else to ask.
func TestLimiterAlone(t *testing.T) {
	t.Parallel()
	s := testenv.StartRedis(t, "redis-server")
	c := dial(t, s.URL(), redis.Options{})
	l := c.Limiter(redis.LimiterOptions{})
	limits := []gatehouse.Limit{{Name: "l", Count: 100, Period: time.Hour}}
	s.Stop()
	for range 3 {
		if ok, wait, err := l.Take(t.Context(), "k", limits); ok || wait != 0 || !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("without a server: %v, %v, %v", ok, wait, err)
		}
		if err := l.Refund(t.Context(), "k", limits); !errors.Is(err, gatehouse.ErrUnavailable) {
			t.Errorf("Refund without a server: %v", err)
		}
	}
	s.Start()
	await(t, func() error { _, _, err := l.Take(t.Context(), "k", limits); return err })
}

// TestLimiterCaller wants neither a caller who left nor a closed client to look like a
// server that is away.
func TestLimiterCaller(t *testing.T) {
	t.Parallel()
	c := dial(t, testenv.Redis(t), redis.Options{})
	l := c.Limiter(redis.LimiterOptions{
		Local:      memory.NewLimiter(0, nil),
		OnFallback: func(err error) { t.Errorf("fell back: %v", err) },
	})
	limits := []gatehouse.Limit{{Name: "l", Count: 100, Period: time.Hour}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Take(ctx, "k", limits); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if ok, _, err := l.Take(t.Context(), "k", limits); !ok || err != nil {
		t.Errorf("the next one: %v, %v", ok, err)
	}
	c.Close()
	if _, _, err := l.Take(t.Context(), "k", limits); !errors.Is(err, gatehouse.ErrUnavailable) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	r := c.Replay(redis.ReplayOptions{})
	if ok, err := r.Claim(t.Context(), "k", "n", time.Now(), time.Now().Add(time.Second)); ok || !errors.Is(err, os.ErrClosed) || !errors.Is(err, gatehouse.ErrUnavailable) {
		t.Errorf("Claim, closed: %v, %v", ok, err)
	}
}
