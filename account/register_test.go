// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// word is an error as a short text: what a door would make of it.
func word(err error) string {
	var (
		invalid *gatehouse.InvalidError
		taken   *account.TakenError
		weak    *account.PasswordError
	)
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var words []string
		for _, err := range all.Unwrap() {
			words = append(words, word(err))
		}
		return strings.Join(words, " ")
	}
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, account.ErrSpent):
		return "spent"
	case errors.As(err, &invalid):
		return invalid.Field + "." + invalid.Problem
	case errors.As(err, &taken):
		return taken.Field + ".taken"
	case errors.As(err, &weak):
		return "password." + string(weak.Problems[0])
	}
	return err.Error()
}

func registration(email string) account.Registration {
	return account.Registration{Email: email, Password: secret(password)}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	h := open(t)
	friend := h.person("friend@example.test")
	a, err := h.Register(h.ctx, nobody, account.Registration{
		Email: "Bob@Example.test", Username: "bob42", Data: `{"language":"en"}`, ReferralUID: friend.UID, Password: secret(password),
	})
	h.must(err)
	if !regexp.MustCompile(`^ID[0-9A-F]{10}$`).MatchString(a.UID) {
		t.Errorf("uid %q", a.UID)
	}
	want := account.Account{
		ID: a.ID, Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, UID: a.UID, Email: "bob@example.test",
		Username: "bob42", Role: "member", State: gatehouse.PrincipalPending, Data: `{"language":"en"}`, Referral: friend.ID,
		PasswordHash: a.PasswordHash, Created: h.Now(), Updated: h.Now(), Version: 1,
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, h.read(a)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	if !strings.HasPrefix(a.PasswordHash, "$argon2id$") {
		t.Error("the password is not hashed")
	}
	log := h.events(a)
	if diff := cmp.Diff([]string{"account.create succeeded nobody uid:>" + a.UID + " role:>member state:>pending"}, log); diff != "" {
		t.Error(diff)
	}
	o, err := h.OpenSession(h.ctx, nobody, a.ID, gatehouse.Secret{})
	h.must(err)
	_, err = h.use(nobody, o.ID)
	h.must(err)
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, err := h.Register(h.ctx, nobody, account.Registration{Email: "taken@example.test", Username: "Taken1", Password: secret(password)})
	h.must(err)
	// Everything from a row on is spoiled as well, as far as the rows go together.
	for _, tt := range []struct{ referral, email, username, password, data, want string }{
		{"XX123", "bad", "x", "weak", "{", "referral.format"},
		{"id123", "bad", "x", "weak", "{", "referral.format"},
		{"ID123", "bad", "x", "weak", "{", "referral.unknown"},
		{"", "bad", "x", "weak", "{", "email.invalid username.too_short password.requirements data.invalid_format"},
		{"", "", "", password, "", "email.invalid"},
		{"", "taken@example.test", "thirteenchars", "weak", "{", "username.too_long password.requirements data.invalid_format"},
		{"", "taken@example.test", "no way", password, "{", "username.invalid data.invalid_format"},
		{"", "taken@example.test", "no way", password, "", "username.invalid"},
		{"", "taken@example.test", "taken1", "", "{", "password.requirements data.invalid_format"},
		{"", "taken@example.test", "taken1", "weak", "", "password.requirements"},
		{"", "taken@example.test", "taken1", strings.Repeat("Aa1", 30), "", "password.too_long"},
		{"", "taken@example.test", "taken1", password, "{", "data.invalid_format"},
		{"", "taken@example.test", "taken1", password, `"` + strings.Repeat("x", 1023) + `"`, "data.too_long"},
		{"", "TAKEN@example.test", "taken1", password, "{}", "email.taken"},
		{"", "new@example.test", "tAKEN1", password, "{}", "username.taken"},
		{"", "new@example.test", "taken2", password, "{}", "ok"},
		{"", "nameless@example.test", "", password, "", "ok"},
		{"", "nameless2@example.test", "", password, "", "ok"},
	} {
		_, err := h.Register(h.ctx, nobody, account.Registration{
			Email: tt.email, Username: tt.username, Data: tt.data, ReferralUID: tt.referral, Password: secret(tt.password),
		})
		if got := word(err); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	h.is(&account.TakenError{Field: "email"}, gatehouse.ErrExists)
}

func TestRegisterOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	count := together(8, func(int) error {
		_, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 1, "email is taken": 7}, count); diff != "" {
		t.Error(diff)
	}
}

func TestUIDCollision(t *testing.T) {
	t.Parallel()
	h := open(t)
	draws := []string{"AAAAAAAAAA", "AAAAAAAAAA", "AAAAAAAAAA", "BBBBBBBBBB"}
	next := func() string {
		uid := draws[0]
		if len(draws) > 1 {
			draws = draws[1:]
		}
		return uid
	}
	account.SetUIDs(h.Directory, next)
	a, err := h.Register(h.ctx, nobody, registration("alice@example.test"))
	h.must(err)
	b, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	if a.UID != "IDAAAAAAAAAA" || b.UID != "IDBBBBBBBBBB" {
		t.Errorf("uids %s, %s", a.UID, b.UID)
	}
	_, err = h.Register(h.ctx, nobody, registration("carol@example.test"))
	h.is(err, gatehouse.ErrUnavailable) // and not for ever
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	owner, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Email: "Boss@example.test", Role: "admin", Level: 3, State: gatehouse.PrincipalActive})
	h.must(err)
	if owner.Kind != gatehouse.PrincipalAccount || owner.Role != "admin" || owner.Level != 3 || owner.State != gatehouse.PrincipalActive || owner.PasswordHash != "" {
		t.Errorf("%+v", owner)
	}
	s := h.service(owner)
	if s.Kind != gatehouse.PrincipalService || s.Owner != owner.ID || s.State != gatehouse.PrincipalActive || s.Level != 3 || !strings.HasPrefix(s.UID, "SI") {
		t.Errorf("%+v", s)
	}
	if want := strings.ToLower(owner.UID + "+" + s.UID + "@localhost"); s.Email != want {
		t.Errorf("address %q, want %q", s.Email, want)
	}
	free, err := h.CreateAccount(h.ctx, operator, account.NewAccount{Kind: gatehouse.PrincipalService})
	h.must(err)
	if free.State != gatehouse.PrincipalPending || free.Email != strings.ToLower(free.UID)+"@localhost" {
		t.Errorf("%+v", free)
	}
	for _, tt := range []struct {
		n    account.NewAccount
		want string
	}{
		{account.NewAccount{}, "email.invalid"},
		{account.NewAccount{Email: "boss@example.test"}, "email.taken"},
		{account.NewAccount{Email: "x@example.test", Username: "x"}, "username.too_short"},
		{account.NewAccount{Email: "x@example.test", State: "happy"}, "state.invalid"},
		{account.NewAccount{Email: "x@example.test", Kind: 9}, "kind.invalid"},
		{account.NewAccount{Email: "x@example.test", Owner: owner.ID}, "owner.invalid"},
		{account.NewAccount{Email: "x@example.test", Password: secret("weak")}, "password.requirements"},
		{account.NewAccount{Kind: gatehouse.PrincipalService, Owner: "nobody"}, "owner.unknown"},
		{account.NewAccount{Kind: gatehouse.PrincipalService, Owner: s.ID}, "owner.invalid"},
		{account.NewAccount{Kind: gatehouse.PrincipalService, Owner: owner.ID, Password: secret(password)}, "password.invalid"},
		{account.NewAccount{Email: "x@example.test", Ticket: &account.Ticket{Tenant: gatehouse.DefaultTenant, Purpose: "setup", ID: "none"}}, "spent"},
		{account.NewAccount{Email: "x@example.test"}, "ok"},
	} {
		if _, err := h.CreateAccount(h.ctx, operator, tt.n); word(err) != tt.want {
			t.Errorf("%+v: %s, want %s", tt.n, word(err), tt.want)
		}
	}
	for _, actor := range []gatehouse.Actor{nobody, self(owner), {}} {
		_, err := h.CreateAccount(h.ctx, actor, account.NewAccount{Email: "y@example.test"})
		h.is(err, gatehouse.ErrForbidden)
	}
}

func TestConfirmEmail(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	soon := h.Now().Add(time.Hour)
	for _, id := range []string{"t1", "t2"} {
		_, err := h.IssueConfirmation(h.ctx, "BOB@example.test", id, soon)
		h.must(err)
	}
	_, err = h.IssueConfirmation(h.ctx, "eve@example.test", "t3", soon)
	h.is(err, gatehouse.ErrNotFound)
	_, err = h.ConfirmEmail(h.ctx, nobody, "t4", "bob@example.test")
	h.is(err, account.ErrSpent)
	_, err = h.ConfirmEmail(h.ctx, nobody, "t1", "eve@example.test")
	h.is(err, gatehouse.ErrNotFound)
	a, err = h.ConfirmEmail(h.ctx, nobody, "t1", "bob@example.test") // an older one is good too
	h.must(err)
	want := []account.Label{{Key: "email", Value: "verified", Scope: account.LabelPrivate, Created: h.Now(), Updated: h.Now()}}
	if diff := cmp.Diff(want, a.Labels); diff != "" || a.State != gatehouse.PrincipalActive || a.Level != 1 {
		t.Errorf("%s, level %d, labels %s", a.State, a.Level, diff)
	}
	if diff := cmp.Diff(a, h.read(a)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	_, err = h.ConfirmEmail(h.ctx, nobody, "t1", "bob@example.test")
	h.is(err, gatehouse.ErrNotFound) // active already
	_, err = h.IssueConfirmation(h.ctx, "bob@example.test", "t5", soon)
	h.is(err, gatehouse.ErrNotFound)
	log := h.events(a, account.VerbAccountConfirm)
	if diff := cmp.Diff([]string{"account.confirm succeeded account state:pending>active level:0>1"}, log); diff != "" {
		t.Error(diff)
	}
}

func TestConfirmTicketIsGoodOnce(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *account.Config) { c.Activation = map[string]string{"email": "verified", "phone": "verified"} })
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	_, err = h.IssueConfirmation(h.ctx, a.Email, "t1", h.Now().Add(time.Hour))
	h.must(err)
	_, err = h.IssueConfirmation(h.ctx, a.Email, "t2", h.Now().Add(time.Hour))
	h.must(err)
	count := together(4, func(int) error {
		_, err := h.ConfirmEmail(h.ctx, nobody, "t1", a.Email)
		if errors.Is(err, account.ErrSpent) {
			return account.ErrSpent
		}
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 1, account.ErrSpent.Error(): 3}, count); diff != "" {
		t.Error(diff)
	}
	if got := h.read(a).State; got != gatehouse.PrincipalPending {
		t.Errorf("%s with a mark missing", got)
	}
	h.Add(time.Hour)
	_, err = h.ConfirmEmail(h.ctx, nobody, "t2", a.Email) // too late
	h.is(err, account.ErrSpent)
}

func TestBannedAccountsAreNotConfirmed(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	_, err = h.IssueConfirmation(h.ctx, a.Email, "t1", h.Now().Add(time.Hour))
	h.must(err)
	h.must(h.SetState(h.ctx, operator, a.ID, gatehouse.PrincipalBanned))
	_, err = h.ConfirmEmail(h.ctx, nobody, "t1", a.Email)
	h.is(err, gatehouse.ErrNotFound)
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.person("bob@example.test")
	f := h.enrol(a)
	h.key(a, "k1")
	o, err := h.signIn(a.Email, password, f.code())
	h.must(err)
	soon := h.Now().Add(time.Hour)
	_, err = h.IssueReset(h.ctx, nobody, "eve@example.test", "t0", soon)
	h.is(err, gatehouse.ErrNotFound)
	for _, id := range []string{"t1", "t2"} {
		_, err := h.IssueReset(h.ctx, nobody, "Bob@example.test", id, soon)
		h.must(err)
	}
	_, err = h.ResetPassword(h.ctx, nobody, "t1", a.Email, secret(newer)) // only the newest counts
	h.is(err, account.ErrSpent)
	_, err = h.ResetPassword(h.ctx, nobody, "t2", "eve@example.test", secret(newer))
	h.is(err, account.ErrSpent)
	_, err = h.ResetPassword(h.ctx, nobody, "t2", a.Email, secret("weak"))
	if word(err) != "password.requirements" {
		t.Errorf("weak password: %v", err)
	}
	_, err = h.use(nobody, o.ID)
	h.must(err)
	count := together(4, func(int) error {
		_, err := h.ResetPassword(h.ctx, nobody, "t2", a.Email, secret(newer))
		if errors.Is(err, account.ErrSpent) {
			return account.ErrSpent
		}
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 1, account.ErrSpent.Error(): 3}, count); diff != "" {
		t.Error(diff)
	}
	_, err = h.use(nobody, o.ID)
	h.is(err, account.ErrNoSession)
	if got := h.keyState("k1"); got != "active -" {
		t.Errorf("the key is %s", got)
	}
	_, err = h.signIn(a.Email, password, f.code())
	h.is(err, account.ErrCredentials)
	_, err = h.signIn(a.Email, newer, "")
	h.is(err, account.ErrCodeMissing) // a reset is no way around the second factor
	_, err = h.signIn(a.Email, newer, f.code())
	h.must(err)
	_, err = h.IssueReset(h.ctx, nobody, a.Email, "t3", h.Now().Add(time.Hour))
	h.must(err)
	h.Add(time.Hour)
	_, err = h.ResetPassword(h.ctx, nobody, "t3", a.Email, secret(password))
	h.is(err, account.ErrSpent)
	if diff := cmp.Diff([]string{"password.reset succeeded account"}, h.events(a, account.VerbPasswordReset)); diff != "" {
		t.Error(diff)
	}
	if n := len(h.events(a, account.VerbPasswordRequest)); n != 3 {
		t.Errorf("%d requests in the log, want 3", n)
	}
}

func TestTicketsAreGoodForOnePurpose(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, err := h.Register(h.ctx, nobody, registration("bob@example.test"))
	h.must(err)
	b, err := h.Register(h.ctx, nobody, registration("carol@example.test"))
	h.must(err)
	_, err = h.IssueConfirmation(h.ctx, a.Email, "t1", h.Now().Add(time.Hour))
	h.must(err)
	_, err = h.ResetPassword(h.ctx, nobody, "t1", a.Email, secret(newer))
	h.is(err, account.ErrSpent)
	_, err = h.ConfirmEmail(h.ctx, nobody, "t1", b.Email)
	h.is(err, account.ErrSpent)
	_, err = h.ConfirmEmail(h.ctx, nobody, "t1", a.Email)
	h.must(err)
}

func TestSetup(t *testing.T) {
	t.Parallel()
	h := open(t)
	old, err := h.IssueSetup(h.ctx)
	h.must(err)
	token, err := h.IssueSetup(h.ctx)
	h.must(err)
	for _, bad := range []gatehouse.Secret{old, {}, secret("guess")} {
		_, err = h.Setup(h.ctx, nobody, bad, registration("eve@example.test"))
		h.is(err, account.ErrSpent)
	}
	_, err = h.Setup(h.ctx, nobody, token, account.Registration{Email: "admin@example.test", Password: secret("weak")})
	if word(err) != "password.requirements" {
		t.Errorf("weak password: %v", err)
	}
	admins := []string{"a@example.test", "b@example.test", "c@example.test", "d@example.test"}
	count := together(len(admins), func(i int) error {
		_, err := h.Setup(h.ctx, nobody, token, registration(admins[i]))
		if errors.Is(err, account.ErrSpent) {
			return account.ErrSpent
		}
		return err
	})
	if diff := cmp.Diff(map[string]int{"ok": 1, account.ErrSpent.Error(): 3}, count); diff != "" {
		t.Error(diff)
	}
	all, total, err := h.List(h.ctx, account.Query{})
	h.must(err)
	if total != 1 || all[0].Role != "superadmin" || all[0].State != gatehouse.PrincipalActive || all[0].Level != 1 || len(all[0].Labels) != 1 {
		t.Fatalf("%d accounts: %+v", total, all)
	}
	_, err = h.signIn(all[0].Email, password, "")
	h.must(err)
	want := "account.create succeeded operator uid:>" + all[0].UID + " role:>superadmin state:>active"
	if diff := cmp.Diff([]string{want}, h.events(all[0], account.VerbAccountCreate)); diff != "" {
		t.Error(diff)
	}
	_, err = h.IssueSetup(h.ctx)
	h.is(err, gatehouse.ErrExists)
}

func TestSetupTokenExpires(t *testing.T) {
	t.Parallel()
	h := open(t)
	token, err := h.IssueSetup(h.ctx)
	h.must(err)
	h.Add(24 * time.Hour)
	_, err = h.Setup(h.ctx, nobody, token, registration("a@example.test"))
	h.is(err, account.ErrSpent)
}

// A stranger who registers first does not take the administrator's place away.
func TestSetupAfterAStrangerRegistered(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, err := h.Register(h.ctx, nobody, registration("stranger@example.test"))
	h.must(err)
	token, err := h.IssueSetup(h.ctx)
	h.must(err)
	boss := account.NewAccount{Email: "boss@example.test", Role: "superadmin", State: gatehouse.PrincipalActive}
	robot := account.NewAccount{Kind: gatehouse.PrincipalService, Username: "robot1", Role: "superadmin", State: gatehouse.PrincipalActive}
	for _, none := range []account.NewAccount{boss, robot} { // neither can sign in
		_, err = h.CreateAccount(h.ctx, operator, none)
		h.must(err)
		if there, err := h.HasAdministrator(h.ctx); there || err != nil {
			t.Errorf("%s is an administrator: %v", none.Role, err)
		}
	}
	boss.Email, boss.Password = "chief@example.test", registration("").Password
	_, err = h.CreateAccount(h.ctx, operator, boss)
	h.must(err)
	_, err = h.Setup(h.ctx, nobody, token, registration("late@example.test"))
	h.is(err, account.ErrSpent)
	_, err = h.IssueSetup(h.ctx)
	h.is(err, gatehouse.ErrExists)
}

// Registrations from one network are bounded before their passwords are hashed.
func TestRegisterIsThrottled(t *testing.T) {
	t.Parallel()
	h := open(t)
	made := 0
	for i := range 40 {
		_, err := h.Register(h.ctx, nobody, registration(fmt.Sprintf("p%d@example.test", i)))
		var throttled *account.ThrottledError
		switch {
		case err == nil:
			made++
		case !errors.As(err, &throttled) || throttled.RetryAfter <= 0:
			t.Fatal(err)
		}
	}
	if made != 30 {
		t.Errorf("%d accounts, want 30", made)
	}
}

// With registration closed accounts are made by operators, and the first of them by the
// set-up.
func TestRegistrationClosed(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *account.Config) { c.NoRegistration = true })
	there := h.person("there@example.test")
	for _, email := range []string{"bob@example.test", there.Email, "nonsense"} {
		_, err := h.Register(h.ctx, nobody, registration(email))
		h.is(err, gatehouse.ErrForbidden)
	}
	if _, n, err := h.List(h.ctx, account.Query{}); n != 1 || err != nil || h.Registers() {
		t.Errorf("%d accounts, %v, registers: %v", n, err, h.Registers())
	}
	token, err := h.IssueSetup(h.ctx)
	h.must(err)
	_, err = h.Setup(h.ctx, operator, token, registration("first@example.test"))
	h.must(err)
	if !open(t).Registers() {
		t.Error("closed without having been told")
	}
}
