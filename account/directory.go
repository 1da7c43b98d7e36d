// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
)

// The verbs of the events that a [Directory] writes. Their subject is an account id.
const (
	VerbSessionCreate   = "session.create"  // change "factor": the second factor that was asked for
	VerbSessionDelete   = "session.delete"  // change "reason": why, where the holder did not ask for it
	VerbSessionEndAll   = "session.end_all" // all but one, perhaps
	VerbOTPBegin        = "otp.begin"
	VerbOTPEnable       = "otp.enable"
	VerbOTPDisable      = "otp.disable"
	VerbOTPVerify       = "otp.verify" // refused ones only
	VerbOTPReset        = "otp.reset"
	VerbStepUp          = "stepup.verify" // refused ones only
	VerbRecoveryUse     = "recovery.use"  // one recovery code is spent
	VerbRecoveryRenew   = "recovery.renew"
	VerbPasswordChange  = "password.change"
	VerbPasswordConfirm = "password.confirm" // refused ones only
	VerbPasswordRequest = "password.request"
	VerbPasswordReset   = "password.reset"
	VerbPasswordRehash  = "password.rehash" // same password, new cost
	VerbAccountCreate   = "account.create"
	VerbAccountConfirm  = "account.confirm"
	VerbAccountUpdate   = "account.update"
	VerbAccountState    = "account.state"
	VerbAccountLimits   = "account.limits"
	VerbAccountRole     = "account.role" // role, level or both
	VerbAccountDelete   = "account.delete"
	VerbLabelSet        = "label.set"
	VerbLabelDelete     = "label.delete"
)

// Config says what a [Directory] stands on. The interfaces, Hasher, Policy and
// Pepper are required; every other zero field takes its default.
type Config struct {
	Store    Store
	Sessions SessionStore
	Tickets  TicketStore
	Audit    gatehouse.AuditStore
	Sealer   gatehouse.Sealer
	Limiter  gatehouse.Limiter // not the one of the keys: any stranger can fill its memory
	Codes    gatehouse.Limiter // of second factors, which only accounts can touch; default Limiter
	Hasher   *Hasher
	Policy   *CompiledPolicy
	Pepper   []byte // keys the hashes of recovery codes; at least 16 bytes

	Issuer    string        // the name that authenticator apps show; default "Gatehouse"
	Domain    string        // of the addresses made up for service accounts; default "localhost"
	UIDPrefix string        // of people's uids, 2 to 6 letters, used in upper case; default "ID"
	Idle      time.Duration // a session dies when unused for so long; default 30 minutes
	Absolute  time.Duration // and so long after it began in any case; default 12 hours

	// NoRegistration: nobody can register, operators make the accounts. The first
	// administrator is set up all the same.
	NoRegistration bool

	// Activation holds the private labels, by key, that an account needs to be active;
	// nil: {"email": "verified"}. Empty: accounts are active from the start.
	Activation map[string]string
	// Levels holds the private labels (Key and Value count) that lead from level to
	// level, beginning with level 1; nil: email, phone and document, each "verified".
	Levels []Label

	DefaultRole string           // of new accounts; default "member"
	Tenant      string           // whose accounts these are; default [gatehouse.DefaultTenant]
	Now         func() time.Time // default [time.Now]
}

// Directory holds the verbs on accounts and sessions of one tenant. Make it with
// [New]. It is safe for concurrent use.
//
// Every verb that changes takes the actor that wants it. An actor of the kind account
// reaches its own account only; the account of another is [gatehouse.ErrNotFound] to
// it. Operators, the system and actors that reach everyone reach all. A door that lets an administrator act passes
// the kind operator with the administrator's account id. The zero kind and another
// tenant's actors are [gatehouse.ErrForbidden].
//
// Errors that a verb does not name wrap [gatehouse.ErrUnavailable]; also named by
// none: [gatehouse.ErrConflict], where others change the same account all the time, and as
// [ErrLastAdministrator].
type Directory struct {
	c     Config
	uid   func() string                         // ten random upper-case hex digits
	judge func(context.Context, *Account) error // see Judging; nil: nothing is asked
}

const (
	pepperLeast = 16 // bytes
	updateTries = 8  // of a read-modify-write that others disturb
)

// New returns a Directory. It fails, in words, on a missing or senseless field.
func New(c Config) (*Directory, error) {
	for name, missing := range map[string]bool{
		"store": c.Store == nil, "session store": c.Sessions == nil, "ticket store": c.Tickets == nil,
		"audit store": c.Audit == nil, "sealer": c.Sealer == nil, "limiter": c.Limiter == nil,
		"hasher": c.Hasher == nil, "password policy": c.Policy == nil,
		"pepper of 16 bytes": len(c.Pepper) < pepperLeast,
	} {
		if missing {
			return nil, fmt.Errorf("account directory: no %s", name)
		}
	}
	c = c.withDefaults()
	if len(c.UIDPrefix) < 2 || len(c.UIDPrefix) > 6 || strings.Trim(c.UIDPrefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, errors.New("account directory: the uid prefix is not 2 to 6 letters")
	}
	if c.Idle < 0 || c.Absolute < 0 {
		return nil, errors.New("account directory: a session limit is negative")
	}
	if _, ok := canonicalEmail("a@" + c.Domain); !ok {
		return nil, errors.New("account directory: the domain is not one of e-mail addresses")
	}
	return &Directory{c: c, uid: func() string { return strings.ToUpper(randomHex(5)) }}, nil
}

func (c Config) withDefaults() Config {
	text := func(field *string, fallback string) {
		if *field == "" {
			*field = fallback
		}
	}
	text(&c.Issuer, "Gatehouse")
	text(&c.Domain, "localhost")
	text(&c.UIDPrefix, "ID")
	text(&c.DefaultRole, "member")
	text(&c.Tenant, gatehouse.DefaultTenant)
	c.UIDPrefix = strings.ToUpper(c.UIDPrefix)
	if c.Idle == 0 {
		c.Idle = 30 * time.Minute
	}
	if c.Absolute == 0 {
		c.Absolute = 12 * time.Hour
	}
	if c.Activation == nil {
		c.Activation = map[string]string{"email": "verified"}
	}
	if c.Levels == nil {
		c.Levels = []Label{{Key: "email", Value: "verified"}, {Key: "phone", Value: "verified"}, {Key: "document", Value: "verified"}}
	}
	if c.Codes == nil {
		c.Codes = c.Limiter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// In returns the directory of another tenant, on the same parts.
func (d *Directory) In(tenant string) *Directory {
	other := *d
	other.c.Tenant = tenant
	return &other
}

// Judging returns a directory whose updates of accounts ask judge first, about the account as it
// is in the very version that the update replaces; its error ends the update. It is for callers
// who look at an account before they change it: it may be another one by then.
func (d *Directory) Judging(judge func(context.Context, *Account) error) *Directory {
	other := *d
	other.judge = judge
	return &other
}

// now is the current time in the precision that stores keep.
func (d *Directory) now() time.Time { return d.c.Now().UTC().Truncate(time.Microsecond) }

// randomHex returns n random bytes as lower-case hex.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return hex.EncodeToString(b)
}

// admit lets an actor of this tenant in and completes it for the audit log. Who has no
// id may leave the tenant out: only the directory knows it.
func (d *Directory) admit(actor gatehouse.Actor) (gatehouse.Actor, error) {
	if actor.Tenant == "" && actor.ID == "" {
		actor.Tenant = d.c.Tenant
	}
	if actor.Kind == gatehouse.ActorInvalid || actor.Tenant != d.c.Tenant {
		return actor, gatehouse.ErrForbidden
	}
	actor.Address = actor.Address.Unmap().WithZone("")
	return actor, nil
}

// admitTo lets an actor in that may touch the account.
func (d *Directory) admitTo(actor gatehouse.Actor, accountID string) (gatehouse.Actor, error) {
	actor, err := d.admit(actor)
	switch {
	case err != nil:
		return actor, err
	case manages(actor), actor.Kind == gatehouse.ActorAccount && actor.ID == accountID:
		return actor, nil
	}
	return actor, gatehouse.ErrNotFound
}

// admitManager lets an actor in that may touch every account.
func (d *Directory) admitManager(actor gatehouse.Actor) (gatehouse.Actor, error) {
	actor, err := d.admit(actor)
	if err == nil && !manages(actor) {
		err = gatehouse.ErrForbidden
	}
	return actor, err
}

func manages(a gatehouse.Actor) bool {
	return a.Kind == gatehouse.ActorOperator || a.Kind == gatehouse.ActorSystem ||
		a.Everyone && (a.Kind == gatehouse.ActorAccount || a.Kind == gatehouse.ActorKey)
}

// as is the actor once it has proven to be the holder of the account.
func as(actor gatehouse.Actor, a *Account) gatehouse.Actor {
	if actor.Kind == gatehouse.ActorNobody {
		actor.Kind, actor.ID = gatehouse.ActorAccount, a.ID
	}
	return actor
}

func (d *Directory) event(actor gatehouse.Actor, verb, accountID string, outcome gatehouse.Outcome, changes ...gatehouse.Change) *gatehouse.Event {
	return gatehouse.NewEvent(actor, d.now(), verb, accountID, outcome, changes...)
}

// succeeded is the event of a change.
func (d *Directory) succeeded(actor gatehouse.Actor, verb, accountID string, changes ...gatehouse.Change) *gatehouse.Event {
	return d.event(actor, verb, accountID, gatehouse.OutcomeSucceeded, changes...)
}

// refuse writes the event of a refused attempt down and returns refusal, or why it
// could not be written.
func (d *Directory) refuse(ctx context.Context, actor gatehouse.Actor, verb, accountID string, outcome gatehouse.Outcome, refusal error, changes ...gatehouse.Change) error {
	if err := d.c.Audit.AppendEvent(ctx, d.event(actor, verb, accountID, outcome, changes...)); err != nil {
		return fmt.Errorf("record refusal: %w", err)
	}
	return refusal
}

// account reads an account by id.
func (d *Directory) account(ctx context.Context, id string) (Account, error) {
	return d.c.Store.Account(ctx, d.c.Tenant, ByID, id)
}

// person reads the account of a person by a canonical address. gatehouse.ErrNotFound,
// also for a service account: nobody signs in as one.
func (d *Directory) person(ctx context.Context, email string) (Account, error) {
	a, err := d.c.Store.Account(ctx, d.c.Tenant, ByEmail, email)
	if err == nil && a.Kind != gatehouse.PrincipalAccount {
		return Account{}, gatehouse.ErrNotFound
	}
	return a, err
}

// update reads the account, lets change alter it, and writes it with the effects and
// the one event that change returns. Where others changed the account meanwhile it
// begins again. An error of change ends it and is returned as it is.
func (d *Directory) update(ctx context.Context, id string, change func(*Account) (Effects, *gatehouse.Event, error)) (Account, error) {
	for range updateTries {
		a, err := d.account(ctx, id)
		if err != nil {
			return Account{}, fmt.Errorf("read account: %w", err)
		}
		before := a
		if d.judge != nil {
			if err := d.judge(ctx, &before); err != nil {
				return Account{}, err
			}
		}
		also, event, err := change(&a)
		if err != nil {
			return Account{}, err
		}
		also.KeepAdministrator = stepsDown(&before, &a) && !onMachine(event.Actor)
		a.Updated = event.Time
		err = d.c.Store.UpdateAccount(ctx, &a, also, event)
		if err == nil {
			a.Version++
			return a, nil
		}
		if !errors.Is(err, gatehouse.ErrConflict) || errors.Is(err, ErrLastAdministrator) {
			return Account{}, fmt.Errorf("update account: %w", err)
		}
	}
	return Account{}, fmt.Errorf("update account: %w", gatehouse.ErrConflict)
}
