// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Inspection says whose credential somebody else asks about. The zero value is nobody's.
type Inspection struct {
	Key       *Key // nil: no proof holds, or there is no such key
	Principal *Principal
	Reason    Reason    // why the key cannot be used now; zero with a Key: it can
	Ends      time.Time // when the credential ends by what is known now, UTC, exclusive; zero: not planned
}

// Usable reports whether the credential is one that its holder could use now.
func (i *Inspection) Usable() bool { return i.Key != nil && i.Reason == 0 }

// Inspect says whose credential r carries, for a caller who is not its holder: it takes no
// nonce and no limit, no observer hears of it, and it grants nothing. Of r only what
// the proof covers and Tenant are looked at; networks, methods, paths, scopes and limits
// of the key are not asked.
//
// It walks the first steps of [Authority.Verify], so an unknown key costs what a known one
// does, and nothing of a key is told before its proof holds. Errors as of Verify.
func (a *Authority) Inspect(ctx context.Context, r *Request) (Inspection, error) {
	now := a.clock.now()
	i, cred, reason := a.extract(r)
	if reason != 0 {
		return Inspection{}, nil
	}
	scheme := a.schemes[i]
	rec, named, err := a.lookup(ctx, r.Tenant, cred.KeyID, i)
	if err != nil {
		return Inspection{}, err
	}
	m, err := a.prove(ctx, r, scheme, cred, rec, &a.decoys[i], now)
	if err != nil {
		return Inspection{}, err
	}
	if m == nil || named == "" {
		a.balance(ctx, cred.KeyID, named != "")
		return Inspection{}, nil
	}
	out := rec.inspect(now)
	if !m.NotAfter.IsZero() && (out.Ends.IsZero() || m.NotAfter.Before(out.Ends)) {
		out.Ends = m.NotAfter
	}
	switch {
	case !cred.fresh(now):
		out.Reason = ReasonStaleCredential
	case out.Reason == 0 && (!slices.Contains(rec.Key.Schemes, scheme.Name()) || rec.Key.Signed && !signs(scheme)):
		out.Reason = ReasonSchemeNotAllowed
	}
	return out, nil
}

// InspectKey is Inspect for a key whose proof held elsewhere, such as when a token was made
// for it. Keys of other tenants are unknown; an empty tenant means any.
func (a *Authority) InspectKey(ctx context.Context, tenant, keyID string) (Inspection, error) {
	rec, named, err := a.lookup(ctx, tenant, keyID, 0)
	if named == "" || err != nil {
		return Inspection{}, err
	}
	return rec.inspect(a.clock.now()), nil
}

func (rec *Record) inspect(now time.Time) Inspection {
	return Inspection{
		Key: &rec.Key, Principal: &rec.Principal, Ends: rec.Key.Expires,
		Reason: rec.Key.usable(&rec.Principal, rec.Tenant.State, now),
	}
}

// TokenPrefix is the first part of the printable token of a key, for holders who present
// key id and secret apart. For an unknown key, and for one without a token, it is a prefix
// that no key has; an unknown key costs what a known one does. Errors wrap [ErrUnavailable].
func (a *Authority) TokenPrefix(ctx context.Context, keyID string) (string, error) {
	rec, named, err := a.lookup(ctx, "", keyID, 0)
	if err != nil {
		return "", err
	}
	a.balance(ctx, keyID, named != "")
	return cmp.Or(rec.Key.Prefix, decoyPrefix), nil
}
