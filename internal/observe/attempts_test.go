// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/embedded"
	"github.com/seed14544106/gatehouse/internal/observe"
)

var peer = netip.MustParseAddr("192.0.2.7")

// recorded flushes and reads what was recorded, newest first.
func (h *house) recorded(t *testing.T, a *observe.Attempts) []gatehouse.Attempt {
	t.Helper()
	mustFlush(t, a.Flush)
	got, err := h.ListAttempts(t.Context(), gatehouse.AttemptQuery{Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	r := &gatehouse.Request{Peer: peer, Header: gatehouse.Header{"User-Agent": {"bot/1", "second"}}}
	k := &gatehouse.Key{ID: "k1", Tenant: tenant, Principal: "account-1"}
	pass := granted(k, noon)
	late := granted(k, noon.Add(time.Second))
	late.Granted, late.Reason = false, gatehouse.ReasonKeyExpired
	forged := &gatehouse.Decision{Scheme: "bearer", Time: noon.Add(2 * time.Second), Reason: gatehouse.ReasonInvalidCredential}

	of := func(d *gatehouse.Decision, outcome string) gatehouse.Attempt {
		out := gatehouse.Attempt{Time: d.Time, Tenant: tenant, Scheme: d.Scheme, Peer: peer, UserAgent: "bot/1", Outcome: outcome}
		if d.Key != nil {
			out.KeyID, out.Principal = "k1", "account-1"
		}
		return out
	}
	failures := []gatehouse.Attempt{of(forged, "invalid_credential"), of(late, "key_expired")}
	for text, want := range map[string][]gatehouse.Attempt{"none": nil, "failure": failures, "all": append(failures[:2:2], of(pass, "granted"))} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			policy, ok := observe.ParsePolicy(text)
			a := observe.NewAttempts(h, policy, tenant, h.metrics)
			for _, d := range []*gatehouse.Decision{pass, late, forged} {
				a.Observe(r, d, nil, 0)
				a.Observe(r, d, errors.New("x"), 0) // nothing was decided
			}
			if diff := cmp.Diff(want, h.recorded(t, a), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" || !ok {
				t.Errorf("%v (-want +got):\n%s", ok, diff)
			}
		})
	}
	if _, ok := observe.ParsePolicy("some"); ok {
		t.Error("an unknown policy is read")
	}
}

// Nothing of a credential is recorded, wherever it stands.
func TestAttemptsHoldNoCredential(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := observe.NewAttempts(h, observe.RecordAll, tenant, h.metrics)
	r := &gatehouse.Request{Method: "MARKER", Authority: "marker", Target: "/marker?marker", Peer: peer, Header: gatehouse.Header{
		"Authorization": {"Bearer marker"}, "X-Auth-Apikey": {"marker"}, "X-Auth-Signature": {"marker"}, "Cookie": {"marker"}, "Signature": {"marker"},
		"User-Agent": {strings.Repeat("é", 200)},
	}, Body: gatehouse.Body{Bytes: []byte("marker")}}
	k := &gatehouse.Key{ID: "k1", Tenant: tenant, Name: "marker", Materials: []gatehouse.Material{{Data: []byte("marker"), Ref: "marker"}}}
	d := granted(k, noon)
	d.Digest = "marker"
	a.Observe(r, d, nil, 0)
	a.Observe(r, &gatehouse.Decision{Time: noon, Reason: gatehouse.ReasonMalformedCredential}, nil, 0)
	got := h.recorded(t, a)
	if text := fmt.Sprintf("%+v", got); len(got) != 2 || strings.Contains(strings.ToLower(text), "marker") {
		t.Errorf("%d attempts: %s", len(got), text)
	}
	if agent := got[0].UserAgent; agent != strings.Repeat("é", 127) {
		t.Errorf("of a long user agent %d bytes are kept: %q", len(agent), agent)
	}
}

// A flood fills neither the memory nor the disk, and the next minute is recorded again.
func TestAttemptsHaveABound(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := observe.NewAttempts(h, observe.RecordFailures, tenant, h.metrics)
	r := &gatehouse.Request{Peer: peer}
	of := func(key string, at time.Time) {
		a.Observe(r, &gatehouse.Decision{Time: at, Reason: gatehouse.ReasonKeyRevoked, Key: &gatehouse.Key{ID: key, Tenant: tenant}}, nil, 0)
	}
	flood := func(at time.Time, n int) { // of so many keys that none has reached its own bound
		for i := range n {
			of(fmt.Sprint("k", i), at)
		}
	}
	// What names no key has a bound of its own, so that it does not hide the rest.
	before := noon.Add(-time.Hour)
	for range 100 {
		a.Observe(r, &gatehouse.Decision{Time: before, Reason: gatehouse.ReasonInvalidCredential}, nil, 0)
	}
	flood(before, 7)
	if n := len(h.recorded(t, a)); n != 67 {
		t.Fatalf("%d attempts, 7 of them of a key; want 60 others", n)
	}
	if err := h.PurgeAttempts(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	flood(noon, 999)
	flood(noon.Add(59*time.Second), 5000)
	if n := len(h.recorded(t, a)); n != 1000 {
		t.Errorf("%d of 5999 attempts of a minute were recorded", n)
	}
	flood(noon.Add(time.Minute), 1)
	flood(noon, 10) // a clock that is behind opens no second window
	if n := len(h.recorded(t, a)); n != 1011 {
		t.Errorf("%d attempts; want 1011", n)
	}
	h.wantMetric(t, "gatehouse_attempts_dropped_total", 40+4999)
	for _, n := range h.sizes {
		if n > 500 {
			t.Errorf("%d attempts in one transaction", n)
		}
	}

	// While the store is away the queue has an end too.
	h.broken = errors.New("disk on fire")
	for i := range 5 {
		flood(noon.Add(time.Duration(i+2)*time.Minute), 1000)
		mustFail(t, a.Flush)
	}
	h.wantMetric(t, "gatehouse_attempt_failures_total", 5)
	h.broken = nil
	if n := len(h.recorded(t, a)); n != 1011+2500 {
		t.Errorf("%d attempts; want 2500 of those made while the store was away", n-1011)
	}
	h.wantMetric(t, "gatehouse_attempts_dropped_total", 40+4999+2500)
}

// A flood under one key leaves room for the others in the same minute.
func TestAttemptsOfOneKeyHaveABound(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := observe.NewAttempts(h, observe.RecordFailures, tenant, h.metrics)
	attempt := func(key string, at time.Time) {
		a.Observe(&gatehouse.Request{Peer: peer}, &gatehouse.Decision{Time: at, Reason: gatehouse.ReasonKeyRevoked, Key: &gatehouse.Key{ID: key, Tenant: tenant}}, nil, 0)
	}
	for range 5000 {
		attempt("flooded", noon)
	}
	const others = 256
	for i := range others {
		attempt(fmt.Sprint("k", i), noon)
	}
	attempt("flooded", noon.Add(time.Minute))
	of := map[bool]int{}
	for _, one := range h.recorded(t, a) {
		of[one.KeyID == "flooded"]++
	}
	// Each of the others shares the flooded key's window with a chance of 1 in 256; that
	// twenty do, 10^-18, is a fault.
	if of[true] != 60+1 || of[false] < others-20 {
		t.Errorf("%d attempts of the flooded key; want 61; %d of %d others", of[true], of[false], others)
	}
}

// An attempt whose proof fails has the key that it names, and nothing where there is none.
func TestForgedAttemptsNameTheirKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := observe.NewAttempts(h, observe.RecordFailures, tenant, h.metrics)
	e, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "data"), embedded.Options{Observer: a})
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
		r := &gatehouse.Request{Peer: peer, Header: gatehouse.Header{
			"X-Auth-Apikey": {id}, "X-Auth-Nonce": {fmt.Sprint(time.Now().UnixMilli())}, "X-Auth-Signature": {strings.Repeat("0", 64)},
		}}
		if d, err := e.Authority.Verify(t.Context(), r); err != nil || d.Granted {
			t.Fatalf("%v, %v", d.Reason, err)
		}
	}
	var got []string
	for _, one := range h.recorded(t, a) {
		got = append(got, one.KeyID+" "+one.Principal+" "+one.Outcome)
	}
	slices.Sort(got)
	if want := []string{"  invalid_credential", k.Key.ID + "  invalid_credential"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
