// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/internal/observe"
)

func (h *house) AddUsage(ctx context.Context, b *gatehouse.UsageBatch) error {
	h.sizes = append(h.sizes, len(b.Counts)+len(b.Sources)+len(b.Scopes))
	if h.sized {
		return nil
	}
	return unless(h.broken, func() error { return h.DB.AddUsage(ctx, b) })
}

// from is a request of a peer with a user agent, of a route that demands scopes.
func from(peer, agent string, need ...gatehouse.Scope) *gatehouse.Request {
	r := &gatehouse.Request{Peer: netip.MustParseAddr(peer), Need: need, Header: gatehouse.Header{}}
	if agent != "" {
		r.Header["User-Agent"] = []string{agent}
	}
	return r
}

func proven(id string, at time.Time, reason gatehouse.Reason) *gatehouse.Decision {
	k := &gatehouse.Key{ID: id, Tenant: tenant, Scopes: gatehouse.Scopes{"a", "b", gatehouse.AnyScope}}
	return &gatehouse.Decision{Granted: reason == 0, Reason: reason, Scheme: "barong", Material: 2, Time: at, Key: k}
}

// wantCounts wants the minutes of a day as "minute outcome count".
func (h *house) wantCounts(t *testing.T, tenant, keyID string, want ...string) {
	t.Helper()
	points, err := h.Usage(t.Context(), gatehouse.UsageQuery{Tenant: tenant, KeyID: keyID, Grain: gatehouse.GrainMinute, From: noon.Add(-time.Hour), To: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range points {
		got = append(got, fmt.Sprint(p.Start.Format("15:04 "), p.Outcome, " ", p.Count))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("usage of %q (-want +got):\n%s", keyID, diff)
	}
}

func (h *house) wantSources(t *testing.T, keyID string, want ...gatehouse.Source) {
	t.Helper()
	got, err := h.Sources(t.Context(), tenant, keyID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].Tenant, want[i].KeyID = tenant, keyID
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("sources of %q (-want +got):\n%s", keyID, diff)
	}
}

func TestUsageIsWritten(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, "home", h.metrics)
	late := noon.Add(time.Minute)
	see := func(r *gatehouse.Request, d *gatehouse.Decision, times int) {
		for range times {
			u.Observe(r, d, nil, 0)
		}
	}
	see(from("192.0.2.1", "curl/8.5.0"), proven("k", noon, 0), 3)
	see(from("192.0.2.1", "curl/8.5.0"), proven("k", late, gatehouse.ReasonRateLimited), 2)
	see(from("fe80::1%eth0", ""), proven("k", late, 0), 1)
	see(from("192.0.2.66", "curl/8.5.0"), proven("k", late, gatehouse.ReasonReplayed), 1)
	see(from("192.0.2.66", "curl/8.5.0"), proven("k", late, gatehouse.ReasonStaleCredential), 1)
	see(from("192.0.2.7", ""), &gatehouse.Decision{Time: noon, Reason: gatehouse.ReasonNoCredential}, 4)
	other := from("192.0.2.7", "")
	other.Tenant = "other"
	see(other, &gatehouse.Decision{Time: noon, Reason: gatehouse.ReasonInvalidCredential}, 5)
	u.Observe(from("192.0.2.1", ""), proven("k", noon, 0), errors.New("x"), 0)
	h.wantCounts(t, tenant, "k")

	mustFlush(t, u.Flush)
	mustFlush(t, u.Flush)
	h.wantCounts(t, tenant, "k", "12:00 granted 3", "12:01 granted 1", "12:01 rate_limited 2", "12:01 replayed 1", "12:01 stale_credential 1")
	h.wantCounts(t, tenant, "", "12:00 granted 3", "12:01 granted 1", "12:01 rate_limited 2", "12:01 replayed 1", "12:01 stale_credential 1")
	h.wantCounts(t, "home", "", "12:00 no_credential 4")
	h.wantCounts(t, "other", "", "12:00 invalid_credential 5")
	h.wantSources(t, "k",
		gatehouse.Source{Material: 2, Scheme: "barong", Total: true, First: noon, Last: late, Uses: 4},
		gatehouse.Source{Material: 2, Scheme: "barong", Peer: netip.MustParseAddr("fe80::1"), Agent: "none", First: late, Last: late, Uses: 1},
		gatehouse.Source{Material: 2, Scheme: "barong", Peer: netip.MustParseAddr("192.0.2.1"), Agent: "curl", First: noon, Last: noon, Uses: 3})
	if len(h.sizes) != 1 {
		t.Errorf("%d writes; want one", len(h.sizes))
	}
}

// scopeStore keeps what was written of scopes.
type scopeStore struct {
	*house
	scopes map[gatehouse.Scope]time.Time
	writes int
}

func (s *scopeStore) AddUsage(ctx context.Context, b *gatehouse.UsageBatch) error {
	for _, u := range b.Scopes {
		s.writes++
		s.scopes[u.Scope] = u.Last
	}
	return s.house.AddUsage(ctx, b)
}

func TestScopesThatWereNeeded(t *testing.T) {
	t.Parallel()
	s := &scopeStore{open(t), map[gatehouse.Scope]time.Time{}, 0}
	u := observe.NewUsage(s, tenant, s.metrics)
	u.Observe(from("192.0.2.1", "", "a"), proven("k", noon, 0), nil, 0)
	u.Observe(from("192.0.2.1", "", "b"), proven("k", noon, gatehouse.ReasonRateLimited), nil, 0)
	any := from("192.0.2.1", "")
	any.NeedAny = gatehouse.Scopes{"x", "a"}
	u.Observe(any, proven("k", noon.Add(time.Second), 0), nil, 0)
	mustFlush(t, u.Flush)
	if diff := cmp.Diff(map[gatehouse.Scope]time.Time{"a": noon.Add(time.Second)}, s.scopes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A scope by another name is had through the one that stands for all.
	any.NeedAny = gatehouse.Scopes{"x", "y"}
	u.Observe(any, proven("k", noon, 0), nil, 0)
	u.Observe(from("192.0.2.1", "", "z"), proven("k", noon.Add(time.Second), 0), nil, 0)
	// Within a minute nothing is written again.
	u.Observe(from("192.0.2.1", "", "a"), proven("k", noon.Add(time.Minute), 0), nil, 0)
	mustFlush(t, u.Flush)
	u.Observe(from("192.0.2.1", "", "a"), proven("k", noon.Add(time.Minute+time.Second), 0), nil, 0)
	mustFlush(t, u.Flush)
	want := map[gatehouse.Scope]time.Time{"a": noon.Add(time.Minute + time.Second), gatehouse.AnyScope: noon.Add(time.Second)}
	if diff := cmp.Diff(want, s.scopes); diff != "" || s.writes != 3 {
		t.Errorf("%d writes; want 3 (-want +got):\n%s", s.writes, diff)
	}
}

func TestUsageSurvivesAFailure(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	h.broken = errors.New("disk on fire")
	for range 2 {
		u.Observe(from("192.0.2.1", "curl/8", "a"), proven("k", noon, 0), nil, 0)
		mustFail(t, u.Flush)
	}
	h.wantMetric(t, "gatehouse_usage_failures_total", 2)
	h.broken = nil
	mustFlush(t, u.Flush)
	h.wantCounts(t, tenant, "k", "12:00 granted 2")
	h.wantSources(t, "k",
		gatehouse.Source{Material: 2, Scheme: "barong", Total: true, First: noon, Last: noon, Uses: 2},
		gatehouse.Source{Material: 2, Scheme: "barong", Peer: netip.MustParseAddr("192.0.2.1"), Agent: "curl", First: noon, Last: noon, Uses: 2})
	h.wantMetric(t, "gatehouse_usage_dropped_total", 0)
}

// A request whose proof fails counts for the key that it names, and leaves no source.
func TestForgedRequestsLeaveNoSource(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	e, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "data"), embedded.Options{Observer: u})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	owner, err := e.Accounts.CreateAccount(t.Context(), e.Actor(), account.NewAccount{Email: "a@example.com", State: gatehouse.PrincipalActive})
	if err != nil {
		t.Fatal(err)
	}
	k, err := e.Authority.Create(t.Context(), e.Actor(), gatehouse.NewKey{Principal: owner.ID, Schemes: []string{"barong"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{k.Key.ID, strings.Repeat("0", 16)} {
		r := from("192.0.2.66", "curl/8")
		r.Header["X-Auth-Apikey"], r.Header["X-Auth-Nonce"], r.Header["X-Auth-Signature"] = []string{id}, []string{fmt.Sprint(time.Now().UnixMilli())}, []string{strings.Repeat("0", 64)}
		if d, err := e.Authority.Verify(t.Context(), r); err != nil || d.Granted {
			t.Fatalf("%v, %v", d.Reason, err)
		}
	}
	mustFlush(t, u.Flush)
	now := time.Now()
	for keyID, want := range map[string]int64{k.Key.ID: 1, strings.Repeat("0", 16): 0, "": 2} {
		points, err := h.Usage(t.Context(), gatehouse.UsageQuery{Tenant: tenant, KeyID: keyID, Grain: gatehouse.GrainDay, From: now.Add(-48 * time.Hour), To: now.Add(48 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, p := range points {
			n += p.Count
		}
		if n != want {
			t.Errorf("%d requests of %q; want %d", n, keyID, want)
		}
	}
	h.wantSources(t, k.Key.ID)
}

// Of one key, 16 sources are kept between two flushes; all uses are in the total.
func TestSourcesAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	for i := range 100 {
		u.Observe(from(fmt.Sprint("192.0.2.", i), "curl/8"), proven("k", noon, 0), nil, 0)
	}
	mustFlush(t, u.Flush)
	got, err := h.Sources(t.Context(), tenant, "k")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 17 || !got[0].Total || got[0].Uses != 100 {
		t.Errorf("%d sources, the first %+v; want a total of 100 uses and 16 more", len(got), got[0])
	}
}

// However many keys there are, what is kept has a bound, and so have the transactions.
func TestUsageIsBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	h.broken = errors.New("disk on fire")
	const room = 1 << 16
	r := from("192.0.2.1", "curl/8")
	for i := range 2 * room {
		u.Observe(r, proven(fmt.Sprint(i), noon, 0), nil, 0)
	}
	mustFail(t, u.Flush)
	h.broken, h.sizes = nil, nil
	h.sized = true // the disk is not what has a bound here
	mustFlush(t, u.Flush)
	h.sized = false
	written := 0
	for _, n := range h.sizes {
		written += n
		if n > 500 {
			t.Errorf("%d rows in one transaction", n)
		}
	}
	written /= 3 // a count, a total and a source of each key
	if written < room/2 || written > room {
		t.Errorf("%d keys were kept; want %d at most, and not much less", written, room)
	}
	h.wantMetric(t, "gatehouse_usage_dropped_total", float64(2*room-written))
	for range 12 {
		u.Observe(r, proven("k", noon, 0), nil, 0)
		mustFlush(t, u.Flush)
	}
	h.wantCounts(t, tenant, "k", "12:00 granted 12") // there is room again
}

// Nothing that was counted before a flush is lost to it, whoever counts at the same time.
func TestUsageAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	const workers, each, keys = 4, 3000, 10
	r := from("192.0.2.1", "curl/8")
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				u.Observe(r, proven(fmt.Sprint("k", (i+w)%keys), noon, 0), nil, 0)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if err := u.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	mustFlush(t, u.Flush)
	for i := range keys {
		h.wantCounts(t, tenant, fmt.Sprint("k", i), fmt.Sprint("12:00 granted ", workers*each/keys))
	}
	h.wantCounts(t, tenant, "", fmt.Sprint("12:00 granted ", workers*each))
	h.wantMetric(t, "gatehouse_usage_dropped_total", 0)
}

func TestCountingAllocatesNothing(t *testing.T) {
	h := open(t)
	u := observe.NewUsage(h, tenant, h.metrics)
	r, d := from("192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0", "a"), proven("k", noon, 0)
	u.Observe(r, d, nil, 0)
	mustFlush(t, u.Flush)
	if n := testing.AllocsPerRun(100, func() { u.Observe(r, d, nil, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkUsage is what counting adds to a request: of one key for all, and of 4,096.
func BenchmarkUsage(b *testing.B) {
	for _, keys := range []int{1, 4096} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			u := observe.NewUsage(nil, tenant, observe.New("v1"))
			r := from("192.0.2.1", "python-requests/2.32.3", "a")
			ds := make([]*gatehouse.Decision, keys)
			for i := range ds {
				ds[i] = proven(fmt.Sprintf("%016x", i), noon, 0)
				u.Observe(r, ds[i], nil, 0)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					u.Observe(r, ds[i%len(ds)], nil, 0)
				}
			})
		})
	}
}
