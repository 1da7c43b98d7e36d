// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

// SignInRequest is what a person presents to sign in.
type SignInRequest struct {
	Email    string
	Password gatehouse.Secret
	Code     string           // TOTP code or recovery code; empty: none
	Previous gatehouse.Secret // id of the session that the client held, if any; it ends
}

// Opened is a new session, the account behind it, and the id that only the client
// keeps: the cookie's value, 32 lower-case hex digits.
type Opened struct {
	Account Account
	Session Session
	ID      gatehouse.Secret
}

// SignIn opens a session for who knows the password and, where it is on, proves the
// second factor. The order is fixed: look up, throttle, password, state, code. Nothing
// about an account is told before the password was right, and an unknown address costs
// the same work as a wrong password.
//
// Errors: *[ThrottledError], [ErrCredentials], [ErrInactive] as *[StateError],
// [ErrCodeMissing], [ErrCodeInvalid], [ErrCodeUsed]; gatehouse.ErrConflict where the
// account changed under the sign-in. Refused attempts on an existing account leave an
// event, but for a missing code and a throttled attempt.
func (d *Directory) SignIn(ctx context.Context, actor gatehouse.Actor, r SignInRequest) (Opened, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Opened{}, err
	}
	a, try, rehash, err := d.provePassword(ctx, actor, VerbSessionCreate, r.Email, r.Password)
	if err != nil {
		return Opened{}, err
	}
	opened, err := d.issue(ctx, actor, &a, r.Code, r.Previous)
	if err == nil || errors.Is(err, ErrCodeMissing) {
		try.giveBack(ctx)
	}
	if err == nil && rehash {
		d.rehash(ctx, actor.Address, &opened.Account, r.Password)
	}
	return opened, err
}

// OpenSession opens a session for an account that its holder has just made or
// confirmed: the caller vouches for that. It is no way around a second factor.
//
// Errors: gatehouse.ErrNotFound, [ErrInactive], [ErrCodeMissing] where the second
// factor is on, gatehouse.ErrForbidden for a service account.
func (d *Directory) OpenSession(ctx context.Context, actor gatehouse.Actor, accountID string, previous gatehouse.Secret) (Opened, error) {
	actor, err := d.admit(actor)
	if err != nil {
		return Opened{}, err
	}
	a, err := d.account(ctx, accountID)
	if err != nil {
		return Opened{}, fmt.Errorf("read account: %w", err)
	}
	return d.issue(ctx, actor, &a, "", previous)
}

// issue is the one place where sessions begin. Its caller has seen the account's first
// factor; issue judges the state, demands the second factor where it is on, and stores
// a session under a fresh id. The previous one ends in the same transaction.
func (d *Directory) issue(ctx context.Context, actor gatehouse.Actor, a *Account, code string, previous gatehouse.Secret) (Opened, error) {
	if a.Kind != gatehouse.PrincipalAccount {
		return Opened{}, gatehouse.ErrForbidden
	}
	if !a.State.MayAct() {
		return Opened{}, d.refuse(ctx, actor, VerbSessionCreate, a.ID, gatehouse.OutcomeDenied,
			&StateError{State: a.State}, gatehouse.Change{Field: "state", After: string(a.State)})
	}
	var changes []gatehouse.Change
	if a.OTP {
		factor, err := d.proveCode(ctx, actor, VerbSessionCreate, a, code)
		if err != nil {
			return Opened{}, err
		}
		changes = append(changes, gatehouse.Change{Field: "factor", After: factor})
	}
	ends, _ := sessionHash(previous)
	if err := d.makeRoom(ctx, a.ID, ends); err != nil {
		return Opened{}, err
	}
	s, id := d.newSession(actor, a)
	if err := d.c.Sessions.InsertSession(ctx, &s, ends, d.succeeded(as(actor, a), VerbSessionCreate, a.ID, changes...)); err != nil {
		return Opened{}, fmt.Errorf("open session: %w", err)
	}
	if err := d.stillProven(ctx, a, s.Hash); err != nil {
		return Opened{}, err
	}
	return Opened{Account: *a, Session: s, ID: id}, nil
}

// newSession is a session of the account for who asks from actor's address and user agent.
func (d *Directory) newSession(actor gatehouse.Actor, a *Account) (Session, gatehouse.Secret) {
	id := gatehouse.NewSecret(randomHex(sessionIDBytes))
	hash, _ := sessionHash(id)
	now := d.now()
	return Session{
		Hash: hash, Tenant: a.Tenant, Account: a.ID, CSRF: randomHex(csrfBytes),
		Address: addressText(actor.Address), UserAgent: keptAgent(actor.UserAgent), Factor: a.OTP,
		Created: now, Seen: now, Idle: earlier(now.Add(d.c.Idle), now.Add(d.c.Absolute)), Expires: now.Add(d.c.Absolute),
	}, id
}

// makeRoom ends sessions of an account that has as many as it may have, so that one more
// fits: first those that have expired, then the oldest. ends is the hash of one that ends
// in any case. Sign-ins at one time may pass it together; the next ones make up for that.
func (d *Directory) makeRoom(ctx context.Context, accountID string, ends []byte) error {
	sessions, err := d.c.Sessions.ListSessions(ctx, d.c.Tenant, accountID)
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	sessions = slices.DeleteFunc(sessions, func(s Session) bool { return bytes.Equal(s.Hash, ends) })
	if len(sessions) < maxSessions {
		return nil
	}
	now := d.now()
	live := slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool { return s.expired(now) })
	dead := slices.DeleteFunc(sessions, func(s Session) bool { return !s.expired(now) })
	over := slices.Concat(live, dead)[maxSessions-1:]
	system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: d.c.Tenant}
	for _, s := range over[max(0, len(over)-endAtOnce):] {
		reason := "too_many"
		if s.expired(now) {
			reason = "expired"
		}
		if err := d.end(ctx, system, accountID, s.Hash, reason); err != nil && !errors.Is(err, ErrNoSession) {
			return err
		}
	}
	return nil
}

// stillProven takes a session back whose account changed between the proof and the
// session: a reset password, a second factor or a ban must not be outrun by a sign-in
// that began before. A change that comes later finds the session and ends it itself.
func (d *Directory) stillProven(ctx context.Context, proven *Account, hash []byte) error {
	_, a, err := d.c.Sessions.Session(ctx, hash)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound):
		return gatehouse.ErrConflict
	case err != nil:
		return fmt.Errorf("read session: %w", err)
	case a.State.MayAct() && a.PasswordHash == proven.PasswordHash && a.OTP == proven.OTP && (!a.OTP || a.TOTPVersion == proven.TOTPVersion):
		return nil
	}
	err = d.end(ctx, gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: d.c.Tenant}, a.ID, hash, "account_changed")
	if err != nil && !errors.Is(err, ErrNoSession) {
		return err
	}
	return gatehouse.ErrConflict
}

// provePassword is the one check of passwords. It returns the account behind the
// address and the attempt, which the caller gives back when everything was right.
// *ThrottledError; ErrCredentials, with an event of the verb where there is an account.
func (d *Directory) provePassword(ctx context.Context, actor gatehouse.Actor, verb, address string, password gatehouse.Secret) (a Account, try attempt, rehash bool, err error) {
	email, ok := canonicalEmail(address)
	if !ok || len(password.Reveal()) > MaxPasswordBytes {
		// What is no address is nobody's, and no account has such a password, as anyone can
		// see. It must not be a cheap way to everything behind.
		return a, try, false, ErrCredentials
	}
	if a, err = d.person(ctx, email); err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
		return a, try, false, fmt.Errorf("look up account: %w", err)
	}
	if try, err = d.reservePassword(ctx, actor.Address, email, &a); err != nil {
		return a, try, false, err
	}
	ok, rehash, err = d.matches(ctx, actor.Address, &a, password)
	switch {
	case err != nil:
		try.giveBack(ctx) // nothing was judged
		return a, try, false, gatehouse.Unavailable("check password", err)
	case ok:
		return a, try, rehash, nil
	case a.ID == "":
		if err = d.storeDecoy(ctx, 1); err == nil {
			err = ErrCredentials
		}
		return a, try, false, err
	}
	return a, try, false, d.refuse(ctx, actor, verb, a.ID, gatehouse.OutcomeFailed, ErrCredentials)
}

// matches compares a password with the account's. Where there is no account or no
// password it does the same work for nothing.
func (d *Directory) matches(ctx context.Context, from netip.Addr, a *Account, password gatehouse.Secret) (ok, rehash bool, err error) {
	if a.PasswordHash == "" {
		err = d.c.Hasher.VerifyNone(ctx, from, password.Reveal())
	} else {
		ok, rehash, err = d.c.Hasher.Verify(ctx, from, a.PasswordHash, password.Reveal())
	}
	if errors.Is(err, ErrPasswordTooLong) {
		return false, false, nil // no account has such a password
	}
	return ok, rehash, err
}

// storeDecoy stores something worthless in place of n things that are stored for an
// existing account. A store that syncs takes its time, and that must not tell which
// addresses have an account. The tickets that it stores replace each other.
func (d *Directory) storeDecoy(ctx context.Context, n int) error {
	for range n {
		t := Ticket{Tenant: d.c.Tenant, Purpose: "decoy", ID: randomHex(sessionIDBytes), Expires: d.now()}
		if err := d.c.Tickets.InsertTicket(ctx, &t, true); err != nil {
			return fmt.Errorf("store decoy: %w", err)
		}
	}
	return nil
}

// rehash stores the password under the current cost. When it cannot, the next sign-in
// tries again.
func (d *Directory) rehash(ctx context.Context, from netip.Addr, a *Account, password gatehouse.Secret) {
	old := a.PasswordHash
	fresh, err := d.c.Hasher.Hash(ctx, from, password.Reveal())
	if err != nil {
		return
	}
	system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: d.c.Tenant}
	updated, err := d.update(ctx, a.ID, func(a *Account) (Effects, *gatehouse.Event, error) {
		if a.PasswordHash != old {
			return Effects{}, nil, gatehouse.ErrConflict // a newer password, or a rehash of it
		}
		a.PasswordHash = fresh
		return Effects{}, d.succeeded(system, VerbPasswordRehash, a.ID), nil
	})
	if err == nil {
		*a = updated
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
