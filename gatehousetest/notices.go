// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// NoticeStores is a store of notices and of everything else.
type NoticeStores interface {
	AllStores
	gatehouse.NoticeStore
}

// NoticeStore is the suite of [gatehouse.NoticeStore]. open is as for [Store].
func NoticeStore(t *testing.T, open func(t *testing.T) NoticeStores) {
	runHouses(t, func(t *testing.T) AllStores { return open(t) }, []houseTest{
		{"notices of changes", noticeChanges},
		{"a notice for many service accounts", noticeServices},
		{"no notice of what changed nothing", noticeNothing},
		{"notices of a tenant", noticeTenants},
		{"a notice wakes who waits", noticeWakes},
	})
}

func (h *house) notices(t *testing.T, since time.Time) []gatehouse.Notice {
	t.Helper()
	got, err := h.AllStores.(gatehouse.NoticeStore).Notices(t.Context(), h.tenant, since)
	must(t, err)
	return got
}

// mustNotice wants the notices of the tenant behind the first ones, and returns how many
// there are now.
func (h *house) mustNotice(t *testing.T, what string, from int, want ...gatehouse.Notice) (next int) {
	t.Helper()
	var got []gatehouse.Notice
	for _, n := range h.notices(t, time.Now().Add(-time.Hour)) {
		if n.ID == "" || n.Time.IsZero() || time.Since(n.Time).Abs() > time.Minute {
			t.Errorf("%s: the notice has the id %q and the time %v", what, n.ID, n.Time)
		}
		if n.Tenant != "" { // everything is of everybody
			n.ID, n.Time = "", time.Time{}
			got = append(got, n)
		}
	}
	if len(got) < from {
		t.Fatalf("%s: %d notices, there were %d", what, len(got), from)
	}
	for i := range want {
		want[i].Tenant = h.tenant
	}
	bySubject := func(a, b gatehouse.Notice) int { return strings.Compare(a.Subject, b.Subject) } // those of one change have one time
	slices.SortFunc(got[from:], bySubject)
	slices.SortFunc(want, bySubject)
	same(t, what, got[from:], want)
	return len(got)
}

func noticeChanges(t *testing.T, h *house) {
	a := h.account(t, nil)
	k := h.key(t, a.ID, nil)
	at := h.mustNotice(t, "a new account and a new key", 0)

	update := func(verb string, k *gatehouse.Key, changes ...gatehouse.Change) {
		t.Helper()
		e := h.event(verb, k.ID)
		e.Changes = changes
		must(t, h.UpdateKey(t.Context(), k, e))
		k.Version++
	}
	update("key.update", &k, gatehouse.Change{Field: "name", After: "new"})
	at = h.mustNotice(t, "another name", at, gatehouse.Notice{Kind: gatehouse.NoticeKey, Subject: k.ID})
	k.State = gatehouse.StateDisabled
	update("key.disable", &k, gatehouse.Change{Field: "state", Before: "active", After: "disabled"})
	at = h.mustNotice(t, "disabled", at, gatehouse.Notice{Kind: gatehouse.NoticeKey, Subject: k.ID, Ends: true})
	k.State = gatehouse.StateActive
	update("key.enable", &k, gatehouse.Change{Field: "state", Before: "disabled", After: "active"})
	at = h.mustNotice(t, "enabled", at, gatehouse.Notice{Kind: gatehouse.NoticeKey, Subject: k.ID})

	service := h.account(t, func(s *account.Account) { s.Kind, s.Owner = gatehouse.PrincipalService, a.ID })
	a.State = gatehouse.PrincipalBanned
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{DisableKeys: true, ServiceState: gatehouse.PrincipalDisabled}, h.event("account.state", a.ID)))
	at = h.mustNotice(t, "a ban", at,
		gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: a.ID, Ends: true}, gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: service.ID, Ends: true})

	a.Version++
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{EndSessions: true}, h.event("session.end_all", a.ID)))
	at = h.mustNotice(t, "an end of all sessions", at,
		gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: a.ID, Ends: true}, gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: service.ID})

	s := h.signingKey(t, nil)
	at = h.mustNotice(t, "a signing key", at, gatehouse.Notice{Kind: gatehouse.NoticeSigning})
	must(t, h.RetireSigningKey(t.Context(), h.tenant, s.ID, h.now(), h.event("signingkey.retire", s.ID)))
	at = h.mustNotice(t, "a signing key that retires", at, gatehouse.Notice{Kind: gatehouse.NoticeSigning})
	must(t, h.DeleteSigningKey(t.Context(), h.tenant, s.ID, h.event("signingkey.delete", s.ID)))
	at = h.mustNotice(t, "a signing key that is gone", at, gatehouse.Notice{Kind: gatehouse.NoticeSigning})

	must(t, h.PutRules(t.Context(), &gatehouse.RuleSet{Tenant: h.tenant, Text: "rules"}, h.event("rules.put", h.tenant)))
	at = h.mustNotice(t, "new rules", at, gatehouse.Notice{Kind: gatehouse.NoticeRules})

	tenant := h.settle(t)
	at = h.mustNotice(t, "a new tenant", at, gatehouse.Notice{Kind: gatehouse.NoticeTenant})
	tenant.State = gatehouse.TenantDisabled
	e := h.event("tenant.update", tenant.Name)
	e.Changes = []gatehouse.Change{{Field: "state", Before: "active", After: "disabled"}}
	must(t, h.UpdateTenant(t.Context(), &tenant, e))
	h.mustNotice(t, "a disabled tenant", at, gatehouse.Notice{Kind: gatehouse.NoticeTenant, Ends: true})
}

// noticeServices changes an account with 200 service accounts, and one with more: these need
// no notice each.
func noticeServices(t *testing.T, h *house) {
	a := h.account(t, nil)
	want := []gatehouse.Notice{{Kind: gatehouse.NoticePrincipal, Subject: a.ID, Ends: true}}
	add := func() {
		s := h.account(t, func(s *account.Account) { s.Kind, s.Owner = gatehouse.PrincipalService, a.ID })
		want = append(want, gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: s.ID, Ends: true})
	}
	for range 200 {
		add()
	}
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{DisableKeys: true}, h.event("account.update", a.ID)))
	a.Version++
	at := h.mustNotice(t, "200 service accounts", 0, want...)
	add()
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{DisableKeys: true}, h.event("account.update", a.ID)))
	a.Version++
	own := gatehouse.Notice{Kind: gatehouse.NoticePrincipal, Subject: a.ID, Ends: true}
	at = h.mustNotice(t, "201 service accounts", at, own, gatehouse.Notice{Kind: gatehouse.NoticeTenant, Ends: true})
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{EndSessions: true}, h.event("session.end_all", a.ID)))
	a.Version++
	at = h.mustNotice(t, "an end of the sessions of who has 201", at, own, gatehouse.Notice{Kind: gatehouse.NoticeTenant})
	must(t, h.UpdateAccount(t.Context(), &a, account.Effects{}, h.event("account.update", a.ID)))
	own.Ends = false
	h.mustNotice(t, "another name for 201", at, own, gatehouse.Notice{Kind: gatehouse.NoticeTenant})
}

func noticeNothing(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	k.Version += 5
	mustBe(t, "an update of another version", h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)), gatehouse.ErrConflict)
	must(t, h.AppendEvent(t.Context(), h.event("session.create", "s")))
	h.touch(t, gatehouse.Use{KeyID: k.ID, Time: h.now()})
	h.mustNotice(t, "nothing was changed", 0)
}

func noticeTenants(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	other := newHouse(t, h.AllStores)
	other.mustNotice(t, "another tenant", 0)
	if later := h.notices(t, time.Now().Add(time.Hour)); len(later) > 0 {
		t.Errorf("since a time to come there are %d notices", len(later))
	}
}

func noticeWakes(t *testing.T, h *house) {
	k := h.key(t, h.account(t, nil).ID, nil)
	rung := h.AllStores.(gatehouse.NoticeStore).Noticed()
	must(t, h.UpdateKey(t.Context(), &k, h.event("key.update", k.ID)))
	select {
	case <-rung:
	default:
		t.Error("a change was acknowledged before who waits for notices was told")
	}
}
