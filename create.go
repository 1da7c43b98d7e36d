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
	Limits    []Limit        // as CheckLimits wants them
	Methods   []string       // at most 16; empty: any
	Paths     []string       // at most 64, canonical as CanonicalPath has them; one that ends in "/" holds for all below; empty: any
	Signed    bool           // only schemes that sign
	Metadata  Metadata       // as Metadata.Check wants it
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
	mintTries   = 4
)

// Create makes a key. When it returns without error the key verifies on every node
// until it is revoked or expires.
//
// Errors: *[InvalidError] for unusable input; [ErrForbidden] when the key would speak
// for another principal, have more scopes or live longer than the actor's own;
// [ErrNotFound] when there is no such principal; [ErrRepeated]; [ErrUnavailable].
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
		Networks: n.Networks, Limits: n.Limits, Methods: n.Methods, Paths: n.Paths, Signed: n.Signed, Metadata: n.Metadata,
		Replay: n.Replay, State: StateActive, StateText: n.StateText,
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
		if err := a.keepOnce(ctx, &actor, &created); err != nil {
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
	minted, err := minter(schemes).Mint("", k.Prefix)
	if err != nil {
		return Created{}, err
	}
	if public != nil {
		minted = Minted{KeyID: minted.KeyID, public: public}
	}
	k.ID, k.Prefix = minted.KeyID, minted.Prefix
	if err := a.encloseAll(ctx, &k, schemes, minted, 0); err != nil {
		return Created{}, err
	}
	return Created{Key: k, Secret: minted.Secret, Token: minted.Token}, nil
}

// minter is the scheme that mints for all.
func minter(schemes []Scheme) Scheme {
	if i := slices.IndexFunc(schemes, func(s Scheme) bool { return slices.Contains(s.Kinds(), MaterialDigest) }); i >= 0 {
		return schemes[i]
	}
	return schemes[0]
}

// encloseAll gives a key without material one of each kind that its schemes check against
// and the minted secret allows, with the versions behind last.
func (a *Authority) encloseAll(ctx context.Context, k *Key, schemes []Scheme, minted Minted, last int64) error {
	for _, s := range schemes {
		kind := minted.kindFor(s)
		if k.material(kind) != nil {
			continue
		}
		m, err := a.enclose(ctx, k, kind, last+int64(len(k.Materials)+1), minted)
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
	case a.Kind == ActorAccount && a.ID != "" && (a.ID == n.Principal || a.Everyone):
		return nil
	case a.Kind == ActorKey && a.Via != nil && (a.Via.Principal == n.Principal || a.Everyone) && a.Via.mayMake(&Key{
		Schemes: n.Schemes, Scopes: n.Scopes, Networks: n.Networks, Limits: n.Limits, Methods: n.Methods, Paths: n.Paths, Signed: n.Signed,
		Replay: n.Replay, Expires: micro(n.Expires), Unused: n.Unused, Principal: n.Principal,
	}):
		return nil
	}
	return ErrForbidden
}

// mayMake reports whether a key that acts may make or leave another one like child: it
// gives on no right it has not and no longer life than its own. A key of its own principal,
// or one that manages, is bound by the rest of it too: by no more schemes, from no more
// places, for no more routes, and with its limits, which it counts on its own (what all keys
// of an owner may together is said by the limits of the owner). Else it would be a way around
// its own bounds.
func (k *Key) mayMake(child *Key) bool {
	if !k.Scopes.mayPassOn(child.Scopes) || outlives(child.Expires, k.Expires) {
		return false
	}
	if child.Principal != "" && child.Principal != k.Principal && !slices.ContainsFunc(child.Scopes, Scope.Manages) {
		return true
	}
	return k.withinNetworks(child) && within(child.Methods, k.Methods, func(m, of string) bool { return m == of }) &&
		within(child.Paths, k.Paths, func(p, of string) bool { return p == of || strings.HasSuffix(of, "/") && UnderPrefix(p, of) }) &&
		within(child.Schemes, k.Schemes, func(s, of string) bool { return s == of }) &&
		!slices.ContainsFunc(k.Limits, func(l Limit) bool { return !slices.Contains(child.Limits, l) }) &&
		(child.Signed || !k.Signed) &&
		(child.Replay == k.Replay || child.Replay == ReplayStrict) &&
		(k.Unused == 0 || child.Unused > 0 && child.Unused <= k.Unused)
}

// within reports whether each of some lies in one of bounds; no bounds bind nothing, and
// nothing said is everything.
func within(some, bounds []string, in func(one, bound string) bool) bool {
	if len(bounds) == 0 {
		return true
	}
	return len(some) > 0 && !slices.ContainsFunc(some, func(one string) bool {
		return !slices.ContainsFunc(bounds, func(bound string) bool { return in(one, bound) })
	})
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
	if err := CheckLimits(n.Limits); err != nil {
		return nil, err
	}
	if err := checkRoutes(n.Methods, n.Paths); err != nil {
		return nil, err
	}
	if err := n.Metadata.Check(); err != nil {
		return nil, err
	}
	schemes, err := a.findSchemes(n.Schemes)
	if err == nil && n.Signed && !slices.ContainsFunc(schemes, signs) {
		return nil, &InvalidError{Field: "signed", Problem: "and none of the schemes signs"}
	}
	return schemes, err
}

const (
	maxMethods = 16
	maxPaths   = 64
	maxPathLen = 512
)

// checkRoutes checks methods and paths that a key is bound to.
func checkRoutes(methods, paths []string) error {
	bad := func(m string) bool { return m == "" || len(m) > 32 || !only(m, "-_") || strings.ToUpper(m) != m }
	if len(methods) > maxMethods || slices.ContainsFunc(methods, bad) {
		return &InvalidError{Field: "methods", Problem: "more than 16, or one that is no method in upper case"}
	}
	bad = func(p string) bool {
		canonical, ok := CanonicalPath(p)
		return !ok || len(p) > maxPathLen || strings.ContainsAny(p, "%?*") || p != "/" && canonical != strings.TrimSuffix(p, "/")
	}
	if len(paths) > maxPaths || slices.ContainsFunc(paths, bad) {
		return &InvalidError{Field: "paths", Problem: "more than 64, or one that is no plain path such as /orders or /orders/"}
	}
	return nil
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

// micro brings a time to UTC and the precision stores keep. Zero stays zero.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}
