// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Verify decides about a request. A denial is an answer: the Decision says why and
// the error is nil. The error is not nil only when a dependency failed; it wraps
// [ErrUnavailable] or says that stored material does not open, and the Decision is
// zero, which denies.
//
// The steps and their order are in docs/design/verify.md. Nothing about a key is
// told before its proof holds; only proven requests reach the replay cache; a request
// consumes a nonce or a limit only after every step before has let it pass.
func (a *Authority) Verify(ctx context.Context, r *Request) (Decision, error) {
	return a.judge(ctx, r, 0)
}

// Refuse is [Authority.Verify] for a request that is denied whoever asks, such as one that no
// rule of a route lets anyone make: it finds out who asks, so that what is recorded of the key
// says so. Where nothing else is wrong, or nobody is named, why is the reason. It consumes a
// nonce, so that nobody else can make the same request, and no limit. It panics without a
// reason.
func (a *Authority) Refuse(ctx context.Context, r *Request, why Reason) (Decision, error) {
	if why == 0 {
		panic("gatehouse: a request is refused without a reason")
	}
	return a.judge(ctx, r, why)
}

// judge decides and tells the observer.
func (a *Authority) judge(ctx context.Context, r *Request, why Reason) (d Decision, err error) {
	var begin time.Time
	if a.observer != nil { // nobody else wants to know how long it took
		begin = time.Now()
	}
	d, err = a.decide(ctx, r, why)
	if why != 0 && d.Reason == ReasonNoCredential {
		d.Reason = why // nobody was asked for one
	}
	if a.observer != nil {
		seen := d // so that d stays off the heap where nobody watches
		a.observer.Observe(r, &seen, err, time.Since(begin))
	}
	return d, err
}

// decide walks the steps. It has no loop and no branch but "stop". Why is the reason to refuse
// what a key permits; zero: there is none.
func (a *Authority) decide(ctx context.Context, r *Request, why Reason) (d Decision, err error) {
	d.Time = a.clock.now()
	i, cred, reason := a.extract(r)
	d.Scheme = a.schemeName(i)
	if reason != 0 {
		return d.deny(reason), nil
	}
	scheme := a.schemes[i]
	d.Signed = signs(scheme)
	rec, named, err := a.lookup(ctx, r.Tenant, cred.KeyID, i)
	if err != nil {
		return Decision{}, err
	}
	if d.named = named; named != "" {
		d.tenant = rec.Key.Tenant
	}
	m, err := a.prove(ctx, r, scheme, cred, rec, &a.decoys[i], d.Time)
	if err != nil {
		return Decision{}, err
	}
	if m == nil || named == "" {
		a.balance(ctx, cred.KeyID, named != "")
		return d.deny(ReasonInvalidCredential), nil
	}
	d.Key, d.Principal, d.Material = &rec.Key, &rec.Principal, m.Version
	d.Body, d.Digest = cred.Body, cred.Digest
	if !cred.fresh(d.Time) {
		return d.deny(ReasonStaleCredential), nil
	}
	d.Deprecated, d.Sunset = rec.Key.ending(m, d.Time)
	if reason := rec.Key.usable(&rec.Principal, rec.Tenant.State, d.Time); reason != 0 {
		return d.deny(reason), nil
	}
	if reason, err := a.claim(ctx, &rec.Key, &cred); reason != 0 || err != nil {
		return d.stop(reason, err)
	}
	if reason := cmp.Or(rec.Key.permits(r, &rec.Principal, scheme), why); reason != 0 {
		return d.deny(reason), nil
	}
	if d.Limit, err = a.take(ctx, rec, r.Cost); d.Limit.RetryAfter != 0 || err != nil {
		d.RetryAfter = d.Limit.RetryAfter
		return d.stop(ReasonRateLimited, err)
	}
	d.Granted = true
	return d, nil
}

// deny returns d as a denial.
func (d Decision) deny(r Reason) Decision {
	d.Reason = r
	return d
}

// stop returns d as a denial, or nothing but the error where there is one.
func (d Decision) stop(r Reason, err error) (Decision, error) {
	if err != nil {
		return Decision{}, err
	}
	return d.deny(r), nil
}

// extract finds the one credential of the request and the index of its scheme; -1 where
// there is not one.
func (a *Authority) extract(r *Request) (int, Credential, Reason) {
	var (
		scheme           int
		cred             Credential
		present, spoiled int
	)
	for i, s := range a.schemes {
		c, p := s.Extract(r)
		switch p {
		case CredentialAbsent:
		case CredentialPresent:
			present++
			scheme, cred = i, c
		default:
			spoiled++
		}
	}
	switch {
	case spoiled > 0:
		return -1, Credential{}, ReasonMalformedCredential
	case present == 0:
		return -1, Credential{}, ReasonNoCredential
	case present > 1:
		return -1, Credential{}, ReasonAmbiguousCredential
	}
	return scheme, cred, cred.Flaw
}

// lookup reads the record of a key id, and returns the id of the key that it names. For
// an unknown id, and for one of another tenant than the one asked for, it returns the decoy
// of the scheme, and named is empty.
func (a *Authority) lookup(ctx context.Context, tenant, keyID string, scheme int) (rec *Record, named string, err error) {
	rec, err = a.store.Lookup(ctx, keyID)
	switch {
	case err == nil:
		if a.sample.Load() == nil {
			id := rec.Key.ID
			a.sample.CompareAndSwap(nil, &id)
		}
		if tenant != "" && tenant != rec.Key.Tenant {
			return &a.decoys[scheme], "", nil
		}
		return rec, rec.Key.ID, nil
	case errors.Is(err, ErrNotFound):
		return &a.decoys[scheme], "", nil
	default:
		return nil, "", dependency("look up key", err)
	}
}

// balance makes a refusal cost the same whether the key is known: after a look-up that
// found something comes one that does not, and the other way round. What it finds, and
// whether it can, changes nothing.
func (a *Authority) balance(ctx context.Context, keyID string, known bool) {
	other, sample := keyID+"~", a.sample.Load()
	if sample == nil {
		return // no key was ever found: there is nothing to hide
	}
	if !known {
		other = *sample
	}
	_, err := a.store.Lookup(ctx, other)
	_ = errors.Is(err, ErrNotFound) // as after the first look-up, by whichever found nothing
}

// prove checks the proof against the record's materials of the scheme's kinds, newest
// first, and returns the one that holds. Where the key has no such material the decoy's
// is tried in its place: a proof that does not hold costs the same for every key.
func (a *Authority) prove(ctx context.Context, r *Request, s Scheme, c Credential, rec, decoy *Record, now time.Time) (*Material, error) {
	for _, kind := range s.Kinds() {
		tried := false
		for i := range rec.Key.Materials {
			m := &rec.Key.Materials[i]
			if m.Kind != kind || !m.usableAt(now) {
				continue
			}
			tried = true
			if ok, err := a.holds(ctx, r, s, c, &rec.Key, m); err != nil {
				return nil, err
			} else if ok {
				return m, nil
			}
		}
		if tried {
			continue
		}
		if _, err := a.holds(ctx, r, s, c, &decoy.Key, decoy.Key.material(kind)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// holds checks the proof against one material.
func (a *Authority) holds(ctx context.Context, r *Request, s Scheme, c Credential, k *Key, m *Material) (bool, error) {
	var opened []byte
	if m.Kind == MaterialSealed {
		var err error
		opened, err = a.sealer.Open(ctx, secretBinding(k, m.Version), Sealed{Ref: m.Ref, Data: m.Data})
		if err != nil {
			return false, dependency("open secret of key", err)
		}
		defer clear(opened)
	}
	if s.Prove(r, c, k, m, opened) {
		return true, nil
	}
	if ks, ok := s.(KeyedScheme); ok && ks.Lacks(m) {
		return false, dependency("check proof", errLacks)
	}
	return false, nil
}

// errLacks: another process has a key that is needed here too.
var errLacks = errors.New("the keyring lacks a pepper; copy that of a node that holds it")

// claim takes the credential's nonce, where it has one and the key is strict.
func (a *Authority) claim(ctx context.Context, k *Key, c *Credential) (Reason, error) {
	if c.Nonce == "" || k.Replay == ReplayWindow {
		return 0, nil
	}
	first, err := a.replay.Claim(ctx, k.ID, c.Nonce, c.Time, c.Time.Add(c.Window))
	if err != nil {
		return 0, dependency("claim nonce", err)
	}
	if !first {
		return ReasonReplayed, nil
	}
	return 0, nil
}

// take charges the limits of the key, its principal and its tenant. The standing's
// RetryAfter is how long until a refused request can succeed; zero means admitted.
func (a *Authority) take(ctx context.Context, rec *Record, cost int64) (Standing, error) {
	if len(rec.Key.Limits) == 0 && len(rec.Principal.Limits) == 0 && len(rec.Tenant.Limits) == 0 {
		return Standing{}, nil
	}
	s, err := a.limiter.Charge(ctx, rec.charges(make([]Charge, 0, 3), max(cost, 1)))
	if err != nil {
		return Standing{}, dependency("take limit", err)
	}
	return s, nil
}

// dependency says which attempt failed, keeping what a filling said of it.
func dependency(what string, err error) error {
	return Unavailable(what, err)
}

// secretBinding is what the sealed secret of a key belongs to.
func secretBinding(k *Key, version int64) Binding {
	return Binding{Purpose: "key-secret", Tenant: k.Tenant, ID: k.ID, Version: version}
}
