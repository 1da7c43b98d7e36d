// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// family is an account with a service account, and a stranger beside them.
func family(t *testing.T, h *house) (owner, service, stranger account.Account) {
	owner = h.account(t, nil)
	service = h.account(t, func(a *account.Account) { a.Kind, a.Owner = gatehouse.PrincipalService, owner.ID })
	return owner, service, h.account(t, nil)
}

func effectDisableKeys(t *testing.T, h *house) {
	owner, service, stranger := family(t, h)
	mine, its, foreign := h.key(t, owner.ID, nil), h.key(t, service.ID, nil), h.key(t, stranger.ID, nil)
	paused := h.key(t, owner.ID, func(k *gatehouse.Key) { k.State, k.StateText = gatehouse.StateDisabled, "banned" })
	revoked := h.key(t, owner.ID, func(k *gatehouse.Key) { k.State = gatehouse.StateRevoked })

	owner.Updated = h.now()
	must(t, h.UpdateAccount(t.Context(), &owner, account.Effects{}, h.event("account.update", owner.ID)))
	owner.Version++
	for _, k := range []gatehouse.Key{mine, its} {
		mustReadKey(t, h, k) // no effect without one
	}

	owner.Updated = h.now()
	must(t, h.UpdateAccount(t.Context(), &owner, account.Effects{DisableKeys: true}, h.event("otp.disable", owner.ID)))
	owner.Version++
	for _, k := range []*gatehouse.Key{&mine, &its} {
		k.State, k.StateText, k.Updated, k.Version = gatehouse.StateDisabled, "inactive", owner.Updated, k.Version+1
	}
	for _, k := range []gatehouse.Key{mine, its, foreign, paused, revoked} {
		mustReadKey(t, h, k)
	}
	h.mustReadAccount(t, owner)
	h.mustReadAccount(t, service)

	// The keys of a service account alone.
	its.State, its.StateText = gatehouse.StateActive, ""
	must(t, h.UpdateKey(t.Context(), &its, h.event("key.enable", its.ID)))
	its.Version++
	mine.State, mine.StateText = gatehouse.StateActive, ""
	must(t, h.UpdateKey(t.Context(), &mine, h.event("key.enable", mine.ID)))
	mine.Version++
	service.Updated = h.now()
	must(t, h.UpdateAccount(t.Context(), &service, account.Effects{DisableKeys: true}, h.event("account.state", service.ID)))
	its.State, its.StateText, its.Updated, its.Version = gatehouse.StateDisabled, "inactive", service.Updated, its.Version+1
	mustReadKey(t, h, its)
	mustReadKey(t, h, mine)

	// An update that fails has no effect.
	stale := owner
	stale.Version--
	h.unchanged(t, "update of a stale account", gatehouse.ErrConflict, func(e *gatehouse.Event) error {
		return h.UpdateAccount(t.Context(), &stale, account.Effects{DisableKeys: true}, e)
	})
	mustReadKey(t, h, mine)
}

func effectServiceState(t *testing.T, h *house) {
	owner, service, stranger := family(t, h)
	banned := h.account(t, func(a *account.Account) {
		a.Kind, a.Owner, a.State = gatehouse.PrincipalService, owner.ID, gatehouse.PrincipalBanned
	})
	key := h.key(t, service.ID, nil)
	owner.State, owner.Updated = gatehouse.PrincipalBanned, h.now()
	must(t, h.UpdateAccount(t.Context(), &owner, account.Effects{ServiceState: gatehouse.PrincipalBanned}, h.event("account.state", owner.ID)))
	owner.Version++
	service.State, service.Updated, service.Version = gatehouse.PrincipalBanned, owner.Updated, service.Version+1
	for _, a := range []account.Account{owner, service, stranger, banned} {
		h.mustReadAccount(t, a)
	}
	record, err := h.Lookup(t.Context(), key.ID)
	must(t, err)
	same(t, "principal of Lookup", record.Principal, service.Principal())
	mustReadKey(t, h, key)

	h.unchanged(t, "an effect with some state", nil, func(e *gatehouse.Event) error {
		return h.UpdateAccount(t.Context(), &owner, account.Effects{ServiceState: "sleepy"}, e)
	})
}

func effectEndSessions(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	one, two, three, foreign := h.session(t, a, nil), h.session(t, a, nil), h.session(t, a, nil), h.session(t, b, nil)
	alive := func(want ...account.Session) {
		t.Helper()
		for _, s := range []account.Session{one, two, three, foreign} {
			_, _, err := h.Session(t.Context(), s.Hash)
			expect := gatehouse.ErrNotFound
			for _, w := range want {
				if string(w.Hash) == string(s.Hash) {
					expect = nil
				}
			}
			mustBe(t, "Session", err, expect)
		}
	}
	update := func(also account.Effects) {
		t.Helper()
		must(t, h.UpdateAccount(t.Context(), &a, also, h.event("session.end_all", a.ID)))
		a.Version++
	}
	update(account.Effects{KeepSession: two.Hash}) // keeps, but ends none
	alive(one, two, three, foreign)
	update(account.Effects{EndSessions: true, KeepSession: two.Hash})
	alive(two, foreign)
	update(account.Effects{EndSessions: true, KeepSession: foreign.Hash}) // not the account's: kept by nobody
	alive(foreign)
	one = h.session(t, a, nil)
	update(account.Effects{EndSessions: true})
	alive(foreign)
	one = h.session(t, a, nil)
	update(account.Effects{EndSessions: true, KeepSession: []byte{}})
	alive(foreign)
}

func effectRecovery(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	old, fresh := [][]byte{randomBytes(32), randomBytes(32)}, [][]byte{randomBytes(32), randomBytes(32), randomBytes(32)}
	set := func(a *account.Account, codes [][]byte, left int) {
		t.Helper()
		must(t, h.UpdateAccount(t.Context(), a, account.Effects{Recovery: codes}, h.event("otp.enable", a.ID)))
		a.Version++
		if n, err := h.RecoveryCodes(t.Context(), a.ID); err != nil || n != left {
			t.Errorf("RecoveryCodes: %d, %v; want %d", n, err, left)
		}
	}
	set(&b, old, 2)
	set(&a, old, 2)
	set(&a, nil, 2) // nil leaves them
	set(&a, fresh, 3)
	if ok, err := h.UseRecoveryCode(t.Context(), a.ID, old[0], h.event("session.create", a.ID)); ok || err != nil {
		t.Errorf("a code that was replaced: %v, %v", ok, err)
	}
	if ok, err := h.UseRecoveryCode(t.Context(), a.ID, fresh[2], h.event("session.create", a.ID)); !ok || err != nil {
		t.Errorf("a new code: %v, %v", ok, err)
	}
	set(&a, [][]byte{}, 0)
	set(&b, nil, 2)
}

func effectKeepAdministrator(t *testing.T, h *house) {
	chief := func(edit func(*account.Account)) account.Account {
		return h.account(t, func(a *account.Account) {
			if a.Role, a.PasswordHash = "superadmin", "phc"; edit != nil {
				edit(a)
			}
		})
	}
	a := chief(nil)
	// None of these can take its place.
	chief(func(a *account.Account) { a.Kind = gatehouse.PrincipalService })
	for _, s := range []gatehouse.PrincipalState{gatehouse.PrincipalLocked, gatehouse.PrincipalBanned, gatehouse.PrincipalDeleted, gatehouse.PrincipalDisabled} {
		chief(func(a *account.Account) { a.State = s })
	}
	chief(func(a *account.Account) { a.Role = "admin" })
	chief(func(a *account.Account) { a.PasswordHash = "" })
	newHouse(t, h.AllStores).account(t, func(a *account.Account) { a.Role = "superadmin" })
	leave := func(e *gatehouse.Event) error {
		changed := a
		changed.State = gatehouse.PrincipalBanned
		return h.UpdateAccount(t.Context(), &changed, account.Effects{KeepAdministrator: true, DisableKeys: true}, e)
	}
	key := h.key(t, a.ID, nil)
	h.unchanged(t, "ban the last administrator", account.ErrLastAdministrator, leave)
	h.mustReadAccount(t, a)
	mustReadKey(t, h, key)
	chief(func(a *account.Account) { a.State = gatehouse.PrincipalPending }) // may act
	must(t, leave(h.event("account.state", a.ID)))
}

// keepAdministratorRace lets all administrators go at once, again and again: one of them stays.
func keepAdministratorRace(t *testing.T, h *house) {
	const several = 8
	chiefs := make([]account.Account, several)
	for i := range chiefs {
		chiefs[i] = h.account(t, func(a *account.Account) { a.Role, a.PasswordHash = "superadmin", "phc" })
	}
	for range 5 {
		var stayed atomic.Int64
		errs := attempts(several, func(i int) error {
			gone := chiefs[i]
			if i%2 == 0 {
				gone.Role = "member"
			} else {
				gone.State = gatehouse.PrincipalDeleted
			}
			err := h.UpdateAccount(t.Context(), &gone, account.Effects{KeepAdministrator: true}, h.event("account.state", gone.ID))
			if err != nil {
				stayed.Store(int64(i))
			}
			return err
		})
		if n := count(t, "step down", errs, account.ErrLastAdministrator); n != 1 {
			t.Fatalf("of %d administrators %d stayed; want 1", several, n)
		}
		h.mustReadAccount(t, chiefs[stayed.Load()])
		for i := range chiefs {
			if i == int(stayed.Load()) {
				continue
			}
			chiefs[i].Version++
			must(t, h.UpdateAccount(t.Context(), &chiefs[i], account.Effects{}, h.event("account.state", chiefs[i].ID)))
			chiefs[i].Version++
		}
	}
}

func effectTake(t *testing.T, h *house) {
	a := h.account(t, nil)
	ticket := h.ticket(t, a.ID)
	codes := [][]byte{randomBytes(32)}
	key := h.key(t, a.ID, nil)
	changed := a
	changed.Role = "changed"

	stale := changed
	stale.Version = 9
	h.unchanged(t, "a stale update", gatehouse.ErrConflict, func(e *gatehouse.Event) error {
		return h.UpdateAccount(t.Context(), &stale, account.Effects{Take: &ticket}, e)
	})
	for what, spoil := range map[string]func(*account.Ticket){
		"tenant":  func(t *account.Ticket) { t.Tenant = "none" },
		"purpose": func(t *account.Ticket) { t.Purpose = "setup" },
		"id":      func(t *account.Ticket) { t.ID = "none" },
		"subject": func(t *account.Ticket) { t.Subject = "none" },
	} {
		wrong := ticket
		spoil(&wrong)
		h.unchanged(t, "a ticket of another "+what, account.ErrSpent, func(e *gatehouse.Event) error {
			also := account.Effects{Take: &wrong, DisableKeys: true, Recovery: codes}
			return h.UpdateAccount(t.Context(), &changed, also, e)
		})
	}
	h.mustReadAccount(t, a)
	mustReadKey(t, h, key)
	if n, err := h.RecoveryCodes(t.Context(), a.ID); err != nil || n != 0 {
		t.Errorf("RecoveryCodes: %d, %v; want 0", n, err)
	}

	must(t, h.UpdateAccount(t.Context(), &changed, account.Effects{Take: &ticket}, h.event("password.reset", a.ID)))
	changed.Version++
	h.mustReadAccount(t, changed)
	if ok, err := h.HasTicket(t.Context(), &ticket, h.now()); ok || err != nil {
		t.Errorf("HasTicket of a ticket that is spent: %v, %v", ok, err)
	}
	h.unchanged(t, "the ticket again", account.ErrSpent, func(e *gatehouse.Event) error {
		return h.UpdateAccount(t.Context(), &changed, account.Effects{Take: &ticket}, e)
	})
}

func accountInsertTake(t *testing.T, h *house) {
	ticket := h.ticket(t, "")
	insert := func(email string, e *gatehouse.Event) error {
		a := account.Account{ID: name("account"), Tenant: h.tenant, Kind: gatehouse.PrincipalAccount, Email: email, State: gatehouse.PrincipalActive}
		return h.InsertAccount(t.Context(), &a, &ticket, e)
	}
	taken := h.account(t, nil)
	h.unchanged(t, "insert with a taken name", gatehouse.ErrExists, func(e *gatehouse.Event) error { return insert(taken.Email, e) })
	must(t, insert("first@example.com", h.event("account.create", "s")))
	h.unchanged(t, "the ticket again", account.ErrSpent, func(e *gatehouse.Event) error { return insert("second@example.com", e) })
	_, err := h.Account(t.Context(), h.tenant, account.ByEmail, "second@example.com")
	mustBe(t, "Account", err, gatehouse.ErrNotFound)
}

// ticket inserts a ticket that is good for an hour.
func (h *house) ticket(t *testing.T, subject string) account.Ticket {
	t.Helper()
	k := account.Ticket{Tenant: h.tenant, Purpose: "reset", ID: name("ticket"), Subject: subject, Expires: h.now().Add(time.Hour)}
	must(t, h.InsertTicket(t.Context(), &k, false))
	return k
}
