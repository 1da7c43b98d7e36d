// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

func TestAccountByName(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Email: "bob@example.test", Username: "Bob42"})
	h.must(err)
	for _, tt := range []struct {
		by    account.By
		value string
		found bool
	}{
		{account.ByID, a.ID, true}, {account.ByUID, a.UID, true}, {account.ByEmail, "BOB@example.test", true}, {account.ByUsername, "bob42", true},
		{account.ByID, "", false}, {account.ByUID, "", false}, {account.ByEmail, "", false}, {account.ByUsername, "", false},
		{account.ByEmail, " bob@example.test", false}, {account.ByInvalid, a.ID, false},
	} {
		got, err := h.Account(h.ctx, tt.by, tt.value)
		if tt.found {
			h.must(err)
			if got.ID != a.ID {
				t.Errorf("%d %q: %s", tt.by, tt.value, got.ID)
			}
		} else {
			h.is(err, gatehouse.ErrNotFound)
		}
	}
	_, total, err := h.List(h.ctx, account.Query{Tenant: "other"}) // never another's
	h.must(err)
	if total != 1 {
		t.Errorf("%d accounts", total)
	}
}

func TestSetData(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	h.Add(time.Minute)
	b, err := h.SetData(h.ctx, self(a), a.ID, `{"language":"de"}`)
	h.must(err)
	if b.Data != `{"language":"de"}` || b.Version != a.Version+1 || !b.Updated.Equal(h.Now()) || !b.Created.Equal(a.Created) {
		t.Errorf("%+v", b)
	}
	if diff := cmp.Diff(b, h.read(a)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	_, err = h.SetData(h.ctx, self(a), a.ID, "{")
	if word(err) != "data.invalid_format" {
		t.Error(err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o := h.signedIn(a.Email)
	change := func(old, fresh string) error {
		return h.ChangePassword(h.ctx, self(a), a.ID, secret(old), secret(fresh))
	}
	h.is(change("wrong", "weak"), account.ErrCredentials)
	h.is(change(password, password), account.ErrPasswordSame)
	if got := word(change(password, "weak")); got != "password.requirements" {
		t.Error(got)
	}
	h.must(change(password, newer))
	_, err := h.use(nobody, o.ID)
	h.must(err) // sessions stay
	_, err = h.signIn(a.Email, password, "")
	h.is(err, account.ErrCredentials)
	_, err = h.signIn(a.Email, newer, "")
	h.must(err)
	want := []string{"password.change failed account", "password.change succeeded account"}
	if diff := cmp.Diff(want, h.events(a, account.VerbPasswordChange)); diff != "" {
		t.Error(diff)
	}
	// Guesses here are guesses there.
	for range 9 { // and the sign-in with the old password; those before were at the old one
		h.is(change("wrong", newer), account.ErrCredentials)
	}
	h.throttled(change(newer, password))
	_, err = h.signIn(a.Email, newer, "")
	h.throttled(err)
}

// The password is asked for anew, under the budgets of a sign-in.
func TestConfirmPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, eve := h.person("bob@example.test"), h.person("eve@example.test")
	confirm := func(actor gatehouse.Actor, password string) error {
		return h.ConfirmPassword(h.ctx, actor, a.ID, secret(password))
	}
	for range 20 {
		h.must(confirm(self(a), password))
	}
	h.is(confirm(self(eve), password), gatehouse.ErrNotFound)
	h.is(h.ConfirmPassword(h.ctx, operator, "unknown", secret(password)), gatehouse.ErrNotFound)
	h.is(confirm(self(a), ""), account.ErrCredentials)
	for range 9 {
		h.is(confirm(self(a), "wrong"), account.ErrCredentials)
	}
	h.throttled(confirm(self(a), password))
	_, err := h.signIn(a.Email, password, "")
	h.throttled(err)
	events := h.events(a, account.VerbPasswordConfirm)
	if len(events) != 10 || events[0] != "password.confirm failed account" {
		t.Errorf("events %v", events)
	}
}

func TestChangePasswordOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	count := together(6, func(i int) error {
		return h.ChangePassword(h.ctx, self(a), a.ID, secret(password), secret(fmt.Sprintf("%s-%d", newer, i)))
	})
	if count["ok"] != 1 {
		t.Errorf("6 changes of one password: %v", count)
	}
}

// readdressed gives every account that is read by its id the same address.
type readdressed struct {
	account.Store
	email string
}

func (r readdressed) Account(ctx context.Context, tenant string, by account.By, value string) (account.Account, error) {
	a, err := r.Store.Account(ctx, tenant, by, value)
	if by == account.ByID {
		a.Email = r.email
	}
	return a, err
}

// The password of who has the address now is not that of who had it before.
func TestPasswordOfAnother(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.person("bob@example.test"), h.person("eve@example.test")
	c := h.config
	c.Store = readdressed{h.store, b.Email}
	d, err := account.New(c)
	h.must(err)
	h.is(d.Delete(h.ctx, self(a), a.ID, secret(password), ""), gatehouse.ErrConflict)
	if got := h.read(a).State; got != gatehouse.PrincipalActive {
		t.Errorf("the account is %s", got)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	s := h.service(a)
	h.key(a, "k1")
	h.key(s, "k2")
	f := h.enrol(a)
	h.is(h.Delete(h.ctx, self(a), a.ID, secret("wrong"), f.code()), account.ErrCredentials)
	h.is(h.Delete(h.ctx, self(a), a.ID, secret(password), ""), account.ErrCodeMissing)
	h.is(h.Delete(h.ctx, self(a), a.ID, secret(password), f.wrong()), account.ErrCodeInvalid)
	if got := h.keyState("k1"); got != "active -" {
		t.Errorf("the key is %s", got)
	}
	h.must(h.Delete(h.ctx, self(a), a.ID, secret(password), f.now()))
	if got := h.read(a); got.State != gatehouse.PrincipalDeleted || got.Labels[len(got.Labels)-1].Key != "delete" {
		t.Errorf("%s, %v", got.State, got.Labels)
	}
	if got := h.read(s).State; got != gatehouse.PrincipalDeleted {
		t.Errorf("the service account is %s", got)
	}
	for _, k := range []string{"k1", "k2"} {
		if got := h.keyState(k); got != "disabled inactive" {
			t.Errorf("key %s is %s", k, got)
		}
	}
	_, err := h.signIn(a.Email, password, f.code())
	h.is(err, account.ErrInactive)
	want := []string{
		"account.delete failed account",
		"account.delete failed account factor:>totp",
		"account.delete succeeded account state:active>deleted",
	}
	if diff := cmp.Diff(want, h.events(a, account.VerbAccountDelete)); diff != "" {
		t.Error(diff)
	}
}

func TestSetState(t *testing.T) {
	t.Parallel()
	for _, state := range []gatehouse.PrincipalState{"banned", "locked", "deleted", "pending"} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a := h.person("bob@example.test")
			s := h.service(a)
			h.key(a, "k1")
			h.key(s, "k2")
			o := h.signedIn(a.Email)
			h.must(h.SetState(h.ctx, operator, a.ID, state))
			h.must(h.SetState(h.ctx, operator, a.ID, state)) // nothing to do
			if got := h.read(s).State; got != state {
				t.Errorf("the service account is %s", got)
			}
			h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalActive))
			// Nothing comes back by itself, and no session went.
			if got := h.read(s).State; got != state {
				t.Errorf("the service account is %s after its owner came back", got)
			}
			for _, k := range []string{"k1", "k2"} {
				if got := h.keyState(k); got != "disabled inactive" {
					t.Errorf("key %s is %s", k, got)
				}
			}
			_, err := h.use(nobody, o.ID)
			h.must(err)
			want := []string{
				"account.state succeeded operator state:active>" + string(state),
				"account.state succeeded operator state:" + string(state) + ">active",
			}
			if diff := cmp.Diff(want, h.events(a, account.VerbAccountState)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSetStateOfAServiceAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	s := h.service(a)
	h.key(a, "k1")
	h.key(s, "k2")
	h.must(h.SetState(h.ctx, operator, s.ID, gatehouse.PrincipalBanned))
	if got := h.keyState("k2"); got != "active -" {
		t.Errorf("the key of a banned service account is %s", got)
	}
	h.must(h.SetState(h.ctx, operator, s.ID, gatehouse.PrincipalDisabled))
	if got := h.keyState("k2"); got != "disabled inactive" {
		t.Errorf("the key of a disabled service account is %s", got)
	}
	if got := h.keyState("k1"); got != "active -" {
		t.Errorf("the owner's key is %s", got)
	}
	if got := word(h.SetState(h.ctx, operator, s.ID, "happy")); got != "state.invalid" {
		t.Error(got)
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	set := func(actor gatehouse.Actor, key, value, scope string) string {
		_, err := h.SetLabel(h.ctx, actor, a.ID, key, value, scope)
		return word(err)
	}
	for _, tt := range []struct {
		actor                   gatehouse.Actor
		key, value, scope, want string
		state                   gatehouse.PrincipalState
	}{
		{self(a), "Email", "verified", "private", "forbidden", "pending"},
		{self(a), "email", "verified", "public", "ok", "pending"},
		{self(a), "ban", "me", "public", "ok", "pending"},
		{operator, "email", "verified", "private", "ok", "active"},
		{operator, "Phone", "verified", "private", "ok", "active"},
		{operator, "lock", "x", "private", "ok", "locked"},
		{operator, "fraud", "x", "private", "ok", "banned"},
		{self(a), "", "x", "public", "key.invalid", "banned"},
		{self(a), "a b", "x", "public", "key.invalid", "banned"},
		{self(a), strings.Repeat("a", 256), "x", "public", "key.invalid", "banned"},
		{self(a), "a", "", "public", "value.invalid", "banned"},
		{self(a), "a", "x\n", "public", "value.invalid", "banned"},
		{self(a), "a", "\xff", "public", "value.invalid", "banned"},
		{self(a), "a", strings.Repeat("ä", 256), "public", "value.invalid", "banned"},
		{self(a), "a", "x", "secret", "scope.invalid", "banned"},
		{self(a), "a", "x", "", "scope.invalid", "banned"},
	} {
		if got := set(tt.actor, tt.key, tt.value, tt.scope); got != tt.want {
			t.Errorf("set %+v: %s", tt, got)
		}
		if got := h.read(a).State; got != tt.state {
			t.Errorf("after %+v: %s", tt, got)
		}
	}
	if got := h.read(a).Level; got != 2 {
		t.Errorf("level %d, want 2", got)
	}
	drop := func(actor gatehouse.Actor, key, scope string) string {
		_, err := h.DeleteLabel(h.ctx, actor, a.ID, key, scope)
		return word(err)
	}
	for _, tt := range []struct {
		actor            gatehouse.Actor
		key, scope, want string
		state            gatehouse.PrincipalState
	}{
		{self(a), "fraud", "private", "forbidden", "banned"},
		{self(a), "fraud", "public", "not found", "banned"},
		{operator, "fraud", "private", "ok", "locked"},
		{operator, "lock", "private", "ok", "active"},
		{self(a), "ban", "public", "ok", "active"},
		{operator, "EMAIL", "private", "ok", "pending"},
	} {
		if got := drop(tt.actor, tt.key, tt.scope); got != tt.want {
			t.Errorf("delete %+v: %s", tt, got)
		}
		if got := h.read(a).State; got != tt.state {
			t.Errorf("after %+v: %s", tt, got)
		}
	}
	if got := h.read(a).Level; got != 0 {
		t.Errorf("level %d, want 0", got)
	}
	want := []string{
		"label.set succeeded account label.public.email:>verified",
		"label.set succeeded account label.public.ban:>me",
		"label.set succeeded operator label.private.email:>verified state:pending>active level:0>1",
		"label.set succeeded operator label.private.phone:>verified level:1>2",
		"label.set succeeded operator label.private.lock:>x state:active>locked",
		"label.set succeeded operator label.private.fraud:>x state:locked>banned",
	}
	if diff := cmp.Diff(want, h.events(a, account.VerbLabelSet)); diff != "" {
		t.Error(diff)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	for i := range 100 {
		_, err := h.SetLabel(h.ctx, self(a), a.ID, fmt.Sprintf("k%d", i), "v", account.LabelPublic)
		h.must(err)
	}
	_, err := h.SetLabel(h.ctx, self(a), a.ID, "k100", "v", account.LabelPublic)
	if word(err) != "label.too_many" {
		t.Error(err)
	}
	b, err := h.SetLabel(h.ctx, self(a), a.ID, "k7", "w", account.LabelPublic)
	h.must(err)
	if len(b.Labels) != 100 || b.Labels[7].Value != "w" {
		t.Errorf("%d labels, %+v", len(b.Labels), b.Labels[7])
	}
}

// A label that takes the activation away takes the keys along.
func TestLabelCascade(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	s := h.service(a)
	h.key(a, "k1")
	h.key(s, "k2")
	_, err := h.SetLabel(h.ctx, operator, a.ID, "suspicious", "x", account.LabelPrivate)
	h.must(err)
	if got := h.keyState("k1") + ", " + h.keyState("k2"); got != "disabled inactive, disabled inactive" {
		t.Error(got)
	}
	if got := h.read(s).State; got != gatehouse.PrincipalLocked {
		t.Errorf("the service account is %s", got)
	}
}

// A level that was given by hand stays while the labels say nothing else.
func TestLevelByHand(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Email: "bob@example.test", Level: 3})
	h.must(err)
	for _, tt := range []struct {
		key, value string
		want       int
	}{{"region", "eu", 3}, {"email", "verified", 1}} {
		b, err := h.SetLabel(h.ctx, operator, a.ID, tt.key, tt.value, account.LabelPrivate)
		h.must(err)
		if b.Level != tt.want {
			t.Errorf("after %s: level %d, want %d", tt.key, b.Level, tt.want)
		}
	}
}
