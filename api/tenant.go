// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// NewTenant asks for a tenant.
type NewTenant struct {
	Name   string  `json:"name" doc:"1 to 63 of a-z, 0-9 and '-', beginning with a letter"`
	Text   string  `json:"text,omitempty"`
	Limits []Limit `json:"limits,omitempty" doc:"of all its keys together" nullable:"false"`
}

// Tenant is an isolated set of keys, accounts and rules.
type Tenant struct {
	Name    string    `json:"name"`
	Text    string    `json:"text,omitempty"`
	State   string    `json:"state" enum:"active,disabled,removed"`
	Limits  []Limit   `json:"limits,omitempty" nullable:"false"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Version int64     `json:"version" doc:"the ETag"`
}

// Tenants are all tenants by name.
type Tenants struct {
	Tenants []Tenant `json:"tenants" nullable:"false"`
}

// PatchTenant changes a tenant. Absent members stay as they are.
type PatchTenant struct {
	Text   *string  `json:"text,omitempty"`
	State  *string  `json:"state,omitempty" doc:"'active' or 'disabled'; removing is a verb of its own" enum:"active,disabled"`
	Limits *[]Limit `json:"limits,omitempty"`
}

// Rules are a tenant's route rules: what each route demands, by pattern, as in a rules file.
type Rules struct {
	Rules   map[string]any `json:"rules" doc:"such as {'GET /orders': 'orders:read', '/health': {'open': true}}"`
	Version int64          `json:"version,omitempty" doc:"the ETag; absent: there are none. It is not read: If-Match is"`
}

// Explain asks which rule is for a request.
type Explain struct {
	Method    string `json:"method"`
	Authority string `json:"authority,omitempty" doc:"the host that the client names; absent: rules with a host are not for it"`
	Target    string `json:"target" doc:"raw, with or without a query"`
}

// Explained is the rule for a request.
type Explained struct {
	Outcome string      `json:"outcome" enum:"open,key,scopes,blocked,no_rule,ambiguous_path" doc:"'key': any, 'scopes': one that has them; nobody passes by the last three. 'key' without a pattern: there are no rules, and gates let any valid key pass"`
	Pattern string      `json:"pattern,omitempty" doc:"of the rule"`
	All     []string    `json:"all,omitempty" nullable:"false"`
	Any     []string    `json:"any,omitempty" nullable:"false"`
	Roles   []string    `json:"roles,omitempty" nullable:"false"`
	Schemes []string    `json:"schemes,omitempty" nullable:"false"`
	Signed  bool        `json:"signed,omitempty"`
	Cost    int64       `json:"cost,omitempty"`
	Others  []OtherRule `json:"others,omitempty" nullable:"false" doc:"rules that come near, by pattern"`
}

// OtherRule is a rule that comes near a request, and is not for it.
type OtherRule struct {
	Pattern string `json:"pattern"`
	Why     string `json:"why" doc:"for people"`
}
