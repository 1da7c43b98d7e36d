// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Foreign is a key that another system issued, with what that system knows to check it:
// the secret, or a hash of it. One scheme, because other systems know no more.
type Foreign struct {
	ID        string // the public name its holder uses; kept as it is
	Principal string // id of the principal it speaks for here; with dry, empty: one yet to be made
	Scheme    string
	Name      string
	Prefix    string // first part of a printable token; empty where the scheme has none
	Scopes    Scopes
	Secret    Secret        // for schemes that need it
	Hash      []byte        // for schemes that store a digest: the other system's hash of the secret
	HashName  string        // hash function of Hash, such as "sha-512"; empty: SHA-256
	Created   time.Time     // UTC; zero: now
	LastUsed  time.Time     // UTC; zero: never
	Expires   time.Time     // UTC, exclusive; may lie in the past; zero: never
	Unused    time.Duration // as in [NewKey]
}

// AdoptOutcome says what became of a foreign key. The zero value is invalid.
type AdoptOutcome uint8

// The outcomes. With one AdoptRefused in a batch nothing of the batch is written.
const (
	AdoptInvalid AdoptOutcome = iota
	AdoptNew                  // it is a key of ours now, or would be
	AdoptSame                 // it was taken over before, from the same secret and for the same principal
	AdoptRefused              // it cannot be taken over; the problem says why
)

// String returns "new", "same" or "refused", and "invalid" for anything else.
func (o AdoptOutcome) String() string {
	switch o {
	case AdoptNew:
		return "new"
	case AdoptSame:
		return "same"
	case AdoptRefused:
		return "refused"
	}
	return "invalid"
}

// Adopted is what became of one foreign key.
type Adopted struct {
	ID      string
	Outcome AdoptOutcome
	Problem string // with AdoptRefused, in words; holds nothing of the secret
}

// MaxAdopt is how many foreign keys one call takes.
const MaxAdopt = 1000

const maxKeyIDLen = 128

// Adopt takes over foreign keys, all or none of them: with one that is refused nothing is
// written, and each one's answer tells why. Doing it again changes nothing. With dry
// nothing is written in any case. written reports whether the new ones are keys now.
//
// A key that acts takes over none that can more than itself: such a one is refused.
//
// Errors: [ErrForbidden] unless the actor may manage others; *[InvalidError] for more than
// [MaxAdopt] keys; [ErrConflict] when a key with one of the ids was made meanwhile;
// [ErrUnavailable].
func (a *Authority) Adopt(ctx context.Context, actor Actor, foreign []Foreign, dry bool) (answers []Adopted, written bool, err error) {
	if !actor.everyone() {
		return nil, false, ErrForbidden
	}
	if len(foreign) > MaxAdopt {
		return nil, false, &InvalidError{Field: "keys", Problem: "more than 1000 at once"}
	}
	now := a.clock.now()
	answers = make([]Adopted, len(foreign))
	var keys []*Key
	var events []*Event
	seen := map[string]bool{}
	refused := false
	for i := range foreign {
		f := &foreign[i]
		k, outcome, err := a.adopt(ctx, actor, f, dry, now)
		var invalid *InvalidError
		switch {
		case errors.As(err, &invalid):
			outcome = AdoptRefused
			answers[i].Problem = invalid.Error()
		case err != nil:
			return nil, false, err
		case outcome == AdoptNew && seen[f.ID]:
			outcome = AdoptRefused
			answers[i].Problem = "id: stands twice in the batch"
		case outcome == AdoptNew:
			keys = append(keys, k)
			events = append(events, NewEvent(actor, now, "key.import", k.ID, OutcomeSucceeded, k.describe(nil)...))
		}
		answers[i].ID, answers[i].Outcome = f.ID, outcome
		seen[f.ID] = true
		refused = refused || outcome == AdoptRefused
	}
	if refused || dry {
		return answers, false, nil
	}
	if len(keys) > 0 {
		err = a.store.InsertKeys(ctx, keys, events)
	}
	if errors.Is(err, ErrExists) {
		return nil, false, fmt.Errorf("insert keys: %w", ErrConflict)
	}
	if err != nil {
		return nil, false, fmt.Errorf("insert keys: %w", err)
	}
	return answers, true, nil
}

// adopt makes a key of a foreign one, or finds that it is here already.
func (a *Authority) adopt(ctx context.Context, actor Actor, f *Foreign, dry bool, now time.Time) (*Key, AdoptOutcome, error) {
	scheme, ok := a.scheme(f.Scheme)
	adopter, able := scheme.(Adopter)
	if !ok || !able {
		return nil, 0, &InvalidError{Field: "scheme", Problem: "takes no foreign keys"}
	}
	if err := checkForeign(f); err != nil {
		return nil, 0, err
	}
	minted, err := adopter.Adopt(f)
	if err != nil {
		return nil, 0, err
	}
	old, err := a.store.Lookup(ctx, f.ID)
	switch {
	case err == nil:
		same, err := a.adoptedBefore(ctx, actor, adopter, f, &minted, &old.Key)
		if err != nil || same {
			return nil, AdoptSame, err
		}
		return nil, 0, &InvalidError{Field: "id", Problem: "another key has it"}
	case !errors.Is(err, ErrNotFound):
		return nil, 0, dependency("look up key", err)
	}
	if f.Principal != "" || !dry {
		_, err := a.store.Principal(ctx, actor.Tenant, f.Principal)
		if errors.Is(err, ErrNotFound) {
			return nil, 0, &InvalidError{Field: "principal", Problem: "there is none with this id"}
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read principal: %w", err)
		}
	}
	k := &Key{
		ID: f.ID, Tenant: actor.Tenant, Principal: f.Principal, Name: f.Name, Prefix: minted.Prefix, Schemes: []string{f.Scheme}, Scopes: f.Scopes,
		State: StateActive, Expires: micro(f.Expires), Unused: f.Unused, LastUsed: micro(f.LastUsed), Created: micro(f.Created), Updated: now, Version: 1,
	}
	judged := *k
	if judged.Principal == "" {
		judged.Principal = "yet to be made" // so it is not the actor's own
	}
	if !actor.mayLeave(&judged) {
		return nil, 0, &InvalidError{Field: "scopes", Problem: "more than the caller's own, or a longer life"}
	}
	if k.Created.IsZero() || k.Created.After(now) {
		k.Created = now
	}
	if k.LastUsed.After(now) { // it would never move again
		k.LastUsed = now
	}
	return k, AdoptNew, a.encloseAll(ctx, k, []Scheme{scheme}, minted, 0)
}

// adoptedBefore reports whether k is what the foreign key became.
func (a *Authority) adoptedBefore(ctx context.Context, actor Actor, s Adopter, f *Foreign, minted *Minted, k *Key) (bool, error) {
	if k.Tenant != actor.Tenant || k.Principal != f.Principal || !slices.Contains(k.Schemes, f.Scheme) || k.Prefix != minted.Prefix {
		return false, nil
	}
	for i := range k.Materials {
		m := &k.Materials[i]
		if !slices.Contains(s.Kinds(), m.Kind) {
			continue
		}
		var opened []byte
		if m.Kind == MaterialSealed {
			var err error
			if opened, err = a.sealer.Open(ctx, secretBinding(k, m.Version), Sealed{Ref: m.Ref, Data: m.Data}); err != nil {
				return false, dependency("open secret of key", err)
			}
		}
		if s.Adopted(f, m, opened) {
			return true, nil
		}
	}
	return false, nil
}

// checkForeign checks the parts of a foreign key that need no store and no scheme.
func checkForeign(f *Foreign) error {
	if f.ID == "" || len(f.ID) > maxKeyIDLen || !printable(f.ID) {
		return &InvalidError{Field: "id", Problem: "is not 1 to 128 printable ASCII characters without space"}
	}
	if f.ID == "." || f.ID == ".." {
		return &InvalidError{Field: "id", Problem: "is a step of a path, so that no client can name the key"}
	}
	if err := checkName(f.Name); err != nil {
		return err
	}
	if f.Unused != 0 && f.Unused < MinUnused {
		return &InvalidError{Field: "unused", Problem: "is less than an hour"}
	}
	_, err := ParseScopes(f.Scopes.Strings())
	return err
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// SameSecret reports whether the foreign key's secret is the one opened, for schemes
// whose material is sealed. It takes the same time wherever they differ.
func (f *Foreign) SameSecret(opened []byte) bool {
	return !f.Secret.Empty() && subtle.ConstantTimeCompare([]byte(f.Secret.Reveal()), opened) == 1
}
