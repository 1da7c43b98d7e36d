// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
)

// settle inserts the tenant of the house.
func (h *house) settle(t *testing.T) gatehouse.Tenant {
	t.Helper()
	now := h.now()
	tenant := gatehouse.Tenant{
		Name: h.tenant, Text: "Ada & Sons", Created: now, Updated: now, Version: 77, // the version is not taken over
		TenantBrief: gatehouse.TenantBrief{State: gatehouse.TenantActive, Limits: []gatehouse.Limit{
			{Name: "fast", Count: 10, Period: time.Second, Burst: 20}, {Name: "month", Count: 1e6, Refill: gatehouse.RefillMonth},
		}},
	}
	must(t, h.InsertTenant(t.Context(), &tenant, h.event("tenant.create", tenant.Name)))
	tenant.Version = 1
	return tenant
}

func (h *house) mustReadTenant(t *testing.T, want gatehouse.Tenant) {
	t.Helper()
	got, err := h.Tenant(t.Context(), want.Name)
	must(t, err)
	same(t, "Tenant", got, want)
	all, err := h.ListTenants(t.Context())
	must(t, err)
	i := slices.IndexFunc(all, func(t gatehouse.Tenant) bool { return t.Name == want.Name })
	if i < 0 || !slices.IsSortedFunc(all, func(a, b gatehouse.Tenant) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("tenant %s is not in the list, or that is out of order: %+v", want.Name, all)
	}
	same(t, "ListTenants", all[i], want)
}

func tenantRoundTrip(t *testing.T, h *house) {
	tenant := h.settle(t)
	h.mustReadTenant(t, tenant)
	for _, text := range hostile {
		tenant.Text, tenant.State, tenant.Limits, tenant.Updated = text, gatehouse.TenantDisabled, nil, h.now()
		passed := tenant
		e := h.event("tenant.update", tenant.Name)
		must(t, h.UpdateTenant(t.Context(), &tenant, e))
		same(t, "the tenant passed to UpdateTenant", tenant, passed)
		tenant.Version++
		h.mustReadTenant(t, tenant)
		if events := h.events(t, tenant.Name); events[len(events)-1].Seq != e.Seq {
			t.Errorf("the event of the update is not the last: %+v", events)
		}
	}
}

func tenantDefault(t *testing.T, h *house) {
	got, err := h.Tenant(t.Context(), gatehouse.DefaultTenant)
	must(t, err)
	if got.Name != gatehouse.DefaultTenant || got.State != gatehouse.TenantActive || got.Version < 1 {
		t.Errorf("%+v", got)
	}
	for _, name := range append([]string{"", "nobody", "DEFAULT", "%"}, unstorable...) {
		_, err := h.Tenant(t.Context(), name)
		mustBe(t, label("Tenant(%q)", name), err, gatehouse.ErrNotFound)
	}
}

func tenantTaken(t *testing.T, h *house) {
	tenant := h.settle(t)
	again := tenant
	again.Text = "another"
	h.unchanged(t, "insert again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertTenant(t.Context(), &again, e) })
	h.mustReadTenant(t, tenant)
	errs := attempts(8, func(int) error {
		raced := tenant
		raced.Name = "raced-" + h.tenant
		return h.InsertTenant(t.Context(), &raced, h.event("tenant.create", raced.Name))
	})
	if n := count(t, "insert at once", errs, gatehouse.ErrExists); n != 7 {
		t.Errorf("of 8 inserts of one name %d failed", n)
	}
}

func tenantUpdateRefused(t *testing.T, h *house) {
	tenant := h.settle(t)
	stale, unknown := tenant, tenant
	stale.Version, unknown.Name = 2, "nobody"
	h.unchanged(t, "update of a stale tenant", gatehouse.ErrConflict, func(e *gatehouse.Event) error { return h.UpdateTenant(t.Context(), &stale, e) })
	h.unchanged(t, "update of an unknown tenant", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.UpdateTenant(t.Context(), &unknown, e) })
	h.mustReadTenant(t, tenant)
}

func tenantRemoved(t *testing.T, h *house) {
	tenant := h.settle(t)
	tenant.State = gatehouse.TenantRemoved
	must(t, h.UpdateTenant(t.Context(), &tenant, h.event("tenant.update", tenant.Name)))
	tenant.Version++
	for _, state := range []gatehouse.TenantState{gatehouse.TenantActive, gatehouse.TenantDisabled} {
		back := tenant
		back.State = state
		h.unchanged(t, label("update to %s", state), gatehouse.ErrConflict, func(e *gatehouse.Event) error { return h.UpdateTenant(t.Context(), &back, e) })
	}
	h.unchanged(t, "insert a removed one", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertTenant(t.Context(), &tenant, e) })
	h.mustReadTenant(t, tenant)
}

// Whoever looks up after a change was acknowledged sees it.
func tenantLookup(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	want := func(what string, brief gatehouse.TenantBrief) {
		t.Helper()
		record, err := h.Lookup(t.Context(), k.ID)
		must(t, err)
		same(t, "tenant of Lookup: "+what, record.Tenant, brief)
	}
	want("without a row", gatehouse.TenantBrief{})
	tenant := h.settle(t)
	want("inserted", tenant.TenantBrief)
	for i := range 20 {
		tenant.State = []gatehouse.TenantState{gatehouse.TenantDisabled, gatehouse.TenantActive}[i%2]
		tenant.Limits = []gatehouse.Limit{{Name: "day", Count: int64(i + 1), Refill: gatehouse.RefillDay}}[:i%2]
		must(t, h.UpdateTenant(t.Context(), &tenant, h.event("tenant.update", tenant.Name)))
		tenant.Version++
		want(label("change %d", i), tenant.TenantBrief)
	}
	other := newHouse(t, h.AllStores)
	foreign := other.key(t, other.account(t, nil).ID, nil)
	record, err := h.Lookup(t.Context(), foreign.ID)
	must(t, err)
	same(t, "tenant of another tenant's key", record.Tenant, gatehouse.TenantBrief{})
}

func tenantInvalid(t *testing.T, h *house) {
	tenant := h.settle(t)
	for what, spoil := range map[string]func(*gatehouse.Tenant){
		"no state":       func(t *gatehouse.Tenant) { t.State = "" },
		"some state":     func(t *gatehouse.Tenant) { t.State = "sleepy" },
		"text":           func(t *gatehouse.Tenant) { t.Text = "a\x1fb" },
		"a limit's name": func(t *gatehouse.Tenant) { t.Limits = []gatehouse.Limit{{Name: "\x00"}} },
		"a limit's span": func(t *gatehouse.Tenant) { t.Limits = []gatehouse.Limit{{Name: "x", Refill: 99}} },
	} {
		bad := tenant
		spoil(&bad)
		h.unchanged(t, "update with "+what, nil, func(e *gatehouse.Event) error { return h.UpdateTenant(t.Context(), &bad, e) })
		bad.Name = name("tenant")
		h.unchanged(t, "insert with "+what, nil, func(e *gatehouse.Event) error { return h.InsertTenant(t.Context(), &bad, e) })
	}
	h.mustReadTenant(t, tenant)
}

func rulesRoundTrip(t *testing.T, h *house) {
	want := gatehouse.RuleSet{Tenant: h.tenant}
	other := newHouse(t, h.AllStores)
	read := func() {
		t.Helper()
		got, err := h.Rules(t.Context(), h.tenant)
		must(t, err)
		same(t, "Rules", got, want)
		for range 2 { // read, and kept
			got, err = h.RulesInForce(t.Context(), h.tenant)
			must(t, err)
			same(t, "RulesInForce", got, want)
		}
		got, err = h.Rules(t.Context(), other.tenant)
		must(t, err)
		same(t, "rules of another tenant", got, gatehouse.RuleSet{Tenant: other.tenant})
	}
	read()
	put := func(r gatehouse.RuleSet, wanted error) {
		t.Helper()
		h.unchanged(t, label("put version %d over %d", r.Version, want.Version), wanted, func(e *gatehouse.Event) error { return h.PutRules(t.Context(), &r, e) })
	}
	put(gatehouse.RuleSet{Tenant: h.tenant, Text: "too early", Version: 1}, gatehouse.ErrConflict)
	for _, text := range hostile {
		want.Text = text
		e := h.event("rules.put", h.tenant)
		must(t, h.PutRules(t.Context(), &want, e))
		want.Version++
		read()
		put(gatehouse.RuleSet{Tenant: h.tenant, Text: "stale", Version: want.Version - 1}, gatehouse.ErrConflict)
		put(gatehouse.RuleSet{Tenant: h.tenant, Text: "early", Version: want.Version + 1}, gatehouse.ErrConflict)
		for _, bad := range unstorable {
			put(gatehouse.RuleSet{Tenant: h.tenant, Text: bad, Version: want.Version}, nil)
		}
		read()
	}
	same(t, "events", len(h.events(t, h.tenant)), len(hostile))
}

func rulesRace(t *testing.T, h *house) {
	for version := range int64(5) {
		var winner atomic.Pointer[string]
		errs := attempts(6, func(i int) error {
			r := gatehouse.RuleSet{Tenant: h.tenant, Text: label("writer %d", i), Version: version}
			err := h.PutRules(t.Context(), &r, h.event("rules.put", h.tenant))
			if err == nil {
				winner.Store(&r.Text)
			}
			return err
		})
		if n := count(t, "put at once", errs, gatehouse.ErrConflict); n != 5 {
			t.Fatalf("of 6 puts over one version %d failed; want 5", n)
		}
		got, err := h.Rules(t.Context(), h.tenant)
		must(t, err)
		same(t, "Rules", got, gatehouse.RuleSet{Tenant: h.tenant, Text: *winner.Load(), Version: version + 1})
	}
}
