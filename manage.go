// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Patch is a change of a key. Nil fields stay as they are.
type Patch struct {
	Name      *string
	Scopes    *Scopes
	Networks  *[]netip.Prefix
	Limits    *[]Limit
	Schemes   *[]string
	Methods   *[]string
	Paths     *[]string
	Signed    *bool
	Metadata  *Metadata
	NotBefore *time.Time
	Replay    *ReplayMode
	Expires   *time.Time
	Unused    *time.Duration // zero: it may lie unused for ever
	State     *State         // StateActive or StateDisabled; Revoke is a verb of its own
	StateText *string        // a legacy door's own word for the state
	Version   int64          // the version that the change was made for; zero: whichever
}

const updateTries = 16

// Get reads a key. [ErrNotFound] also when the actor may not know of it.
func (a *Authority) Get(ctx context.Context, actor Actor, keyID string) (Key, error) {
	k, err := a.store.GetKey(ctx, actor.Tenant, keyID)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	if !actor.mayManage(&k) || !k.Deleted.IsZero() {
		return Key{}, ErrNotFound
	}
	return k, nil
}

// Find reads a page of the keys that the actor may know of, without material, with whom they
// speak for, and the place where the next page begins; zero: there is none. The tenant is always the actor's, and for
// an actor that manages its own keys only, so is the principal. *[InvalidError];
// [ErrForbidden] as for List.
func (a *Authority) Find(ctx context.Context, actor Actor, s KeySearch) (found []Record, next KeyCursor, err error) {
	s.Tenant = actor.Tenant
	if !actor.everyone() {
		own := actor.principal()
		if own == "" || s.Principal != "" && s.Principal != own {
			return nil, KeyCursor{}, ErrForbidden
		}
		s.Principal = own
	}
	if s.Limit < 1 || s.Limit > maxPage {
		return nil, KeyCursor{}, &InvalidError{Field: "limit", Problem: "is not from 1 to 1000"}
	}
	page := s.Limit
	s.Limit++
	found, err = a.store.FindKeys(ctx, s)
	if err != nil {
		return nil, KeyCursor{}, fmt.Errorf("find keys: %w", err)
	}
	if len(found) > page {
		found = found[:page]
		next = s.Cursor(&found[page-1].Key)
	}
	return found, next, nil
}

const maxPage = 1000

// List reads the keys that the actor may know of, without material, and how many
// there are in all. The tenant is always the actor's. [ErrForbidden] when it asks for
// a principal that is not its own.
func (a *Authority) List(ctx context.Context, actor Actor, q KeyQuery) ([]Key, int, error) {
	q.Tenant = actor.Tenant
	if !actor.everyone() {
		own := actor.principal()
		if own == "" || q.Principal != own {
			return nil, 0, ErrForbidden
		}
	}
	keys, total, err := a.store.ListKeys(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("list keys: %w", err)
	}
	return keys, total, nil
}

// Update changes a key. A narrowing is in force when it returns. Changing nothing is
// no error and leaves no event.
//
// Errors: *[InvalidError]; [ErrNotFound]; [ErrForbidden] where an actor that is a key
// would widen beyond its own; [ErrConflict] when the key is revoked, is not of p.Version, or
// others keep changing it; [ErrRepeated]; [ErrUnavailable].
func (a *Authority) Update(ctx context.Context, actor Actor, keyID string, p Patch) (Key, error) {
	if p.State != nil && *p.State != StateActive && *p.State != StateDisabled {
		return Key{}, &InvalidError{Field: "state", Problem: "is neither active nor disabled"}
	}
	return a.change(ctx, actor, keyID, "key.update", func(k *Key) error {
		if k.State == StateRevoked || p.Version != 0 && p.Version != k.Version {
			return ErrConflict
		}
		return a.apply(ctx, actor, k, &p)
	})
}

// Disable takes a key out of use, reversibly. It is in force when it returns. A
// disabled key stays as it is. [ErrConflict] for a revoked key.
func (a *Authority) Disable(ctx context.Context, actor Actor, keyID string) (Key, error) {
	return a.change(ctx, actor, keyID, "key.disable", func(k *Key) error {
		if k.State == StateRevoked {
			return ErrConflict
		}
		k.setState(StateDisabled)
		return nil
	})
}

// Enable makes a disabled key active again. *[InvalidError] with field "state" while
// its principal is not active; [ErrForbidden] for an actor that is a key and can less than
// it; [ErrConflict] for a revoked key.
func (a *Authority) Enable(ctx context.Context, actor Actor, keyID string) (Key, error) {
	return a.change(ctx, actor, keyID, "key.enable", func(k *Key) error {
		if k.State == StateRevoked {
			return ErrConflict
		}
		if !actor.mayLeave(k) {
			return ErrForbidden
		}
		return a.activate(ctx, k)
	})
}

// Revoke ends a key for good: no verification that begins after it returned
// succeeds. Revoking a revoked key is no error.
//
// reason is kept with the event: at most 255 characters, no control characters; empty: none.
// *[InvalidError] with field "reason".
func (a *Authority) Revoke(ctx context.Context, actor Actor, keyID, reason string) (Key, error) {
	if checkName(reason) != nil {
		return Key{}, &InvalidError{Field: "reason", Problem: "longer than 255 characters, or holds control characters"}
	}
	var why []Change
	if reason != "" {
		why = []Change{{Field: "reason", After: reason}}
	}
	return a.change(ctx, actor, keyID, "key.revoke", func(k *Key) error {
		k.setState(StateRevoked)
		return nil
	}, why...)
}

// Delete takes everything from a revoked key but what the audit log speaks of: its secrets,
// name, metadata and bounds are gone, and it is in no list. The record stays, so that the id
// is never given again. [ErrConflict] for a key that is not revoked; [ErrNotFound], also
// when it was deleted before.
func (a *Authority) Delete(ctx context.Context, actor Actor, keyID string) error {
	_, err := a.change(ctx, actor, keyID, "key.delete", func(k *Key) error {
		if k.State != StateRevoked {
			return ErrConflict
		}
		*k = Key{
			ID: k.ID, Tenant: k.Tenant, Principal: k.Principal, Schemes: k.Schemes, State: k.State, Created: k.Created, LastUsed: k.LastUsed,
			Version: k.Version, Deleted: a.clock.now(),
		}
		return nil
	})
	return err
}

// RevokeAll revokes the keys of a principal, of one scheme where scheme is not empty,
// and returns how many it revoked. Keys made meanwhile may stay. What it revoked before an
// error stays revoked. An unknown scheme is an *[InvalidError]; [ErrForbidden] as for
// List; otherwise as Revoke.
func (a *Authority) RevokeAll(ctx context.Context, actor Actor, principal, scheme string) (int, error) {
	if principal == "" {
		return 0, &InvalidError{Field: "principal", Problem: "is missing"}
	}
	if _, ok := a.scheme(scheme); scheme != "" && !ok {
		return 0, &InvalidError{Field: "scheme", Problem: "is unknown"}
	}
	keys, _, err := a.List(ctx, actor, KeyQuery{Principal: principal})
	if err != nil {
		return 0, err
	}
	// What others have ended a moment ago is ended too when this returns.
	ended := slices.Clone(keys)
	keys = slices.DeleteFunc(keys, func(k Key) bool { return k.State == StateRevoked })
	// With the actor's own key the rest could not be revoked any more.
	slices.SortStableFunc(keys, func(a, b Key) int { return cmp.Compare(actor.own(&a), actor.own(&b)) })
	revoked := 0
	for i := range keys {
		if scheme != "" && !slices.Contains(keys[i].Schemes, scheme) {
			continue
		}
		if _, err := a.Revoke(ctx, actor, keys[i].ID, ""); err != nil {
			return revoked, err
		}
		revoked++
	}
	ids := make([]string, len(ended))
	for i := range ended {
		ids[i] = ended[i].ID
	}
	return revoked, InForce(ctx, a.store, actor.Tenant, ids...)
}

// own is 1 for the key that the actor is, else 0.
func (a *Actor) own(k *Key) int {
	if a.Kind == ActorKey && a.Via != nil && a.Via.ID == k.ID {
		return 1
	}
	return 0
}

// change reads a key, lets edit change it, and stores it with its event, which tells more
// besides. It begins again when somebody else was faster.
func (a *Authority) change(ctx context.Context, actor Actor, keyID, verb string, edit func(*Key) error, more ...Change) (Key, error) {
	for range updateTries {
		old, err := a.Get(ctx, actor, keyID)
		if err != nil {
			return Key{}, err
		}
		k := old
		if err := edit(&k); err != nil {
			return Key{}, err
		}
		changes := k.describe(&old)
		if len(changes) == 0 {
			return old, InForce(ctx, a.store, old.Tenant, old.ID)
		}
		k.Updated = a.clock.now()
		err = a.store.UpdateKey(ctx, &k, NewEvent(actor, k.Updated, verb, k.ID, OutcomeSucceeded, append(changes, more...)...))
		if err == nil {
			k.Version++
			return k, nil
		}
		if !errors.Is(err, ErrConflict) {
			return Key{}, fmt.Errorf("update key: %w", err)
		}
	}
	return Key{}, fmt.Errorf("update key: %w", ErrConflict)
}

// apply writes a patch into k.
func (a *Authority) apply(ctx context.Context, actor Actor, k *Key, p *Patch) error {
	set(&k.Name, p.Name)
	set(&k.Scopes, p.Scopes)
	set(&k.Networks, p.Networks)
	set(&k.Limits, p.Limits)
	set(&k.Schemes, p.Schemes)
	set(&k.Methods, p.Methods)
	set(&k.Paths, p.Paths)
	set(&k.Signed, p.Signed)
	set(&k.Metadata, p.Metadata)
	set(&k.Replay, p.Replay)
	set(&k.StateText, p.StateText)
	set(&k.Unused, p.Unused)
	if p.Expires != nil {
		k.Expires = micro(*p.Expires)
	}
	if p.NotBefore != nil {
		k.NotBefore = micro(*p.NotBefore)
	}
	if err := a.checkPatched(actor, k, p); err != nil {
		return err
	}
	if p.State == nil || *p.State == k.State {
		return nil
	}
	if *p.State == StateActive {
		k.State = StateActive
		return a.principalActive(ctx, k)
	}
	k.State = StateDisabled
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func (a *Authority) checkPatched(actor Actor, k *Key, p *Patch) error {
	n := NewKey{
		Principal: k.Principal, Name: k.Name, Schemes: k.Schemes, Scopes: k.Scopes, Networks: k.Networks, Limits: k.Limits, Unused: k.Unused,
		Methods: k.Methods, Paths: k.Paths, Signed: k.Signed, Metadata: k.Metadata,
	}
	// An expiry in the past ends the key, which is no mistake.
	if (p.Expires != nil || p.NotBefore != nil) && !k.Expires.IsZero() && !k.NotBefore.IsZero() && !k.Expires.After(k.NotBefore) {
		return &InvalidError{Field: "expires", Problem: "is not after not-before"}
	}
	if _, err := a.checkNew(&n, a.clock.now()); err != nil {
		return err
	}
	if p.Schemes != nil {
		for _, name := range k.Schemes {
			s, _ := a.scheme(name)
			if !slices.ContainsFunc(s.Kinds(), func(kind MaterialKind) bool { return k.material(kind) != nil }) {
				return &InvalidError{Field: "schemes", Problem: "holds a scheme that the key has no material for"}
			}
		}
	}
	if !actor.mayLeave(k) {
		return ErrForbidden
	}
	return nil
}

// mayLeave reports whether the actor may leave the key as it is now. One that is a key
// may not leave it wider than itself; nor itself wider than it was, for it is its own
// measure.
func (a *Actor) mayLeave(k *Key) bool { return a.Kind != ActorKey || a.Via != nil && a.Via.mayMake(k) }

// setState changes the state and drops a legacy word that no longer fits it.
func (k *Key) setState(s State) {
	if k.State != s {
		k.State, k.StateText = s, ""
	}
}

func (a *Authority) activate(ctx context.Context, k *Key) error {
	k.setState(StateActive)
	return a.principalActive(ctx, k)
}

func (a *Authority) principalActive(ctx context.Context, k *Key) error {
	p, err := a.store.Principal(ctx, k.Tenant, k.Principal)
	if err != nil {
		return fmt.Errorf("read principal: %w", err)
	}
	if p.State != PrincipalActive {
		return &InvalidError{Field: "state", Problem: "the key's principal is not active"}
	}
	return nil
}

// principal is the principal whose keys the actor may manage; empty: none.
func (a *Actor) principal() string {
	switch {
	case a.Kind == ActorAccount:
		return a.ID
	case a.Kind == ActorKey && a.Via != nil:
		return a.Via.Principal
	}
	return ""
}

// mayManage reports whether the actor may see and change the key.
func (a *Actor) mayManage(k *Key) bool {
	if a.Tenant != k.Tenant {
		return false
	}
	return a.everyone() || (a.principal() != "" && a.principal() == k.Principal)
}

// describe lists what differs from old (nil: everything that is set), for the audit
// log. Material is told by version only.
func (k *Key) describe(old *Key) []Change {
	var out []Change
	before := map[string]string{}
	if old != nil {
		for _, c := range old.describe(nil) {
			before[c.Field] = c.After
		}
	}
	for _, f := range []struct{ field, after string }{
		{"principal", k.Principal}, {"name", k.Name}, {"prefix", k.Prefix}, {"schemes", strings.Join(k.Schemes, " ")},
		{"scopes", strings.Join(k.Scopes.Strings(), " ")}, {"networks", joinNetworks(k.Networks)}, {"limits", joinLimits(k.Limits)},
		{"methods", strings.Join(k.Methods, " ")}, {"paths", strings.Join(k.Paths, " ")}, {"signed", flagText(k.Signed)}, {"metadata", k.Metadata.String()},
		{"deleted", timeText(k.Deleted)}, {"replay", k.Replay.String()}, {"state", k.State.String()}, {"state_text", k.StateText},
		{"not_before", timeText(k.NotBefore)}, {"expires", timeText(k.Expires)}, {"unused", spanText(k.Unused)}, {"materials", k.materialVersions()},
	} {
		if before[f.field] != f.after {
			out = append(out, Change{Field: f.field, Before: before[f.field], After: f.after})
		}
	}
	return out
}

func joinNetworks(ns []netip.Prefix) string {
	words := make([]string, len(ns))
	for i, n := range ns {
		words[i] = n.String()
	}
	return strings.Join(words, " ")
}

func (k *Key) materialVersions() string {
	words := make([]string, len(k.Materials))
	for i, m := range k.Materials {
		words[i] = fmt.Sprintf("%d/%s", m.Version, timeText(m.NotAfter))
	}
	return strings.Join(words, " ")
}

func flagText(on bool) string {
	if on {
		return "yes"
	}
	return ""
}

func spanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
