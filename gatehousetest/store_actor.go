// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// eventBy is an event by an account, or its key where there is one, that was judged as having a role.
func (h *house) eventBy(a *account.Account, k *gatehouse.Key, role, subject string) *gatehouse.Event {
	by := gatehouse.Actor{Kind: gatehouse.ActorAccount, ID: a.ID, Tenant: h.tenant, Role: role}
	if k != nil {
		by.Kind, by.ID, by.Via = gatehouse.ActorKey, k.ID, k
	}
	return gatehouse.NewEvent(by, h.now(), "account.role", subject, gatehouse.OutcomeSucceeded)
}

// actorStill lets somebody who was stopped since the call was judged change something: it fails.
func actorStill(t *testing.T, h *house) {
	for what, stop := range map[string]struct {
		edit  func(*account.Account)
		wants error
	}{
		"nothing happened": {func(a *account.Account) { a.Level = 2 }, nil},
		"banned":           {func(a *account.Account) { a.State = gatehouse.PrincipalBanned }, gatehouse.ErrForbidden},
		"deleted":          {func(a *account.Account) { a.State = gatehouse.PrincipalDeleted }, gatehouse.ErrForbidden},
		"demoted":          {func(a *account.Account) { a.Role = "member" }, gatehouse.ErrConflict},
		"promoted":         {func(a *account.Account) { a.Role = "superadmin" }, gatehouse.ErrConflict},
	} {
		for _, byKey := range []bool{false, true} {
			a, other := h.account(t, func(a *account.Account) { a.Role = "admin" }), h.account(t, nil)
			var via *gatehouse.Key
			if byKey {
				k := h.key(t, a.ID, nil)
				via = &k
			}
			now := a
			stop.edit(&now)
			must(t, h.UpdateAccount(t.Context(), &now, account.Effects{}, h.event("account.state", a.ID)))
			now.Version++
			for on, subject := range map[string]account.Account{"another": other, "itself": now} {
				subject.Referral = "changed"
				err := h.UpdateAccount(t.Context(), &subject, account.Effects{}, h.eventBy(&a, via, "admin", subject.ID))
				if stop.wants == nil {
					must(t, err)
					continue
				}
				mustBe(t, label("%s, by key %v, a change of %s", what, byKey, on), err, stop.wants)
			}
			added := h.eventBy(&a, via, "admin", "made")
			err := h.InsertAccount(t.Context(), &account.Account{ID: name("account"), Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}, nil, added)
			if stop.wants == nil {
				must(t, err)
			} else {
				mustBe(t, label("%s, by key %v, a new account", what, byKey), err, stop.wants)
			}
		}
	}
	a := h.account(t, func(a *account.Account) { a.Role = "admin" })
	judged := h.key(t, a.ID, nil)
	later := judged
	later.NotBefore = h.now().Add(time.Hour)
	must(t, h.UpdateKey(t.Context(), &later, h.event("key.update", judged.ID)))
	h.unchanged(t, "a key that is for later now", gatehouse.ErrForbidden, func(*gatehouse.Event) error {
		return h.InsertAccount(t.Context(), &account.Account{ID: name("account"), Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}, nil,
			h.eventBy(&a, &judged, "admin", "made"))
	})
	nobody := account.Account{ID: name("account")}
	h.unchanged(t, "an actor that is not there", gatehouse.ErrForbidden, func(*gatehouse.Event) error {
		return h.InsertAccount(t.Context(), &account.Account{ID: name("account"), Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}, nil,
			h.eventBy(&nobody, nil, "admin", "made"))
	})
}

// actorStopped has an administrator make accounts on many connections while it is banned: none is
// made after the ban.
func actorStopped(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) { a.Role = "admin" })
	const several = 8
	made := make(chan struct{}, several)
	errs := attempts(several, func(i int) error {
		if i == several/2 {
			for range several { // the others are at it
				<-made
			}
			banned := a
			banned.State = gatehouse.PrincipalBanned
			return h.UpdateAccount(t.Context(), &banned, account.Effects{}, h.event("account.state", a.ID))
		}
		for {
			id := name("account")
			err := h.InsertAccount(t.Context(), &account.Account{ID: id, Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, State: gatehouse.PrincipalActive}, nil,
				h.eventBy(&a, nil, "admin", id))
			if err != nil {
				return err
			}
			select {
			case made <- struct{}{}:
			default:
			}
		}
	})
	if n := count(t, "make accounts while banned", errs, gatehouse.ErrForbidden); n != several-1 {
		t.Fatalf("%d of %d ended with a refusal", n, several-1)
	}
	ban := int64(0)
	for _, e := range h.events(t, "") {
		switch {
		case e.Subject == a.ID && e.Verb == "account.state":
			ban = e.Seq
		case e.Actor.ID == a.ID && ban > 0:
			t.Errorf("event %d: %s by who was banned by event %d", e.Seq, e.Verb, ban)
		}
	}
	if ban == 0 {
		t.Error("there is no ban")
	}
}
