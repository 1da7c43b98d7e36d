// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// PageBar is how long a page of 100 keys may take at most, whatever it is a page of.
const PageBar = 50 * time.Millisecond

// PageStep is how far apart the keys of [Pages] are made, and PageKeys how many there are
// before they are multiplied.
const (
	PageKeys = 2000
	PageStep = time.Second
)

// Pages measures pages of a tenant with many keys and fails where one takes longer than
// [PageBar]. multiply makes n keys of each that was inserted: the i-th copy has another id
// and was made i times PageKeys times PageStep later.
func Pages(b *testing.B, s AllStores, n int, multiply func(n int)) {
	owners, start := pageKeys(b, s)
	multiply(n)
	total := n * PageKeys
	end := start.Add(time.Duration(total) * PageStep)
	measure := func(what string, read func() (int, error)) {
		b.Run(what, func(b *testing.B) {
			var took []time.Duration
			rows := 0
			for b.Loop() {
				begin := time.Now()
				n, err := read()
				if err != nil {
					b.Fatal(err)
				}
				took, rows = append(took, time.Since(begin)), n
			}
			slices.Sort(took)
			median := took[len(took)/2]
			b.ReportMetric(float64(median.Microseconds())/1000, "ms/page")
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(0, "ns/op")
			if median > PageBar {
				b.Errorf("a page takes %v, want %v at most", median, PageBar)
			}
		})
	}
	for _, row := range pageSearches(owners, start, end) {
		row.s.Tenant, row.s.Limit = gatehouse.DefaultTenant, 100
		var last gatehouse.KeyCursor
		find := func() (int, error) {
			keys, err := s.FindKeys(b.Context(), row.s)
			if len(keys) > 0 {
				last = row.s.Cursor(&keys[len(keys)-1].Key)
			}
			return len(keys), err
		}
		measure(row.what, find)
		if last != (gatehouse.KeyCursor{}) {
			row.s.After = last
			measure(row.what+", next", find)
		}
	}
	for what, q := range map[string]gatehouse.KeyQuery{"list": {}, "list active": {States: []gatehouse.State{gatehouse.StateActive}}, "list of owner": {Principal: owners[0]}} {
		q.Tenant, q.Limit, q.Desc = gatehouse.DefaultTenant, 100, true
		measure(what, func() (int, error) {
			keys, _, err := s.ListKeys(b.Context(), q)
			return len(keys), err
		})
	}
}

// pageKeys inserts the keys. The first owner has half of them.
func pageKeys(b *testing.B, s AllStores) (owners []string, start time.Time) {
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	event := func() *gatehouse.Event {
		return gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: gatehouse.DefaultTenant}, start, "bench", "s", gatehouse.OutcomeSucceeded)
	}
	for i := range 100 {
		a := account.Account{ID: fmt.Sprint("owner-", i), Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
		if err := s.InsertAccount(b.Context(), &a, nil, event()); err != nil {
			b.Fatal(err)
		}
		owners = append(owners, a.ID)
	}
	var keys []*gatehouse.Key
	var events []*gatehouse.Event
	for i := range PageKeys {
		k := pageKey(i, start)
		k.Principal = owners[i%2*(i/2%100)]
		keys, events = append(keys, &k), append(events, event())
		if len(keys) == 500 {
			if err := s.InsertKeys(b.Context(), keys, events); err != nil {
				b.Fatal(err)
			}
			keys, events = nil, nil
		}
	}
	return owners, start
}

func pageKey(i int, start time.Time) gatehouse.Key {
	k := gatehouse.Key{
		ID: strings.ToLower(fmt.Sprintf("%04x", i*40503%65536)) + name("k"), Tenant: gatehouse.DefaultTenant, State: gatehouse.StateActive,
		Name: fmt.Sprintf("trading bot %d", i), Schemes: []string{[]string{"bearer", "barong"}[i%10/9]},
		Scopes:   gatehouse.Scopes{"account:read", gatehouse.Scope("orders:" + []string{"read", "write"}[i%2])},
		Metadata: gatehouse.Metadata{"plan": []string{"gold", "free", "free", "trial"}[i%4], "team": fmt.Sprint(i % 200)},
		Created:  start.Add(time.Duration(i) * PageStep), Updated: start,
		Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialSealed, Ref: "dek-0123456789abcdef", Data: make([]byte, 60), Created: start}},
	}
	if i%50 == 7 {
		k.State = gatehouse.StateRevoked
	}
	if i%3 == 0 {
		k.Expires = k.Created.Add(365 * 24 * time.Hour)
	}
	if i%2 == 0 {
		k.LastUsed = k.Created.Add(24 * time.Hour)
	}
	if i == 1234 {
		k.Name = "zebra"
	}
	return k
}

type pageSearch struct {
	what string
	s    gatehouse.KeySearch
}

// pageSearches are searches for each thing, for what most have, few have and none has, and
// for things that many have and nothing together.
func pageSearches(owners []string, start, end time.Time) []pageSearch {
	middle := start.Add(end.Sub(start) / 2)
	year := 365 * 24 * time.Hour
	return []pageSearch{
		{"all", gatehouse.KeySearch{}},
		{"deep", gatehouse.KeySearch{After: gatehouse.KeyCursor{Time: middle, ID: "a"}}},
		{"owner of many", gatehouse.KeySearch{Principal: owners[0]}},
		{"owner of some", gatehouse.KeySearch{Principal: owners[1]}},
		{"owner nobody", gatehouse.KeySearch{Principal: "nobody"}},
		{"active", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateActive}}},
		{"revoked", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateRevoked}}},
		{"disabled (none)", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateDisabled}}},
		{"revoked or disabled", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateDisabled, gatehouse.StateRevoked}}},
		{"scheme of most", gatehouse.KeySearch{Scheme: "bearer"}},
		{"scheme of none", gatehouse.KeySearch{Scheme: "shield"}},
		{"scope of all", gatehouse.KeySearch{Scope: "account:read"}},
		{"metadata", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold"}}},
		{"metadata and team", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold", "team": "8"}}},
		{"metadata and team, nothing", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold", "team": "9"}}},
		{"metadata and scope, nothing", gatehouse.KeySearch{Metadata: gatehouse.Metadata{"plan": "gold"}, Scope: "orders:write"}},
		{"scope and scheme, nothing", gatehouse.KeySearch{Scope: "orders:read", Scheme: "barong"}},
		{"owner and scope, nothing", gatehouse.KeySearch{Principal: owners[0], Scope: "orders:write"}},
		{"revoked and scope, nothing", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateRevoked}, Scope: "orders:read"}},
		{"revoked and metadata", gatehouse.KeySearch{States: []gatehouse.State{gatehouse.StateRevoked}, Metadata: gatehouse.Metadata{"plan": "trial"}}},
		{"word of all", gatehouse.KeySearch{Text: "trading"}},
		{"letter of all", gatehouse.KeySearch{Text: "t"}},
		{"words of all", gatehouse.KeySearch{Text: "bo tra"}},
		{"word of few", gatehouse.KeySearch{Text: "zeb"}},
		{"word of none", gatehouse.KeySearch{Text: "lion"}},
		{"number", gatehouse.KeySearch{Text: "1777"}},
		{"digit", gatehouse.KeySearch{Text: "1"}},
		{"many words that begin alike", gatehouse.KeySearch{Text: "19"}},
		{"many words that begin alike and metadata", gatehouse.KeySearch{Text: "19", Metadata: gatehouse.Metadata{"plan": "gold"}}},
		{"many words that begin alike and two more", gatehouse.KeySearch{Text: "19 bot tr"}},
		{"word and revoked", gatehouse.KeySearch{Text: "trading", States: []gatehouse.State{gatehouse.StateRevoked}}},
		{"word and scheme", gatehouse.KeySearch{Text: "bot", Scheme: "barong"}},
		{"expires soon", gatehouse.KeySearch{ExpiresBefore: middle.Add(year)}},
		{"expires never", gatehouse.KeySearch{ExpiresBefore: start}},
		{"expires and team", gatehouse.KeySearch{ExpiresBefore: end.Add(year), Metadata: gatehouse.Metadata{"team": "8"}}},
		{"expires and scheme", gatehouse.KeySearch{ExpiresBefore: end.Add(year), Scheme: "barong"}},
		{"expires and word", gatehouse.KeySearch{ExpiresBefore: end.Add(year), Text: "trading"}},
		{"unused", gatehouse.KeySearch{UnusedSince: middle}},
		{"unused, all", gatehouse.KeySearch{UnusedSince: end.Add(year)}},
		{"unused, none", gatehouse.KeySearch{UnusedSince: start}},
		{"unused and scope", gatehouse.KeySearch{UnusedSince: middle, Scope: "orders:read"}},
		{"unused and owner", gatehouse.KeySearch{UnusedSince: middle, Principal: owners[1]}},
		{"unused and expires", gatehouse.KeySearch{UnusedSince: middle, ExpiresBefore: end.Add(year)}},
		{"id", gatehouse.KeySearch{Text: "0000nothing"}},
	}
}
