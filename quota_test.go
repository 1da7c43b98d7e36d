// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// A quota that is used up refuses until the calendar says otherwise, to the microsecond, and
// a rotation gives nothing back.
func TestQuotaOverMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, time.Now)
		defer func() { _ = h.store.Close() }() // its writer lives in the bubble
		ctx := context.Background()
		<-time.After(15*time.Hour + 30*time.Minute) // from the midnight that bubbles begin at
		c := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Limits: []gatehouse.Limit{{Name: "daily", Count: 3, Refill: gatehouse.RefillDay}}})
		for left := range 3 {
			d := h.verify(t, token(c))
			if !d.Granted || d.Limit.Name != "daily" || d.Limit.Remaining != int64(2-left) || d.Limit.Count != 3 || d.Limit.Period != 24*time.Hour {
				t.Fatalf("request %d: %v, %+v", left, d.Reason, d.Limit)
			}
		}
		refused := func(c gatehouse.Created) time.Duration {
			t.Helper()
			d := h.verify(t, token(c))
			if d.Reason != gatehouse.ReasonRateLimited || d.Limit.Remaining != 0 {
				t.Fatalf("granted %v, %v, %+v", d.Granted, d.Reason, d.Limit)
			}
			return d.RetryAfter
		}
		_, midnight := gatehouse.RefillDay.Span(time.Now())
		if wait := refused(c); wait != time.Until(midnight) {
			t.Errorf("retry after %v, midnight is in %v", wait, time.Until(midnight))
		}
		next, err := h.Rotate(ctx, operator, c.Key.ID, 48*time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		refused(next)
		<-time.After(time.Until(midnight) - time.Microsecond)
		refused(c)
		<-time.After(time.Microsecond)
		for i, made := range []gatehouse.Created{c, next, c} {
			if d := h.verify(t, token(made)); !d.Granted {
				t.Errorf("request %d of the new day: %v", i, d.Reason)
			}
		}
		refused(next)
	})
}

// The tightest of the limits of key, owner and tenant wins, and what it refuses costs the
// others nothing. A cost counts as so many requests.
func TestInheritedLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	hour := func(name string, n int64) []gatehouse.Limit {
		return []gatehouse.Limit{{Name: name, Count: n, Period: time.Hour}}
	}
	wide := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}, Limits: hour("key", 100)})
	other := h.key(t, gatehouse.NewKey{Schemes: []string{"bearer"}})
	a, err := h.store.Account(ctx, gatehouse.DefaultTenant, account.ByID, h.owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.Limits = hour("owner", 5)
	if err := h.store.UpdateAccount(ctx, &a, account.Effects{}, gatehouse.NewEvent(operator, time.Now(), "account.limits", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	ask := func(c gatehouse.Created, cost int64) gatehouse.Decision {
		t.Helper()
		r := token(c)
		r.Cost = cost
		return h.verify(t, r)
	}
	if d := ask(wide, 3); !d.Granted || d.Limit.Name != "owner" || d.Limit.Remaining != 2 {
		t.Errorf("a cost of 3: %v, %+v", d.Reason, d.Limit)
	}
	if d := ask(other, 0); !d.Granted || d.Limit.Remaining != 1 {
		t.Errorf("the owner's other key: %v, %+v", d.Reason, d.Limit)
	}
	if d := ask(wide, 2); d.Reason != gatehouse.ReasonRateLimited || d.Limit.Name != "owner" || d.RetryAfter <= 0 {
		t.Errorf("more than the owner has: %v, %+v", d.Reason, d.Limit)
	}
	tenants := gatehouse.NewTenants(h.store, nil)
	none, tight := []gatehouse.Limit{}, hour("tenant", 1)
	a, err = h.store.Account(ctx, gatehouse.DefaultTenant, account.ByID, h.owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.Limits = none
	if err := h.store.UpdateAccount(ctx, &a, account.Effects{}, gatehouse.NewEvent(operator, time.Now(), "account.limits", a.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	if d := ask(wide, 1); !d.Granted || d.Limit.Name != "key" || d.Limit.Remaining < 96 {
		t.Errorf("what was refused cost the key: %v, %+v", d.Reason, d.Limit)
	}
	if _, err := tenants.Update(ctx, operator, gatehouse.DefaultTenant, gatehouse.TenantPatch{Limits: &tight}); err != nil {
		t.Fatal(err)
	}
	if d := ask(wide, 1); !d.Granted || d.Limit.Name != "tenant" || d.Limit.Remaining != 0 {
		t.Errorf("the tenant's limit: %v, %+v", d.Reason, d.Limit)
	}
	if d := ask(other, 1); d.Reason != gatehouse.ReasonRateLimited {
		t.Errorf("beyond the tenant's limit: %v", d.Reason)
	}
}

// No key of a tenant works from the moment that it is disabled or removed.
func TestTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t, time.Now)
	ctx := context.Background()
	tenants := gatehouse.NewTenants(h.store, nil)
	if _, err := tenants.Create(ctx, operator, "acme", "Acme", nil); err != nil {
		t.Fatal(err)
	}
	theirs := gatehouse.Actor{Kind: gatehouse.ActorOperator, Tenant: "acme"}
	owner := h.owner
	owner.ID, owner.UID, owner.Tenant = "theirs", "ID0000000002", "acme"
	if err := h.store.InsertAccount(ctx, &owner, nil, gatehouse.NewEvent(theirs, time.Now(), "account.create", owner.ID, gatehouse.OutcomeSucceeded)); err != nil {
		t.Fatal(err)
	}
	c, err := h.Create(ctx, theirs, gatehouse.NewKey{Principal: owner.ID, Schemes: []string{"bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	state := func(s gatehouse.TenantState) error {
		_, err := tenants.Update(ctx, operator, "acme", gatehouse.TenantPatch{State: &s})
		return err
	}
	for _, row := range []struct {
		state gatehouse.TenantState
		want  gatehouse.Reason
	}{{gatehouse.TenantActive, 0}, {gatehouse.TenantDisabled, gatehouse.ReasonPrincipalInactive}, {gatehouse.TenantActive, 0}, {gatehouse.TenantRemoved, gatehouse.ReasonPrincipalInactive}} {
		if err := state(row.state); err != nil {
			t.Fatal(err)
		}
		if d := h.verify(t, token(c)); d.Reason != row.want {
			t.Errorf("%s: %v, want %v", row.state, d.Reason, row.want)
		}
	}
	if err := state(gatehouse.TenantActive); err == nil {
		t.Error("a removed tenant came back")
	}
	if _, err := tenants.Create(ctx, operator, "acme", "", nil); err == nil {
		t.Error("the name of a removed tenant was given again")
	}
	for name, refused := range map[string]func() error{
		"a tenant's own operator": func() error { _, err := tenants.Create(ctx, theirs, "other", "", nil); return err },
		"an ordinary key": func() error {
			_, err := tenants.List(ctx, gatehouse.Actor{Kind: gatehouse.ActorKey, Tenant: gatehouse.DefaultTenant, Via: &c.Key})
			return err
		},
		"the default tenant's end": func() error {
			s := gatehouse.TenantRemoved
			_, err := tenants.Update(ctx, operator, gatehouse.DefaultTenant, gatehouse.TenantPatch{State: &s})
			return err
		},
		"a name in capitals": func() error { _, err := tenants.Create(ctx, operator, "Acme", "", nil); return err },
		"no name":            func() error { _, err := tenants.Create(ctx, operator, "", "", nil); return err },
	} {
		if refused() == nil {
			t.Errorf("%s was admitted", name)
		}
	}
}
