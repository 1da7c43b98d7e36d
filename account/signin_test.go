// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"context"
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

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	o, err := h.signIn("Bob@EXAMPLE.test", password, "")
	h.must(err)
	if o.Account.ID != a.ID || o.Session.Account != a.ID || o.Session.Tenant != gatehouse.DefaultTenant || o.Session.Factor {
		t.Errorf("opened %+v", o)
	}
	id := o.ID.Reveal()
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		t.Errorf("session id %q is not 32 lower-case hex digits", id)
	}
	if csrf := o.Session.CSRF; len(csrf) != 20 || strings.Trim(csrf, "0123456789abcdef") != "" {
		t.Errorf("CSRF token %q is not 20 lower-case hex digits", csrf)
	}
	if o.Session.Address != home || o.Session.UserAgent != agent {
		t.Errorf("bound to %q, %q", o.Session.Address, o.Session.UserAgent)
	}
	s, b, err := h.FindSession(h.ctx, o.ID)
	h.must(err)
	if diff := cmp.Diff(o.Session, s); diff != "" {
		t.Errorf("found another session: %s", diff)
	}
	if b.ID != a.ID {
		t.Errorf("found the account %s", b.ID)
	}
	o, err = h.SignIn(h.ctx, from("::ffff:"+home), account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	if o.Session.Address != home {
		t.Errorf("a mapped address is kept as %q", o.Session.Address)
	}
	want := []string{"session.create succeeded account", "session.create succeeded account"}
	if diff := cmp.Diff(want, h.events(a, account.VerbSessionCreate)); diff != "" {
		t.Error(diff)
	}
}

// The order of the checks: everything from one row on is spoiled, and the row decides.
func TestSignInOrder(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalBanned))
	tries := []struct {
		name, email, password, code string
		want                        error
	}{
		{"no address", "bob", "wrong", "", account.ErrCredentials},
		{"unknown address", "eve@example.test", "wrong", "", account.ErrCredentials},
		{"wrong password", "bob@example.test", "wrong", "", account.ErrCredentials},
		{"long password", "bob@example.test", strings.Repeat("x", 5000), "", account.ErrCredentials},
		{"no password", "bob@example.test", "", "", account.ErrCredentials},
		{"banned", "bob@example.test", password, "", account.ErrInactive},
	}
	for _, tt := range tries {
		if _, err := h.signIn(tt.email, tt.password, tt.code); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	var state *account.StateError
	if _, err := h.signIn("bob@example.test", password, f.code()); !errors.As(err, &state) || state.State != gatehouse.PrincipalBanned {
		t.Errorf("banned, right code: %v", err)
	}
	h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalActive))
	h.Add(time.Hour)
	for _, tt := range []struct {
		name, code string
		want       error
	}{
		{"no code", "", account.ErrCodeMissing},
		{"wrong code", f.wrong(), account.ErrCodeInvalid},
		{"right code", f.now(), nil},
		{"used code", f.now(), account.ErrCodeUsed},
		{"space before", " " + f.code(), account.ErrCodeInvalid},
		{"space within", f.now()[:3] + " " + f.now()[3:], account.ErrCodeInvalid},
		{"other digits", "\u0661\u0662\u0663\u0664\u0665\u0666", account.ErrCodeInvalid},
	} {
		if _, err := h.signIn("bob@example.test", password, tt.code); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	want := []string{
		"session.create failed nobody", // the long password is nobody's: no event
		"session.create failed nobody",
		"session.create denied nobody state:>banned",
		"session.create denied nobody state:>banned",
		"session.create failed nobody factor:>totp",
		"session.create succeeded account factor:>totp",
		"session.create failed nobody factor:>totp",
		"session.create failed nobody factor:>totp",
		"session.create failed nobody factor:>totp",
		"session.create failed nobody factor:>totp",
	}
	if diff := cmp.Diff(want, h.events(a, account.VerbSessionCreate)); diff != "" {
		t.Error(diff)
	}
}

func TestSignInByState(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	for state, may := range map[gatehouse.PrincipalState]bool{
		gatehouse.PrincipalActive: true, gatehouse.PrincipalPending: true, gatehouse.PrincipalLocked: false,
		gatehouse.PrincipalBanned: false, gatehouse.PrincipalDeleted: false, gatehouse.PrincipalDisabled: false,
	} {
		h.must(h.SetState(h.ctx, operator, a.ID, state))
		_, err := h.signIn("bob@example.test", password, "")
		if may != (err == nil) || !may && !errors.Is(err, account.ErrInactive) {
			t.Errorf("%s: %v", state, err)
		}
	}
}

func TestUnknownAddressLeavesNoEvent(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	before := len(h.allEvents())
	for _, email := range []string{"eve@example.test", "nonsense", "bob@example.test "} {
		_, err := h.signIn(email, password, "")
		h.is(err, account.ErrCredentials)
	}
	if after := len(h.allEvents()); after != before {
		t.Errorf("%d events were written", after-before)
	}
}

// With no run of the hash to be had, whoever needs one gets ErrBusy: all of them do, so
// the time does not tell a known address from an unknown one.
func TestSignInHashesForEverybody(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob := h.person("bob@example.test")
	h.service(bob)
	_, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Email: "nopassword@example.test"})
	h.must(err)
	release := account.Occupy(h.hasher)
	defer release()
	for range 15 { // and an attempt that was not judged is not counted
		for _, email := range []string{"bob@example.test", "eve@example.test", "nopassword@example.test"} {
			_, err := h.signIn(email, "wrong", "")
			h.is(err, account.ErrBusy)
			h.is(err, gatehouse.ErrUnavailable)
		}
	}
}

func TestSessionFixation(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	h.person("eve@example.test")
	planted := h.signedIn("eve@example.test")
	o, err := h.SignIn(h.ctx, nobody, account.SignInRequest{Email: "bob@example.test", Password: secret(password), Previous: planted.ID})
	h.must(err)
	if o.ID.Reveal() == planted.ID.Reveal() || o.Session.CSRF == planted.Session.CSRF {
		t.Error("the session kept its id or its CSRF token")
	}
	_, _, err = h.FindSession(h.ctx, planted.ID)
	h.is(err, account.ErrNoSession)
	_, _, err = h.FindSession(h.ctx, o.ID)
	h.must(err)

	// What is no session id ends nothing and takes nothing.
	for _, previous := range []string{"", "x", strings.Repeat("a", 32), strings.ToUpper(o.ID.Reveal())} {
		_, err := h.SignIn(h.ctx, nobody, account.SignInRequest{Email: "bob@example.test", Password: secret(password), Previous: secret(previous)})
		h.must(err)
	}
	_, _, err = h.FindSession(h.ctx, o.ID)
	h.must(err)

	// A refused sign-in leaves the previous session alone.
	_, err = h.SignIn(h.ctx, nobody, account.SignInRequest{Email: "bob@example.test", Password: secret("wrong"), Previous: o.ID})
	h.is(err, account.ErrCredentials)
	_, _, err = h.FindSession(h.ctx, o.ID)
	h.must(err)
}

func TestWrongPasswordsAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	count := together(200, func(int) error {
		_, err := h.signIn("bob@example.test", "wrong", "")
		return err
	})
	want := map[string]int{account.ErrCredentials.Error(): 10, (&account.ThrottledError{}).Error(): 190}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}
	if n := len(h.events(a, account.VerbSessionCreate)); n != 10 {
		t.Errorf("%d events, want 10", n)
	}

	// An unknown address has the same budget.
	count = together(200, func(int) error {
		_, err := h.signIn("eve@example.test", "wrong", "")
		return err
	})
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}

	// Other spellings, or the right password, do not help here and now.
	_, err := h.signIn("BOB@example.test", password, "")
	h.throttled(err)
	// Elsewhere the holder gets in: the stranger has not locked him out.
	_, err = h.SignIn(h.ctx, from("198.51.100.1"), account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	// And here after a while.
	h.Add(10 * time.Minute)
	_, err = h.signIn("bob@example.test", password, "")
	h.must(err)
}

func TestRightPasswordsAreNotCounted(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	a := h.person("carol@example.test")
	h.enrol(a)
	for range 60 {
		h.signedIn("bob@example.test")
		_, err := h.signIn("carol@example.test", password, "")
		h.is(err, account.ErrCodeMissing)
	}
}

func TestNetworkBudget(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	count := together(100, func(i int) error {
		_, err := h.signIn(fmt.Sprintf("user%d@example.test", i), "wrong", "")
		return err
	})
	if diff := cmp.Diff(map[string]int{account.ErrCredentials.Error(): 100}, count); diff != "" {
		t.Error(diff)
	}
	_, err := h.signIn("bob@example.test", password, "")
	h.throttled(err)
	_, err = h.SignIn(h.ctx, from("::ffff:"+home), account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.throttled(err)
	_, err = h.SignIn(h.ctx, from("192.0.2.11"), account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	h.Add(10 * time.Minute)
	_, err = h.signIn("bob@example.test", password, "")
	h.must(err)
}

// A right password that does not lead in is counted: the state and the codes behind it
// cannot be asked about without end.
func TestUselessPasswordsAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.person("bob@example.test"), h.person("carol@example.test")
	h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalBanned))
	f := h.enrol(b)
	for range 10 {
		_, err := h.signIn(a.Email, password, "")
		h.is(err, account.ErrInactive)
		_, err = h.signIn(b.Email, password, f.wrong())
		h.is(err, account.ErrCodeInvalid)
	}
	_, err := h.signIn(a.Email, password, "")
	h.throttled(err)
	_, err = h.signIn(b.Email, password, "")
	h.throttled(err)
}

// exhaust spends the budget that strangers share.
func (h *house) exhaust(email string) {
	h.t.Helper()
	together(100, func(i int) error {
		_, err := h.SignIn(h.ctx, from(fmt.Sprintf("203.0.113.%d", i)), account.SignInRequest{Email: email, Password: secret("wrong")})
		return err
	})
}

func TestStrangersBudget(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	h.signedIn("bob@example.test") // from home
	try := func(address, password string) error {
		_, err := h.SignIn(h.ctx, from(address), account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
		return err
	}
	count := together(100, func(i int) error { return try(fmt.Sprintf("203.0.113.%d", i), "wrong") })
	if diff := cmp.Diff(map[string]int{account.ErrCredentials.Error(): 100}, count); diff != "" {
		t.Error(diff)
	}
	h.throttled(try("203.0.113.200", "wrong"))
	h.throttled(try("203.0.113.200", password))
	// At home the holder is known, also when no session lives any more.
	h.Add(13 * time.Hour)
	exhaust := func() {
		t.Helper()
		h.exhaust("bob@example.test")
		h.throttled(try("203.0.113.200", password))
	}
	exhaust()
	h.must(try(home, password))
	// But not without bounds.
	for range 10 {
		h.is(try(home, "wrong"), account.ErrCredentials)
	}
	h.throttled(try(home, password))
	// And not for ever.
	h.Add(31 * 24 * time.Hour)
	exhaust()
	h.throttled(try(home, password))
}

func TestOnlyTheHoldersNetworkIsFamiliar(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	h.person("carol@example.test")
	h.signedIn("bob@example.test")
	lost := nobody
	lost.Address = netip.Addr{} // a gate that does not know the client
	_, err := h.SignIn(h.ctx, lost, account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	for _, email := range []string{"bob@example.test", "carol@example.test", "eve@example.test"} {
		h.exhaust(email)
	}
	_, err = h.signIn("bob@example.test", password, "")
	h.must(err)
	_, err = h.SignIn(h.ctx, lost, account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.throttled(err)
	// Home is familiar to bob, and to nobody else.
	_, err = h.signIn("eve@example.test", password, "")
	h.throttled(err)
	_, err = h.signIn("carol@example.test", password, "")
	h.throttled(err)
}

// A familiar network has a bound of its own: about a hundred guesses a day.
func TestFamiliarNetworkIsBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.person("bob@example.test")
	h.signedIn("bob@example.test")
	guesses := 0
	for range 24 * 6 {
		for range 10 {
			if _, err := h.signIn("bob@example.test", "wrong", ""); errors.Is(err, account.ErrCredentials) {
				guesses++
			}
		}
		h.Add(10 * time.Minute)
	}
	if guesses < 100 || guesses > 200 { // what is there at once, and what comes back in a day
		t.Errorf("%d guesses in a day", guesses)
	}
}

func TestCodeBudget(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	h.Add(time.Hour)
	// Ten wrong codes over all networks and all ways in.
	for i := range 4 {
		_, err := h.SignIn(h.ctx, from(fmt.Sprintf("203.0.113.%d", i)), account.SignInRequest{Email: "bob@example.test", Password: secret(password), Code: f.wrong()})
		h.is(err, account.ErrCodeInvalid)
		h.is(h.VerifyCode(h.ctx, self(a), a.ID, f.wrong()), account.ErrCodeInvalid)
	}
	h.is(h.DisableOTP(h.ctx, self(a), a.ID, f.wrong()), account.ErrCodeInvalid)
	h.is(h.Delete(h.ctx, self(a), a.ID, secret(password), f.wrong()), account.ErrCodeInvalid)

	h.throttled(h.VerifyCode(h.ctx, self(a), a.ID, f.now()))
	_, err := h.signIn("bob@example.test", password, f.now())
	h.throttled(err)
	_, err = h.RenewRecovery(h.ctx, self(a), a.ID, f.now())
	h.throttled(err)
	// Who does not know the password cannot touch this budget, nor see that it is spent.
	_, err = h.signIn("bob@example.test", "wrong", f.now())
	h.is(err, account.ErrCredentials)
	h.Add(10 * time.Minute)
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.code()))
}

func TestStrangersCannotTouchTheCodeBudget(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	for i := range 50 {
		_, err := h.SignIn(h.ctx, from(fmt.Sprintf("203.0.113.%d", i)), account.SignInRequest{Email: "bob@example.test", Password: secret("wrong"), Code: "123456"})
		h.is(err, account.ErrCredentials)
	}
	_, err := h.signIn("bob@example.test", password, f.code())
	h.must(err)
}

func TestOneCodeOpensOneSession(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	code := f.code()
	count := together(50, func(i int) error {
		_, err := h.SignIn(h.ctx, from(fmt.Sprintf("203.0.113.%d", i)), account.SignInRequest{Email: "bob@example.test", Password: secret(password), Code: code})
		return err
	})
	if count["ok"] != 1 || count["ok"]+count[account.ErrCodeUsed.Error()]+count[(&account.ThrottledError{}).Error()] != 50 {
		t.Errorf("50 uses of one code: %v", count)
	}
	sessions, err := h.store.ListSessions(h.ctx, gatehouse.DefaultTenant, a.ID)
	h.must(err)
	if len(sessions) != 1 || !sessions[0].Factor {
		t.Errorf("%d sessions", len(sessions))
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	h := open(t)
	alice, bob := h.person("alice@example.test"), h.person("bob@example.test")
	fa := h.enrol(alice)
	h.enrol(bob)
	left := func(a account.Account, want int) {
		t.Helper()
		n, err := h.store.RecoveryCodes(h.ctx, a.ID)
		h.must(err)
		if n != want {
			t.Errorf("%d recovery codes are left, want %d", n, want)
		}
	}
	left(alice, 10)
	// Alice's code is nothing to Bob, and stays hers.
	_, err := h.signIn("bob@example.test", password, fa.recovery[0])
	h.is(err, account.ErrCodeInvalid)
	left(alice, 10)
	left(bob, 10)
	_, err = h.signIn("alice@example.test", password, strings.ToLower(fa.recovery[0]))
	h.must(err)
	_, err = h.signIn("alice@example.test", password, fa.recovery[0])
	h.is(err, account.ErrCodeInvalid)
	left(alice, 9)
	if !h.read(alice).OTP {
		t.Error("a recovery code turned the second factor off")
	}
	count := together(8, func(int) error {
		_, err := h.signIn("alice@example.test", password, fa.recovery[1])
		return err
	})
	if count["ok"] != 1 || count[account.ErrCodeInvalid.Error()] != 7 {
		t.Errorf("8 uses of one recovery code: %v", count)
	}
	h.Add(time.Hour)
	want := []string{
		"session.create succeeded account factor:>recovery",
		"session.create failed nobody factor:>recovery",
	}
	if diff := cmp.Diff(want, h.events(alice, account.VerbSessionCreate)[:2]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"recovery.use succeeded account", "recovery.use succeeded account"}, h.events(alice, account.VerbRecoveryUse)); diff != "" {
		t.Error(diff)
	}
	fresh, err := h.RenewRecovery(h.ctx, self(alice), alice.ID, fa.code())
	h.must(err)
	left(alice, 10)
	_, err = h.signIn("alice@example.test", password, fa.recovery[2])
	h.is(err, account.ErrCodeInvalid)
	_, err = h.signIn("alice@example.test", password, fresh[2].Reveal())
	h.must(err)
}

func TestRehash(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	before := h.read(a)
	h.config.Hasher = account.NewHasher(account.HasherConfig{MemoryKiB: 16, Time: 1})
	d, err := account.New(h.config)
	h.must(err)
	for _, wrong := range []string{"wrong", password} {
		o, err := d.SignIn(h.ctx, nobody, account.SignInRequest{Email: "bob@example.test", Password: secret(wrong)})
		after := h.read(a)
		if wrong == password {
			h.must(err)
			if after.PasswordHash == before.PasswordHash || !strings.Contains(after.PasswordHash, "m=16,") {
				t.Error("the right password was not hashed anew")
			}
			if diff := cmp.Diff(after, o.Account); diff != "" {
				t.Errorf("the answer is out of date: %s", diff)
			}
		} else if after.PasswordHash != before.PasswordHash {
			t.Error("a wrong password was hashed anew")
		}
	}
	_, err = d.SignIn(h.ctx, nobody, account.SignInRequest{Email: "bob@example.test", Password: secret(password)})
	h.must(err)
	if diff := cmp.Diff([]string{"password.rehash succeeded system"}, h.events(a, account.VerbPasswordRehash)); diff != "" {
		t.Error(diff)
	}
}

func TestServiceAccountsDoNotSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	s := h.service(h.person("bob@example.test"))
	_, err := h.signIn(s.Email, password, "")
	h.is(err, account.ErrCredentials)
	_, err = h.OpenSession(h.ctx, nobody, s.ID, gatehouse.Secret{})
	h.is(err, gatehouse.ErrForbidden)
	_, err = h.IssueReset(h.ctx, nobody, s.Email, "t1", h.Now().Add(time.Hour))
	h.is(err, gatehouse.ErrNotFound)
	_, err = h.BeginOTP(h.ctx, operator, s.ID)
	h.is(err, gatehouse.ErrForbidden)
}

// between runs something between the proof and the session that follows from it.
type between struct {
	account.SessionStore
	run func()
}

func (b between) InsertSession(ctx context.Context, s *account.Session, ends []byte, e *gatehouse.Event) error {
	b.run()
	return b.SessionStore.InsertSession(ctx, s, ends, e)
}

// A sign-in does not outrun what happens meanwhile.
func TestSignInDoesNotOutrun(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*house, account.Account){
		"a reset": func(h *house, a account.Account) {
			_, err := h.IssueReset(h.ctx, nobody, a.Email, "t1", h.Now().Add(time.Hour))
			h.must(err)
			_, err = h.ResetPassword(h.ctx, nobody, "t1", a.Email, secret(newer))
			h.must(err)
		},
		"a second factor": func(h *house, a account.Account) {
			_, err := h.EnableOTP(h.ctx, self(a), a.ID, h.enrolling.code(), gatehouse.Secret{})
			h.must(err)
		},
		"a ban": func(h *house, a account.Account) {
			h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalBanned))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a := h.person("bob@example.test")
			h.enrolling = h.begin(a)
			slow := h.config
			slow.Sessions = between{h.store, func() { meanwhile(h, a) }}
			d, err := account.New(slow)
			h.must(err)
			_, err = d.SignIn(h.ctx, nobody, account.SignInRequest{Email: a.Email, Password: secret(password)})
			h.is(err, gatehouse.ErrConflict)
			sessions, err := h.store.ListSessions(h.ctx, gatehouse.DefaultTenant, a.ID)
			h.must(err)
			if len(sessions) != 0 {
				t.Errorf("%d sessions live", len(sessions))
			}
			want := []string{"session.create succeeded account", "session.delete succeeded system reason:>account_changed"}
			if diff := cmp.Diff(want, h.events(a, account.VerbSessionCreate, account.VerbSessionDelete)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("other changes do not matter", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		a := h.person("bob@example.test")
		slow := h.config
		slow.Sessions = between{h.store, func() { h.begin(a) }}
		d, err := account.New(slow)
		h.must(err)
		_, err = d.SignIn(h.ctx, nobody, account.SignInRequest{Email: a.Email, Password: secret(password)})
		h.must(err)
	})
}

func TestRightCodesAreNotCounted(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	for _, code := range f.recovery {
		h.must(h.VerifyCode(h.ctx, self(a), a.ID, code))
	}
	h.must(h.VerifyCode(h.ctx, self(a), a.ID, f.code()))
}
