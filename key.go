// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// DefaultTenant is the tenant of records that name no other.
const DefaultTenant = "default"

// State says whether a key may be used at all. That a key has expired is a time,
// not a state. The zero value is invalid and denies.
type State uint8

// The states of a key. Revoked is final.
const (
	StateInvalid State = iota
	StateActive
	StateDisabled
	StateRevoked
)

var stateNames = [...]string{StateInvalid: "invalid", StateActive: "active", StateDisabled: "disabled", StateRevoked: "revoked"}

// String returns "active", "disabled" or "revoked", and "invalid" for anything else.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[StateInvalid]
}

// ParseState is the inverse of [State.String]; unknown text gives [StateInvalid].
func ParseState(text string) State {
	if i := slices.Index(stateNames[:], text); i > 0 {
		return State(i)
	}
	return StateInvalid
}

// MaterialKind says what is stored to check a proof. The zero value is invalid.
type MaterialKind uint8

// The kinds of material.
const (
	MaterialInvalid MaterialKind = iota
	MaterialDigest               // a keyed digest of the secret; the secret cannot be had back
	MaterialSealed               // the secret, sealed by a [Sealer]
	MaterialPublic               // a public key; the secret never reached us
)

// Material is what a key's proofs are checked against. A key may have several
// while it rotates; the one with the highest version is the newest.
type Material struct {
	Version  int64        // 1, 2, …; unique within the key
	Kind     MaterialKind // never MaterialInvalid in a stored key
	Ref      string       // id of the pepper (digest) or data key (sealed) that made Data
	Data     []byte       // digest, sealed bytes, or public key
	Created  time.Time    // UTC
	NotAfter time.Time    // end of grace, exclusive; zero: no end
}

// usableAt reports whether the material may still prove requests.
func (m *Material) usableAt(now time.Time) bool {
	return m.NotAfter.IsZero() || now.Before(m.NotAfter)
}

// ReplayMode says how a key's nonces are treated. The zero value is strict.
type ReplayMode uint8

// The replay modes.
const (
	ReplayStrict ReplayMode = iota // each (key, nonce) succeeds once
	ReplayWindow                   // a nonce may repeat inside its window, as Barong allows
)

// String returns "strict" or "window".
func (m ReplayMode) String() string {
	if m == ReplayWindow {
		return "window"
	}
	return "strict"
}

// Key is one API key: a record that says whom a credential speaks for and what it
// may. The secret is not part of it.
type Key struct {
	ID        string // the public name (kid); unique over all tenants
	Tenant    string
	Principal string         // id of the [Principal] the key speaks for
	Name      string         // free text for people; may be empty
	Prefix    string         // first part of a printable token; empty where the scheme has none
	Schemes   []string       // names of the schemes the key may be presented by; never empty
	Scopes    Scopes         // rights; empty: none
	Networks  []netip.Prefix // where it may be used from; empty: anywhere
	Limits    []Limit        // limits and quotas, all of which must admit; empty: none
	Methods   []string       // request methods it may be used for, in upper case; empty: any
	Paths     []string       // paths it may be used for; one that ends in "/" holds for all below; empty: any
	Signed    bool           // only schemes that sign: not those that are shown the secret
	Metadata  Metadata       // for its keepers; decides nothing
	Replay    ReplayMode
	State     State
	StateText string        // a legacy door's own word for the state; empty: [State.String]
	NotBefore time.Time     // UTC, inclusive; zero: at once
	Expires   time.Time     // UTC, exclusive; zero: never
	Unused    time.Duration // how long it may lie unused before it expires; zero: for ever
	LastUsed  time.Time     // UTC; when it last let a request pass, to about a minute; zero: never
	Created   time.Time     // UTC
	Updated   time.Time     // UTC
	Deleted   time.Time     // UTC; when everything but the record's name was taken away; zero: it was not
	Materials []Material
	Version   int64 // grows by one with every change; guards updates
}

// material is the newest material of a kind; nil: there is none.
func (k *Key) material(kind MaterialKind) *Material {
	i := slices.IndexFunc(k.Materials, func(m Material) bool { return m.Kind == kind })
	if i < 0 {
		return nil
	}
	return &k.Materials[i]
}

// usable is the key's own answer to "may it be used now": state, begin, expiry, and
// the principal and the tenant behind it, in this order. Zero means yes.
func (k *Key) usable(p *Principal, t TenantState, now time.Time) Reason {
	switch {
	case k.State == StateRevoked:
		return ReasonKeyRevoked
	case k.State != StateActive:
		return ReasonKeyDisabled
	case now.Before(k.NotBefore):
		return ReasonKeyNotYetValid
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return ReasonKeyExpired
	case k.Unused > 0 && !k.LastUsed.IsZero() && now.Sub(k.LastUsed) > k.Unused:
		return ReasonKeyExpired
	case !p.State.MayAct() || t != TenantActive:
		return ReasonPrincipalInactive
	}
	return 0
}

// permits is the answer of a key and its principal to "may it do this": scheme, network,
// method and path, role, scopes, in this order. Zero means yes.
func (k *Key) permits(r *Request, p *Principal, s Scheme) Reason {
	switch {
	case !slices.Contains(k.Schemes, s.Name()) || (k.Signed || r.Signed) && !signs(s):
		return ReasonSchemeNotAllowed
	case len(r.Schemes) > 0 && !slices.Contains(r.Schemes, s.Name()):
		return ReasonSchemeNotAllowed
	case !k.reachableFrom(r.Peer):
		return ReasonNetworkNotAllowed
	}
	if reason := k.route(r); reason != 0 {
		return reason
	}
	if len(r.Roles) > 0 && !slices.Contains(r.Roles, p.Role) {
		return ReasonRouteNotAllowed
	}
	if !k.Scopes.Covers(r.Need) || !k.Scopes.Meets(r.NeedAny) {
		return ReasonInsufficientScope
	}
	return 0
}

// route is the key's answer to a method and a path. A target that can be read in two ways
// is within no path; one that the gate did not tell is none.
func (k *Key) route(r *Request) Reason {
	if len(k.Methods) > 0 && !slices.Contains(k.Methods, r.Method) {
		return ReasonRouteNotAllowed
	}
	if len(k.Paths) == 0 {
		return 0
	}
	path, ok := CanonicalPath(r.Target)
	if !ok {
		return ReasonAmbiguousPath
	}
	if !slices.ContainsFunc(k.Paths, func(p string) bool { return p == path || strings.HasSuffix(p, "/") && UnderPrefix(path, p) }) {
		return ReasonRouteNotAllowed
	}
	return 0
}

func (k *Key) reachableFrom(peer netip.Addr) bool {
	if len(k.Networks) == 0 {
		return true
	}
	// A mapped address is the IPv4 address it carries; a zone names an interface of
	// ours and says nothing about the client.
	peer = peer.Unmap().WithZone("")
	return slices.ContainsFunc(k.Networks, func(n netip.Prefix) bool { return n.Contains(peer) })
}

// PrincipalState is the state of an account or service account, as text. Unknown
// text, and the empty one, may not act.
type PrincipalState string

// The states of a principal.
const (
	PrincipalActive   PrincipalState = "active"
	PrincipalPending  PrincipalState = "pending" // not confirmed yet; existing keys work
	PrincipalLocked   PrincipalState = "locked"
	PrincipalBanned   PrincipalState = "banned"
	PrincipalDeleted  PrincipalState = "deleted"
	PrincipalDisabled PrincipalState = "disabled" // a service account that was taken away
)

// MayAct reports whether keys and sessions of a principal in this state work.
func (s PrincipalState) MayAct() bool { return s == PrincipalActive || s == PrincipalPending }

// PrincipalKind says what a principal is. The zero value is invalid.
type PrincipalKind uint8

// The kinds of principal.
const (
	PrincipalInvalid PrincipalKind = iota
	PrincipalAccount               // a person
	PrincipalService               // a service account
)

// Principal is whom a key speaks for, as far as a decision and the services behind
// it need to know. It is read together with the key, so that a ban is in force at
// once.
type Principal struct {
	ID           string
	Tenant       string
	Kind         PrincipalKind
	UID          string // the name that people and services see, such as ID0123456789
	Email        string
	Username     string // empty: none
	Role         string
	Level        int
	State        PrincipalState
	Referral     string  // id of the account that referred it; empty: none
	Limits       []Limit // of all its keys together; empty: none
	SecondFactor bool    // a second factor is on
	Version      int64   // grows by one with every change
}
