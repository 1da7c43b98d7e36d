// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/seed14544106/gatehouse"
)

const (
	sessionIDBytes = 16 // 128 random bits, 32 hex digits
	csrfBytes      = 10
	// A session's Seen is written down when it is older than this part of Idle.
	touchPart = 20
	// So many sessions of an account are kept, with those that have expired and are not
	// purged yet, and so many are ended by one sign-in at most, which must stay fast.
	maxSessions, endAtOnce = 100, 10
	// Within what part of the address it was opened from a session may be used.
	sessionBits4, sessionBits6 = 16, 96
)

// sessionHash returns what is stored of a session id. ok is false for what is no id:
// anything but 32 lower-case hex digits.
func sessionHash(id gatehouse.Secret) (hash []byte, ok bool) {
	text := id.Reveal()
	if len(text) != 2*sessionIDBytes {
		return nil, false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return nil, false
		}
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:], true
}

// expired reports whether a session is dead at now.
func (s *Session) expired(now time.Time) bool { return !now.Before(s.Idle) || !now.Before(s.Expires) }

// FindSession reads a session by its id, and the account behind it. It judges nothing:
// [Directory.CheckSession] says whether the session may be used, the account's state
// whether its holder may act. [ErrNoSession].
func (d *Directory) FindSession(ctx context.Context, id gatehouse.Secret) (Session, Account, error) {
	hash, ok := sessionHash(id)
	if !ok {
		return Session{}, Account{}, ErrNoSession
	}
	s, a, err := d.c.Sessions.Session(ctx, hash)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound), err == nil && s.Tenant != d.c.Tenant:
		return Session{}, Account{}, ErrNoSession
	case err != nil:
		return Session{}, Account{}, fmt.Errorf("read session: %w", err)
	}
	return s, a, nil
}

// CheckSession judges the session s, as FindSession read it by id, for a request from
// actor's address and user agent. It must not have expired, the user agent must be the
// one it was opened with, and the address must lie in the same IPv4 /16 or IPv6 /96;
// otherwise the session is ended: [ErrSessionMismatch]. [ErrNoSession] when s is not
// the session of id.
//
// A session that fits is used by this: it lives for Idle from now on, never longer
// than Absolute from its beginning. That is written down when the last writing is more
// than a twentieth of Idle ago, so an unused session may die so much earlier. The
// result is s as it is now.
func (d *Directory) CheckSession(ctx context.Context, actor gatehouse.Actor, id gatehouse.Secret, s Session) (Session, error) {
	hash, ok := sessionHash(id)
	if !ok || subtle.ConstantTimeCompare(hash, s.Hash) != 1 || s.Tenant != d.c.Tenant {
		return Session{}, ErrNoSession
	}
	now := d.now()
	var problem string
	switch {
	case s.expired(now):
		problem = "expired"
	case keptAgent(actor.UserAgent) != s.UserAgent:
		problem = "user_agent"
	case !sameNetwork(s.Address, actor.Address):
		problem = "network"
	}
	if problem != "" {
		// Whoever asked has not shown to be the holder: it is the process that ends it.
		system := gatehouse.Actor{Kind: gatehouse.ActorSystem, Tenant: d.c.Tenant, Address: actor.Address, UserAgent: actor.UserAgent}
		if err := d.end(ctx, system, s.Account, hash, problem); err != nil && !errors.Is(err, ErrNoSession) {
			return Session{}, err
		}
		return Session{}, ErrSessionMismatch
	}
	if now.Sub(s.Seen) >= d.c.Idle/touchPart {
		idle := earlier(now.Add(d.c.Idle), s.Expires)
		if err := d.c.Sessions.TouchSession(ctx, hash, now, idle); err != nil {
			return Session{}, fmt.Errorf("touch session: %w", err)
		}
		s.Seen, s.Idle = now, idle
	}
	return s, nil
}

// SignOut ends the session of an id. [ErrNoSession].
func (d *Directory) SignOut(ctx context.Context, actor gatehouse.Actor, id gatehouse.Secret) error {
	actor, err := d.admit(actor)
	if err != nil {
		return err
	}
	s, a, err := d.FindSession(ctx, id)
	if err != nil {
		return err
	}
	return d.end(ctx, as(actor, &a), s.Account, s.Hash, "")
}

// EndSessions ends the sessions of an account, but for the one whose id is keep (empty:
// all of them). gatehouse.ErrNotFound.
func (d *Directory) EndSessions(ctx context.Context, actor gatehouse.Actor, accountID string, keep gatehouse.Secret) error {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return err
	}
	kept, _ := sessionHash(keep)
	_, err = d.update(ctx, accountID, func(a *Account) (Effects, *gatehouse.Event, error) {
		return Effects{EndSessions: true, KeepSession: kept}, d.succeeded(actor, VerbSessionEndAll, a.ID), nil
	})
	return err
}

// Sessions reads the sessions of an account that have not expired, newest first.
// gatehouse.ErrNotFound for the account of another.
func (d *Directory) Sessions(ctx context.Context, actor gatehouse.Actor, accountID string) ([]Session, error) {
	if _, err := d.admitTo(actor, accountID); err != nil {
		return nil, err
	}
	sessions, err := d.c.Sessions.ListSessions(ctx, d.c.Tenant, accountID)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	now := d.now()
	return slices.DeleteFunc(sessions, func(s Session) bool { return s.expired(now) }), nil
}

// EndSession ends one session of an account, as [Directory.Sessions] lists it, by its hash.
// gatehouse.ErrNotFound for the account of another; [ErrNoSession], also for a session of
// another account.
func (d *Directory) EndSession(ctx context.Context, actor gatehouse.Actor, accountID string, hash []byte) error {
	actor, err := d.admitTo(actor, accountID)
	if err != nil {
		return err
	}
	s, _, err := d.c.Sessions.Session(ctx, hash)
	switch {
	case errors.Is(err, gatehouse.ErrNotFound), err == nil && (s.Tenant != d.c.Tenant || s.Account != accountID):
		return ErrNoSession
	case err != nil:
		return fmt.Errorf("read session: %w", err)
	}
	return d.end(ctx, actor, accountID, hash, "")
}

// end deletes a session. ErrNoSession when it has ended already.
func (d *Directory) end(ctx context.Context, actor gatehouse.Actor, accountID string, hash []byte, reason string) error {
	var changes []gatehouse.Change
	if reason != "" {
		changes = append(changes, gatehouse.Change{Field: "reason", After: reason})
	}
	err := d.c.Sessions.DeleteSession(ctx, hash, d.succeeded(actor, VerbSessionDelete, accountID, changes...))
	switch {
	case errors.Is(err, gatehouse.ErrNotFound):
		return ErrNoSession
	case err != nil:
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// maxAgent is how long a user agent may be to be kept as it is, in bytes.
const maxAgent = 512

// keptAgent is a user agent as a session keeps it: as it was sent, or its hash where it
// is long.
func keptAgent(sent string) string {
	if len(sent) <= maxAgent {
		return sent
	}
	sum := sha256.Sum256([]byte(sent))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// sameNetwork reports whether an address is near enough to the one a session was
// opened from. A client without an address fits a session without one only.
func sameNetwork(opened string, now netip.Addr) bool {
	now = now.Unmap().WithZone("")
	if opened == "" || !now.IsValid() {
		return opened == "" && !now.IsValid()
	}
	then, err := netip.ParseAddr(opened)
	if err != nil {
		return false
	}
	then = then.Unmap().WithZone("")
	bits := sessionBits4
	if then.Is6() {
		bits = sessionBits6
	}
	prefix, err := then.Prefix(bits)
	return err == nil && prefix.Contains(now)
}

// addressText is an address as a session keeps it; empty when it is not known.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
