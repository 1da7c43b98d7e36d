// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse/gate"
)

// Permission lets a role do something, or not. A request is let through when a row of
// the role accepts it and none drops it, in whatever order they stand.
type Permission struct {
	Role   string
	Verb   string // HTTP method, or "all"
	Path   string // see [Rules]
	Action string // accept, drop, or audit: written to the audit log, and nothing else
	Topic  string // names the row in the audit log; may be empty
}

type permission struct{ verb, path, action, topic string }

var (
	verbs   = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "ALL"}
	actions = []string{accept, drop, audit}
)

const (
	anyVerb = "ALL"
	accept  = "ACCEPT"
	drop    = "DROP"
	audit   = "AUDIT"
)

func (p Permission) compile() (permission, error) {
	out := permission{verb: strings.ToUpper(p.Verb), action: strings.ToUpper(p.Action), topic: p.Topic}
	var ok bool
	switch {
	case p.Role == "":
		return permission{}, errors.New("the role is empty")
	case !slices.Contains(verbs, out.verb):
		return permission{}, errors.New("the verb is none of " + strings.Join(verbs, ", "))
	case !slices.Contains(actions, out.action):
		return permission{}, errors.New("the action is none of " + strings.Join(actions, ", "))
	}
	if out.path, ok = canonicalRule(p.Path); !ok {
		return permission{}, errors.New("the path can be read in two ways")
	}
	return out, nil
}

// verdict is what the permissions say of a request. The zero value refuses.
type verdict struct {
	allowed bool
	audited bool   // with allowed: a row asks for an event
	topic   string // of the row that decided; may be empty
}

// judge looks for the rows of a role.
func (rs *rules) judge(role, method, path string) verdict {
	var v verdict
	for _, p := range rs.permissions[role] {
		if (p.verb != anyVerb && p.verb != method) || !gate.UnderPrefix(path, p.path) {
			continue
		}
		switch p.action {
		case drop:
			return verdict{topic: p.topic}
		case audit:
			v.audited, v.topic = true, p.topic
		case accept:
			v.allowed = true
		}
	}
	return v
}

// DefaultRules are the rules that Barong ships, as far as they speak of paths that
// openware's services share: see docs/spec/barong.md for what is left out. There are no
// restrictions.
func DefaultRules() Rules {
	var rows []Permission
	add := func(role, verb, action string, paths ...string) {
		for _, p := range paths {
			rows = append(rows, Permission{Role: role, Verb: verb, Path: "api/v2" + p, Action: action})
		}
	}
	staff := []string{"accountant", "compliance", "technical", "support"}
	for _, role := range []string{"superadmin", "admin"} {
		add(role, anyVerb, accept, "")
	}
	for _, role := range append([]string{"member", "trader", "broker", "maker", "sa_maker"}, staff...) {
		add(role, anyVerb, accept, "/barong/resource", "/peatio/account", "/peatio/market", "/finex/market", "/applogic")
		add(role, "GET", accept, "/ranger", "/open_finance")
	}
	for _, role := range staff {
		add(role, "GET", accept, "/barong/admin")
	}
	for _, role := range append([]string{"admin"}, staff...) {
		add(role, anyVerb, drop, "/barong/admin/permissions", "/barong/admin/users/role", "/barong/admin/activities/admin")
	}
	add("sa_maker", anyVerb, drop,
		"/barong/resource/otp", "/barong/resource/phones", "/barong/resource/profiles", "/barong/resource/documents",
		"/barong/resource/addresses", "/barong/resource/api_keys", "/barong/resource/users/password",
		"/applogic/private/tenants", "/peatio/account/deposit_address", "/peatio/account/withdraws", "/peatio/account/beneficiaries")
	for _, role := range append([]string{"superadmin", "admin"}, staff...) {
		for _, verb := range []string{"POST", "PUT", "DELETE"} {
			add(role, verb, audit, "")
		}
	}
	return Rules{
		Pass: []string{
			"api/v2/barong/identity", "api/v2/barong/public", "api/v2/peatio/public", "api/v2/ranger/public",
			"api/v2/applogic/public", "api/v2/arke/public", "api/v2/finex/public",
		},
		Block:        []string{"api/v2/barong/management", "api/v2/peatio/management"},
		Permissions:  rows,
		Restrictions: []Restriction{},
	}
}
