// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse

import (
	"context"
	"net/netip"
	"time"
)

// Grain is the length of the spans of a series. The zero value is invalid.
type Grain uint8

// The grains, by the clock in UTC.
const (
	GrainInvalid Grain = iota
	GrainMinute
	GrainHour
	GrainDay
)

// Length is how long a span of the grain is; zero for an invalid one.
func (g Grain) Length() time.Duration {
	switch g {
	case GrainMinute:
		return time.Minute
	case GrainHour:
		return time.Hour
	case GrainDay:
		return 24 * time.Hour
	}
	return 0
}

// UsageCount is how often an outcome came to pass in a minute.
type UsageCount struct {
	Tenant  string
	KeyID   string    // the existing key that the credential named; empty: none
	Outcome string    // "granted" or the code of a [Reason]
	Minute  time.Time // begin of the minute, UTC
	Count   int64
}

// Source is one way in which a key is used: with which secret, by which scheme, from where.
type Source struct {
	Tenant   string
	KeyID    string
	Material int64 // version of the material
	Scheme   string
	Peer     netip.Addr // without its zone; invalid: unknown, or with Total of no meaning
	Agent    string     // class of the user agent, such as "curl"; never what the client sent
	Total    bool       // it counts all sources of the material and the scheme together
	First    time.Time  // UTC
	Last     time.Time  // UTC
	Uses     int64
}

// ScopeUse says when a route last demanded a scope of a key that has it.
type ScopeUse struct {
	Tenant string
	KeyID  string
	Scope  Scope
	Last   time.Time // UTC
}

// UsageBatch is what has come to pass since the batch before.
type UsageBatch struct {
	Counts  []UsageCount
	Sources []Source // Uses and times are those since the batch before
	Scopes  []ScopeUse
}

// UsageQuery selects a series.
type UsageQuery struct {
	Tenant   string // required
	KeyID    string // empty: the tenant as a whole, requests that named no key too
	Grain    Grain
	From, To time.Time // From inclusive, To exclusive; required
}

// UsagePoint is how often an outcome came to pass in a span.
type UsagePoint struct {
	Start   time.Time // UTC
	Outcome string
	Count   int64
}

// HygieneQuery asks for keys that want looking after.
type HygieneQuery struct {
	Tenant string        // required
	Now    time.Time     // required
	Unused time.Duration // what counts as unused; required
	Legacy []string      // schemes of older systems
	Limit  int           // findings at most; required
}

// Hygiene is an active key and what is wrong with it: at least one thing.
type Hygiene struct {
	Key     Key      // without material
	Unused  bool     // used, but not lately
	Never   bool     // never used, and made longer ago than what counts as unused
	Endless bool     // it never expires
	Idle    []Scope  // scopes that no route demanded of it lately, of a key that is old enough and in use
	Legacy  []string // schemes of older systems that it was lately presented by
}

// UsageRetention is how long usage is kept, by grain and for sources.
type UsageRetention struct {
	Minutes, Hours, Days, Sources time.Duration
}

// UsageStore keeps usage, apart from the keys' own changes: it moves no version and leaves no
// event. Implementations pass gatehousetest.UsageStore.
type UsageStore interface {
	// AddUsage adds a batch to what is kept, all or nothing. Unknown keys are no error.
	AddUsage(ctx context.Context, b *UsageBatch) error

	// Usage reads a series, oldest first; what is zero is left out.
	Usage(ctx context.Context, q UsageQuery) ([]UsagePoint, error)

	// Sources reads the sources of a key, totals first, then the latest first; a bounded
	// number of them is kept for each material.
	Sources(ctx context.Context, tenant, keyID string) ([]Source, error)

	// Hygiene reads active keys that want looking after, the oldest first.
	Hygiene(ctx context.Context, q HygieneQuery) ([]Hygiene, error)

	// PurgeUsage deletes what is older than the retention: some thousands of rows with one
	// call, so that nobody waits long for it.
	PurgeUsage(ctx context.Context, now time.Time, keep UsageRetention) error
}

// RuleSet is a tenant's route rules, as text that a gate reads.
type RuleSet struct {
	Tenant  string
	Text    string // empty: the tenant has none
	Version int64  // grows by one with every change; zero: none were ever stored
}

// RuleStore keeps route rules. Implementations pass gatehousetest.RuleStore.
type RuleStore interface {
	// Rules reads the rules of a tenant. None stored is no error.
	Rules(ctx context.Context, tenant string) (RuleSet, error)

	// RulesInForce is Rules for decisions. It may answer with what was read before, but
	// never with rules that a PutRules which has returned, on any node, had replaced before
	// the call.
	RulesInForce(ctx context.Context, tenant string) (RuleSet, error)

	// PutRules replaces the rules where the stored Version equals r.Version, zero for none,
	// and stores them with Version+1. They are in force on every node when it returns.
	// ErrConflict.
	PutRules(ctx context.Context, r *RuleSet, e *Event) error
}
