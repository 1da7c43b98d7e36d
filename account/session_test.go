// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// use asks for a session as a request from actor would.
func (h *house) use(actor gatehouse.Actor, id gatehouse.Secret) (account.Session, error) {
	h.t.Helper()
	s, _, err := h.FindSession(h.ctx, id)
	if err != nil {
		return account.Session{}, err
	}
	return h.CheckSession(h.ctx, actor, id, s)
}

func TestSessionIdleLimit(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o := h.signedIn("bob@example.test")
	h.Add(30*time.Minute - time.Microsecond)
	s, err := h.use(nobody, o.ID)
	h.must(err)
	if want := h.Now().Add(30 * time.Minute); !s.Idle.Equal(want) || !s.Seen.Equal(h.Now()) {
		t.Errorf("used at %v, the session lives until %v, want %v", s.Seen, s.Idle, want)
	}
	if stored, _, err := h.FindSession(h.ctx, o.ID); err != nil || !stored.Idle.Equal(s.Idle) {
		t.Errorf("stored until %v, %v; want %v", stored.Idle, err, s.Idle)
	}
	h.Add(30 * time.Minute)
	_, err = h.use(nobody, o.ID)
	h.is(err, account.ErrSessionMismatch)
	_, err = h.use(nobody, o.ID)
	h.is(err, account.ErrNoSession)
	want := []string{"session.delete succeeded system reason:>expired"}
	if diff := cmp.Diff(want, h.events(a, account.VerbSessionDelete)); diff != "" {
		t.Error(diff)
	}
}

func TestSessionAbsoluteLimit(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	o := h.signedIn("bob@example.test")
	end := h.Now().Add(12 * time.Hour)
	for h.Now().Before(end.Add(-20 * time.Minute)) {
		h.Add(20 * time.Minute)
		s, err := h.use(nobody, o.ID)
		h.must(err)
		if s.Idle.After(end) {
			t.Fatalf("lives until %v, after its end %v", s.Idle, end)
		}
	}
	h.Add(end.Sub(h.Now()) - time.Microsecond)
	_, err := h.use(nobody, o.ID)
	h.must(err)
	h.Add(time.Microsecond)
	_, err = h.use(nobody, o.ID)
	h.is(err, account.ErrSessionMismatch)
}

func TestSessionLimitsStandApart(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *account.Config) { c.Idle, c.Absolute = 2*time.Hour, time.Hour })
	h.person("bob@example.test")
	o := h.signedIn("bob@example.test")
	if !o.Session.Idle.Equal(h.Now().Add(time.Hour)) {
		t.Errorf("lives until %v, longer than at all", o.Session.Idle)
	}
	h.Add(time.Hour)
	s := o.Session
	s.Idle = s.Expires.Add(time.Hour) // what no store holds
	_, err := h.CheckSession(h.ctx, nobody, o.ID, s)
	h.is(err, account.ErrSessionMismatch)
}

// A session that is used all the time is written a twentieth of Idle apart.
func TestSessionIsTouchedSeldom(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	o := h.signedIn("bob@example.test")
	begin := h.Now()
	for range 3 {
		h.Add(29 * time.Second)
		_, err := h.use(nobody, o.ID)
		h.must(err)
	}
	s, _, err := h.FindSession(h.ctx, o.ID)
	h.must(err)
	if !s.Seen.Equal(begin) {
		t.Errorf("written at %v, within a twentieth of Idle", s.Seen)
	}
	h.Add(3 * time.Second)
	_, err = h.use(nobody, o.ID)
	h.must(err)
	s, _, err = h.FindSession(h.ctx, o.ID)
	h.must(err)
	if !s.Seen.Equal(h.Now()) || !s.Idle.Equal(h.Now().Add(30*time.Minute)) {
		t.Errorf("written at %v until %v", s.Seen, s.Idle)
	}
}

func TestSessionBinding(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	for _, tt := range []struct {
		name, address, agent string
		reason               string
	}{
		{"same", home, agent, ""},
		{"same /16", "192.0.99.99", agent, ""},
		{"mapped", "::ffff:192.0.99.99", agent, ""},
		{"other /16", "192.1.2.10", agent, "network"},
		{"other family", "2001:db8::1", agent, "network"},
		{"no address", "", agent, "network"},
		{"longer agent", home, agent + " ", "user_agent"},
		{"other case", home, "Agent/1", "user_agent"},
		{"no agent", home, "", "user_agent"},
	} {
		o := h.signedIn("bob@example.test")
		actor := gatehouse.Actor{Kind: gatehouse.ActorNobody, Tenant: gatehouse.DefaultTenant, UserAgent: tt.agent}
		actor.Address, _ = netip.ParseAddr(tt.address)
		_, err := h.use(actor, o.ID)
		if tt.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, account.ErrSessionMismatch) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, _, err := h.FindSession(h.ctx, o.ID); !errors.Is(err, account.ErrNoSession) {
			t.Errorf("%s: the session lives on: %v", tt.name, err)
		}
		log := h.events(a, account.VerbSessionDelete)
		if want := "session.delete succeeded system reason:>" + tt.reason; len(log) == 0 || log[len(log)-1] != want {
			t.Errorf("%s: events %v, want %s last", tt.name, log, want)
		}
	}
}

func TestCheckSessionOfAnotherID(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	one, two := h.signedIn("bob@example.test"), h.signedIn("bob@example.test")
	_, err := h.CheckSession(h.ctx, nobody, one.ID, two.Session)
	h.is(err, account.ErrNoSession)
	_, err = h.CheckSession(h.ctx, nobody, gatehouse.Secret{}, account.Session{})
	h.is(err, account.ErrNoSession)
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o, other := h.signedIn("bob@example.test"), h.signedIn("bob@example.test")
	count := together(4, func(int) error { return h.SignOut(h.ctx, nobody, o.ID) })
	if diff := cmp.Diff(map[string]int{"ok": 1, account.ErrNoSession.Error(): 3}, count); diff != "" {
		t.Error(diff)
	}
	_, err := h.use(nobody, o.ID)
	h.is(err, account.ErrNoSession)
	_, err = h.use(nobody, other.ID)
	h.must(err)
	h.is(h.SignOut(h.ctx, nobody, gatehouse.Secret{}), account.ErrNoSession)
	if diff := cmp.Diff([]string{"session.delete succeeded account"}, h.events(a, account.VerbSessionDelete)); diff != "" {
		t.Error(diff)
	}
}

func TestEndSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.person("alice@example.test"), h.person("bob@example.test")
	one, two, bobs := h.signedIn("alice@example.test"), h.signedIn("alice@example.test"), h.signedIn("bob@example.test")
	h.is(h.EndSessions(h.ctx, self(b), a.ID, gatehouse.Secret{}), gatehouse.ErrNotFound)
	h.must(h.EndSessions(h.ctx, self(a), a.ID, two.ID))
	_, err := h.use(nobody, one.ID)
	h.is(err, account.ErrNoSession)
	_, err = h.use(nobody, two.ID)
	h.must(err)
	h.must(h.EndSessions(h.ctx, operator, a.ID, gatehouse.Secret{}))
	_, err = h.use(nobody, two.ID)
	h.is(err, account.ErrNoSession)
	_, err = h.use(nobody, bobs.ID)
	h.must(err)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob, eve := h.person("bob@example.test"), h.person("eve@example.test")
	open := func(email string) account.Opened {
		t.Helper()
		o, err := h.SignIn(h.ctx, nobody, account.SignInRequest{Email: email, Password: secret(password)})
		h.must(err)
		return o
	}
	list := func(want ...account.Opened) {
		t.Helper()
		got, err := h.Sessions(h.ctx, self(bob), bob.ID)
		h.must(err)
		if len(got) != len(want) {
			t.Fatalf("%d sessions, want %d", len(got), len(want))
		}
		for i, s := range got {
			if !bytes.Equal(s.Hash, want[i].Session.Hash) {
				t.Errorf("session %d is another", i)
			}
		}
	}
	old := open(bob.Email)
	h.Add(time.Second)
	one := open(bob.Email)
	h.Add(time.Second)
	two, hers := open(bob.Email), open(eve.Email)
	list(two, one, old)
	h.Add(30*time.Minute - 2*time.Second) // one has a second left, old has none
	list(two, one)

	_, err := h.Sessions(h.ctx, self(eve), bob.ID)
	h.is(err, gatehouse.ErrNotFound)
	h.is(h.EndSession(h.ctx, self(eve), bob.ID, one.Session.Hash), gatehouse.ErrNotFound)
	h.is(h.EndSession(h.ctx, self(bob), bob.ID, hers.Session.Hash), account.ErrNoSession)
	h.is(h.EndSession(h.ctx, self(bob), bob.ID, nil), account.ErrNoSession)
	list(two, one)
	h.must(h.EndSession(h.ctx, self(bob), bob.ID, one.Session.Hash))
	list(two)
	h.is(h.EndSession(h.ctx, self(bob), bob.ID, one.Session.Hash), account.ErrNoSession)
	h.must(h.EndSession(h.ctx, operator, eve.ID, hers.Session.Hash))
	_, _, err = h.FindSession(h.ctx, hers.ID)
	h.is(err, account.ErrNoSession)
}

func TestOpenSession(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	planted := h.signedIn("bob@example.test")
	o, err := h.OpenSession(h.ctx, nobody, a.ID, planted.ID)
	h.must(err)
	_, err = h.use(nobody, o.ID)
	h.must(err)
	_, err = h.use(nobody, planted.ID)
	h.is(err, account.ErrNoSession)
	h.enrol(a)
	_, err = h.OpenSession(h.ctx, nobody, a.ID, gatehouse.Secret{})
	h.is(err, account.ErrCodeMissing)
	h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalLocked))
	_, err = h.OpenSession(h.ctx, nobody, a.ID, gatehouse.Secret{})
	h.is(err, account.ErrInactive)
	_, err = h.OpenSession(h.ctx, nobody, "unknown", gatehouse.Secret{})
	h.is(err, gatehouse.ErrNotFound)
}

// A user agent is compared as a whole, however long it is, and kept short.
func TestLongUserAgent(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	actor := nobody
	actor.UserAgent = strings.Repeat("a", 14_000) + "1"
	opened, err := h.SignIn(h.ctx, actor, account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	if len(opened.Session.UserAgent) > 512 {
		t.Errorf("%d bytes are kept", len(opened.Session.UserAgent))
	}
	s, a, err := h.FindSession(h.ctx, opened.ID)
	h.must(err)
	events, _, err := h.store.ListEvents(h.ctx, gatehouse.EventQuery{Tenant: gatehouse.DefaultTenant, Subject: a.ID})
	h.must(err)
	for _, e := range events {
		if len(e.Actor.UserAgent) > 255 {
			t.Errorf("event %s keeps %d bytes", e.Verb, len(e.Actor.UserAgent))
		}
	}
	_, err = h.CheckSession(h.ctx, actor, opened.ID, s)
	h.must(err)
	actor.UserAgent = strings.Repeat("a", 14_000) + "2"
	_, err = h.CheckSession(h.ctx, actor, opened.ID, s)
	h.is(err, account.ErrSessionMismatch)
}

// An account has a hundred sessions at most: the oldest end.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, other := h.person("bob@example.test"), h.person("carol@example.test")
	hers := h.signedIn(other.Email)
	var opened []account.Opened
	stored := func(want int) {
		t.Helper()
		sessions, err := h.store.ListSessions(h.ctx, gatehouse.DefaultTenant, a.ID)
		h.must(err)
		if len(sessions) != want {
			t.Errorf("%d sessions are stored, want %d", len(sessions), want)
		}
	}
	for range 103 {
		opened = append(opened, h.signedIn(a.Email))
		h.Add(time.Second)
	}
	stored(100)
	for i, o := range opened {
		_, _, err := h.FindSession(h.ctx, o.ID)
		if gone := i < 3; gone != (err != nil) {
			t.Errorf("session %d: %v", i, err)
		}
	}
	if n := len(h.events(a, account.VerbSessionDelete)); n != 3 || h.events(a, account.VerbSessionDelete)[0] != "session.delete succeeded system reason:>too_many" {
		t.Errorf("events %v", h.events(a, account.VerbSessionDelete))
	}

	// A client that brings its session back takes its place, and nobody else's.
	last := opened[len(opened)-1]
	o, err := h.SignIn(h.ctx, nobody, account.SignInRequest{Email: a.Email, Password: secret(password), Previous: last.ID})
	h.must(err)
	stored(100)
	_, _, err = h.FindSession(h.ctx, opened[3].ID)
	h.must(err)

	// Those that have expired go first, though they are younger.
	h.Add(25 * time.Minute)
	_, err = h.use(nobody, opened[3].ID)
	h.must(err)
	h.Add(10 * time.Minute)
	fresh := h.signedIn(a.Email)
	stored(100)
	for _, id := range []gatehouse.Secret{opened[3].ID, fresh.ID} {
		_, err = h.use(nobody, id)
		h.must(err)
	}
	_, _, err = h.FindSession(h.ctx, opened[4].ID)
	h.is(err, account.ErrNoSession)
	_, _, err = h.FindSession(h.ctx, o.ID)
	h.must(err) // expired as well, and the youngest
	_, _, err = h.FindSession(h.ctx, hers.ID)
	h.must(err)
}

// Where there are far too many, as from before there was a bound, each sign-in ends some.
func TestManySessionsEndByAndBy(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	for i := range 125 {
		s := account.Session{
			Hash: []byte(fmt.Sprintf("%032d", i)), Tenant: a.Tenant, Account: a.ID, CSRF: "0", Created: h.Now(), Seen: h.Now(),
			Idle: h.Now().Add(time.Hour), Expires: h.Now().Add(time.Hour),
		}
		h.must(h.store.InsertSession(h.ctx, &s, nil, gatehouse.NewEvent(operator, h.Now(), account.VerbSessionCreate, a.ID, gatehouse.OutcomeSucceeded)))
		h.Add(time.Second)
	}
	for i, want := range []int{116, 107, 100, 100} {
		h.signedIn(a.Email)
		sessions, err := h.store.ListSessions(h.ctx, a.Tenant, a.ID)
		h.must(err)
		if len(sessions) != want {
			t.Errorf("after %d sign-ins there are %d sessions, want %d", i+1, len(sessions), want)
		}
		if oldest := sessions[len(sessions)-1]; i == 0 && string(oldest.Hash) != fmt.Sprintf("%032d", 10) {
			t.Errorf("the oldest is %s", oldest.Hash)
		}
		h.Add(time.Second)
	}
}
