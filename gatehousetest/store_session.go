// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehousetest

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// session inserts a session, changed by edit where it is not nil.
func (h *house) session(t *testing.T, a account.Account, edit func(*account.Session)) account.Session {
	t.Helper()
	now := h.now()
	s := account.Session{
		Hash: randomBytes(32), Tenant: h.tenant, Account: a.ID, CSRF: "0123456789abcdef0123", Address: "192.0.2.1", UserAgent: "suite/1",
		Created: now, Seen: now, Idle: now.Add(time.Minute), Expires: now.Add(time.Hour),
	}
	if edit != nil {
		edit(&s)
	}
	must(t, h.InsertSession(t.Context(), &s, nil, h.event("session.create", a.ID)))
	return s
}

func (h *house) mustReadSession(t *testing.T, want account.Session, of account.Account) {
	t.Helper()
	s, a, err := h.Session(t.Context(), want.Hash)
	must(t, err)
	same(t, "Session", s, want)
	same(t, "account of Session", a, of)
}

func sessionRoundTrip(t *testing.T, h *house) {
	a := h.account(t, func(a *account.Account) { a.State, a.Labels = gatehouse.PrincipalBanned, []account.Label{{Key: "k"}} })
	h.mustReadSession(t, h.session(t, a, nil), a)
	// A user agent is compared byte by byte, and what a client sends need not be text.
	for _, agent := range slices.Concat(hostile, unstorable) {
		s := h.session(t, a, func(s *account.Session) { s.UserAgent, s.Factor = agent, true })
		h.mustReadSession(t, s, a)
	}
	orphan := account.Session{Hash: randomBytes(32), Tenant: h.tenant, Account: "nobody"}
	h.unchanged(t, "a session of nobody", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.InsertSession(t.Context(), &orphan, nil, e) })
	again := h.session(t, a, nil)
	h.unchanged(t, "a session again", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertSession(t.Context(), &again, nil, e) })
	for _, hash := range [][]byte{nil, {}, randomBytes(32), again.Hash[:31], []byte(strings.Repeat("x", 1000))} {
		_, _, err := h.Session(t.Context(), hash)
		mustBe(t, "Session of a hash that is none", err, gatehouse.ErrNotFound)
	}
}

func sessionEnds(t *testing.T, h *house) {
	a := h.account(t, nil)
	old, beside := h.session(t, a, nil), h.session(t, a, nil)
	fresh := old
	fresh.Hash = beside.Hash
	h.unchanged(t, "insert of a taken hash", gatehouse.ErrExists, func(e *gatehouse.Event) error { return h.InsertSession(t.Context(), &fresh, old.Hash, e) })
	h.mustReadSession(t, old, a)

	fresh.Hash = randomBytes(32)
	must(t, h.InsertSession(t.Context(), &fresh, old.Hash, h.event("session.create", a.ID)))
	_, _, err := h.Session(t.Context(), old.Hash)
	mustBe(t, "the session that ended", err, gatehouse.ErrNotFound)
	h.mustReadSession(t, fresh, a)
	h.mustReadSession(t, beside, a)

	last := fresh
	last.Hash = randomBytes(32)
	must(t, h.InsertSession(t.Context(), &last, randomBytes(32), h.event("session.create", a.ID))) // ends one that is gone
	h.mustReadSession(t, last, a)
}

func sessionTouch(t *testing.T, h *house) {
	a := h.account(t, nil)
	s, beside := h.session(t, a, nil), h.session(t, a, nil)
	before := len(h.events(t, ""))
	s.Seen, s.Idle = h.now(), h.now().Add(time.Minute)
	must(t, h.TouchSession(t.Context(), s.Hash, s.Seen, s.Idle))
	h.mustReadSession(t, s, a)
	h.mustReadSession(t, beside, a)
	if n := len(h.events(t, "")) - before; n != 0 {
		t.Errorf("a touch left %d events", n)
	}

	must(t, h.DeleteSession(t.Context(), s.Hash, h.event("session.delete", a.ID)))
	h.unchanged(t, "delete again", gatehouse.ErrNotFound, func(e *gatehouse.Event) error { return h.DeleteSession(t.Context(), s.Hash, e) })
	must(t, h.TouchSession(t.Context(), s.Hash, h.now(), h.now()))
	_, _, err := h.Session(t.Context(), s.Hash)
	mustBe(t, "a session that was touched after its end", err, gatehouse.ErrNotFound)
	h.mustReadSession(t, beside, a)

	errs := attempts(20, func(int) error { return h.DeleteSession(t.Context(), beside.Hash, h.event("session.delete", a.ID)) })
	if n := count(t, "delete at once", errs, gatehouse.ErrNotFound); n != 19 {
		t.Errorf("of 20 deletes of one session %d failed; want 19", n)
	}
}

func sessionList(t *testing.T, h *house) {
	a, b := h.account(t, nil), h.account(t, nil)
	one, two, three := h.session(t, a, nil), h.session(t, a, nil), h.session(t, a, nil)
	h.session(t, b, nil)
	list := func(tenant, id string, want ...account.Session) {
		t.Helper()
		sessions, err := h.ListSessions(t.Context(), tenant, id)
		must(t, err)
		same(t, "ListSessions", sessions, want)
	}
	list(h.tenant, a.ID, three, two, one)
	list(h.tenant, "nobody")
	list("none", a.ID)
}

func purge(t *testing.T, h *house) {
	a := h.account(t, nil)
	// Purging reaches all tenants, so this one lives long ago.
	long := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(idle, expires time.Duration) func(*account.Session) {
		return func(s *account.Session) { s.Idle, s.Expires = long.Add(idle), long.Add(expires) }
	}
	idle, expired := h.session(t, a, at(-1*time.Second, time.Hour)), h.session(t, a, at(time.Hour, -1*time.Second))
	alive := h.session(t, a, at(time.Second, time.Second))
	ticket := func(expires time.Duration) account.Ticket {
		k := account.Ticket{Tenant: h.tenant, Purpose: "reset", ID: name("ticket"), Subject: a.ID, Expires: long.Add(expires)}
		must(t, h.InsertTicket(t.Context(), &k, false))
		return k
	}
	dead, good := ticket(-time.Second), ticket(time.Second)
	must(t, h.PurgeExpired(t.Context(), long))
	for _, s := range []account.Session{idle, expired} {
		_, _, err := h.Session(t.Context(), s.Hash)
		mustBe(t, "a dead session", err, gatehouse.ErrNotFound)
	}
	h.mustReadSession(t, alive, a)
	ancient := long.Add(-time.Hour)
	if ok, err := h.HasTicket(t.Context(), &dead, ancient); ok || err != nil {
		t.Errorf("HasTicket of a dead ticket: %v, %v", ok, err)
	}
	if ok, err := h.HasTicket(t.Context(), &good, ancient); !ok || err != nil {
		t.Errorf("HasTicket of a good ticket: %v, %v", ok, err)
	}
}

func tickets(t *testing.T, h *house) {
	first := h.ticket(t, "subject-1")
	has := func(k account.Ticket, now time.Time, want bool) {
		t.Helper()
		if ok, err := h.HasTicket(t.Context(), &k, now); ok != want || err != nil {
			t.Errorf("HasTicket(%+v): %v, %v; want %v", k, ok, err, want)
		}
	}
	has(first, h.now(), true)
	has(first, first.Expires.Add(-time.Microsecond), true)
	has(first, first.Expires, false)
	for _, spoil := range []func(*account.Ticket){
		func(k *account.Ticket) { k.Tenant = "none" }, func(k *account.Ticket) { k.Purpose = "setup" },
		func(k *account.Ticket) { k.ID = "none" }, func(k *account.Ticket) { k.Subject = "none" }, func(k *account.Ticket) { k.ID = "\xff" },
	} {
		wrong := first
		spoil(&wrong)
		has(wrong, h.now(), false)
	}
	mustBe(t, "the same ticket again", h.InsertTicket(t.Context(), &first, false), gatehouse.ErrExists)
	endless := account.Ticket{Tenant: h.tenant, Purpose: "reset", ID: name("ticket")}
	must(t, h.InsertTicket(t.Context(), &endless, false))
	has(endless, h.now(), false) // no end is no end in the future

	second, beside := h.ticket(t, "subject-1"), h.ticket(t, "subject-2")
	other := account.Ticket{Tenant: h.tenant, Purpose: "confirmation", ID: first.ID, Subject: "subject-1", Expires: first.Expires}
	must(t, h.InsertTicket(t.Context(), &other, true))
	has(first, h.now(), true)
	has(second, h.now(), true)
	only := first
	only.ID = name("ticket")
	must(t, h.InsertTicket(t.Context(), &only, true))
	has(only, h.now(), true)
	has(first, h.now(), false)
	has(second, h.now(), false)
	has(beside, h.now(), true)
	has(other, h.now(), true)

	// Of many that want to be the only one, one is.
	var made [10]account.Ticket
	for _, err := range attempts(len(made), func(i int) error {
		made[i] = only
		made[i].ID = name("ticket")
		return h.InsertTicket(t.Context(), &made[i], true)
	}) {
		must(t, err)
	}
	left := 0
	for i := range made {
		ok, err := h.HasTicket(t.Context(), &made[i], h.now())
		must(t, err)
		if ok {
			left++
		}
	}
	if left != 1 {
		t.Errorf("of 10 only tickets %d are left", left)
	}
}

func ticketOnce(t *testing.T, h *house) {
	a := h.account(t, nil)
	ticket := h.ticket(t, a.ID)
	var spent atomic.Int64
	errs := attempts(50, func(int) error {
		for {
			fresh, err := h.Account(t.Context(), h.tenant, account.ByID, a.ID)
			if err != nil {
				return err
			}
			err = h.UpdateAccount(t.Context(), &fresh, account.Effects{Take: &ticket}, h.event("password.reset", a.ID))
			if err == nil {
				spent.Add(1)
			}
			if !errors.Is(err, gatehouse.ErrConflict) {
				return err
			}
		}
	})
	if n := count(t, "spend at once", errs, account.ErrSpent); n != 49 || spent.Load() != 1 {
		t.Errorf("of 50 uses of a ticket %d were refused and %d succeeded", n, spent.Load())
	}
}
