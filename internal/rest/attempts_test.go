// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

func TestAttempts(t *testing.T) {
	t.Parallel()
	h := open(t)
	uid := h.person().UID
	a, err := h.store.Account(t.Context(), gatehouse.DefaultTenant, account.ByUID, uid)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	err = h.store.InsertAttempts(t.Context(), []gatehouse.Attempt{
		{Time: noon, Tenant: gatehouse.DefaultTenant, Scheme: "barong", KeyID: "k1", Principal: a.ID, Peer: netip.MustParseAddr("192.0.2.1"), UserAgent: "bot", Outcome: "granted"},
		{Time: noon.Add(1000), Tenant: gatehouse.DefaultTenant, Outcome: "no_credential"},
		{Time: noon.Add(2000), Tenant: "another", Outcome: "no_credential"},
	})
	if err != nil {
		t.Fatal(err)
	}
	full := api.Attempt{Time: noon, Outcome: "granted", Scheme: "barong", KeyID: "k1", Owner: uid, Peer: "192.0.2.1", UserAgent: "bot"}
	bare := api.Attempt{Time: noon.Add(1000), Outcome: "no_credential"}
	for _, row := range []struct {
		kid   string
		limit int
		want  []api.Attempt
	}{
		{"", 10, []api.Attempt{bare, full}}, {"", 1, []api.Attempt{bare}}, {"k1", 10, []api.Attempt{full}}, {"k2", 10, []api.Attempt{}},
	} {
		got, err := h.client.Attempts(t.Context(), row.kid, row.limit)
		if diff := cmp.Diff(row.want, got.Attempts); diff != "" || err != nil {
			t.Errorf("attempts with %q, %d at most: %v (-want +got):\n%s", row.kid, row.limit, err, diff)
		}
	}
	if _, err := h.client.Attempts(t.Context(), "", 0); code(err) != "invalid limit" {
		t.Errorf("no attempts: %v", err)
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person()
	n := api.NewKey{Owner: owner, Schemes: []string{"bearer"}, Unused: 3600}
	k, err := h.client.CreateKey(t.Context(), n)
	if err != nil || k.Unused != 3600 || k.LastUsed != nil {
		t.Fatalf("created %+v, %v", k.Key, err)
	}
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	if err := h.store.TouchKeys(t.Context(), []gatehouse.Use{{KeyID: k.ID, Time: at}}); err != nil {
		t.Fatal(err)
	}
	shown, err := h.client.Key(t.Context(), k.ID)
	if err != nil || shown.Unused != 3600 || shown.LastUsed == nil || !shown.LastUsed.Equal(at) {
		t.Errorf("shown %+v, %v", shown, err)
	}
	if listed, err := h.client.KeyPage(t.Context(), client.KeyQuery{Owner: owner}, client.Page{}); err != nil || !cmp.Equal(listed.Keys, []api.Key{shown}) {
		t.Errorf("listed %+v, %v", listed, err)
	}
	for _, seconds := range []int64{-1, 3599, math.MaxInt64/1_000_000_000 + 1, math.MaxInt64, math.MinInt64} {
		n.Unused = seconds
		if _, err := h.client.CreateKey(t.Context(), n); code(err) != "invalid unused" && code(err) != "invalid unused_s" {
			t.Errorf("%d seconds: %v", seconds, err)
		}
	}
}
