// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// NewKey is what is asked of [Authority.Create]. Principal and Schemes are required.
type NewKey struct {
	Principal string         // id of the principal the key speaks for
	Name      string         // at most 255 characters, no control characters
	Prefix    string         // for printable tokens; empty: the scheme's own default
	Schemes   []string       // names of schemes
	Scopes    Scopes         // from ParseScopes
	Networks  []netip.Prefix // at most 64; empty: anywhere
	Limits    []Limit        // at most 8, names unique
	Replay    ReplayMode
	StateText string
	NotBefore time.Time     // zero: at once
	Expires   time.Time     // zero: never
	Unused    time.Duration // at least an hour; zero: it may lie unused for ever
	PublicKey string        // PEM; the holder keeps the private half and no secret is made; empty: make one
}

// Created is a new key with its secret, which is shown this once and cannot be had
// again.
type Created struct {
	Key    Key
	Secret Secret // what the holder proves to have
	Token  Secret // key id and secret in one printable text; empty where no scheme has one
}

// MinUnused is the shortest time after which a key can expire for lying unused: when a
// key was last used is known to about a minute.
const MinUnused = time.Hour

const (
	maxNameLen  = 255
	maxNetworks = 64
	maxLimits   = 8
	mintTries   = 4
)

// Create makes a key. When it returns without error the key verifies on every node
// until it is revoked or expires.
//
// Errors: *[InvalidError] for unusable input; [ErrForbidden] when the key would speak
// for another principal, have more scopes or live longer than the actor's own;
// [ErrNotFound] when there is no such principal; [ErrUnavailable].
func (a *Authority) Create(ctx context.Context, actor Actor, n NewKey) (Created, error) {
	now := a.clock.now()
	if err := actor.mayCreate(&n); err != nil {
		return Created{}, err
	}
	schemes, err := a.checkNew(&n, now)
	if err != nil {
		return Created{}, err
	}
	p, err := a.store.Principal(ctx, actor.Tenant, n.Principal)
	if err != nil {
		return Created{}, fmt.Errorf("read principal: %w", err)
	}
	if p.State != PrincipalActive {
		return Created{}, &InvalidError{Field: "principal", Problem: "is not active"}
	}
	k := Key{
		Tenant: actor.Tenant, Principal: p.ID, Name: n.Name, Prefix: n.Prefix, Schemes: n.Schemes, Scopes: n.Scopes,
		Networks: n.Networks, Limits: n.Limits, Replay: n.Replay, State: StateActive, StateText: n.StateText,
		NotBefore: micro(n.NotBefore), Expires: micro(n.Expires), Unused: n.Unused, Created: now, Updated: now, Version: 1,
	}
	public, err := parsePublic(n.PublicKey, schemes)
	if err != nil {
		return Created{}, err
	}
	for range mintTries {
		created, err := a.mintInto(ctx, k, schemes, public)
		if err != nil {
			return Created{}, err
		}
		err = a.store.InsertKey(ctx, &created.Key, NewEvent(actor, now, "key.create", created.Key.ID, OutcomeSucceeded, created.Key.describe(nil)...))
		if err == nil {
			return created, nil
		}
		// A taken id is chance: mint another.
		if !errors.Is(err, ErrExists) {
			return Created{}, fmt.Errorf("insert key: %w", err)
		}
	}
	return Created{}, fmt.Errorf("insert key: %w", ErrExists)
}

// mintInto gives the key an id and material: one secret, stored once for every kind
// of material that its schemes check against. A scheme that stores a digest mints,
// because only it knows its pepper.
func (a *Authority) mintInto(ctx context.Context, k Key, schemes []Scheme, public []byte) (Created, error) {
	mint := schemes[0]
	if i := slices.IndexFunc(schemes, func(s Scheme) bool { return slices.Contains(s.Kinds(), MaterialDigest) }); i >= 0 {
		mint = schemes[i]
	}
	minted, err := mint.Mint("", k.Prefix)
	if err != nil {
		return Created{}, err
	}
	if public != nil {
		minted = Minted{KeyID: minted.KeyID, public: public}
	}
	k.ID, k.Prefix = minted.KeyID, minted.Prefix
	if err := a.encloseAll(ctx, &k, schemes, minted); err != nil {
		return Created{}, err
	}
	return Created{Key: k, Secret: minted.Secret, Token: minted.Token}, nil
}

// encloseAll gives the key one material of each kind that its schemes check against and
// the minted secret allows.
func (a *Authority) encloseAll(ctx context.Context, k *Key, schemes []Scheme, minted Minted) error {
	for _, s := range schemes {
		kind := minted.kindFor(s)
		if k.material(kind) != nil {
			continue
		}
		m, err := a.enclose(ctx, k, kind, int64(len(k.Materials)+1), minted)
		if err != nil {
			return err
		}
		m.Created = k.Created
		k.Materials = append(k.Materials, m)
	}
	slices.Reverse(k.Materials) // newest first, as stores return them
	return nil
}

// kindFor is the kind of material to make of the secret for a scheme.
func (m *Minted) kindFor(s Scheme) MaterialKind {
	for _, kind := range s.Kinds() {
		if (kind == MaterialPublic) == (m.public != nil) {
			return kind
		}
	}
	return MaterialInvalid
}

// parsePublic reads a public key, which every scheme of the key must be able to check
// against; nil: none was given.
func parsePublic(text string, schemes []Scheme) (public []byte, err error) {
	if text == "" {
		return nil, nil
	}
	for _, s := range schemes {
		p, ok := s.(PublicScheme)
		if !ok {
			return nil, &InvalidError{Field: "public_key", Problem: "one of the schemes needs a secret of ours"}
		}
		if public, err = p.ParsePublic(text); err != nil {
			return nil, err
		}
	}
	return public, nil
}

// enclose turns a minted secret into what is stored of it.
func (a *Authority) enclose(ctx context.Context, k *Key, kind MaterialKind, version int64, minted Minted) (Material, error) {
	switch kind {
	case MaterialDigest:
		return Material{Version: version, Kind: kind, Ref: minted.Ref, Data: minted.Digest}, nil
	case MaterialSealed:
		sealed, err := a.sealer.Seal(ctx, secretBinding(k, version), []byte(minted.Secret.Reveal()))
		if err != nil {
			return Material{}, dependency("seal secret", err)
		}
		return Material{Version: version, Kind: kind, Ref: sealed.Ref, Data: sealed.Data}, nil
	case MaterialPublic:
		return Material{Version: version, Kind: kind, Data: minted.public}, nil
	default:
		return Material{}, &InvalidError{Field: "schemes", Problem: "no secret can be made for this scheme"}
	}
}

// mayCreate: an account makes keys for itself; a key makes keys that can no more than
// it can; operators and the system make any.
func (a *Actor) mayCreate(n *NewKey) error {
	switch {
	case a.everything():
		return nil
	case a.Kind == ActorAccount && a.ID != "" && a.ID == n.Principal:
		return nil
	case a.Kind == ActorKey && a.Via != nil && a.Via.Principal == n.Principal && a.Via.mayMake(&Key{
		Schemes: n.Schemes, Scopes: n.Scopes, Networks: n.Networks, Limits: n.Limits, Replay: n.Replay, Expires: micro(n.Expires), Unused: n.Unused,
	}):
		return nil
	}
	return ErrForbidden
}

// mayMake reports whether a key that acts may make or leave another one like child: it can
// no more than itself, from no more places, no longer and no faster.
func (k *Key) mayMake(child *Key) bool {
	return k.Scopes.Covers(child.Scopes) && !outlives(child.Expires, k.Expires) && k.withinNetworks(child) &&
		!slices.ContainsFunc(child.Schemes, func(s string) bool { return !slices.Contains(k.Schemes, s) }) &&
		!slices.ContainsFunc(k.Limits, func(l Limit) bool { return !slices.Contains(child.Limits, l) }) &&
		(child.Replay == k.Replay || child.Replay == ReplayStrict) &&
		(k.Unused == 0 || child.Unused > 0 && child.Unused <= k.Unused)
}

// withinNetworks reports whether child may be used from nowhere that k may not.
func (k *Key) withinNetworks(child *Key) bool {
	if len(k.Networks) == 0 {
		return true
	}
	return len(child.Networks) > 0 && !slices.ContainsFunc(child.Networks, func(n netip.Prefix) bool {
		return !slices.ContainsFunc(k.Networks, func(wide netip.Prefix) bool { return wide.Bits() <= n.Bits() && wide.Contains(n.Addr()) })
	})
}

// outlives reports whether an expiry lies after another; zero is never.
func outlives(child, parent time.Time) bool {
	if parent.IsZero() {
		return false
	}
	return child.IsZero() || child.After(parent)
}

// checkNew checks the parts of a new key that need no store, and finds its schemes.
func (a *Authority) checkNew(n *NewKey, now time.Time) ([]Scheme, error) {
	if n.Principal == "" {
		return nil, &InvalidError{Field: "principal", Problem: "is missing"}
	}
	if err := checkName(n.Name); err != nil {
		return nil, err
	}
	if !n.Expires.IsZero() && (!n.Expires.After(now) || !n.Expires.After(n.NotBefore)) {
		return nil, &InvalidError{Field: "expires", Problem: "is not in the future, or not after not-before"}
	}
	if n.Unused != 0 && n.Unused < MinUnused {
		return nil, &InvalidError{Field: "unused", Problem: "is less than an hour"}
	}
	if _, err := ParseScopes(n.Scopes.Strings()); err != nil {
		return nil, err
	}
	if len(n.Networks) > maxNetworks || slices.ContainsFunc(n.Networks, func(p netip.Prefix) bool { return !p.IsValid() }) {
		return nil, &InvalidError{Field: "networks", Problem: "more than 64, or one that is no network"}
	}
	if err := checkLimits(n.Limits); err != nil {
		return nil, err
	}
	return a.findSchemes(n.Schemes)
}

func (a *Authority) findSchemes(names []string) ([]Scheme, error) {
	var out []Scheme
	for i, name := range names {
		s, ok := a.scheme(name)
		if !ok || slices.Contains(names[:i], name) {
			return nil, &InvalidError{Field: "schemes", Problem: "holds a scheme that is unknown or named twice"}
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, &InvalidError{Field: "schemes", Problem: "is empty"}
	}
	if loner := cannotShare(out); loner != "" {
		return nil, &InvalidError{Field: "schemes", Problem: loner + " cannot share a secret with another scheme that signs: make a key of its own for it"}
	}
	return out, nil
}

// cannotShare is the name of a scheme that may not check against one sealed secret with
// the others; empty: there is none.
func cannotShare(schemes []Scheme) (name string) {
	sealed := 0
	for _, s := range schemes {
		if !slices.Contains(s.Kinds(), MaterialSealed) {
			continue
		}
		if sealed++; !s.SharesSecret() {
			name = s.Name()
		}
	}
	if sealed < 2 {
		return ""
	}
	return name
}

func checkName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxNameLen || strings.ContainsFunc(name, unicode.IsControl) {
		return &InvalidError{Field: "name", Problem: "longer than 255 characters, or holds control characters"}
	}
	return nil
}

func checkLimits(limits []Limit) error {
	if len(limits) > maxLimits {
		return &InvalidError{Field: "limits", Problem: "more than 8"}
	}
	for i, l := range limits {
		if l.Count < 1 || l.Period < time.Millisecond || l.Burst < 0 {
			return &InvalidError{Field: "limits", Problem: "count and burst are at least 1, the period at least 1 ms"}
		}
		if slices.ContainsFunc(limits[:i], func(o Limit) bool { return o.Name == l.Name }) {
			return &InvalidError{Field: "limits", Problem: "two have one name"}
		}
	}
	return nil
}

// micro brings a time to UTC and the precision stores keep. Zero stays zero.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}
