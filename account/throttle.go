// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed14544106/gatehouse"
)

// How guessing is slowed down without letting a stranger lock the holder out.
//
// An attempt is taken from its budgets before anything is checked, so that parallel
// guesses cannot outrun the count, and given back when it was right. The budgets live
// in the Limiter and are never rolled back with a transaction of the store. A network
// is one IPv4 address or one IPv6 /64.
//
//	password  per address and network   10 in 10 minutes and 100 in 24 hours
//	          per network               100 in 10 minutes, over all addresses
//	          per address               100 in 24 hours, over all strange networks
//	code      per account               10 in 10 minutes and 100 in 24 hours, everywhere
//	recovery  per account and network   10 in 10 minutes and 100 in 24 hours
//	          per account               10,000 in 24 hours, everywhere
//	account   per network               30 new ones in 10 minutes and 200 in 24 hours
//
// The third stops guesses from many networks (NIST SP 800-63B: at most 100 in a row)
// and is the only one that many strangers can use up together. It does not bind a
// network from which the account was signed in to during the last 30 days: there
// the holder still gets in, under the first two.
//
// The first and the third count guesses at one password: a new one is another thing to
// guess. So who has reset the password by a mailed link can sign in with it at once,
// whatever others spent before, on every node.
//
// The budgets of codes can be touched only with the right password or a session. A thief
// of either can spend that of the app's codes. It is not that of recovery codes, and what
// one network spends of those leaves the other networks theirs: the holder gets in. Their
// last budget bounds the work, not the odds: a recovery code has 120 random bits and an
// account ten of them, so 10,000 guesses a day over a hundred years (2^28.5) hit one with a
// chance of 2^-88. To spend it takes a session and a hundred networks within the /16 that
// the session is bound to; who has the password alone is stopped at a hundred by the third.
//
// Unknown addresses have the same budgets as known ones. Keys hold a hash of the
// address, made of its one canonical spelling.

const familiarFor = 30 * 24 * time.Hour

var (
	guessLimits = []gatehouse.Limit{
		{Name: "short", Count: 10, Period: 10 * time.Minute, Burst: 10},
		{Name: "day", Count: 100, Period: 24 * time.Hour, Burst: 100},
	}
	networkLimits  = []gatehouse.Limit{{Name: "network", Count: 100, Period: 10 * time.Minute, Burst: 100}}
	registerLimits = []gatehouse.Limit{
		{Name: "short", Count: 30, Period: 10 * time.Minute, Burst: 30},
		{Name: "day", Count: 200, Period: 24 * time.Hour, Burst: 200},
	}
	strangerLimits = []gatehouse.Limit{{Name: "strangers", Count: 100, Period: 24 * time.Hour, Burst: 100}}
	recoveryLimits = []gatehouse.Limit{{Name: "everywhere", Count: 10_000, Period: 24 * time.Hour, Burst: 10_000}}
)

// budget is a limiter key and what it allows.
type budget struct {
	key    string
	limits []gatehouse.Limit
}

// attempt is what a guess was charged to.
type attempt struct {
	limiter gatehouse.Limiter
	charged []budget
}

// charge takes the attempt from b. *ThrottledError.
func (t *attempt) charge(ctx context.Context, b budget) error {
	ok, after, err := t.limiter.Take(ctx, b.key, b.limits)
	if err != nil {
		return gatehouse.Unavailable("throttle", err)
	}
	if !ok {
		return &ThrottledError{RetryAfter: after}
	}
	t.charged = append(t.charged, b)
	return nil
}

// giveBack undoes the charges. A failure leaves the throttle stricter than it should
// be, which is no reason to refuse who was right.
func (t *attempt) giveBack(ctx context.Context) {
	for _, b := range t.charged {
		_ = t.limiter.Refund(context.WithoutCancel(ctx), b.key, b.limits)
	}
	t.charged = nil
}

// reservePassword charges an attempt on the password of a, which is the account behind a
// canonical address; the zero account: there is none. *ThrottledError.
func (d *Directory) reservePassword(ctx context.Context, from netip.Addr, email string, a *Account) (attempt, error) {
	who, where := d.c.Tenant+":"+guessed(email, a.PasswordHash), network(from)
	try := attempt{limiter: d.c.Limiter}
	err := try.charge(ctx, budget{"account:network:" + d.c.Tenant + ":" + where, networkLimits})
	if err == nil {
		err = try.charge(ctx, budget{"account:password:" + who + ":" + where, guessLimits})
	}
	if err == nil {
		err = try.charge(ctx, budget{"account:strangers:" + who, strangerLimits})
		if throttled := new(ThrottledError); errors.As(err, &throttled) {
			err = d.unlessFamiliar(ctx, a, where, throttled)
		}
	}
	if err != nil {
		try.giveBack(ctx)
		return attempt{}, err
	}
	return try, nil
}

// reserveAccount charges a registration to the network it comes from. *ThrottledError.
func (d *Directory) reserveAccount(ctx context.Context, from netip.Addr) error {
	try := attempt{limiter: d.c.Limiter}
	return try.charge(ctx, budget{"account:register:" + d.c.Tenant + ":" + network(from), registerLimits})
}

// reserveCode charges an attempt on the second factor of the account, with a code of the
// factor. *ThrottledError.
func (d *Directory) reserveCode(ctx context.Context, from netip.Addr, accountID, factor string) (attempt, error) {
	try, who := attempt{limiter: d.c.Codes}, d.c.Tenant+":"+accountID
	if factor == factorTOTP {
		err := try.charge(ctx, budget{"account:code:" + who, guessLimits})
		return try, err
	}
	err := try.charge(ctx, budget{"account:recovery:" + who + ":" + network(from), guessLimits})
	if err == nil {
		err = try.charge(ctx, budget{"account:recovery:" + who, recoveryLimits})
	}
	if err != nil {
		try.giveBack(ctx)
	}
	return try, err
}

// unlessFamiliar returns refusal unless the account was signed in to from the network
// lately.
func (d *Directory) unlessFamiliar(ctx context.Context, a *Account, where string, refusal error) error {
	if where == nowhere {
		return refusal
	}
	subject := a.ID
	if subject == "" {
		subject = "nobody" // an unknown address takes the same look into the log
	}
	events, _, err := d.c.Audit.ListEvents(ctx, gatehouse.EventQuery{
		Tenant: d.c.Tenant, Subject: subject, Verbs: []string{VerbSessionCreate},
		Outcome: gatehouse.OutcomeSucceeded, From: d.now().Add(-familiarFor), Limit: 100,
	})
	if err != nil {
		return fmt.Errorf("look for sign-ins: %w", err)
	}
	for i := range events {
		if network(events[i].Actor.Address) == where {
			return nil
		}
	}
	return refusal
}

// nowhere is the network of a client whose address is not known.
const nowhere = "unknown"

// network names the network of an address for the budgets.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return nowhere
	}
	return p.String()
}

// guessed names the password behind a canonical address for the budgets. The hash of the
// password is salted: nothing can be found from the name.
func guessed(email, passwordHash string) string {
	sum := sha256.Sum256([]byte(email + "\x00" + passwordHash))
	return hex.EncodeToString(sum[:16])
}
