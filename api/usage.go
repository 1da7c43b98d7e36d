// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// Usage is how often a key, or a whole tenant, was verified over time. It is at most ten
// seconds late.
type Usage struct {
	Key    string           `json:"kid,omitempty" doc:"absent: the whole tenant"`
	Grain  string           `json:"grain" enum:"minute,hour,day"`
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	Points []UsagePoint     `json:"points" doc:"oldest first; spans without any verification are left out" nullable:"false"`
	Totals map[string]int64 `json:"totals" doc:"by outcome"`
	By     []UsedBy         `json:"by,omitempty" doc:"where the key was used from, of late: the latest first, 32 at most; of a key only" nullable:"false"`
}

// UsagePoint is one span of a series.
type UsagePoint struct {
	Start  time.Time        `json:"start"`
	Counts map[string]int64 `json:"counts" doc:"by outcome: 'granted' or the code of a denial"`
}

// Hygiene lists keys that want looking after.
type Hygiene struct {
	Days     int          `json:"days" doc:"what counts as unused"`
	Findings []HygieneRow `json:"findings" nullable:"false"`
	More     bool         `json:"more" doc:"there are more than were asked for"`
}

// HygieneRow is a key and what is wrong with it.
type HygieneRow struct {
	Key      string     `json:"kid"`
	Name     string     `json:"name,omitempty"`
	Owner    string     `json:"owner" doc:"uid"`
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Unused   bool       `json:"unused,omitempty" doc:"not for so many days"`
	Never    bool       `json:"never_used,omitempty" doc:"and it is older than so many days"`
	Endless  bool       `json:"no_expiry,omitempty" doc:"it never expires"`
	Idle     []string   `json:"idle_scopes,omitempty" doc:"scopes that no route demanded of it for so many days" nullable:"false"`
	Legacy   []string   `json:"legacy_schemes,omitempty" doc:"schemes of older systems that it was presented by" nullable:"false"`
}

// SigningKey is a key that assertions are signed with.
type SigningKey struct {
	ID        string     `json:"kid"`
	Algorithm string     `json:"alg"`
	State     string     `json:"state" doc:"'next' (published, not signing yet), 'active', 'retired' (published, not signing)" enum:"next,active,retired"`
	Created   time.Time  `json:"created"`
	Signs     *time.Time `json:"signs_from,omitempty"`
	Retires   *time.Time `json:"retires,omitempty"`
}

// SigningKeys are the signing keys, newest first.
type SigningKeys struct {
	Keys []SigningKey `json:"keys" nullable:"false"`
}
