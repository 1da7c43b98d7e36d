// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// ManyKeys inserts more keys into a tenant, made at now, than a store may read and put in
// order for a page. With [ManySearches] it is for tests that look at how a store searches.
func ManyKeys(t *testing.T, s AllStores, tenant string, now time.Time) {
	t.Helper()
	event := func() *gatehouse.Event {
		return gatehouse.NewEvent(gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: tenant}, now, "suite", "s", gatehouse.OutcomeSucceeded)
	}
	a := account.Account{ID: "many", Tenant: tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}
	must(t, s.InsertAccount(t.Context(), &a, nil, event()))
	var keys []*gatehouse.Key
	var events []*gatehouse.Event
	for i := range 3100 {
		k := gatehouse.Key{
			ID: fmt.Sprint("many-", i), Tenant: tenant, Principal: "many", Name: fmt.Sprint("bot 10", i), State: gatehouse.StateActive, Schemes: []string{"bearer"},
			Scopes: gatehouse.Scopes{"s"}, Metadata: gatehouse.Metadata{"a": "b"}, Created: now, Expires: now, LastUsed: now.Add(time.Duration(i%2) * time.Second),
		}
		keys, events = append(keys, &k), append(events, event())
	}
	must(t, s.InsertKeys(t.Context(), keys, events))
}

// ManySearches finds the keys of [ManyKeys] in every way there is: by what few of them and
// what all have, in all orders, first pages and later ones.
func ManySearches(tenant string, now time.Time) (all []gatehouse.KeySearch) {
	later := now.Add(time.Hour)
	active, revoked := gatehouse.StateActive, gatehouse.StateRevoked
	for _, q := range []gatehouse.KeySearch{
		{}, {Principal: "many"}, {Principal: "nobody", Scope: "s"}, {States: []gatehouse.State{active}},
		{States: []gatehouse.State{active, revoked}, Scheme: "bearer"}, {States: []gatehouse.State{revoked}, Scheme: "bearer"},
		{Scheme: "bearer"}, {Scope: "s", Scheme: "none"}, {Scope: "s", Scheme: "bearer"}, {Metadata: gatehouse.Metadata{"a": "b", "c": "d"}}, {Principal: "many", Scope: "s"},
		{Text: "b"}, {Text: "bo"}, {Text: "10"}, {Text: "10 b"}, {Text: "10999"}, {Text: "many-7"}, {Text: "many-777"}, {Text: "many-"}, {Limited: true}, {Limited: true, Scope: "s"},
	} {
		for _, order := range []gatehouse.KeySearch{{}, {ExpiresBefore: later}, {UnusedSince: later}, {ExpiresBefore: later, UnusedSince: later}} {
			for _, after := range []gatehouse.KeyCursor{{}, {Time: now, ID: "k"}, {ID: "k"}} {
				q.Tenant, q.Limit, q.After = tenant, 10, after
				q.ExpiresBefore, q.UnusedSince = order.ExpiresBefore, order.UnusedSince
				all = append(all, q)
			}
		}
	}
	return all
}
