// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

// faulty is what a directory stands on, of which one call fails: the one that finds
// left at zero.
type faulty struct {
	account.Store
	account.SessionStore
	account.TicketStore
	gatehouse.AuditStore
	gatehouse.Sealer
	gatehouse.Limiter
	left int
	done bool // the fault has happened
}

var errFault = errors.New("connection refused")

func (f *faulty) fault() error {
	f.left--
	if f.left == -1 {
		f.done = true
		return gatehouse.Unavailable("store", errFault)
	}
	return nil
}

func (f *faulty) Account(ctx context.Context, tenant string, by account.By, value string) (a account.Account, err error) {
	if err = f.fault(); err == nil {
		a, err = f.Store.Account(ctx, tenant, by, value)
	}
	return a, err
}

func (f *faulty) ListAccounts(ctx context.Context, q account.Query) (as []account.Account, n int, err error) {
	if err = f.fault(); err == nil {
		as, n, err = f.Store.ListAccounts(ctx, q)
	}
	return as, n, err
}

func (f *faulty) InsertAccount(ctx context.Context, a *account.Account, take *account.Ticket, e *gatehouse.Event) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.InsertAccount(ctx, a, take, e)
}

func (f *faulty) UpdateAccount(ctx context.Context, a *account.Account, also account.Effects, e *gatehouse.Event) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.UpdateAccount(ctx, a, also, e)
}

func (f *faulty) UseStep(ctx context.Context, id string, version, step int64) (ok bool, err error) {
	if err = f.fault(); err == nil {
		ok, err = f.Store.UseStep(ctx, id, version, step)
	}
	return ok, err
}

func (f *faulty) UseRecoveryCode(ctx context.Context, id string, hash []byte, e *gatehouse.Event) (ok bool, err error) {
	if err = f.fault(); err == nil {
		ok, err = f.Store.UseRecoveryCode(ctx, id, hash, e)
	}
	return ok, err
}

func (f *faulty) InsertSession(ctx context.Context, s *account.Session, ends []byte, e *gatehouse.Event) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.SessionStore.InsertSession(ctx, s, ends, e)
}

func (f *faulty) Session(ctx context.Context, hash []byte) (s account.Session, a account.Account, err error) {
	if err = f.fault(); err == nil {
		s, a, err = f.SessionStore.Session(ctx, hash)
	}
	return s, a, err
}

func (f *faulty) TouchSession(ctx context.Context, hash []byte, seen, idle time.Time) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.SessionStore.TouchSession(ctx, hash, seen, idle)
}

func (f *faulty) DeleteSession(ctx context.Context, hash []byte, e *gatehouse.Event) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.SessionStore.DeleteSession(ctx, hash, e)
}

func (f *faulty) ListSessions(ctx context.Context, tenant, id string) (s []account.Session, err error) {
	if err = f.fault(); err == nil {
		s, err = f.SessionStore.ListSessions(ctx, tenant, id)
	}
	return s, err
}

func (f *faulty) InsertTicket(ctx context.Context, t *account.Ticket, only bool) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.TicketStore.InsertTicket(ctx, t, only)
}

func (f *faulty) HasTicket(ctx context.Context, t *account.Ticket, now time.Time) (ok bool, err error) {
	if err = f.fault(); err == nil {
		ok, err = f.TicketStore.HasTicket(ctx, t, now)
	}
	return ok, err
}

func (f *faulty) AppendEvent(ctx context.Context, e *gatehouse.Event) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.AuditStore.AppendEvent(ctx, e)
}

func (f *faulty) ListEvents(ctx context.Context, q gatehouse.EventQuery) (es []gatehouse.Event, n int, err error) {
	if err = f.fault(); err == nil {
		es, n, err = f.AuditStore.ListEvents(ctx, q)
	}
	return es, n, err
}

func (f *faulty) Seal(ctx context.Context, b gatehouse.Binding, plaintext []byte) (s gatehouse.Sealed, err error) {
	if f.fault() != nil {
		return s, errFault
	}
	return f.Sealer.Seal(ctx, b, plaintext)
}

func (f *faulty) Open(ctx context.Context, b gatehouse.Binding, s gatehouse.Sealed) ([]byte, error) {
	if f.fault() != nil {
		return nil, errFault
	}
	return f.Sealer.Open(ctx, b, s)
}

// Take admits with an error, which is no admission.
func (f *faulty) Take(ctx context.Context, key string, limits []gatehouse.Limit) (bool, time.Duration, error) {
	if f.fault() != nil {
		return true, 0, errFault
	}
	return f.Limiter.Take(ctx, key, limits)
}

// attemptsAt are ways to use a directory d over h, each on records of its own that h
// makes: the address is another one in every run. want is the answer without a fault.
var attemptsAt = []struct {
	name string
	want error
	run  func(h *house, d *account.Directory, email string) func() error
}{
	{"sign in", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		return func() error { return signInTo(h, d, email, password, "") }
	}},
	{"sign in, wrong password", account.ErrCredentials, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		return func() error { return signInTo(h, d, email, "wrong", "") }
	}},
	{"sign in, unknown", account.ErrCredentials, func(h *house, d *account.Directory, email string) func() error {
		return func() error { return signInTo(h, d, email, "wrong", "") }
	}},
	{"sign in, banned", account.ErrInactive, func(h *house, d *account.Directory, email string) func() error {
		h.must(h.SetState(h.ctx, operator, h.person(email).ID, gatehouse.PrincipalBanned))
		return func() error { return signInTo(h, d, email, password, "") }
	}},
	{"sign in, code", nil, func(h *house, d *account.Directory, email string) func() error {
		code := h.enrol(h.person(email)).code()
		return func() error { return signInTo(h, d, email, password, code) }
	}},
	{"sign in, wrong code", account.ErrCodeInvalid, func(h *house, d *account.Directory, email string) func() error {
		code := h.enrol(h.person(email)).wrong()
		return func() error { return signInTo(h, d, email, password, code) }
	}},
	{"sign in, recovery code", nil, func(h *house, d *account.Directory, email string) func() error {
		code := h.enrol(h.person(email)).recovery[0]
		return func() error { return signInTo(h, d, email, password, code) }
	}},
	{"sign in, strangers' budget spent", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		h.signedIn(email)
		h.exhaust(email)
		return func() error { return signInTo(h, d, email, password, "") }
	}},
	{"check session", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		o := h.signedIn(email)
		h.Add(20 * time.Minute)
		return func() error {
			s, _, err := d.FindSession(h.ctx, o.ID)
			if err == nil {
				_, err = d.CheckSession(h.ctx, nobody, o.ID, s)
			}
			return err
		}
	}},
	{"check dead session", account.ErrSessionMismatch, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		o := h.signedIn(email)
		return func() error { _, err := d.CheckSession(h.ctx, from("198.51.100.1"), o.ID, o.Session); return err }
	}},
	{"sign out", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		o := h.signedIn(email)
		return func() error { return d.SignOut(h.ctx, nobody, o.ID) }
	}},
	{"register", nil, func(h *house, d *account.Directory, email string) func() error {
		friend := h.person("f" + email)
		r := registration(email)
		r.ReferralUID = friend.UID
		return func() error { _, err := d.Register(h.ctx, nobody, r); return err }
	}},
	{"register again", &account.TakenError{Field: "email"}, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		return func() error { _, err := d.Register(h.ctx, nobody, registration(email)); return err }
	}},
	{"service account", nil, func(h *house, d *account.Directory, email string) func() error {
		n := account.NewAccount{Kind: gatehouse.PrincipalService, Owner: h.person(email).ID}
		return func() error { _, err := d.CreateAccount(h.ctx, operator, n); return err }
	}},
	{"confirm", nil, func(h *house, d *account.Directory, email string) func() error {
		_, err := h.Register(h.ctx, nobody, registration(email))
		h.must(err)
		_, err = h.IssueConfirmation(h.ctx, email, email, h.Now().Add(time.Hour))
		h.must(err)
		return func() error { _, err := d.ConfirmEmail(h.ctx, nobody, email, email); return err }
	}},
	{"request confirmation", nil, func(h *house, d *account.Directory, email string) func() error {
		_, err := h.Register(h.ctx, nobody, registration(email))
		h.must(err)
		return func() error { _, err := d.IssueConfirmation(h.ctx, email, email, h.Now()); return err }
	}},
	{"request reset, unknown", gatehouse.ErrNotFound, func(h *house, d *account.Directory, email string) func() error {
		return func() error { _, err := d.IssueReset(h.ctx, nobody, email, email, h.Now()); return err }
	}},
	{"request reset", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		return func() error { _, err := d.IssueReset(h.ctx, nobody, email, email, h.Now()); return err }
	}},
	{"reset", nil, func(h *house, d *account.Directory, email string) func() error {
		h.person(email)
		_, err := h.IssueReset(h.ctx, nobody, email, email, h.Now().Add(time.Hour))
		h.must(err)
		return func() error { _, err := d.ResetPassword(h.ctx, nobody, email, email, secret(newer)); return err }
	}},
	{"change password", nil, func(h *house, d *account.Directory, email string) func() error {
		a := h.person(email)
		return func() error { return d.ChangePassword(h.ctx, self(a), a.ID, secret(password), secret(newer)) }
	}},
	{"begin and enable", nil, func(h *house, d *account.Directory, email string) func() error {
		a := h.person(email)
		f := h.begin(a)
		return func() error {
			_, err := d.EnableOTP(h.ctx, self(a), a.ID, f.code(), gatehouse.Secret{})
			return err
		}
	}},
	{"begin", nil, func(h *house, d *account.Directory, email string) func() error {
		a := h.person(email)
		return func() error { _, err := d.BeginOTP(h.ctx, self(a), a.ID); return err }
	}},
	{"renew recovery codes", nil, func(h *house, d *account.Directory, email string) func() error {
		a := h.person(email)
		f := h.enrol(a)
		return func() error { _, err := d.RenewRecovery(h.ctx, self(a), a.ID, f.code()); return err }
	}},
	{"delete", nil, func(h *house, d *account.Directory, email string) func() error {
		a := h.person(email)
		f := h.enrol(a)
		return func() error { return d.Delete(h.ctx, self(a), a.ID, secret(password), f.code()) }
	}},
}

func signInTo(h *house, d *account.Directory, email, password, code string) error {
	o, err := d.SignIn(h.ctx, nobody, account.SignInRequest{Email: email, Password: secret(password), Code: code})
	if err != nil && (!o.ID.Empty() || o.Session.Hash != nil) {
		h.t.Errorf("a refused sign-in gave a session: %v", err)
	}
	return err
}

// Whatever call of a dependency fails, the answer is that there is none: neither a
// yes nor a no.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range attemptsAt {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			h.begin(h.person("first@example.test")) // the sealer has its data key
			f := &faulty{Store: h.store, SessionStore: h.store, TicketStore: h.store, AuditStore: h.store, Sealer: h.config.Sealer, Limiter: h.config.Limiter}
			c := h.config
			c.Store, c.Sessions, c.Tickets, c.Audit, c.Sealer, c.Limiter = f, f, f, f, f, f
			d, err := account.New(c)
			h.must(err)
			for n := 0; ; n++ {
				h.Add(time.Hour)
				run := tt.run(h, d, string(rune('a'+n))+"@example.test")
				f.left, f.done = n, false
				err := run()
				if !f.done {
					if !errors.Is(err, tt.want) && word(err) != word(tt.want) {
						t.Errorf("without a fault: %v, want %v", err, tt.want)
					}
					if n == 0 {
						t.Error("no call was made")
					}
					return
				}
				if !errors.Is(err, gatehouse.ErrUnavailable) {
					t.Errorf("call %d fails: %v", n, err)
				}
			}
		})
	}
}

// An address without an account costs as many calls as one that has it.
func TestUnknownAddressesCostTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := &faulty{Store: h.store, SessionStore: h.store, TicketStore: h.store, AuditStore: h.store, Sealer: h.config.Sealer, Limiter: h.config.Limiter}
	c := h.config
	c.Store, c.Sessions, c.Tickets, c.Audit, c.Sealer, c.Limiter = f, f, f, f, f, f
	d, err := account.New(c)
	h.must(err)
	h.person("active@example.test")
	_, err = h.Register(h.ctx, nobody, registration("pending@example.test"))
	h.must(err)
	soon := h.Now().Add(time.Hour)
	for name, run := range map[string]func(email string){
		"sign-in": func(email string) { h.is(signInTo(h, d, email, "wrong", ""), account.ErrCredentials) },
		"reset":   func(email string) { _, _ = d.IssueReset(h.ctx, nobody, email, "r"+email, soon) },
		"confirm": func(email string) { _, _ = d.IssueConfirmation(h.ctx, email, "c"+email, soon) },
	} {
		calls := map[string]int{}
		for _, email := range []string{"active@example.test", "pending@example.test", "unknown@example.test"} {
			f.left = 1000 // no fault
			run(email)
			calls[email] = 1000 - f.left
		}
		n := calls["unknown@example.test"]
		if n < 2 || calls["active@example.test"] != n || calls["pending@example.test"] != n {
			t.Errorf("%s: %v", name, calls)
		}
	}
}
